package docker_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/backendtest"
	"github.com/berthdev/berth/schema"
)

// Whoever dies between marking a pod as failed and stopping it leaves that to the next.
func TestGivingUpIsFinished(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{})
	w := b.workload(b.good())
	p := b.ready(backend, w)
	if err := b.engine.ContainerRename(b.context(), p.ID, p.Name+".failed"); err != nil {
		t.Fatal(err)
	}
	progress, err := backend.Apply(b.context(), w, nil)
	if err != nil || progress.Phase != backends.PhaseFailed || progress.Pods[0].State != backends.PodFailed {
		t.Fatalf("progress %+v, %v", progress, err)
	}
	if c := b.inspect(p.ID); c.State.Running {
		t.Error("the failed pod runs on")
	}
}

// How Berth's own stop ended a pod is not why it was given up.
func TestGivenUpWhileItRuns(t *testing.T) {
	for reason, crashes := range map[string]bool{"not ready in time": false, "ended with exit code 1": true} {
		t.Run(reason, func(t *testing.T) {
			b := newBench(t)
			backend := b.open(schema.BackendConfig{})
			stream := b.watch(backend)
			w := b.workload(b.good())
			b.ready(backend, w)

			hour := schema.Duration(time.Hour)
			w.Release, w.Rollout.Timeout = "2.0.0", 5*time.Second
			w.Pod.Args, w.Pod.StopGracePeriod = []string{"-ignore-term"}, time.Second
			w.Pod.Healthcheck = &schema.Healthcheck{Command: []string{"/app", "healthcheck"}, Interval: &hour}
			progress, err := backend.Apply(b.context(), w, nil)
			if err != nil {
				t.Fatal(err)
			}
			if crashes {
				for _, p := range progress.Pods {
					if p.Release == w.Release {
						backendtest.Crash(t, p)
					}
				}
				stream.wait("container died with exit code 1")
			}
			if p := b.failed(backend, w); p.GivenUp() != reason {
				t.Errorf("given up: %q, want %q: %+v", p.GivenUp(), reason, p)
			}
		})
	}
}

// TestGivenUpWhileItIsStartedAgain: the engine starts a pod again in the moment in
// which it is stopped for good.
func TestGivenUpWhileItIsStartedAgain(t *testing.T) {
	b := newBench(t)
	proxy := newProxy(t)
	backend := b.open(schema.BackendConfig{Host: proxy.host})
	w := b.workload(b.good())
	b.ready(backend, w)

	hour := schema.Duration(time.Hour)
	w.Release, w.Rollout.Timeout = "2.0.0", 6*time.Second
	w.Pod.Args, w.Pod.StopGracePeriod = []string{"-ignore-term", "-exit", "3", "-exit-after", "1500ms"}, time.Second
	w.Pod.Healthcheck = &schema.Healthcheck{Command: []string{"/app", "healthcheck"}, Interval: &hour}
	progress, err := backend.Apply(b.context(), w, nil)
	if err != nil {
		t.Fatal(err)
	}
	made := progress.Pods[slices.IndexFunc(progress.Pods, func(p backends.Pod) bool { return p.Release == w.Release })]
	id, late := made.ID, made.CreatedAt.Add(w.Rollout.Timeout)
	awaitState := func(ctx context.Context, holds func(*container.State) bool) {
		for c, err := b.engine.ContainerInspect(ctx, id); err == nil && !holds(c.State); c, err = b.engine.ContainerInspect(ctx, id) {
			time.Sleep(10 * time.Millisecond)
		}
	}
	var stopped atomic.Bool
	proxy.set(func(_ http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasSuffix(r.URL.Path, "/containers/json") && !time.Now().Before(late) && !stopped.Load():
			awaitState(r.Context(), func(s *container.State) bool { return s.Restarting })
		case strings.HasSuffix(r.URL.Path, id+"/stop"):
			awaitState(r.Context(), func(s *container.State) bool { return s.Running && !s.Restarting })
			stopped.Store(true)
		}
		return false
	})
	if p := b.failed(backend, w); p.ExitCode != 3 || p.Reason != "" {
		t.Errorf("given up: %q, want its own exit code: %+v", p.GivenUp(), p)
	}
}

// failed has the workload fail, and returns the pod that remembers it, which is the
// same after a restart of Berth.
func (b *bench) failed(backend backends.Backend, w backends.Workload) backends.Pod {
	b.Helper()
	pods := backendtest.Converge(b, backend, w, backends.PhaseFailed, patience).Pods
	again, err := b.open(schema.BackendConfig{}).Pods(b.context())
	if err != nil {
		b.Fatal(err)
	}
	good := func(p backends.Pod) bool { return p.State != backends.PodFailed }
	pods, again = slices.DeleteFunc(pods, good), slices.DeleteFunc(again, good)
	if len(pods) != 1 || len(again) != 1 || pods[0].GivenUp() != again[0].GivenUp() {
		b.Fatalf("pods that failed: %+v and %+v, want the same one", pods, again)
	}
	return pods[0]
}

// A pod that crashes again and again is given up for how it ended, and as often as it
// did, whether it runs at that moment or waits to be started again.
func TestGivenUpWhileItCrashes(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{})
	stream := b.watch(backend)
	w := b.workload(b.good())
	w.Pod.Args, w.Rollout.MinReady, w.Rollout.Timeout = []string{"-exit", "3"}, 10*time.Second, 4*time.Second
	failed := backendtest.Converge(t, backend, w, backends.PhaseFailed, patience).Pods[0]
	const renamed = "container was renamed" // which comes after its last crash
	ended := 0
	for e, late := (backends.Event{}), time.After(patience); e.What != renamed; {
		if e = stream.next(late, renamed); e.What == "container died with exit code 3" && !e.Ours {
			ended++
		}
	}
	if failed.ExitCode != 3 || failed.Restarts+1 != ended {
		t.Errorf("it ended %d times, and is told as %+v", ended, failed)
	}
}
