package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthdev/berth/internal/giteatest"
)

// TestProposalsOfOthers has a stranger propose from a fork, and an app's developer
// propose a release: both are told what would come of it, and nothing does.
func TestProposalsOfOthers(t *testing.T) {
	gitea := giteatest.New(t)
	w := newForgeWorld(t, onGitea(gitea))

	// A fork's branch is planned like any other. Its values are nobody's to read.
	desired := w.desiredRepo.(giteaRepo)
	fork := desired.As(gitea.NewUser("stranger")).Fork()
	theirs := filepath.Join(w.dir, "fork")
	w.git("", "clone", "-q", fork.PushURL(), theirs)
	w.git(theirs, "switch", "-q", "-c", "mine")
	head := w.commit(theirs, "Run it for me", map[string]string{"mine.yaml": deployment("mine", "^0.1", "env: {TOKEN: canary-env-2f7d}\n")})
	w.push(theirs)
	pr := desired.OpenPull("Run it for me", "stranger:mine", "main")
	w.awaitStatus(w.desiredRepo, head, "berth/plan", "success: +1 ~0 -0, mine: 0.1.0 cpu on docker")
	w.await("the plan stands below the pull request", func() bool { return len(w.desiredRepo.Comments(pr.Number)) == 1 })
	if comment := w.desiredRepo.Comments(pr.Number)[0]; strings.Contains(comment, "canary-env-2f7d") {
		t.Errorf("the comment shows a value of the environment:\n%s", comment)
	}

	// A release that is proposed is read, and is in no catalog.
	w.git(w.apps, "switch", "-q", "-c", "next")
	next := w.commit(w.apps, "Publish 0.2.0", map[string]string{"hello/manifest.yaml": w.manifest("0.2.0")})
	w.push(w.apps)
	w.appRepo.Open("Publish 0.2.0", "next")
	w.awaitStatus(w.appRepo, next, "berth/manifest", "success: it would publish org.example.hello 0.2.0")
	broken := w.commit(w.apps, "Break it", map[string]string{"hello/manifest.yaml": "identifier: org.example.hello\nversion: [0.2.0]\nflavours: []\n"})
	w.push(w.apps)
	w.awaitStatus(w.appRepo, broken, "berth/manifest", "failure: hello/manifest.yaml:2:10: version: must be text")

	// What its base did since is none of a pull request's.
	w.git(w.apps, "switch", "-q", "main")
	w.awaitStatus(w.appRepo, w.release("0.1.1"), "berth/manifest", "success: org.example.hello 0.1.1 in the catalog")
	w.git(w.apps, "switch", "-q", "-c", "text", "main~1")
	w.commit(w.apps, "Write", map[string]string{"README.md": "one"})
	text := w.publish(w.apps, "Write more", map[string]string{"README.md": "two"})
	w.appRepo.Open("Write", "text")
	w.awaitStatus(w.appRepo, text, "berth/manifest", "success: no manifest changes")

	if w.count() > 0 {
		t.Error("a pull request started a container")
	}
	if out, code := w.berth("", "get", "apps", "--server", "http://"+w.listen); code != 0 || strings.Contains(out, "0.2.0") || !strings.Contains(out, "0.1.1") {
		t.Errorf("the catalog: %d\n%s", code, out)
	}
	w.nothingLeaked()
}
