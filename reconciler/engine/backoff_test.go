package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
)

// hookedBackend counts its calls, and lets a test stand in for Apply.
type hookedBackend struct {
	backends.Backend
	mu    sync.Mutex
	apply func(ctx context.Context, w backends.Workload) error // before the real one; nil: nothing
	tries []time.Time
	lists int
}

func (b *hookedBackend) hook(apply func(context.Context, backends.Workload) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.apply, b.tries = apply, nil
}

func (b *hookedBackend) Apply(ctx context.Context, w backends.Workload, report func(backends.Step)) (backends.Progress, error) {
	b.mu.Lock()
	b.tries = append(b.tries, time.Now())
	apply := b.apply
	b.mu.Unlock()
	if apply != nil {
		if err := apply(ctx, w); err != nil {
			return backends.Progress{}, err
		}
	}
	return b.Backend.Apply(ctx, w, report)
}

func (b *hookedBackend) Pods(ctx context.Context) ([]backends.Pod, error) {
	b.mu.Lock()
	b.lists++
	b.mu.Unlock()
	return b.Backend.Pods(ctx)
}

func (b *hookedBackend) tried() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.tries)
}

func (b *hookedBackend) listed() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lists
}

func failing(kind schema.ErrorKind, text string) error {
	return &schema.Error{Op: "pull", Resource: "image", Kind: kind, Err: errors.New(text)}
}

// hooked runs a test with n engines whose backends are hooked.
func hooked(t *testing.T, n int, test func(r *rig, bs []*hookedBackend)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, n)
		var bs []*hookedBackend
		r.start(func(o *engine.Options) {
			for i := range o.Backends {
				bs = append(bs, &hookedBackend{Backend: o.Backends[i].Backend})
				o.Backends[i].Backend = bs[i]
			}
		})
		test(r, bs)
		r.stop()
	})
}

func env(value string) func(*schema.Deployment) {
	return func(d *schema.Deployment) { d.Env = map[string]string{"A": value} }
}

// What is queued while work goes on, or was queued before it failed, must not
// go round the pause after an error.
func TestNothingGoesRoundThePause(t *testing.T) {
	for _, kind := range []schema.ErrorKind{schema.Transient, schema.Waiting, schema.Invalid} {
		t.Run(string(kind), func(t *testing.T) {
			hooked(t, 1, func(r *rig, bs []*hookedBackend) {
				r.publish("0.1.0")
				bs[0].hook(func(context.Context, backends.Workload) error {
					time.Sleep(time.Second)
					return failing(kind, "boom")
				})
				r.declare(hello("one"))
				most := 16
				if kind == schema.Invalid {
					most = 1
				}
				for range 600 { // whatever else happens, it is planned again and again
					r.engine.Changed(engine.Change{Everything: true})
					time.Sleep(time.Second)
				}
				if n := bs[0].tried(); n > most {
					t.Errorf("%d tries in ten minutes, want at most %d", n, most)
				}
			})
		})
	}
}

func TestAnEarlierCallDoesNotGoRoundThePause(t *testing.T) {
	hooked(t, 1, func(r *rig, bs []*hookedBackend) {
		r.engines[0].SetImage("hello:0.1.0", memory.Image{HealthCheck: true, Starting: true})
		r.publish("0.1.0")
		r.declare(hello("one")) // its backend asks to be called again when the rollout times out
		bs[0].hook(func(context.Context, backends.Workload) error { return failing(schema.Invalid, "boom") })
		r.engine.Changed(engine.Change{Everything: true})
		time.Sleep(10 * time.Minute)
		if n := bs[0].tried(); n != 1 {
			t.Errorf("%d tries of what can never work", n)
		}
	})
}

func TestInvalidIsRememberedWhileItWaits(t *testing.T) {
	hooked(t, 1, func(r *rig, bs []*hookedBackend) {
		r.publish("0.1.0")
		r.declare(hello("db"))
		bs[0].hook(func(_ context.Context, w backends.Workload) error {
			if w.Deployment == "web" {
				return failing(schema.Invalid, "boom")
			}
			return nil
		})
		r.declare(hello("db"), hello("web", func(d *schema.Deployment) { d.DependsOn = []string{"db"} }))
		r.expect("web", engine.StateFailed, "boom")
		tried := func() int { return bs[0].tried() }
		before := tried()
		for range 5 {
			r.engines[0].Kill(r.pods("db")[0].ID)
			r.settle()
		}
		r.expect("web", engine.StateFailed, "boom")
		own := 0
		bs[0].hook(func(_ context.Context, w backends.Workload) error {
			if w.Deployment == "web" {
				own++
			}
			return nil
		})
		r.engines[0].Kill(r.pods("db")[0].ID)
		r.settle()
		if own > 0 {
			t.Errorf("what can never work was tried again when its dependency came back (%d calls before)", before)
		}
	})
}

func TestAKilledPodComesBackAlthoughItsSuccessorCannotBeMade(t *testing.T) {
	for _, kind := range []schema.ErrorKind{schema.Transient, schema.Invalid} {
		t.Run(string(kind), func(t *testing.T) {
			bubble(t, 1, func(r *rig) {
				r.engines[0].SetImage("hello:0.1.1", memory.Image{Pull: func(context.Context) error { return errors.New("unreachable") }})
				r.publish("0.1.0")
				pull := schema.PullMissing
				if kind == schema.Invalid {
					pull = schema.PullNever
				}
				one := hello("one", func(d *schema.Deployment) { d.Pull = pull })
				r.declare(one)
				old := r.pods("one")[0].ID
				r.publish("0.1.1")
				time.Sleep(time.Hour)
				r.engines[0].Kill(old)
				r.settle()
				if p := r.pods("one"); len(p) != 1 || p[0].ID != old || p[0].State != backends.PodRunning {
					t.Errorf("the old pod did not come back: %v", p)
				}
			})
		})
	}
}

// partlyFailing fails to start an old pod again, each time; its successor is well.
type partlyFailing struct{ backends.Backend }

func (b partlyFailing) Apply(ctx context.Context, w backends.Workload, report func(backends.Step)) (backends.Progress, error) {
	p, err := b.Backend.Apply(ctx, w, report)
	if err == nil && p.Phase == backends.PhaseProgressing {
		err = failing(schema.Invalid, "the old pod cannot be started again")
	}
	return p, err
}

func TestAnErrorDoesNotEndTheRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.start(func(o *engine.Options) { o.Backends[0].Backend = partlyFailing{o.Backends[0].Backend} })
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.expect("one", engine.StateReady, "0.1.0")
		r.stop()
	})
}

func TestWhatIsGoneIsCutOff(t *testing.T) {
	hooked(t, 1, func(r *rig, bs []*hookedBackend) {
		r.publish("0.1.0")
		cut := false
		bs[0].hook(func(ctx context.Context, _ backends.Workload) error {
			select {
			case <-ctx.Done():
				cut = true
				return failing(schema.Transient, "cut off")
			case <-time.After(time.Hour):
				return nil
			}
		})
		r.declare(hello("one"))
		r.declare()
		if !cut {
			t.Error("the image of a deployment that is declared no more is still pulled")
		}
		time.Sleep(2 * time.Hour)
		if p := r.pods("one"); len(p) != 0 {
			t.Errorf("pods: %v", p)
		}
	})
}

func TestStoppingBeginsNothingNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		b := &hookedBackend{Backend: r.engines[0].Open("test", "b0")}
		r.start(func(o *engine.Options) {
			o.Backends[0].Backend = b
			o.Backends[0].Config.Workers = 1
		})
		b.hook(func(context.Context, backends.Workload) error { time.Sleep(5 * time.Second); return nil })
		r.publish("0.1.0")
		var ds []*schema.Deployment
		for i := range 10 {
			ds = append(ds, hello(fmt.Sprintf("d%d", i)))
		}
		r.engine.Changed(engine.Change{Deployments: r.swap(ds...)})
		synctest.Wait()
		began := time.Now()
		r.stop()
		if took := time.Since(began); b.tried() != 1 || took != 5*time.Second {
			t.Errorf("after %s, %d pieces of work had begun; want the one that was underway", took, b.tried())
		}
	})
}

func TestRetriesTellOnce(t *testing.T) {
	hooked(t, 1, func(r *rig, bs []*hookedBackend) {
		r.publish("0.1.0")
		bs[0].hook(func(context.Context, backends.Workload) error { return failing(schema.Transient, "boom") })
		r.declare(hello("one"))
		for range 60 {
			r.engine.Changed(engine.Change{Everything: true})
			time.Sleep(time.Minute)
		}
		r.expect("one", engine.StateWaiting, "boom")
		if n := strings.Count(r.log.String(), "deployment=one"); n > 4 {
			t.Errorf("%d lines about an error that stays the same:\n%s", n, r.log.String())
		}
	})
}
