package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/internal/giteatest"
)

// forgeWorld is a world whose repositories are on a forge, with webhooks to Berth.
type forgeWorld struct {
	*world
	forge                *giteatest.Forge
	appRepo, desiredRepo *giteatest.Repo
	began                time.Time
}

const forgeSecret = "a secret of the forge and Berth"

func newForgeWorld(t testing.TB) *forgeWorld {
	t.Helper()
	w := &forgeWorld{forge: giteatest.New(t), world: newWorld(t), began: time.Now()}
	lab, berth := w.forge.NewUser("lab"), w.forge.NewUser("berth-robot")
	w.appRepo, w.desiredRepo = lab.NewRepo("apps"), lab.NewRepo("desired")
	for repo, dir := range map[*giteatest.Repo]string{w.appRepo: w.apps, w.desiredRepo: w.desired} {
		repo.Admit(berth, "write")
		w.git(dir, "remote", "add", "origin", repo.PushURL())
	}
	w.push(w.apps)
	w.commit(w.desired, "Follow the apps on the forge", map[string]string{"repos.yaml": "kind: Repo\nname: apps\nurl: " + w.appRepo.URL() + "\ninterval: 1h\n"})
	w.push(w.desired)
	token := berth.Token("statuses", "write:repository", "write:issue", "read:user")
	w.t.(*testing.T).Setenv("BERTH_TEST_TOKEN", token)
	w.t.(*testing.T).Setenv("BERTH_TEST_WEBHOOKS", forgeSecret)
	w.config = w.write("berth.yaml", fmt.Sprintf(`desired: {url: %q, interval: 1h}
credentials: [{host: %q, forge: gitea, username: berth-robot, tokenEnv: BERTH_TEST_TOKEN}]
webhooks: {secretEnv: BERTH_TEST_WEBHOOKS}
status: {url: "http://%s"}
`, w.desiredRepo.URL(), w.forge.Host, w.listen))
	w.serve()
	w.awaitLog("commit success: no deployment is declared")
	for _, repo := range []*giteatest.Repo{w.appRepo, w.desiredRepo} {
		repo.AddWebhook("http://"+w.listen+"/webhooks/gitea", forgeSecret, "push", "pull_request")
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

// pull pushes a commit with files to a branch, opens a pull request for it, and
// goes back to main.
func (w *forgeWorld) pull(branch string, files map[string]string) giteatest.Pull {
	w.t.Helper()
	w.git(w.desired, "switch", "-q", "-c", branch)
	w.publish(w.desired, "Change "+branch, files)
	pr := w.desiredRepo.OpenPull("Change "+branch, branch, "main")
	w.git(w.desired, "switch", "-q", "main")
	return pr
}

// merge merges a pull request, and returns the commit.
func (w *forgeWorld) merge(pr giteatest.Pull) string {
	w.t.Helper()
	commit := w.desiredRepo.Merge(pr.Number).MergeCommit
	w.git(w.desired, "pull", "-q", "origin", "main")
	return commit
}

// said returns what was said of a commit in a context, in order, as "state: text".
func said(repo *giteatest.Repo, commit, context string) []string {
	var out []string
	for _, s := range repo.Statuses(commit) {
		if s.Context == context {
			out = append(out, s.State+": "+s.Description)
		}
	}
	return out
}

// awaitStatus waits until the newest status of a context begins with this, and
// logs how long that took.
func (w *forgeWorld) awaitStatus(repo *giteatest.Repo, commit, context, want string) {
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

// TestForge is a team's day with a forge: pushes, pull requests, and what both say.
func TestForge(t *testing.T) {
	w := newForgeWorld(t)
	first := w.git(w.apps, "rev-parse", "HEAD")
	w.awaitStatus(w.appRepo, first, "berth/manifest", "success: 1 release in the catalog")

	// A pull request says what it would do, and touches nothing.
	pr := w.pull("one", map[string]string{"one.yaml": deployment("one", "^0.1")})
	w.awaitStatus(w.desiredRepo, pr.Head.Commit, "berth/plan", "success: +1 ~0 -0, one")
	w.await("the plan stands below the pull request", func() bool { return len(w.desiredRepo.Comments(pr.Number)) == 1 })
	comment := w.desiredRepo.Comments(pr.Number)[0]
	for _, part := range []string{"<code>one</code>", "<code>0.1.0</code>", "<code>docker</code>"} {
		if !strings.Contains(comment.Body, part) {
			t.Errorf("the comment lacks %q:\n%s", part, comment.Body)
		}
	}
	if w.count() > 0 {
		t.Error("a pull request started a container")
	}

	// It is merged, and runs.
	merged := w.merge(pr)
	w.awaitStatus(w.desiredRepo, merged, "berth", "success: 1 of 1 running")
	w.awaitStatus(w.desiredRepo, merged, "berth/one", "success: 0.1.0 cpu runs on docker")
	p := w.awaitRunning("one", "0.1.0")
	if got := states(said(w.desiredRepo, merged, "berth")); got != "pending success" && got != "success" {
		t.Errorf("statuses of the merge: %s", got)
	}
	status, page, err := w.get("/commits/" + merged)
	if err != nil || status != 200 || !strings.Contains(page, "1 of 1 running") {
		t.Errorf("the page of the commit: %d, %v\n%s", status, err, page)
	}

	// A new release follows, and both repositories say so.
	second := w.publish(w.apps, "Publish 0.1.1", map[string]string{"hello/manifest.yaml": w.manifest("0.1.1")})
	w.awaitStatus(w.appRepo, second, "berth/manifest", "success: org.example.hello 0.1.1 in the catalog; 1 deployment updated")
	w.awaitStatus(w.desiredRepo, merged, "berth", "success: 1 of 1 running")
	w.awaitStatus(w.desiredRepo, merged, "berth/one", "success: 0.1.1 cpu runs on docker")
	p = w.awaitRunning("one", "0.1.1")

	// What is broken is told where it is broken, and changes nothing.
	broken := w.pull("broken", map[string]string{"one.yaml": deployment("one", "^0.1") + "colour: red\n"})
	w.awaitStatus(w.desiredRepo, broken.Head.Commit, "berth/plan", "failure: one.yaml:6:1:")
	third := w.publish(w.apps, "Break it", map[string]string{"hello/manifest.yaml": "identifier: org.example.hello\nversion: [0.1.2]\nflavours: []\n"})
	w.awaitStatus(w.appRepo, third, "berth/manifest", "failure: hello/manifest.yaml:2:")
	w.publish(w.apps, "Mend it", map[string]string{"hello/manifest.yaml": w.manifest("0.1.1")})
	if now := w.awaitRunning("one", "0.1.1"); now.id != p.id {
		t.Error("the container was replaced")
	}

	// The pull request is mended: its comment is kept up to date, not repeated.
	w.await("the comment tells of the error", func() bool {
		all := w.desiredRepo.Comments(broken.Number)
		return len(all) == 1 && strings.Contains(all[0].Body, "one.yaml:6:1")
	})
	w.git(w.desired, "switch", "-q", "broken")
	mended := w.publish(w.desired, "Mend it", map[string]string{"one.yaml": deployment("one", "^0.1", "replicas: 2\n")})
	w.git(w.desired, "switch", "-q", "main")
	w.awaitStatus(w.desiredRepo, mended, "berth/plan", "success: +0 ~1 -0, one: ")
	w.await("the comment is up to date", func() bool {
		all := w.desiredRepo.Comments(broken.Number)
		return len(all) == 1 && !strings.Contains(all[0].Body, "one.yaml:6:1")
	})

	// Berth is killed while a container is there and its status is not told.
	killed := w.publish(w.desired, "Another", map[string]string{"two.yaml": deployment("two", "^0.1")})
	w.await("two is there", func() bool { return len(w.of("two")) == 1 })
	w.kill()
	w.serve()
	w.awaitStatus(w.desiredRepo, killed, "berth", "success: 2 of 2 running")
	w.awaitStatus(w.desiredRepo, killed, "berth/two", "success: ")

	// The forge is away for a while: what happens meanwhile is told afterwards.
	w.forge.Stop()
	p, _ = w.running("two")
	w.removeByHand(p)
	w.awaitRunning("two", "0.1.1")
	w.forge.Start()
	w.awaitStatus(w.desiredRepo, killed, "berth", "success: 2 of 2 running")

	// Nothing of an older commit was said after the newer one took over.
	if all := said(w.desiredRepo, merged, "berth"); !strings.HasPrefix(all[len(all)-1], "success") {
		t.Errorf("the former commit ends with %q", all[len(all)-1])
	}
	for _, secret := range []string{forgeSecret, "secret-of-berth-robot"} {
		if strings.Contains(w.log.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}
