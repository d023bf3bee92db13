package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// healthy tells of a pod that the engine finds healthy.
const healthy = "(healthy)"

// checked is the manifest of a release whose health the engine checks.
func (w *world) checked(version string) string {
	return w.manifest(version) + "    healthcheck: {command: [/berth, demo-app, --check], interval: 100ms, timeout: 20s}\n"
}

// TestRollingUpdate rolls two replicas with a health check through releases: at
// no moment is there none that is healthy.
func TestRollingUpdate(t *testing.T) {
	w := newWorld(t)
	w.commit(w.apps, "Publish 0.2.0", map[string]string{"hello/manifest.yaml": w.checked("0.2.0")})
	w.commit(w.desired, "Run hello", map[string]string{"hello.yaml": patient(deployment("hello", "*", "replicas: 2"))})
	w.serve()
	w.awaitLog(`hello: ready: 2 of 2 running 0\.2\.0`)

	ctx, stop := context.WithCancel(context.Background())
	type result struct{ samples, gaps int }
	sampled := make(chan result)
	go func() {
		var r result
		for ctx.Err() == nil {
			list, err := w.docker.ContainerList(ctx, container.ListOptions{
				Filters: filters.NewArgs(filters.Arg("label", "berth.dev/instance="+w.instance)),
			})
			if err != nil {
				break // the test has ended
			}
			r.samples++
			well := 0
			for _, c := range list {
				if c.State == container.StateRunning && strings.Contains(c.Status, healthy) {
					well++
				}
			}
			if well == 0 {
				r.gaps++
			}
			time.Sleep(5 * time.Millisecond)
		}
		sampled <- r
	}()
	for _, version := range []string{"0.2.1", "0.2.2"} {
		w.commit(w.apps, "Publish "+version, map[string]string{"hello/manifest.yaml": w.checked(version)})
		w.awaitLog(`hello: ready: 2 of 2 running ` + strings.ReplaceAll(version, ".", `\.`))
		w.await("only two are left", func() bool { return w.count() == 2 })
	}
	stop()
	if r := <-sampled; r.gaps > 0 || r.samples < 10 {
		t.Errorf("of %d samples, %d saw no healthy container", r.samples, r.gaps)
	}
}

// TestKilledInALoop kills Berth with -9 every few hundred milliseconds while it
// rolls out replicas and removes deployments: in the end all is as declared.
func TestKilledInALoop(t *testing.T) {
	w := newWorld(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	replicas := func(n int) map[string]string {
		return map[string]string{"many.yaml": deployment("many", "*", fmt.Sprintf("replicas: %d", n))}
	}
	w.commit(w.desired, "Run", replicas(3))
	version := ""
	for round := range 16 {
		version = fmt.Sprintf("0.2.%d", round)
		w.commit(w.apps, "Publish "+version, map[string]string{"hello/manifest.yaml": w.manifest(version)})
		one := map[string]string{"one.yaml": deployment("one", "*", "volumes: [{name: data, path: /data, keep: false}]")}
		if round%2 == 1 {
			one["one.yaml"] = ""
		}
		w.commit(w.desired, "Come and go", one)
		w.serve()
		time.Sleep(time.Duration(100+random.IntN(900)) * time.Millisecond) // the moment is what varies
		w.kill()
	}
	w.serve()
	w.awaitLog(`commit success: 1 of 1 running`)
	w.await("three replicas and nothing else are left", func() bool {
		return w.count() == 3 && len(w.owned()) == 4 // and their network
	})
	names := map[string]bool{}
	for _, p := range w.containers() {
		ordinal := w.inspect(p.id).Config.Labels["berth.dev/ordinal"]
		if names[ordinal] || p.release != version || p.state != "running" {
			t.Errorf("replica %s is %+v, and there are %v", ordinal, p, names)
		}
		names[ordinal] = true
	}
}
