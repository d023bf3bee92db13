package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"context"

	"github.com/docker/docker/api/types/container"
)

// TestPushToPod follows the main job: a deployment, a new release, a container
// killed and one removed behind Berth's back, and a deployment that goes.
func TestPushToPod(t *testing.T) {
	w := newWorld(t)
	w.serve()
	w.commit(w.desired, "Run hello", map[string]string{"hello.yaml": deployment("hello", "^0.1")})
	first := w.awaitRunning("hello", "0.1.0")
	w.await("hello answers", func() bool {
		body, err := answer(first)
		return err == nil && strings.Contains(body, "release 0.1.0")
	})
	w.awaitLog(`commit success: 1 of 1 running`)

	w.commit(w.apps, "Publish 0.1.1", map[string]string{"hello/manifest.yaml": w.manifest("0.1.1")})
	second := w.awaitRunning("hello", "0.1.1")
	w.await("the old container is gone", func() bool { return len(w.containers()) == 1 })

	if err := w.docker.ContainerKill(context.Background(), second.id, "KILL"); err != nil {
		t.Fatal(err)
	}
	w.awaitRunning("hello", "0.1.1")
	if err := w.docker.ContainerRemove(context.Background(), second.id, container.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	w.await("a new container runs", func() bool {
		p, ok := w.running("hello")
		return ok && p.id != second.id
	})

	w.commit(w.desired, "Stop hello", map[string]string{"hello.yaml": ""})
	w.await("no container is left", func() bool { return len(w.containers()) == 0 })
}

// TestKilledAtAnyMoment kills Berth with -9 while it rolls out, again and again,
// and then while nothing happens: the same containers run, none restarted, none doubled.
func TestKilledAtAnyMoment(t *testing.T) {
	w := newWorld(t)
	const deployments = 3
	for i := range deployments {
		w.commit(w.desired, "Run", map[string]string{fmt.Sprintf("d%d.yaml", i): deployment(fmt.Sprintf("d%d", i), "*")})
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 6 {
		version := fmt.Sprintf("0.2.%d", round)
		w.commit(w.apps, "Publish "+version, map[string]string{"hello/manifest.yaml": w.manifest(version)})
		w.serve()
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond) // the moment is what varies
		w.kill()
	}
	w.serve()
	for i := range deployments {
		w.awaitRunning(fmt.Sprintf("d%d", i), "0.2.5")
	}
	w.await("nothing else is left", func() bool { return len(w.containers()) == deployments })
	w.awaitLog(`commit success: 3 of 3 running`)

	before := w.identity()
	for range 3 {
		w.restart()
		w.awaitLog(`commit success: 3 of 3 running`)
	}
	w.stop()
	w.unchanged(before)
}

// TestBrokenDocument has a document break next to ten good ones: the ten run,
// the broken one is named with line and column, and what it declared runs on.
func TestBrokenDocument(t *testing.T) {
	w := newWorld(t)
	w.serve()
	w.commit(w.desired, "Run one", map[string]string{"one.yaml": deployment("one", "*")})
	one := w.awaitRunning("one", "0.1.0")

	files := map[string]string{"one.yaml": strings.Replace(deployment("one", "*"), "version:", "verison:", 1)}
	for i := range 10 {
		files[fmt.Sprintf("good%d.yaml", i)] = deployment(fmt.Sprintf("good%d", i), "*")
	}
	w.commit(w.desired, "Ten good ones and a broken one", files)
	for i := range 10 {
		w.awaitRunning(fmt.Sprintf("good%d", i), "0.1.0")
	}
	w.awaitLog(`one\.yaml:4:1`)
	if now, ok := w.running("one"); !ok || now.id != one.id {
		t.Errorf("what the broken document declared did not run on: %+v", now)
	}
}

// TestGuard has a commit remove five of eight deployments: none goes until a
// commit confirms it.
func TestGuard(t *testing.T) {
	w := newWorld(t)
	w.serve()
	files := map[string]string{}
	for i := range 5 {
		files[fmt.Sprintf("d%d.yaml", i)] = deployment(fmt.Sprintf("d%d", i), "*")
	}
	w.commit(w.desired, "Run five", files)
	for i := range 5 {
		w.awaitRunning(fmt.Sprintf("d%d", i), "0.1.0")
	}
	w.commit(w.desired, "Remove three", map[string]string{"d0.yaml": "", "d1.yaml": "", "d2.yaml": ""})
	w.awaitLog(`Berth-Confirm: removal`)
	if n := len(w.containers()); n != 5 {
		t.Fatalf("%d containers, want 5 until the removal is confirmed", n)
	}
	w.commit(w.desired, "Really\n\nBerth-Confirm: removal", nil)
	w.await("two are left", func() bool { return len(w.containers()) == 2 })
}

// TestFailedRollout publishes a release that does not stay up: the old one runs
// on, the failed one is kept and not tried again, and the next release replaces both.
func TestFailedRollout(t *testing.T) {
	w := newWorld(t)
	w.serve()
	w.commit(w.desired, "Run", map[string]string{"hello.yaml": deployment("hello", "*")})
	good := w.awaitRunning("hello", "0.1.0")
	w.awaitLog(`hello: ready: 1 of 1 running 0\.1\.0`) // only a good one is kept
	broken := strings.Replace(w.manifest("0.1.1"), "demo-app", "no-such-command", 1)
	w.commit(w.apps, "Publish a broken 0.1.1", map[string]string{"hello/manifest.yaml": broken})
	w.awaitLog(`hello: failed:`)
	failed := ""
	for _, p := range w.containers() {
		if p.release == "0.1.1" {
			failed = p.id
		}
	}
	if failed == "" {
		t.Error("the failed pod is not kept")
	}
	w.kill()
	w.serve() // the memory is the pod: a restart does not try it again
	w.awaitLog(`commit failure`)
	if now, ok := w.running("hello"); !ok || now.id != good.id {
		t.Errorf("the good one does not run on: %+v", now)
	}
	w.commit(w.apps, "Publish 0.1.2", map[string]string{"hello/manifest.yaml": w.manifest("0.1.2")})
	w.awaitRunning("hello", "0.1.2")
	w.await("the failed one is gone", func() bool { return len(w.containers()) == 1 })
}

// TestStopsWithinGrace ends Berth with SIGTERM: it exits in time and pods run on.
func TestStopsWithinGrace(t *testing.T) {
	w := newWorld(t)
	w.commit(w.desired, "Run", map[string]string{"hello.yaml": deployment("hello", "*")})
	w.serve()
	p := w.awaitRunning("hello", "0.1.0")
	resp, err := http.Get("http://" + w.listen + "/readyz")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("/readyz: %v %v", resp, err)
	}
	if err == nil {
		resp.Body.Close()
	}
	began := time.Now()
	w.stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s to stop", took)
	}
	if now, ok := w.running("hello"); !ok || now.id != p.id {
		t.Error("the pod did not run on")
	}
}
