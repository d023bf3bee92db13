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

func on(backend string) func(*schema.Deployment) {
	return func(d *schema.Deployment) { d.Backend = backend }
}

// where tells on which engines a deployment has containers.
func (r *rig) where(name string) (counts []int) {
	for _, e := range r.engines {
		n := 0
		for _, c := range e.Containers() {
			if c.Deployment == name {
				n++
			}
		}
		counts = append(counts, n)
	}
	return counts
}

func TestAMoveEndsOnceItIsReady(t *testing.T) {
	bubble(t, 2, func(r *rig) {
		r.engines[0].SetImage("hello:0.1.0", memory.Image{HealthCheck: true, After: 30 * time.Second})
		r.publish("0.1.0")
		r.declare(hello("one", on("b1")))
		r.expect("one", engine.StateReady, "b1")
		r.declare(hello("one", on("b0")))
		if at := r.where("one"); at[0] != 1 || at[1] != 1 {
			t.Errorf("pods while it moves: %v, want the old one until the new one is ready", at)
		}
		if o := r.engine.Outcome(); o.Verdict != engine.Pending {
			t.Errorf("outcome while it moves: %+v", o)
		}
		time.Sleep(time.Minute)
		r.settle()
		if at := r.where("one"); at[0] != 1 || at[1] != 0 {
			t.Errorf("pods after the move: %v", at)
		}
		r.expect("one", engine.StateReady, "on b0")
	})
}

func TestAMoveThatCannotEndIsNotHurried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		stuck := &stuckRemoval{}
		counted := &hookedBackend{}
		r.start(func(o *engine.Options) {
			counted.Backend, stuck.Backend = o.Backends[0].Backend, o.Backends[1].Backend
			o.Backends[0].Backend, o.Backends[1].Backend = counted, stuck
		})
		r.publish("0.1.0")
		r.declare(hello("one", on("b1")))
		r.declare(hello("one", on("b0")))
		time.Sleep(time.Hour)
		if n := counted.tried(); n > 10 || stuck.tries.Load() > 30 {
			t.Errorf("%d applies and %d removals in an hour", n, stuck.tries.Load())
		}
		r.expect("one", engine.StateWaiting, "device or resource busy")
		r.stop()
	})
}

type stuckRemoval struct {
	backends.Backend
	tries atomic.Int64
}

func (b *stuckRemoval) Remove(context.Context, string, func(backends.Step)) error {
	b.tries.Add(1)
	return failing(schema.Transient, "device or resource busy")
}

// Work that a move has overtaken may have made pods that nobody has seen. Until
// they are known, none is made elsewhere.
func TestAMoveWaitsForWhatWasBegunElsewhere(t *testing.T) {
	hooked(t, 2, func(r *rig, bs []*hookedBackend) {
		r.publish("0.1.0")
		bs[0].hook(func(ctx context.Context, w backends.Workload) error {
			// The engine makes the pod in spite of the cancellation; its answer is lost.
			<-ctx.Done()
			time.Sleep(5 * time.Second)
			if _, err := bs[0].Backend.Apply(context.WithoutCancel(ctx), w, nil); err != nil {
				return err
			}
			return failing(schema.Transient, "the answer was lost")
		})
		r.declare(hello("one", on("b0")))
		bs[0].hook(nil)
		r.engine.Changed(engine.Change{Deployments: r.swap(hello("one", on("b1")))})
		synctest.Wait()
		if at := r.where("one"); at[1] != 0 {
			t.Errorf("pods %v: made while it is not known what is on b0", at)
		}
		time.Sleep(time.Minute)
		r.settle()
		if at := r.where("one"); at[0] != 0 || at[1] != 1 {
			t.Errorf("pods after the move: %v", at)
		}
		r.expect("one", engine.StateReady, "on b1")
	})
}

func TestAPodOfUnknownOriginIsFound(t *testing.T) {
	bubble(t, 2, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one", on("b0")))
		r.settle()
		// Another process of the same instance makes a pod, and it ends.
		w := backends.Workload{Deployment: "stray", App: "hello", Release: "0.1.0", Replicas: 1, Pod: backends.PodSpec{Image: "hello:0.1.0"}}
		if _, err := r.engines[1].Open("test", "b1").Apply(t.Context(), w, nil); err != nil {
			t.Fatal(err)
		}
		r.engines[1].Kill(r.pods("stray")[0].ID)
		r.settle()
		if p := r.pods("stray"); len(p) != 0 {
			t.Errorf("the stray pod is still there: %v", p)
		}
	})
}

func TestEventsOfAHeldDeploymentListOneBackend(t *testing.T) {
	hooked(t, 2, func(r *rig, bs []*hookedBackend) {
		r.publish("0.1.0")
		r.declare(hello("one", on("b0"), func(d *schema.Deployment) { d.Suspend = false }))
		r.declare(hello("one", on("b0"), func(d *schema.Deployment) { d.Suspend = true }))
		here, there := bs[0].listed(), bs[1].listed()
		r.engines[0].Kill(r.pods("one")[0].ID)
		r.settle()
		if bs[0].listed()-here != 1 || bs[1].listed() != there {
			t.Errorf("one event listed %d and %d times", bs[0].listed()-here, bs[1].listed()-there)
		}
	})
}

func TestAListThatBeganBeforeTheWorkElsewhereCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2)
		slow := &slowList{}
		r.start(func(o *engine.Options) {
			slow.Backend = o.Backends[1].Backend
			o.Backends[1].Backend = slow
		})
		r.publish("0.1.0")
		r.declare(hello("one", on("b0")))
		w := backends.Workload{Deployment: "one", App: "hello", Release: "0.1.0", Replicas: 1, Pod: backends.PodSpec{Image: "hello:0.1.0"}}
		slow.delay.Store(int64(20 * time.Second))
		if _, err := r.engines[1].Open("test", "b1").Apply(t.Context(), w, nil); err != nil {
			t.Fatal(err)
		}
		r.engines[1].Crash(r.pods("one")[1].ID, 1) // an event: b1 is listed, slowly
		synctest.Wait()
		time.Sleep(time.Second)
		r.engines[0].Kill(r.pods("one")[0].ID) // and meanwhile b0's pod is worked on
		time.Sleep(time.Minute)
		if at := r.where("one"); at[0] != 1 || at[1] != 0 {
			t.Errorf("pods %v: what the list showed was lost", at)
		}
		r.stop()
	})
}

func TestAnOldListDoesNotUndoWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		slow := &slowList{}
		r.start(func(o *engine.Options) {
			slow.Backend = o.Backends[0].Backend
			o.Backends[0].Backend = slow
		})
		r.publish("0.1.0")
		slow.delay.Store(int64(20 * time.Second))
		suspended := func(d *schema.Deployment) { d.Suspend = true }
		if _, err := r.engines[0].Open("test", "b0").Apply(t.Context(), backends.Workload{
			Deployment: "stray", Replicas: 1, Pod: backends.PodSpec{Image: "stray"},
		}, nil); err != nil {
			t.Fatal(err)
		}
		r.declare(hello("stray", suspended)) // nothing is known of its pod yet
		r.engines[0].Kill(r.pods("stray")[0].ID)
		synctest.Wait()                                    // the engine is listed, slowly
		r.declare(hello("stray", suspended), hello("one")) // and meanwhile a pod is made
		time.Sleep(time.Minute)
		r.expect("one", engine.StateReady, "")
		if n := strings.Count(r.log.String(), "progressing: create"); n != 1 {
			t.Errorf("the list, older than the pod, was believed:\n%s", r.log.String())
		}
		r.stop()
	})
}

// slowList answers with what it saw when it was asked.
type slowList struct {
	backends.Backend
	delay atomic.Int64
}

func (b *slowList) Pods(ctx context.Context) ([]backends.Pod, error) {
	pods, err := b.Backend.Pods(ctx)
	time.Sleep(time.Duration(b.delay.Load()))
	return pods, err
}

// An engine that is configured twice is told of: what leaves the one for the other
// would be removed, and made again, for ever.
func TestAnEngineThatIsConfiguredTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.engines = append(r.engines, r.engines[0])
		r.start()
		r.publish("0.1.0")
		r.declare(hello("one"))
		time.Sleep(time.Hour) // it is listed many times
		pods := r.pods("one")
		r.engines = r.engines[:1]
		if n := r.writes(); n != 3 { // its network and itself, which is made and started
			t.Errorf("%d writes, and pods %+v", n, pods)
		}
		r.expect("one", engine.StateReady, "on b0")
		if problem := r.engine.View().Backends[1].Problem; !strings.Contains(problem, "it is the same engine as backend b0") {
			t.Errorf("the other backend's problem is %q", problem)
		}
		r.stop()
	})
}
