package engine_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
)

// laggingBackend begins an Apply only when it is let go, and does not care that
// it was cancelled meanwhile.
type laggingBackend struct {
	backends.Backend
	held atomic.Pointer[chan struct{}]
}

func (b *laggingBackend) Apply(ctx context.Context, w backends.Workload, report func(backends.Step)) (backends.Progress, error) {
	if held := b.held.Swap(nil); held != nil {
		<-*held
		ctx = context.WithoutCancel(ctx)
	}
	return b.Backend.Apply(ctx, w, report)
}

func TestSupersededWorkTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		lag := &laggingBackend{Backend: r.engines[0].Open("test", "b0")}
		r.start(func(o *engine.Options) { o.Backends[0].Backend = lag })
		r.publish("0.1.0")
		r.declare(hello("one"))
		held := make(chan struct{})
		lag.held.Store(&held)
		r.engines[0].Crash(r.pods("one")[0].ID, 1)
		r.settle() // the engine has restarted the pod
		r.engines[0].SetImage("hello:0.1.1", memory.Image{HealthCheck: true, After: time.Minute})
		r.publish("0.1.1")
		r.declare(hello("one", func(d *schema.Deployment) { d.User = "john" }))
		close(held)
		synctest.Wait()
		if text := r.log.String(); strings.Count(text, "ready: 1 of 1 running 0.1.0") != 1 || strings.Count(text, "commit success") != 1 {
			t.Errorf("what was superseded was told as the state of the new commit:\n%s", text)
		}
		time.Sleep(5 * time.Minute)
		r.expect("one", engine.StateReady, "0.1.1")
		r.stop()
	})
}

func TestNewInputIsNoFailureYet(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.engines[0].SetImage("hello:0.1.0", memory.Image{StartError: "exec: no such file"})
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.expect("one", engine.StateFailed, "no such file")
		r.engines[0].SetImage("hello:0.2.0", memory.Image{Pull: func(context.Context) error { time.Sleep(time.Minute); return nil }})
		r.publish("0.2.0")
		r.declare(hello("one", func(d *schema.Deployment) { d.User = "john" }))
		r.expect("one", engine.StateProgressing, "")
		if o := r.engine.Outcome(); o.Verdict != engine.Pending {
			t.Errorf("outcome while the new input is tried: %+v", o)
		}
		time.Sleep(5 * time.Minute)
		r.expect("one", engine.StateReady, "0.2.0")
		if n := strings.Count(r.log.String(), "commit failure"); n != 1 {
			t.Errorf("%d failures told, want that of the first commit:\n%s", n, r.log.String())
		}
	})
}

func TestTheReasonIsThatOfTheNewestInput(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		slow := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		r.engines[0].SetImage("hello:0.2.0", memory.Image{Pull: slow})
		r.engines[0].SetImage("hello:0.3.0", memory.Image{Pull: slow})
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.publish("0.2.0")
		r.expect("one", engine.StateProgressing, "release 0.1.0 to 0.2.0")
		r.publish("0.3.0")
		r.expect("one", engine.StateProgressing, "release 0.1.0 to 0.3.0")
	})
}

func TestACrashingPodDoesNotFillTheLog(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		time.Sleep(10 * time.Minute) // now it is left to its engine
		for range 24 * 60 {
			r.engines[0].Crash(r.pods("one")[0].ID, 1)
			time.Sleep(time.Minute)
		}
		text := r.log.String()
		if n := strings.Count(text, "\n"); n > 500 {
			t.Errorf("%d lines in a day:\n%s", n, text[:5000])
		}
		if !strings.Contains(text, "leftOut=") {
			t.Error("the log does not say that lines are left out")
		}
		time.Sleep(time.Hour)
		r.declare(hello("one", env("b")))
		if text := r.log.String()[len(text):]; !strings.Contains(text, "ready: 1 of 1 running") {
			t.Errorf("what a person did is not told:\n%s", text)
		}
	})
}

func TestAnEngineThatNeverRunsHoldsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which panics when a goroutine is left
		r := newRig(t, 1)
		engine.New(engine.Options{Sources: r.sources, Backends: []engine.Backend{{Backend: r.engines[0].Open("test", "b0")}}})
	})
}

func TestWhatStaysTheSameIsNotToldAgain(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.engines[0].SetImage("hello:0.1.0", memory.Image{HealthCheck: true, Starting: true})
		r.engines[0].SetImage("hello:0.2.0", memory.Image{Exits: true, After: time.Second})
		r.publish("0.1.0", "0.2.0")
		never := func(d *schema.Deployment) { d.Version, d.Rollout.Timeout = "0.1.0", new(schema.Duration) }
		once := func(d *schema.Deployment) { d.Version, d.Restart = "0.2.0", schema.RestartOnFailure }
		r.declare(hello("never", never), hello("once", once))
		r.expect("never", engine.StateProgressing, "")
		r.expect("once", engine.StateReady, "")
		before := len(r.log.String())
		for range 10 {
			r.engine.Changed(engine.Change{Everything: true})
			r.settle()
		}
		if text := r.log.String(); len(text) > before {
			t.Errorf("told although nothing changed:\n%s", text[before:])
		}
	})
}

func TestADeadBackendIsToldInTheStatus(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.engines[0].Cut()
		r.settle()
		r.expect("one", engine.StateWaiting, "does not answer")
		if o := r.engine.Outcome(); o.Verdict != engine.Pending {
			t.Errorf("outcome while nobody knows whether the pod is ready: %+v", o)
		}
		time.Sleep(time.Hour)
		r.engines[0].Restore()
		time.Sleep(time.Minute)
		r.expect("one", engine.StateReady, "1 of 1")
		if n := strings.Count(r.log.String(), "level=WARN"); n > 2 {
			t.Errorf("%d warnings:\n%s", n, r.log.String())
		}
		if text := r.log.String(); strings.Count(text, "chosen:") != 1 {
			t.Errorf("nothing else was chosen:\n%s", text)
		}
	})
}

// fickleBackend fails in other words each time.
type fickleBackend struct {
	backends.Backend
	n int
}

func (b *fickleBackend) Watch(context.Context, func(backends.Event)) error {
	b.n++
	return failing(schema.Transient, strings.Repeat("x", b.n))
}

func TestAnOutageIsNotToldForEveryTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.start(func(o *engine.Options) { o.Backends[0].Backend = &fickleBackend{Backend: o.Backends[0].Backend} })
		r.publish("0.1.0")
		r.declare(hello("one"))
		time.Sleep(time.Hour)
		if n := strings.Count(r.log.String(), "\n"); n > 30 {
			t.Errorf("%d lines in an hour:\n%s", n, r.log.String())
		}
		r.stop()
	})
}

func TestADependencyBecomesReadyByTimeAlone(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		slow := func(d *schema.Deployment) { d.Rollout.MinReady = new(schema.Duration(time.Minute)) }
		web := hello("web", func(d *schema.Deployment) { d.DependsOn = []string{"db"} })
		r.declare(hello("db", slow))
		suspended := hello("db", slow, func(d *schema.Deployment) { d.Suspend = true })
		r.declare(suspended)
		r.declare(suspended, web)
		r.expect("web", engine.StateWaiting, "db (0 of 1 ready)")
		time.Sleep(2 * time.Minute)
		r.expect("web", engine.StateReady, "")
	})
}

// TestNobodyWaitsForTheEndOfWhatWasReplaced: a commit is a success as soon as what
// it declares is ready, however long its predecessor takes to end.
func TestNobodyWaitsForTheEndOfWhatWasReplaced(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		two := func(d *schema.Deployment) { d.Replicas = new(2) }
		r.engines[0].SetImage("hello:0.1.0", memory.Image{Lingers: time.Hour})
		r.engines[0].SetImage("hello:0.2.0", memory.Image{})
		r.publish("0.1.0")
		r.declare(hello("one", two), hello("last"))
		r.publish("0.2.0")
		r.expect("one", engine.StateProgressing, "0 of 2")
		r.expect("last", engine.StateReady, "1 of 1 running 0.2.0 cpu on b0")
		time.Sleep(time.Hour)
		r.expect("one", engine.StateReady, "2 of 2 running 0.2.0 cpu on b0")
		if o := r.engine.Outcome(); o.Verdict != engine.Success {
			t.Errorf("the outcome while the last predecessor ends: %+v", o)
		}
		if n := len(r.engines[0].Containers()); n != 4 {
			t.Errorf("%d containers, want the last predecessor to end still", n)
		}
		time.Sleep(2 * time.Hour)
		r.expect("one", engine.StateReady, "2 of 2 running 0.2.0 cpu on b0")
		if n := strings.Count(r.log.String(), "ready: 2 of 2 running"); n != 2 {
			t.Errorf("one was called ready %d times, want once for each release:\n%s", n, r.log.String())
		}
	})
}
