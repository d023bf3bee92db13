package engine_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
)

// orchestrator is an engine whose object for a deployment lags behind its pods:
// for a while, it is on its way to where they are already.
type orchestrator struct {
	backends.Backend

	mu   sync.Mutex
	lags map[backends.Phase]int // how often Apply says that a phase is still to come
}

func (o *orchestrator) Capacity(ctx context.Context) (backends.Capacity, error) {
	c, err := o.Backend.Capacity(ctx)
	c.Orchestrates = true
	return c, err
}

func (o *orchestrator) Apply(ctx context.Context, w backends.Workload, report func(backends.Step)) (backends.Progress, error) {
	p, err := o.Backend.Apply(ctx, w, report)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lags[p.Phase] > 0 {
		o.lags[p.Phase]--
		p.Phase, p.Reason, p.Again = backends.PhaseProgressing, "its object lags behind", time.Now().Add(30*time.Second)
	}
	return p, err
}

// lagging starts Berth with an orchestrator.
func lagging(t *testing.T, lags map[backends.Phase]int, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.start(func(o *engine.Options) {
			o.Backends[0].Backend = &orchestrator{Backend: o.Backends[0].Backend, lags: lags}
		})
		test(r)
		r.stop()
	})
}

// Where the engine keeps pods by an object of its own, ready is what it says: not
// ready and then not ready again.
func TestReadyOnceItsObjectIs(t *testing.T) {
	lagging(t, map[backends.Phase]int{backends.PhaseReady: 3}, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.expect("one", engine.StateProgressing, "its object lags behind")
		r.engine.Changed(engine.Change{Everything: true}) // has the plan look at the pods, which are ready
		r.expect("one", engine.StateProgressing, "its object lags behind")
		time.Sleep(2 * time.Minute)
		r.expect("one", engine.StateReady, "1 of 1 running")
		if text := r.log.String(); strings.Count(text, "msg=\"ready: ") != 1 || strings.Count(text, "commit success") != 1 {
			t.Errorf("told more than once:\n%s", text)
		}
	})
}

// remnant is an engine with something left of a deployment, until it is removed.
type remnant struct {
	backends.Backend

	mu   sync.Mutex
	name string
	gone int // how often it was removed
}

func (o *remnant) Pods(ctx context.Context) ([]backends.Pod, error) {
	pods, err := o.Backend.Pods(ctx)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.gone == 0 {
		pods = append(pods, backends.Pod{Backend: o.Name(), ID: "service", Name: o.name, Deployment: o.name, State: backends.PodAbsent})
	}
	return pods, err
}

func (o *remnant) Remove(ctx context.Context, deployment string, report func(backends.Step)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if deployment == o.name {
		o.gone++
	}
	return o.Backend.Remove(ctx, deployment, report)
}

// What a former process left of a deployment is removed once, and is shown as no pod.
func TestLeftoverIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		left := &remnant{name: "old"}
		r.start(func(o *engine.Options) {
			left.Backend = o.Backends[0].Backend
			o.Backends[0].Backend = left
		})
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.expect("one", engine.StateReady, "")
		time.Sleep(20 * time.Minute) // with lists of all
		left.mu.Lock()
		gone := left.gone
		left.mu.Unlock()
		if _, shown := r.engine.View().Status("old"); gone != 1 || shown || len(r.engine.View().PodsOf("old")) > 0 {
			t.Errorf("removed %d times, shown: %t", gone, shown)
		}
		r.stop()
	})
}

// A rollout that failed has failed, also while the engine goes back.
func TestFailedWhileItGoesBack(t *testing.T) {
	lagging(t, map[backends.Phase]int{backends.PhaseFailed: 3}, func(r *rig) {
		r.engines[0].SetImage("hello:0.2.0", memory.Image{StartError: "exec: no such file"})
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.publish("0.2.0")
		r.expect("one", engine.StateFailed, "no such file")
		time.Sleep(5 * time.Minute)
		r.expect("one", engine.StateFailed, "no such file")
		if text := r.log.String(); strings.Count(text, "msg=\"failed: ") != 1 || strings.Count(text, "commit failure") != 1 {
			t.Errorf("told more than once:\n%s", text)
		}
	})
}
