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

func TestMainJob(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.expect("one", engine.StateReady, "1 of 1 running 0.1.0 cpu on b0")
		if o := r.engine.Outcome(); o.Verdict != engine.Success || o.Summary != "1 of 1 running" {
			t.Errorf("outcome %+v", o)
		}
		r.publish("0.1.0", "0.1.1")
		r.expect("one", engine.StateReady, "0.1.1")
		if pods := r.pods("one"); len(pods) != 1 || pods[0].Release != "0.1.1" {
			t.Errorf("pods after the rollout: %v", pods)
		}
		r.declare()
		if pods := r.pods("one"); len(pods) != 0 {
			t.Errorf("pods after the removal: %v", pods)
		}
		if s := r.status("one"); s.State != "" {
			t.Errorf("status after the removal: %v", s)
		}
	})
}

func TestKilledAndRemovedPodsComeBackAtOnce(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		first := r.pods("one")[0]
		began := time.Now()
		r.engines[0].Kill(first.ID)
		synctest.Wait()
		if p := r.pods("one"); len(p) != 1 || p[0].State != backends.PodRunning || time.Since(began) > 0 {
			t.Errorf("after the kill: %v", p)
		}
		r.settle()
		r.engines[0].Delete(first.ID)
		synctest.Wait()
		if p := r.pods("one"); len(p) != 1 || p[0].ID == first.ID || time.Since(began) > 10*time.Second {
			t.Errorf("after the removal: %v", p)
		}
		r.settle()
		r.expect("one", engine.StateReady, "1 of 1")
	})
}

func TestRestartTouchesNothing(t *testing.T) {
	bubble(t, 2, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"), hello("two"), hello("three"))
		r.expect("three", engine.StateReady, "")
		writes := r.writes()
		r.stop()
		r.start()
		r.engine.Changed(engine.Change{Everything: true})
		r.settle()
		r.expect("three", engine.StateReady, "")
		if now := r.writes(); now != writes {
			t.Errorf("the restart made %d writes", now-writes)
		}
	})
}

func TestOneChangeTouchesOneDeployment(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		var ds []*schema.Deployment
		for i := range 50 {
			ds = append(ds, hello(fmt.Sprintf("d%02d", i)))
		}
		r.declare(ds...)
		before := map[string]bool{}
		for _, c := range r.engines[0].Containers() {
			before[c.ID] = true
		}
		changed := *ds[7]
		changed.Env = map[string]string{"A": "b"}
		ds[7] = &changed
		r.declare(ds...)
		fresh := 0
		for _, c := range r.engines[0].Containers() {
			if !before[c.ID] {
				fresh++
			}
		}
		if n := len(r.engines[0].Containers()); n != 50 || fresh != 1 {
			t.Errorf("%d containers, %d of them new; want 50 and 1", n, fresh)
		}
	})
}

func TestFailedRolloutIsNotTriedAgain(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.engines[0].SetImage("hello:0.1.1", memory.Image{StartError: "exec: no such file"})
		r.publish("0.1.0")
		r.declare(hello("one"))
		good := r.pods("one")[0]
		r.publish("0.1.0", "0.1.1")
		r.settle()
		r.expect("one", engine.StateFailed, "")
		if o := r.engine.Outcome(); o.Verdict != engine.Failure || !strings.Contains(o.Summary, "one: ") {
			t.Errorf("outcome %+v", o)
		}
		writes := r.writes()
		time.Sleep(time.Hour)
		r.stop()
		r.start()
		r.engine.Changed(engine.Change{Everything: true})
		r.settle()
		r.expect("one", engine.StateFailed, "")
		if now := r.writes(); now != writes {
			t.Errorf("a failed rollout was tried again: %d writes", now-writes)
		}
		r.engines[0].Kill(good.ID)
		r.settle()
		running := 0
		for _, p := range r.pods("one") {
			if p.State == backends.PodRunning && p.Release == "0.1.0" {
				running++
			}
		}
		if running != 1 {
			t.Errorf("the good pod did not come back after it was killed: %v", r.pods("one"))
		}
		r.publish("0.1.0", "0.1.2")
		r.expect("one", engine.StateReady, "0.1.2")
		if p := r.pods("one"); len(p) != 1 {
			t.Errorf("the failed pod is still there: %v", p)
		}
	})
}

func TestDeadBackendStopsOnlyItself(t *testing.T) {
	bubble(t, 2, func(r *rig) {
		r.publish("0.1.0")
		on := func(b string) func(*schema.Deployment) { return func(d *schema.Deployment) { d.Backend = b } }
		r.declare(hello("here", on("b0")), hello("there", on("b1")))
		there := r.pods("there")[0]
		r.engines[1].Cut()
		r.publish("0.1.0", "0.1.1")
		r.expect("here", engine.StateReady, "0.1.1")
		if p := r.pods("there"); len(p) != 1 || p[0].ID != there.ID {
			t.Errorf("pods of the dead backend: %v", p)
		}
		r.engines[1].Restore()
		time.Sleep(time.Minute)
		r.settle()
		r.expect("there", engine.StateReady, "0.1.1")
		if p := r.pods("there"); len(p) != 1 {
			t.Errorf("doubled: %v", p)
		}
	})
}

func TestNothingIsRemovedWhileTheDesiredStateIsStale(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.sources.set(func() { r.sources.desired.Stale = "the repository does not answer" })
		r.declare()
		if len(r.pods("one")) != 1 {
			t.Error("the pod was removed")
		}
		r.expect("one", engine.StateHeld, "does not answer")
		r.sources.set(func() { r.sources.desired.Stale = "" })
		r.engine.Changed(engine.Change{Everything: true})
		r.settle()
		if len(r.pods("one")) != 0 {
			t.Error("the pod was not removed once the state could be read")
		}
	})
}

func TestRewoundDesiredStateIsToldFromThePods(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare()
		r.declare(hello("one"))
		made, old := r.sources.desired.State.Commit, fmt.Sprintf("%040d", 1)
		r.stop() // Berth sleeps through the rewind
		r.sources.set(func() { r.sources.desired.State = desired.Of("test", old, nil) })
		r.sources.ancestors = map[string]string{made: old}
		r.start()
		r.engine.Changed(engine.Change{Everything: true})
		r.settle()
		if len(r.pods("one")) != 1 {
			t.Error("the pod was removed though the desired state only went back")
		}
		r.expect("one", engine.StateHeld, "went back")
		r.sources.set(func() { r.sources.desired.Confirmed = true })
		r.engine.Changed(engine.Change{Everything: true})
		r.settle()
		if len(r.pods("one")) != 0 {
			t.Error("the confirmed removal did not happen")
		}
	})
}

func TestRenamingAllIsGuarded(t *testing.T) {
	bubble(t, 2, func(r *rig) {
		all := func(prefix string) (ds []*schema.Deployment) {
			for i := range 5 {
				ds = append(ds, hello(fmt.Sprintf("%s-%d", prefix, i)))
			}
			return ds
		}
		count := func() (old, new int) {
			for i := range 5 {
				old += len(r.pods(fmt.Sprintf("old-%d", i)))
				new += len(r.pods(fmt.Sprintf("new-%d", i)))
			}
			return old, new
		}
		r.publish("0.1.0")
		r.declare(all("old")...)
		r.declare(all("new")...)
		for i := range 3 {
			if old, new := count(); old != 5 || new != 5 {
				t.Fatalf("round %d: %d of 5 are left, %d of 5 are new", i, old, new)
			}
			r.expect("old-0", engine.StateHeld, "more than half of the 5 that ran before")
			if i == 0 {
				r.engine.Changed(engine.Change{Everything: true})
			} else {
				r.stop()
				r.start()
				r.engine.Changed(engine.Change{Everything: true})
			}
			r.settle()
		}
		r.sources.set(func() { r.sources.desired.Confirmed = true })
		r.engine.Changed(engine.Change{Everything: true})
		r.settle()
		if old, new := count(); old != 0 || new != 5 {
			t.Errorf("confirmed: %d of 5 are left, %d of 5 are new", old, new)
		}
	})
}

// Two desired states whose URLs end alike have the same instance, unless it is
// named: neither removes what the other declares.
func TestPodsOfAnUnknownCommitAreHeld(t *testing.T) {
	for name, test := range map[string]struct {
		derived, known bool
		left           int
	}{
		"another's":          {derived: true, left: 1},
		"its own":            {derived: true, known: true},
		"the name was given": {},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, func(r *rig) {
				r.publish("0.1.0")
				r.declare(hello("one"))
				made := r.sources.desired.State.Commit
				r.stop()
				if test.known {
					r.sources.ancestors = map[string]string{made: made}
				}
				r.swap(hello("two"))
				r.start(func(o *engine.Options) { o.Derived = test.derived })
				r.engine.Changed(engine.Change{Everything: true})
				r.settle()
				r.expect("two", engine.StateReady, "")
				if n := len(r.pods("one")); n != test.left {
					t.Fatalf("%d pods of commit %s are left, want %d\n%s", n, made, test.left, r.log.String())
				}
				if test.left == 0 {
					return
				}
				r.expect("one", engine.StateHeld, "never had")
				r.sources.set(func() { r.sources.desired.Confirmed = true })
				r.engine.Changed(engine.Change{Everything: true})
				r.settle()
				if len(r.pods("one")) != 0 {
					t.Error("the confirmed removal did not happen")
				}
			})
		})
	}
}

func TestWaitsForARelease(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.declare(hello("one"))
		r.expect("one", engine.StateWaiting, "hello")
		if o := r.engine.Outcome(); o.Verdict != engine.Pending {
			t.Errorf("outcome %+v", o)
		}
		r.publish("0.1.0")
		r.expect("one", engine.StateReady, "0.1.0")
	})
}

func TestDependencyIsAwaited(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.engines[0].SetImage("hello:0.1.0", memory.Image{HealthCheck: true, After: time.Minute})
		r.declare(hello("db"), hello("web", func(d *schema.Deployment) { d.DependsOn = []string{"db"} }))
		r.expect("web", engine.StateWaiting, "db")
		if len(r.pods("web")) != 0 {
			t.Error("web was started before db was ready")
		}
		time.Sleep(2 * time.Minute)
		r.settle()
		r.expect("db", engine.StateReady, "")
		time.Sleep(2 * time.Minute)
		r.expect("web", engine.StateReady, "")
	})
}

func TestSuspended(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.declare(hello("one", func(d *schema.Deployment) { d.Suspend = true; d.Env = map[string]string{"A": "b"} }))
		r.expect("one", engine.StateHeld, "suspend")
		writes := r.writes()
		r.engines[0].Kill(r.pods("one")[0].ID)
		r.settle()
		if now := r.writes(); now != writes {
			t.Error("a suspended deployment was touched")
		}
	})
}

func TestReadyTellsWhatIsMissing(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		if ok, why := r.engine.Ready(); ok || !strings.Contains(why, "desired state") {
			t.Errorf("before the desired state was read: %v %q", ok, why)
		}
		r.declare()
		if ok, why := r.engine.Ready(); !ok {
			t.Errorf("after: %q", why)
		}
	})
}

// slowBackend counts what is cut off, and takes as long as the test says.
type slowBackend struct {
	backends.Backend
	began, cut chan string
}

func (s *slowBackend) Apply(ctx context.Context, w backends.Workload, report func(backends.Step)) (backends.Progress, error) {
	if w.Release == "0.1.0" {
		s.began <- w.Deployment
		<-ctx.Done()
		s.cut <- w.Deployment
		return backends.Progress{}, &schema.Error{Op: "pull", Resource: w.Pod.Image, Kind: schema.Transient, Err: context.Cause(ctx)}
	}
	return s.Backend.Apply(ctx, w, report)
}

func TestStaleWorkIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		slow := &slowBackend{Backend: r.engines[0].Open("test", "b0"), began: make(chan string, 9), cut: make(chan string, 9)}
		r.start(func(o *engine.Options) { o.Backends[0].Backend, o.Grace = slow, time.Second })
		r.publish("0.1.0")
		r.declare(hello("one"))
		<-slow.began
		r.publish("0.1.1")
		<-slow.cut
		r.expect("one", engine.StateReady, "0.1.1")

		r.publish("0.1.0") // and at the end: work that goes on is cut off after the grace period
		<-slow.began
		began := time.Now()
		r.stop()
		if took := time.Since(began); took != time.Second {
			t.Errorf("stopped after %s, want the grace period", took)
		}
	})
}

func TestDeposedEngineCutsWorkOffAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		slow := &slowBackend{Backend: r.engines[0].Open("test", "b0"), began: make(chan string, 1), cut: make(chan string, 1)}
		e := engine.New(engine.Options{Backends: []engine.Backend{{Backend: slow}}, Sources: r.sources})
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		r.engine = e
		r.publish("0.1.0")
		r.declare(hello("one"))
		<-slow.began
		began := time.Now()
		cancel(engine.ErrDeposed)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("work went on for %s", took)
		}
		<-slow.cut
	})
}

// TestStandbyLooksOn: two engines on one backend; the one on standby writes
// nothing, and shows what the other one brings about.
func TestStandbyLooksOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.start(func(o *engine.Options) { o.Standby = true })
		defer r.stop()
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.settle()
		r.expect("one", engine.StateWaiting, "the Berth that leads has to create")
		if n := r.writes(); n != 0 {
			t.Errorf("%d writes", n)
		}
		if _, err := r.engine.Retry(t.Context(), "one"); err == nil || !strings.Contains(err.Error(), "another Berth leads") {
			t.Errorf("Retry: %v", err)
		}
		leader := engine.New(engine.Options{Backends: []engine.Backend{{Backend: r.engines[0].Open("test", "b0")}}, Sources: r.sources})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- leader.Run(ctx) }()
		leader.Changed(engine.Change{Everything: true})
		r.settle()
		r.expect("one", engine.StateReady, "0.1.0")
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// brokenBackend fails every Apply.
type brokenBackend struct {
	backends.Backend
	kind  schema.ErrorKind
	tries []time.Time
}

func (b *brokenBackend) Apply(context.Context, backends.Workload, func(backends.Step)) (backends.Progress, error) {
	b.tries = append(b.tries, time.Now())
	return backends.Progress{}, &schema.Error{Op: "create", Resource: "pod", Kind: b.kind, Err: errors.New("boom")}
}

func TestErrorClasses(t *testing.T) {
	for kind, want := range map[schema.ErrorKind]struct {
		least, most int // tries within ten minutes
		state       engine.State
	}{
		schema.Transient: {8, 16, engine.StateWaiting},
		schema.Waiting:   {4, 12, engine.StateWaiting},
		schema.Invalid:   {1, 1, engine.StateFailed},
		schema.Terminal:  {2, 3, engine.StateFailed},
	} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1)
				broken := &brokenBackend{Backend: r.engines[0].Open("test", "b0"), kind: kind}
				r.start(func(o *engine.Options) { o.Backends[0].Backend = broken })
				r.publish("0.1.0")
				r.declare(hello("one"))
				time.Sleep(10 * time.Minute)
				r.expect("one", want.state, "boom")
				if n := len(broken.tries); n < want.least || n > want.most {
					t.Errorf("%d tries in ten minutes, want %d to %d", n, want.least, want.most)
				}
				before := len(broken.tries)
				r.declare(hello("one", func(d *schema.Deployment) { d.Env = map[string]string{"A": "b"} }))
				if len(broken.tries) == before {
					t.Error("new input was not tried at once")
				}
				r.stop()
			})
		})
	}
}

func TestDryRunOnlyTells(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		writes := r.writes()
		r.stop()
		r.start(func(o *engine.Options) { o.DryRun = true })
		r.publish("0.1.0", "0.1.1")
		r.declare(hello("one"), hello("two"))
		r.expect("one", engine.StateWaiting, "dry run: would replace")
		r.expect("two", engine.StateWaiting, "dry run: would create")
		r.declare(hello("two"))
		r.expect("one", engine.StateWaiting, "dry run: would remove")
		if now := r.writes(); now != writes {
			t.Errorf("a dry run made %d writes", now-writes)
		}
		if o := r.engine.Outcome(); o.Verdict != engine.Pending {
			t.Errorf("outcome %+v", o)
		}
	})
}
