package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/desired"
)

func TestOutcomeOfACommitThatWasNotPlanned(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.swap(hello("one"), hello("two"))
		if o := r.engine.Outcome(); o.Verdict != engine.Pending || o.Commit != r.sources.desired.State.Commit {
			t.Errorf("outcome before the commit was planned: %+v", o)
		}
		// Something else makes the engine plan before it is told of the commit.
		r.engines[0].Kill(r.pods("one")[0].ID)
		r.settle()
		if p := r.pods("one"); p[0].State != backends.PodRunning || len(r.pods("two")) != 0 {
			t.Errorf("the commit was planned in part: %v", p)
		}
		if o, text := r.engine.Outcome(), r.log.String(); o.Verdict != engine.Pending || strings.Contains(text, "of 2 running") {
			t.Errorf("told too early: %+v\n%s", o, text)
		}
		r.engine.Changed(engine.Change{Deployments: []string{"two"}})
		r.settle()
		if o := r.engine.Outcome(); o.Verdict != engine.Success || o.Summary != "2 of 2 running" {
			t.Errorf("outcome %+v", o)
		}
	})
}

func TestAConfirmationAloneIsPlanned(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("a"), hello("b"), hello("c"), hello("d"))
		r.declare()
		r.expect("a", engine.StateHeld, "more than half")
		r.sources.set(func() { r.sources.desired.Confirmed = true })
		r.swap() // an empty commit changes no document
		r.engine.Changed(engine.Change{})
		r.settle()
		if n := len(r.engines[0].Containers()); n != 0 {
			t.Errorf("%d pods are left after the confirmation", n)
		}
	})
}

func TestHistoryThatCannotBeReadRemovesNothing(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.sources.set(func() { r.sources.history = fmt.Errorf("object not found") })
		r.declare()
		if len(r.pods("one")) != 1 {
			t.Error("the pod was removed though the history cannot be read")
		}
		r.expect("one", engine.StateHeld, "history")
		time.Sleep(10 * time.Minute)
		if n := strings.Count(r.log.String(), "the history cannot be read"); n > 3 {
			t.Errorf("told %d times that the history cannot be read", n)
		}
		r.sources.set(func() { r.sources.history = nil })
		time.Sleep(time.Minute)
		if len(r.pods("one")) != 0 {
			t.Error("the pod was not removed once the history could be read")
		}
	})
}

func TestSuspendedDoesNotFailTheCommit(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		suspend := func(d *schema.Deployment) { d.Suspend = true }
		r.declare(hello("one"), hello("two"))
		r.declare(hello("one", suspend), hello("two"))
		if o := r.engine.Outcome(); o.Verdict != engine.Success || o.Summary != "2 of 2 running" {
			t.Errorf("outcome with a suspended deployment that runs: %+v", o)
		}
		r.engines[0].Kill(r.pods("one")[0].ID)
		r.settle()
		if o := r.engine.Outcome(); o.Verdict != engine.Failure || !strings.Contains(o.Summary, "1 of 2 running; one: it is suspended") {
			t.Errorf("outcome with a suspended deployment that does not run: %+v", o)
		}
	})
}

// Where its backend does not answer, nobody knows whether what is suspended runs.
func TestSuspendedWhereNobodySees(t *testing.T) {
	bubble(t, 2, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one", on("b0"), func(d *schema.Deployment) { d.Suspend = true }), hello("two", on("b1")))
		if s := r.status("one"); s.State != engine.StateHeld {
			t.Errorf("suspended before it ran: %+v", s)
		}
		r.declare(hello("one", on("b0")), hello("two", on("b1")))
		r.declare(hello("one", on("b0"), func(d *schema.Deployment) { d.Suspend = true }), hello("two", on("b1")))
		r.engines[0].Cut()
		synctest.Wait()
		want := "1 of 2 running; one: it is suspended, and b0 does not answer: nobody knows whether it runs"
		if o := r.engine.Outcome(); o.Verdict != engine.Pending || o.Summary != want {
			t.Errorf("outcome when the backend does not answer: %+v", o)
		}
		r.engines[0].Restore()
		r.settle()
		if o := r.engine.Outcome(); o.Verdict != engine.Success {
			t.Errorf("outcome when it answers again: %+v", o)
		}
	})
}

func TestNewsThatNobodyHasLookedAtAreNoSuccess(t *testing.T) {
	hooked(t, 1, func(r *rig, bs []*hookedBackend) {
		r.publish("0.1.0")
		r.declare(hello("one"), hello("two"))
		bs[0].hook(func(context.Context, backends.Workload) error { time.Sleep(time.Second); return nil })
		r.engines[0].Kill(r.pods("one")[0].ID)
		synctest.Wait()
		if o := r.engine.Outcome(); o.Verdict != engine.Success {
			t.Errorf("the outcome of the commit that had succeeded, before it is known that a pod ended: %+v", o)
		}
		r.engine.Changed(engine.Change{Deployments: r.swap(hello("one"), hello("two"))})
		synctest.Wait()
		if o := r.engine.Outcome(); o.Verdict != engine.Pending {
			t.Errorf("the outcome of a new commit then: %+v", o)
		}
		time.Sleep(time.Minute)
		if o := r.engine.Outcome(); o.Verdict != engine.Success {
			t.Errorf("the outcome at the end: %+v", o)
		}
	})
}

func TestAFailureIsNotToldForEveryPod(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.engines[0].SetImage("hello:0.1.0", memory.Image{HealthCheck: true, After: time.Second})
		r.publish("0.1.0")
		ds := []*schema.Deployment{hello("bad", func(d *schema.Deployment) { d.Backend = "nowhere" })}
		for i := range 20 {
			ds = append(ds, hello(fmt.Sprintf("d%02d", i), func(d *schema.Deployment) {
				if i > 0 {
					d.DependsOn = []string{fmt.Sprintf("d%02d", i-1)}
				}
			}))
		}
		r.declare(ds...)
		time.Sleep(5 * time.Minute)
		r.expect("d19", engine.StateReady, "")
		if n := strings.Count(r.log.String(), "commit failure"); n < 1 || n > 2 {
			t.Errorf("the failure was told %d times, want at once and at the end:\n%s", n, r.log.String())
		}
	})
}

// hastySources tell of a state once more although they hold a newer one by now.
type hastySources struct {
	*fakeSources
	before *desired.State // nil: what they hold
}

func (h *hastySources) Desired() engine.Desired {
	d := h.fakeSources.Desired()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.before != nil {
		d.State, h.before = h.before, nil
	}
	return d
}

// A commit that comes between the news of the one before it and its plan must
// not let what the one before changed be forgotten.
func TestTwoCommitsAtOnceAreBothPlanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		hasty := &hastySources{fakeSources: r.sources}
		r.start(func(o *engine.Options) { o.Sources = hasty })
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.swap(hello("one", env("new")))
		between := r.sources.desired.State
		r.swap(hello("one", env("new")), hello("two"))
		r.sources.set(func() { hasty.before = between })
		r.engine.Changed(engine.Change{Deployments: []string{"one"}})
		r.settle()
		r.engine.Changed(engine.Change{Deployments: []string{"two"}})
		r.settle()
		if p := r.pods("one"); len(p) != 1 || p[0].Spec.Env["A"] != "new" || len(r.pods("two")) != 1 {
			t.Errorf("one runs as %v, two as %v", p, r.pods("two"))
		}
		r.stop()
	})
}

// lateBackend answers a while after it has done what it was asked.
type lateBackend struct{ backends.Backend }

func (b lateBackend) Apply(ctx context.Context, w backends.Workload, report func(backends.Step)) (backends.Progress, error) {
	p, err := b.Backend.Apply(ctx, w, report)
	time.Sleep(time.Second)
	return p, err
}

// What a backend answers after it has gone was so before: nobody knows whether it
// still is.
func TestTheAnswerOfABackendThatHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.engines[0].SetImage("hello:0.1.0", memory.Image{HealthCheck: true})
		r.start()
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.stop()
		r.start(func(o *engine.Options) { o.Backends[0].Backend = lateBackend{o.Backends[0].Backend} })
		r.engine.Changed(engine.Change{Everything: true})
		time.Sleep(time.Second / 2)
		r.expect("one", engine.StateReady, "1 of 1")
		r.engines[0].Cut()
		time.Sleep(time.Second)
		r.expect("one", engine.StateWaiting, "b0 does not answer")
		if o := r.engine.Outcome(); o.Verdict != engine.Pending {
			t.Errorf("outcome %+v", o)
		}
		r.engines[0].Restore()
		r.settle()
		r.expect("one", engine.StateReady, "1 of 1")
		r.stop()
	})
}

// countedBackend counts how often it is asked to do something.
type countedBackend struct {
	backends.Backend
	applied *int
}

func (b countedBackend) Apply(ctx context.Context, w backends.Workload, report func(backends.Step)) (backends.Progress, error) {
	if *b.applied++; *b.applied > 1000 {
		return backends.Progress{}, &schema.Error{Op: "apply", Kind: schema.Terminal, Err: errors.New("it is asked all the time")}
	}
	return b.Backend.Apply(ctx, w, report)
}

// A backend that answers again before it was noticed is not asked all the time.
func TestABackendThatAnswersAgainUnnoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.engines[0].SetImage("hello:0.1.0", memory.Image{HealthCheck: true, After: 30 * time.Second})
		applied := 0
		r.start(func(o *engine.Options) { o.Backends[0].Backend = countedBackend{o.Backends[0].Backend, &applied} })
		r.publish("0.1.0")
		r.declare(hello("one"))
		for range 20 {
			r.engines[0].Cut()
			r.engines[0].Tick()
			time.Sleep(1500 * time.Millisecond)
			r.engines[0].Restore()
			time.Sleep(200 * time.Millisecond)
		}
		r.settle()
		if applied > 500 {
			t.Errorf("it was asked %d times", applied)
		}
		r.stop()
	})
}

// A pod that ended with success because it was stopped for another one is not taken
// for one that is at its end.
func TestStoppedForAnotherIsNotReady(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		version := func(v string) func(*schema.Deployment) {
			return func(d *schema.Deployment) {
				rollback := false
				d.Version, d.Restart = v, schema.RestartOnFailure
				d.Rollout.Strategy, d.Rollout.Rollback = schema.Recreate, &rollback
			}
		}
		r.engines[0].SetImage("hello:0.1.0", memory.Image{Graceful: true})
		r.engines[0].SetImage("hello:0.2.0", memory.Image{HealthCheck: true, Unhealthy: true, After: time.Second})
		r.publish("0.1.0", "0.2.0")
		r.declare(hello("one", version("0.1.0")))
		r.declare(hello("one", version("0.2.0")))
		r.expect("one", engine.StateFailed, "0.2.0 cpu was given up")
		if pods := r.pods("one"); len(pods) != 2 || pods[0].State != backends.PodExited || pods[0].ExitCode != 0 {
			t.Fatalf("pods %+v", pods)
		}
		r.engine.Changed(engine.Change{Deployments: r.swap(hello("one", version("0.1.0")))})
		if s := r.status("one"); s.State != engine.StateProgressing { // it was started, and has to run for a while
			t.Errorf("it is %s: %s", s.State, s.Reason)
		}
		if n := strings.Count(r.log.String(), "commit success"); n != 1 {
			t.Errorf("success was told %d times", n)
		}
		r.settle()
		r.expect("one", engine.StateReady, "1 of 1 running")
	})
}

// What ended with success and is to stay so is as it should be: what depends on it
// goes on, and it may be suspended.
func TestWhatIsCompleteIsReady(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.engines[0].SetImage("hello:0.1.0", memory.Image{Exits: true, After: time.Second})
		r.publish("0.1.0")
		once := func(d *schema.Deployment) { d.Restart = schema.RestartOnFailure }
		r.declare(hello("job", once), hello("next", once, func(d *schema.Deployment) { d.DependsOn = []string{"job"} }))
		r.expect("job", engine.StateReady, "1 of 1")
		r.expect("next", engine.StateReady, "1 of 1")
		r.declare(hello("job", once, func(d *schema.Deployment) { d.Suspend = true }))
		r.expect("job", engine.StateHeld, "suspended")
		if o := r.engine.Outcome(); o.Verdict != engine.Success {
			t.Errorf("outcome %+v", o)
		}
	})
}

// That the former release runs on is said of a failed rollout only as long as it does.
func TestWhatRunsOnAfterAFailure(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one", func(d *schema.Deployment) { d.Restart = schema.RestartNo }))
		r.engines[0].SetImage("hello:0.2.0", memory.Image{HealthCheck: true, Unhealthy: true, After: time.Second})
		r.publish("0.1.0", "0.2.0")
		r.expect("one", engine.StateFailed, "0.2.0 cpu was given up: replica 0: unhealthy; 0.1.0 cpu runs on; not tried again")
		if pods := r.pods("one"); len(pods) != 2 || !r.engines[0].Crash(pods[0].ID, 3) {
			t.Fatalf("pods %+v", pods)
		}
		r.settle()
		r.expect("one", engine.StateFailed, "0.2.0 cpu was given up: replica 0: unhealthy; not tried again")
		r.stop()
		r.start()
		r.settle()
		r.expect("one", engine.StateFailed, "0.2.0 cpu was given up: replica 0: unhealthy; not tried again")
	})
}

// sixBackend is a backend whose pods answer at an address of IPv6.
type sixBackend struct{ backends.Backend }

func (b sixBackend) Pods(ctx context.Context) ([]backends.Pod, error) {
	pods, err := b.Backend.Pods(ctx)
	return atSix(pods), err
}

func (b sixBackend) Apply(ctx context.Context, w backends.Workload, report func(backends.Step)) (backends.Progress, error) {
	p, err := b.Backend.Apply(ctx, w, report)
	p.Pods = atSix(p.Pods)
	return p, err
}

func atSix(pods []backends.Pod) []backends.Pod {
	for i := range pods {
		pods[i].Endpoints = []backends.Endpoint{{Host: "fd00::5", Port: 8080}}
	}
	return pods
}

// Where pods answer is told as others take it.
func TestAddressOfIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		six := func(o *engine.Options) { o.Backends[0].Backend = sixBackend{o.Backends[0].Backend} }
		r.start(six)
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.settle()
		r.expect("one", engine.StateReady, ", [fd00::5]:8080")
		r.stop()
	})
}
