package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/internal/giteatest"
	"github.com/berthdev/berth/internal/githubtest"
	"github.com/berthdev/berth/internal/gitlabtest"
)

// TestForge is a team's day with a forge: pushes, pull requests, and what both say.
func TestForge(t *testing.T) {
	gitea := giteatest.New(t)
	w := newForgeWorld(t, onGitea(gitea))
	first := w.git(w.apps, "rev-parse", "HEAD")
	w.awaitStatus(w.appRepo, first, "berth/manifest", "success: 1 release in the catalog")
	merged := w.accept(w.propose())

	// A new release follows, and both repositories say so.
	p := w.awaitRelease(w.release("0.1.1"), "0.1.1", merged)

	// What is broken is told where it is broken, and changes nothing.
	broken := w.breakIt()
	third := w.publish(w.apps, "Break it", map[string]string{"hello/manifest.yaml": "identifier: org.example.hello\nversion: [0.1.2]\nflavours: []\n"})
	w.awaitStatus(w.appRepo, third, "berth/manifest", "failure: hello/manifest.yaml:2:")
	w.publish(w.apps, "Mend it", map[string]string{"hello/manifest.yaml": w.manifest("0.1.1")})
	if now := w.awaitRunning("one", "0.1.1"); now.id != p.id {
		t.Error("the container was replaced")
	}
	w.mend(broken)

	// Berth is killed while a container is there and its status is not told.
	killed := w.publish(w.desired, "Another", map[string]string{"two.yaml": slow(deployment("two", "^0.1"))})
	w.await("two is there", func() bool { return len(w.of("two")) == 1 })
	w.kill()
	two := w.of("two")[0]
	early := two.state != "running" || time.Since(w.startedAt(two)) < slowReady
	if all := said(w.desiredRepo, killed, "berth"); early && strings.Contains(states(all), "success") {
		t.Errorf("it is called a success before it runs: %q", all)
	}
	w.serve()
	w.awaitStatus(w.desiredRepo, killed, "berth", "success: 2 of 2 running")
	w.awaitStatus(w.desiredRepo, killed, "berth/two", "success: ")

	// The forge is away for a while: what happens meanwhile is told afterwards.
	last := w.publish(w.desired, "A third", map[string]string{"three.yaml": slow(deployment("three", "^0.1"))})
	w.await("three is told to be on its way", func() bool { return len(said(w.desiredRepo, last, "berth/three")) > 0 })
	gitea.Stop()
	w.awaitLog("commit success: 3 of 3 running")
	gitea.Start()
	w.awaitStatus(w.desiredRepo, last, "berth", "success: 3 of 3 running")
	w.awaitStatus(w.desiredRepo, last, "berth/three", "success: ")

	// Nothing of an older commit was said after the newer one took over.
	if all := said(w.desiredRepo, merged, "berth"); !strings.HasPrefix(all[len(all)-1], "success") {
		t.Errorf("the former commit ends with %q", all[len(all)-1])
	}
	w.nothingLeaked()
}

// TestGitHub is the same day with Berth as a GitHub App. Its tokens are renewed,
// and while GitHub takes no writes, releases roll out all the same.
func TestGitHub(t *testing.T) {
	hub := githubtest.Start(t)
	app := hub.App("berth-lab")
	app.Lasts(8 * time.Second)
	w := newForgeWorld(t, onGitHub(hub, app))
	merged := w.accept(w.propose())

	const pause = time.Second
	hub.Secondary(1000, pause)
	began := time.Now()
	second := w.release("0.1.1")
	w.awaitRunning("one", "0.1.1")
	w.await("a status was refused", func() bool { return refused(hub) > 0 })
	hub.Secondary(0, 0)
	w.awaitRelease(second, "0.1.1", merged)
	if most := 4 + int(time.Since(began)/pause); refused(hub) > most {
		t.Errorf("%d writes within %s though each was asked to wait for %s", refused(hub), time.Since(began), pause)
	}

	w.mend(w.breakIt())
	if app.Issued() < 2 {
		t.Errorf("the App got %d tokens", app.Issued())
	}
	w.nothingLeaked()
}

// refused returns how many writes a GitHub refused.
func refused(hub *githubtest.Server) (n int) {
	for _, r := range hub.Requests() {
		if r.Method != http.MethodGet && r.Status == http.StatusForbidden {
			n++
		}
	}
	return n
}

// TestGitLab is the same day with merge requests.
func TestGitLab(t *testing.T) {
	w := newForgeWorld(t, onGitLab(gitlabtest.New(t, "/gitlab")))
	merged := w.accept(w.propose())
	w.awaitRelease(w.release("0.1.1"), "0.1.1", merged)
	w.mend(w.breakIt())
	w.nothingLeaked()
}
