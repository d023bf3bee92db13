package docker_test

import (
	"testing"
	"time"

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
			progress = backendtest.Converge(t, backend, w, backends.PhaseFailed, patience)
			again, err := b.open(schema.BackendConfig{}).Pods(b.context()) // as after a restart of Berth
			if err != nil {
				t.Fatal(err)
			}
			for _, pods := range [][]backends.Pod{progress.Pods, again} {
				failed := 0
				for _, p := range pods {
					if p.State != backends.PodFailed {
						continue
					}
					failed++
					if got := p.GivenUp(); got != reason {
						t.Errorf("given up: %q, want %q: %+v", got, reason, p)
					}
				}
				if failed != 1 {
					t.Errorf("%d pods failed, want 1: %+v", failed, pods)
				}
			}
		})
	}
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
