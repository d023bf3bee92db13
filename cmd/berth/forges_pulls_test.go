package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/internal/githubtest"
	"github.com/berthdev/berth/reconciler/pulls"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/forge"
)

// A clone is a work tree of a repository on a forge.
type clone struct {
	t    *testing.T
	repo *githubtest.Repo
	dir  string
	url  string // to push to
}

func newClone(t *testing.T, repo *githubtest.Repo) *clone {
	c := &clone{t: t, repo: repo, dir: t.TempDir(), url: strings.Replace(repo.Git(), "http://", "http://ada:hunter2@", 1)}
	c.git("init", "-q", "-b", "main")
	return c
}

func (c *clone) git(args ...string) string {
	c.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.org"}, args...)...)
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// push commits files, pushes the branch that is checked out, and returns the commit.
func (c *clone) push(files map[string]string) string {
	c.t.Helper()
	for name, text := range files {
		at := filepath.Join(c.dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o600)); err != nil {
			c.t.Fatal(err)
		}
	}
	c.git("add", "-A")
	c.git("commit", "-q", "-m", fmt.Sprint("change ", len(files)))
	c.git("push", "-q", c.url, "HEAD")
	return c.git("rev-parse", "HEAD")
}

// propose opens a pull request with files, on top of a commit.
func (c *clone) propose(branch, start string, files map[string]string) pulls.Request {
	c.t.Helper()
	c.git("checkout", "-q", "-b", branch, start)
	c.push(files)
	c.git("checkout", "-q", "main")
	p := c.repo.Open(githubtest.Pull{Title: branch, Base: "main", Branch: branch})
	return pulls.Request{
		PullRequest: forge.PullRequest{Number: p.Number, Base: p.Base, Head: p.Head, Ref: fmt.Sprintf("refs/pull/%d/head", p.Number)},
		MergeBase:   func(context.Context) (string, error) { return c.repo.MergeBase(p.Number), nil },
	}
}

// A told is a Berth that could tell a forge: its sources are read, and nothing runs.
type told struct {
	*instance
	t             *testing.T
	rig           *rig
	desired, apps *clone
}

// newTold follows the app repos that documents of the desired state name, of which
// the URL is written for REPO.
func newTold(t *testing.T, documents string, files map[string]string) *told {
	t.Helper()
	server := githubtest.Start(t)
	server.Token("hunter2", "ada", true)
	w := &told{t: t, rig: newRig(), desired: newClone(t, server.Repo("lab/desired")), apps: newClone(t, server.Repo("lab/apps"))}
	w.apps.push(files)
	w.desired.push(map[string]string{"repos.yaml": strings.ReplaceAll(documents, "REPO", w.apps.repo.Git())})
	t.Setenv("BERTH_TEST_TOKEN", "hunter2")
	cfg := &schema.Config{Instance: "lab", DataDir: t.TempDir(), Listen: "127.0.0.1:0"}
	cfg.Desired.URL = w.desired.repo.Git()
	cfg.Credentials = []schema.Credential{{Host: strings.TrimPrefix(server.URL, "http://"), Forge: schema.ForgeGitHub, Username: "ada", TokenEnv: "BERTH_TEST_TOKEN"}}
	if err := complete(cfg); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.instance, err = newInstance(t.Context(), cfg, w.rig.open, slog.New(slog.NewTextHandler(t.Output(), nil)), alone, false); err != nil {
		t.Fatal(err)
	}
	return w
}

// once reads all sources.
func (w *told) once() {
	w.t.Helper()
	w.t.Cleanup(func() { w.hub.Close(); w.close() })
	if err := w.hub.Once(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// manifestRepos returns those whose pull requests are told what they would publish.
func (w *told) manifestRepos() []pulls.Repo {
	w.t.Helper()
	all := w.forges.repos()
	if len(all) == 0 || all[0].Context != "berth/plan" {
		w.t.Fatalf("repos are %+v", all)
	}
	return all[1:]
}

// says compares what is said of a pull request to the one app repository.
func (w *told) says(pr pulls.Request, want string) {
	w.t.Helper()
	all := w.manifestRepos()
	if len(all) != 1 || all[0].Context != "berth/manifest" {
		w.t.Fatalf("repos are %+v", all)
	}
	plan, err := all[0].Plan(w.t.Context(), pr)
	got := fmt.Sprintf("%s: %s", plan.State, plan.Summary)
	if err != nil {
		got = fmt.Sprintf("%s: %v", schema.KindOf(err), err)
	}
	if got != want {
		w.t.Errorf("it says\n%s, want\n%s", got, want)
	}
}

func app(identifier, version string) string {
	return fmt.Sprintf("identifier: %s\nversion: %s\nflavours:\n  - {name: cpu, image: example.org/app:fine}\n", identifier, version)
}

func repo(name string, more ...string) string {
	return fmt.Sprintf("kind: Repo\nname: %s\nurl: REPO\nref: main\n%s\n---\n", name, strings.Join(more, "\n"))
}

// Several Repo documents of one branch have one status between them, in which an
// error in the files of one is not hidden by what another has to say.
func TestReposOfOneBranchSpeakAsOne(t *testing.T) {
	w := newTold(t, repo("a", "paths: [a/**]")+repo("b", "paths: [b/**]")+repo("both", "paths: ['*/**']"), map[string]string{
		"a/manifest.yaml": app("org.a", "1.0.0"), "b/manifest.yaml": app("org.b", "1.0.0"),
	})
	start := w.apps.git("rev-parse", "HEAD")
	broken := w.apps.propose("broken", start, map[string]string{"a/manifest.yaml": "identifier: org.a\nversion: [1.0.0]\nflavours: []\n"})
	fine := w.apps.propose("fine", start, map[string]string{"a/manifest.yaml": app("org.a", "1.1.0"), "b/manifest.yaml": app("org.b", "1.1.0")})
	text := w.apps.propose("text", start, map[string]string{"README.md": "text"})
	w.once()
	w.says(broken, "failure: a/manifest.yaml:2:10: version: must be text, not a list (for example version: 0.4.10)")
	w.says(fine, "success: it would publish org.a 1.1.0 (and 1 more)")
	w.says(text, "success: no manifest changes")
	if r := w.manifestRepos()[0]; r.Name != "a" || fmt.Sprint(r.Also) != "[b both]" {
		t.Errorf("it is named %s and %s", r.Name, r.Also)
	}
}

// What a repo may not publish is said before the merge, and again when its document
// says otherwise.
func TestPullRequestsMayNotPublish(t *testing.T) {
	w := newTold(t, repo("apps", "apps: [org.*]"), map[string]string{"README.md": "text"})
	pr := w.apps.propose("other", "HEAD", map[string]string{"manifest.yaml": app("com.other", "1.0.0")})
	w.once()
	w.says(pr, "failure: repo apps publishes com.other in manifest.yaml, and may publish org.* only")
	before := w.manifestRepos()[0].Against
	if again := w.manifestRepos()[0].Against; again != before {
		t.Errorf("it is planned against %q, then %q", before, again)
	}
	w.desired.push(map[string]string{"repos.yaml": strings.ReplaceAll(repo("apps", "apps: [com.*]"), "REPO", w.apps.repo.Git())})
	if err := w.hub.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.manifestRepos()[0].Against == before {
		t.Error("it would not be planned again")
	}
	w.says(pr, "success: it would publish com.other 1.0.0")
}

// A pull request that is not rebased is not told what its base did since.
func TestPullRequestsThatAreNotRebased(t *testing.T) {
	w := newTold(t, repo("apps"), map[string]string{
		"c/manifest.yaml": app("org.c", "1.0.0"), "d/manifest.yaml": "identifier: org.d\nversion: [1.0.0]\nflavours: []\n",
	})
	w.apps.git("checkout", "-q", "-b", "text")
	w.apps.push(map[string]string{"README.md": "one"})
	w.apps.git("checkout", "-q", "main")
	pr := w.apps.propose("more", "text", map[string]string{"README.md": "two"})
	w.apps.push(map[string]string{"c/manifest.yaml": app("org.c", "2.0.0"), "d/manifest.yaml": app("org.d", "1.0.0")})
	w.once()
	w.says(pr, "success: no manifest changes")
	pr.MergeBase = func(context.Context) (string, error) { return "", nil }
	w.says(pr, "failure: d/manifest.yaml:2:10: version: must be text, not a list (for example version: 0.4.10) (compared with the newest commit of main)")
}

// A commit that is in force already has a status of its own, which a pull request
// that the forge does not show as merged yet must not take away.
func TestPullRequestsThatAreMerged(t *testing.T) {
	w := newTold(t, repo("a", "paths: [a/**]")+repo("b", "paths: [b/**]"), map[string]string{"a/manifest.yaml": app("org.a", "1.0.0")})
	pr := w.apps.propose("next", "HEAD", map[string]string{"a/manifest.yaml": "identifier: org.a\nversion: [1.0.0]\nflavours: []\n"})
	w.apps.git("merge", "-q", "--ff-only", "next")
	w.apps.git("push", "-q", w.apps.url, "main")
	w.once()
	const waits = "waiting: plan pull request 1: its newest commit is in its base already, and has a status of its own there"
	w.says(pr, waits)
	w.apps.push(map[string]string{"README.md": "text"})
	if err := w.hub.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.says(pr, waits)
	// One that is pushed to its base while it is planned.
	late := w.apps.propose("late", "HEAD", map[string]string{"a/manifest.yaml": app("org.a", "1.1.0")})
	w.says(late, "success: it would publish org.a 1.1.0")
	w.apps.git("checkout", "-q", "next")
	w.apps.push(map[string]string{"README.md": "so that git here does not know where it left"})
	w.apps.push(map[string]string{"a/manifest.yaml": app("org.a", "1.2.0")})
	w.apps.git("checkout", "-q", "main")
	asked := false
	next := w.apps.repo.Open(githubtest.Pull{Title: "again", Base: "main", Branch: "next"})
	pr = pulls.Request{PullRequest: forge.PullRequest{Number: next.Number, Base: "main", Head: next.Head, Ref: fmt.Sprintf("refs/pull/%d/head", next.Number)}}
	pr.MergeBase = func(context.Context) (string, error) {
		left := w.apps.repo.MergeBase(next.Number)
		if !asked {
			asked = true
			w.apps.git("push", "-q", "-f", w.apps.url, "next:main")
			if err := w.hub.Once(t.Context()); err != nil {
				t.Error(err)
			}
		}
		return left, nil
	}
	w.says(pr, strings.Replace(waits, "request 1", fmt.Sprint("request ", next.Number), 1))
	if !asked {
		t.Error("the base did not move")
	}
}

// What plans are made against is looked at as soon as the engine shows another one.
func TestNewsOfTheEngineIsLookedAt(t *testing.T) {
	w := newTold(t, repo("apps"), map[string]string{"README.md": "text"})
	looked := make(chan basis, 1000)
	w.forges.pulls = pulls.New(pulls.Options{
		Look:  time.Hour, // only news makes it
		Repos: func() []pulls.Repo { looked <- w.forges.against(); return nil }, Open: w.forges.dialer.Repo,
		Outbox: w.forges.sender, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		w.close()
	}()
	await := func(step string, met func(basis) bool) {
		t.Helper()
		late := time.After(patience)
		for {
			select {
			case b := <-looked:
				if met(b) {
					return
				}
			case <-late:
				t.Fatalf("%s: nobody looked", step)
			}
		}
	}
	problems := func(b basis) int { return strings.Count(b.backends, " false ") }
	await("the start", func(b basis) bool { return b.commit != "" && problems(b) == 0 })
	next := w.desired.push(map[string]string{"note.yaml": "kind: Deployment\nname: web\napp: org.web\n"})
	w.hub.Wake(sources.Hint{URLs: []string{w.desired.repo.Git()}})
	await("another commit", func(b basis) bool { return b.commit == next })
	w.rig.engines["lab"].Cut()
	await("a backend that does not answer", func(b basis) bool { return problems(b) == 1 })
	w.rig.engines["lab"].Restore()
	await("a backend that answers", func(b basis) bool { return problems(b) == 0 })
}
