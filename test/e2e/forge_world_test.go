package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/sources/forge"
)

// A teamForge is a forge as a team uses it: repositories with webhooks, and a
// token for Berth.
type teamForge struct {
	name       string // of the forge, in the webhooks' path
	host       string
	credential string   // what the configuration says of the host
	secrets    []string // that must be in no log
	repo       func(name string) forgeRepo
}

// A forgeRepo is a repository on a forge, as people have it.
type forgeRepo interface {
	URL() string
	PushURL() string // with somebody's password
	// AddWebhook has pushes and pull requests posted to a URL, signed with forgeSecret.
	AddWebhook(to string)
	// Statuses returns all that was ever said of a commit, the oldest first.
	Statuses(commit string) []forge.Status
	Open(title, branch string) pull
	Merge(number int) (commit string)
	Comments(number int) []string // the oldest first
}

// A pull is an open pull request to main.
type pull struct {
	number int
	head   string // its newest commit
}

// forgeWorld is a world whose repositories are on a forge, with webhooks to Berth.
type forgeWorld struct {
	*world
	forge                teamForge
	appRepo, desiredRepo forgeRepo
	began                time.Time
}

const forgeSecret = "a secret of the forge and Berth"

// newForgeWorld has Berth follow repositories on a forge that is made for the world.
func newForgeWorld(t testing.TB, on func(*world) teamForge) *forgeWorld {
	t.Helper()
	w := &forgeWorld{world: newWorld(t), began: time.Now()}
	w.forge = on(w.world)
	w.appRepo, w.desiredRepo = w.forge.repo("apps"), w.forge.repo("desired")
	for repo, dir := range map[forgeRepo]string{w.appRepo: w.apps, w.desiredRepo: w.desired} {
		w.git(dir, "remote", "add", "origin", repo.PushURL())
	}
	w.push(w.apps)
	w.commit(w.desired, "Follow the apps on the forge", map[string]string{"repos.yaml": "kind: Repo\nname: apps\nurl: " + w.appRepo.URL() + "\ninterval: 1h\n"})
	w.push(w.desired)
	t.Setenv("BERTH_TEST_WEBHOOKS", forgeSecret)
	w.config = w.write("berth.yaml", fmt.Sprintf(`desired: {url: %q, interval: 1h}
credentials: [{host: %q, forge: %s, %s}]
webhooks: {secretEnv: BERTH_TEST_WEBHOOKS}
status: {url: "http://%s"}
`, w.desiredRepo.URL(), w.forge.host, w.forge.name, w.forge.credential, w.listen))
	w.serve()
	w.awaitLog("commit success: no deployment is declared")
	for _, repo := range []forgeRepo{w.appRepo, w.desiredRepo} {
		repo.AddWebhook("http://" + w.listen + "/webhooks/" + w.forge.name)
	}
	return w
}

func (w *forgeWorld) push(dir string, refs ...string) {
	w.t.Helper()
	w.git(dir, append([]string{"push", "-q", "origin"}, append(refs, "HEAD")...)...)
}

// publish pushes a commit with files to main, and returns it.
func (w *forgeWorld) publish(dir, message string, files map[string]string) string {
	w.t.Helper()
	commit := w.commit(dir, message, files)
	w.push(dir)
	return commit
}

// release pushes a new release of the app, and returns the commit.
func (w *forgeWorld) release(version string) string {
	w.t.Helper()
	return w.publish(w.apps, "Publish "+version, map[string]string{"hello/manifest.yaml": w.manifest(version)})
}

// pull pushes a commit with files to a branch, opens a pull request for it, and
// goes back to main.
func (w *forgeWorld) pull(branch string, files map[string]string) pull {
	w.t.Helper()
	w.git(w.desired, "switch", "-q", "-c", branch)
	w.publish(w.desired, "Change "+branch, files)
	pr := w.desiredRepo.Open("Change "+branch, branch)
	w.git(w.desired, "switch", "-q", "main")
	return pr
}

// merge merges a pull request, and returns the commit.
func (w *forgeWorld) merge(pr pull) string {
	w.t.Helper()
	commit := w.desiredRepo.Merge(pr.number)
	w.git(w.desired, "pull", "-q", "origin", "main")
	return commit
}

// said returns what was said of a commit in a context, in order, as "state: text".
func said(repo forgeRepo, commit, context string) []string {
	var out []string
	for _, s := range repo.Statuses(commit) {
		if s.Context == context {
			out = append(out, string(s.State)+": "+s.Description)
		}
	}
	return out
}

// awaitStatus waits until the newest status of a context begins with this, and
// logs how long that took.
func (w *forgeWorld) awaitStatus(repo forgeRepo, commit, context, want string) {
	w.t.Helper()
	began := time.Now()
	var all []string
	defer func() {
		if w.t.Failed() {
			w.t.Logf("%s of %s: %q", context, commit, all)
		}
	}()
	w.await(context+" is "+want, func() bool {
		all = said(repo, commit, context)
		return len(all) > 0 && strings.HasPrefix(all[len(all)-1], want)
	})
	w.t.Logf("%6.2fs %s of %.7s is %q, after %.2fs", time.Since(w.began).Seconds(), context, commit, all[len(all)-1], time.Since(began).Seconds())
}

// states returns the words before the texts, each once in a row.
func states(all []string) string {
	var out []string
	for _, s := range all {
		state, _, _ := strings.Cut(s, ":")
		out = append(out, state)
	}
	return strings.Join(slices.Compact(out), " ")
}

// propose opens a pull request that declares the deployment one: it says what it
// would do, and touches nothing.
func (w *forgeWorld) propose() pull {
	w.t.Helper()
	pr := w.pull("one", map[string]string{"one.yaml": deployment("one", "^0.1")})
	w.awaitStatus(w.desiredRepo, pr.head, "berth/plan", "success: +1 ~0 -0, one")
	w.await("the plan stands below the pull request", func() bool { return len(w.desiredRepo.Comments(pr.number)) == 1 })
	comment := w.desiredRepo.Comments(pr.number)[0]
	for _, part := range []string{"<code>one</code>", "<code>0.1.0</code>", "<code>docker</code>"} {
		if !strings.Contains(comment, part) {
			w.t.Errorf("the comment lacks %q:\n%s", part, comment)
		}
	}
	if w.count() > 0 {
		w.t.Error("a pull request started a container")
	}
	return pr
}

// accept merges the pull request of [forgeWorld.propose]: the deployment runs, and
// the commit that it returns says so.
func (w *forgeWorld) accept(pr pull) string {
	w.t.Helper()
	merged := w.merge(pr)
	w.awaitStatus(w.desiredRepo, merged, "berth", "success: 1 of 1 running")
	w.awaitStatus(w.desiredRepo, merged, "berth/one", "success: 0.1.0 cpu runs on docker")
	w.awaitRunning("one", "0.1.0")
	if got := states(said(w.desiredRepo, merged, "berth")); got != "pending success" && got != "success" {
		w.t.Errorf("statuses of the merge: %s", got)
	}
	status, page, err := w.get("/commits/" + merged)
	if err != nil || status != 200 || !strings.Contains(page, "1 of 1 running") {
		w.t.Errorf("the page of the commit: %d, %v\n%s", status, err, page)
	}
	return merged
}

// awaitRelease waits until a release that a commit published runs, in place of the
// former one, and both repositories say so.
func (w *forgeWorld) awaitRelease(commit, version, declared string) pod {
	w.t.Helper()
	w.awaitStatus(w.appRepo, commit, "berth/manifest", "success: org.example.hello "+version+" in the catalog; 1 deployment updated")
	w.awaitStatus(w.desiredRepo, declared, "berth", "success: 1 of 1 running")
	w.awaitStatus(w.desiredRepo, declared, "berth/one", "success: "+version+" cpu runs on docker")
	return w.awaitRunning("one", version)
}

// breakIt proposes what cannot be: it is told where it is broken.
func (w *forgeWorld) breakIt() pull {
	w.t.Helper()
	broken := w.pull("broken", map[string]string{"one.yaml": deployment("one", "^0.1") + "colour: red\n"})
	w.awaitStatus(w.desiredRepo, broken.head, "berth/plan", "failure: one.yaml:6:1:")
	w.await("the comment tells of the error", func() bool {
		all := w.desiredRepo.Comments(broken.number)
		return len(all) == 1 && strings.Contains(all[0], "one.yaml:6:1")
	})
	return broken
}

// mend mends the pull request of [forgeWorld.breakIt]: its comment is kept up to
// date, not repeated.
func (w *forgeWorld) mend(broken pull) {
	w.t.Helper()
	w.git(w.desired, "switch", "-q", "broken")
	mended := w.publish(w.desired, "Mend it", map[string]string{"one.yaml": deployment("one", "^0.1", "replicas: 2\n")})
	w.git(w.desired, "switch", "-q", "main")
	w.awaitStatus(w.desiredRepo, mended, "berth/plan", "success: +0 ~1 -0, one: ")
	w.await("the comment is up to date", func() bool {
		all := w.desiredRepo.Comments(broken.number)
		return len(all) == 1 && !strings.Contains(all[0], "one.yaml:6:1")
	})
}

// nothingLeaked checks that no secret is in the log.
func (w *forgeWorld) nothingLeaked() {
	w.t.Helper()
	for _, secret := range append(w.forge.secrets, forgeSecret) {
		if strings.Contains(w.log.String(), secret) {
			w.t.Errorf("a secret is in the log: %s", secret)
		}
	}
}
