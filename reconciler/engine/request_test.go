package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/schema"
)

// expectError checks an error's kind and words.
func (r *rig) expectError(err error, kind schema.ErrorKind, words string) {
	r.t.Helper()
	var told *schema.Error
	if !errors.As(err, &told) || told.Kind != kind || !strings.Contains(err.Error(), words) {
		r.t.Errorf("the error is %v, want one of kind %s with %q", err, kind, words)
	}
}

// mended has one deployment whose rollout of 0.2.0 failed, for a reason that is
// gone by now.
func (r *rig) mended() {
	r.engines[0].SetImage("hello:0.2.0", memory.Image{StartError: "exec: no such file"})
	r.publish("0.1.0")
	r.declare(hello("one"))
	r.publish("0.1.0", "0.2.0")
	r.settle()
	r.expect("one", engine.StateFailed, "no such file")
	r.engines[0].SetImage("hello:0.2.0", memory.Image{})
}

func TestRetry(t *testing.T) {
	recorded(t, 1, func(r *rig, j *journal.Journal) {
		r.mended()
		var failed []string
		for _, p := range r.pods("one") {
			if p.State == backends.PodFailed {
				failed = append(failed, p.Name)
			}
		}
		pods, err := r.engine.Retry(r.t.Context(), "one")
		if err != nil || len(failed) == 0 || !slices.Equal(pods, failed) {
			t.Errorf("removed %v (%v), want %v", pods, err, failed)
		}
		if s, _ := r.engine.View().Status("one"); s.State == engine.StateFailed {
			t.Errorf("it is told that it is done, and the view shows %s: %s", s.State, s.Reason)
		}
		r.settle()
		r.expect("one", engine.StateReady, "0.2.0")
		r.expectRollouts(j, "one", "0.2.0 ready, 0.2.0 failed, 0.1.0 ready")
	})
}

func TestARetryThatFailsAgain(t *testing.T) {
	recorded(t, 1, func(r *rig, j *journal.Journal) {
		r.mended()
		r.engines[0].SetImage("hello:0.2.0", memory.Image{StartError: "exec: still no such file"})
		if _, err := r.engine.Retry(r.t.Context(), "one"); err != nil {
			t.Error(err)
		}
		r.settle()
		r.expect("one", engine.StateFailed, "still no such file")
		r.expectRollouts(j, "one", "0.2.0 failed, 0.2.0 failed, 0.1.0 ready")
		writes := r.writes()
		time.Sleep(time.Hour)
		if now := r.writes(); now != writes {
			t.Errorf("it was tried again by itself: %d writes", now-writes)
		}
	})
}

func TestRetryOfWhatCanNeverWork(t *testing.T) {
	hooked(t, 1, func(r *rig, bs []*hookedBackend) {
		r.publish("0.1.0")
		bs[0].hook(func(context.Context, backends.Workload) error { return failing(schema.Terminal, "the disk is full") })
		r.declare(hello("one"))
		r.expect("one", engine.StateFailed, "disk is full")
		bs[0].hook(nil)
		if pods, err := r.engine.Retry(r.t.Context(), "one"); err != nil || len(pods) > 0 {
			t.Errorf("removed %v (%v), want nothing", pods, err)
		}
		r.settle()
		r.expect("one", engine.StateReady, "")
	})
}

// What a person must put right is well again without a word to Berth, and told once.
func TestTerminalErrorsEnd(t *testing.T) {
	hooked(t, 1, func(r *rig, bs []*hookedBackend) {
		r.publish("0.1.0")
		tries := 0
		bs[0].hook(func(context.Context, backends.Workload) error {
			tries++
			return failing(schema.Terminal, "the disk is full")
		})
		r.declare(hello("one"))
		r.expect("one", engine.StateFailed, "disk is full")
		first, _ := r.engine.View().Status("one")
		time.Sleep(time.Hour)
		r.expect("one", engine.StateFailed, "disk is full")
		if s, _ := r.engine.View().Status("one"); s.Since != first.Since || tries < 10 || tries > 20 {
			t.Errorf("failed since %s, not %s; tried %d times", s.Since, first.Since, tries)
		}
		bs[0].hook(nil)
		time.Sleep(10 * time.Minute)
		r.expect("one", engine.StateReady, "")
	})
}

func TestRetryIsRefusedWhereNothingFailed(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		retry := func(name string) error { _, err := r.engine.Retry(r.t.Context(), name); return err }
		r.expectError(retry("one"), schema.Invalid, "no such deployment")
		r.mended()
		r.publish("0.1.0")
		r.settle()
		r.expectError(retry("one"), schema.Invalid, "it is ready")
		r.publish("0.1.0", "0.2.0")
		r.engines[0].SetImage("hello:0.3.0", memory.Image{StartError: "exec: no such file"})
		r.publish("0.3.0")
		r.settle()
		r.declare(hello("one", func(d *schema.Deployment) { d.Suspend = true }))
		writes := r.writes()
		r.expectError(retry("one"), schema.Invalid, "suspended")
		r.stop()
		r.expectError(retry("one"), schema.Invalid, "suspended")
		r.start(func(o *engine.Options) { o.DryRun = true })
		r.declare(hello("one"))
		r.expectError(retry("one"), schema.Invalid, "only says what it would do")
		if now := r.writes(); now != writes {
			t.Errorf("what was refused made %d writes", now-writes)
		}
	})
}

// apart fails a test when Forget runs beside an Apply.
type apart struct {
	backends.Backend
	t    *testing.T
	busy atomic.Int32
	slow time.Duration // how long an Apply takes
}

func (b *apart) alone() func() {
	if b.busy.Add(1) > 1 {
		b.t.Error("two things at once are done about the deployment")
	}
	return func() { b.busy.Add(-1) }
}

func (b *apart) Apply(ctx context.Context, w backends.Workload, report func(backends.Step)) (backends.Progress, error) {
	defer b.alone()()
	time.Sleep(b.slow)
	return b.Backend.Apply(ctx, w, report)
}

func (b *apart) Forget(ctx context.Context, deployment string, report func(backends.Step)) error {
	defer b.alone()()
	time.Sleep(time.Second)
	return b.Backend.Forget(ctx, deployment, report)
}

func TestRetryWaitsForOtherWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		b := &apart{t: t}
		r.start(func(o *engine.Options) { b.Backend, o.Backends[0].Backend = o.Backends[0].Backend, b })
		r.mended()
		b.slow = time.Minute
		r.engine.Reconcile(r.t.Context(), "one", "") // an Apply begins
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := r.engine.Retry(short, "one")
		r.expectError(err, schema.Transient, "other work on it goes on")
		began := time.Now()
		if pods, err := r.engine.Retry(t.Context(), "one"); err != nil || len(pods) != 1 || time.Since(began) != time.Minute {
			t.Errorf("removed %v (%v) after %s", pods, err, time.Since(began))
		}
		time.Sleep(5 * time.Minute)
		r.expect("one", engine.StateReady, "0.2.0")

		r.engines[0].SetImage("hello:0.3.0", memory.Image{StartError: "exec: no such file"})
		r.publish("0.3.0")
		time.Sleep(5 * time.Minute)
		r.expect("one", engine.StateFailed, "")
		r.engine.Reconcile(r.t.Context(), "one", "")
		synctest.Wait()
		ended := make(chan error, 1)
		go func() { _, err := r.engine.Retry(t.Context(), "one"); ended <- err }()
		synctest.Wait()
		r.stop()
		r.expectError(<-ended, schema.Transient, "berth is stopping")
		_, err = r.engine.Retry(t.Context(), "one")
		r.expectError(err, schema.Transient, "berth is stopping")
	})
}

func TestRetryOnAnEngineThatIsAway(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.mended()
		r.engines[0].Cut()
		_, err := r.engine.Retry(r.t.Context(), "one")
		r.expectError(err, schema.Transient, "does not answer")
		r.engines[0].Restore()
		time.Sleep(time.Minute)
		r.expect("one", engine.StateFailed, "")
		if _, err := r.engine.Retry(r.t.Context(), "one"); err != nil {
			t.Error(err)
		}
		r.settle()
		r.expect("one", engine.StateReady, "0.2.0")
	})
}

func TestReconcileEndsThePauses(t *testing.T) {
	for name, ask := range map[string]string{"the deployment": "one", "everything": ""} {
		t.Run(name, func(t *testing.T) {
			hooked(t, 1, func(r *rig, bs []*hookedBackend) {
				r.publish("0.1.0")
				bs[0].hook(func(context.Context, backends.Workload) error { return failing(schema.Invalid, "boom") })
				r.declare(hello("one"))
				time.Sleep(time.Hour)
				r.expect("one", engine.StateFailed, "boom")
				bs[0].hook(nil)
				if err := r.engine.Reconcile(r.t.Context(), ask, ""); err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if bs[0].tried() == 0 {
					t.Error("it is not tried at once")
				}
				r.settle()
				r.expect("one", engine.StateReady, "")
			})
		})
	}
}

func TestReconcileAsksTheBackends(t *testing.T) {
	hooked(t, 2, func(r *rig, bs []*hookedBackend) {
		r.publish("0.1.0")
		r.declare(hello("one", on("b0"), func(d *schema.Deployment) { d.Suspend = true }))
		ask := func(deployment, backend string, want ...int) {
			t.Helper()
			before := []int{bs[0].listed(), bs[1].listed()}
			if err := r.engine.Reconcile(r.t.Context(), deployment, backend); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			if got := []int{bs[0].listed() - before[0], bs[1].listed() - before[1]}; !slices.Equal(got, want) {
				t.Errorf("for %q and %q %v lists were asked for, want %v", deployment, backend, got, want)
			}
		}
		ask("", "b1", 0, 1)
		ask("", "", 1, 1)
		ask("one", "", 1, 1) // nothing is applied that would look at it
		r.expectError(r.engine.Reconcile(r.t.Context(), "two", ""), schema.Invalid, "no such deployment")
		r.expectError(r.engine.Reconcile(r.t.Context(), "", "b2"), schema.Invalid, "no such backend")

		r.engines[1].Cut()
		time.Sleep(time.Hour) // by now it is tried again every half minute
		r.engines[1].Restore()
		if err := r.engine.Reconcile(r.t.Context(), "", "b1"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if b := r.engine.View().Backends[1]; b.Problem != "" {
			t.Errorf("it answers, and is told not to: %s", b.Problem)
		}
	})
}

// Who asked for another look sees what was planned then: nothing is called failed any
// more for which there is a newer release.
func TestReconcileWaitsForThePlan(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.mended()
		r.fill("0.1.0", "0.2.0", "0.3.0")
		r.engine.Changed(engine.Change{Identifiers: []string{"hello"}})
		if err := r.engine.Reconcile(r.t.Context(), "one", ""); err != nil {
			t.Error(err)
		}
		if s, _ := r.engine.View().Status("one"); s.State == engine.StateFailed || s.Release != "0.3.0" {
			t.Errorf("it is said to be %s with %s", s.State, s.Release)
		}
		r.stop()
		if err := r.engine.Reconcile(r.t.Context(), "one", ""); err != nil {
			t.Error(err)
		}
		r.start()
	})
}
