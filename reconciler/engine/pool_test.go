package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
)

// A registry is one that accepts connections, and answers when a test opens it.
type registry struct {
	mu        sync.Mutex
	now, most int // pulls that wait
	opened    chan struct{}
}

func (g *registry) pull(ctx context.Context) error {
	g.mu.Lock()
	g.now++
	g.most = max(g.most, g.now)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.now--
	}()
	select {
	case <-g.opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *registry) waiting() (now, most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now, g.most
}

// bystanders are deployments of an app of their own, beside n whose release 0.2.0
// is on a registry that hangs.
func (r *rig) bystanders(n int, others ...*schema.Deployment) (ds []*schema.Deployment, hangs *registry) {
	hangs = &registry{opened: make(chan struct{})}
	for i := range n {
		ds = append(ds, hello(fmt.Sprintf("slow-%03d", i), func(d *schema.Deployment) { d.Version = "0.2.0" }))
	}
	for _, d := range others {
		d.Version = "0.1.0"
	}
	r.engines[0].SetImage("hello:0.2.0", memory.Image{Pull: hangs.pull})
	return append(ds, others...), hangs
}

func TestSlowPullsHoldUpNothingElse(t *testing.T) {
	for _, workers := range []int{1, 4} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1)
				r.start(withWorkers(workers))
				r.publish("0.1.0", "0.2.0")
				r.declare(hello("other", func(d *schema.Deployment) { d.Version = "0.1.0" }))
				ds, hangs := r.bystanders(2*workers, hello("other"))
				r.declare(ds...)
				r.expect("other", engine.StateReady, "")
				r.engines[0].Kill(r.pods("other")[0].ID)
				r.settle()
				r.expect("other", engine.StateReady, "")
				if now, _ := hangs.waiting(); now != 2*workers {
					t.Errorf("%d pulls wait, want %d", now, 2*workers)
				}
				r.declare(append(ds, hello("new", func(d *schema.Deployment) { d.Version = "0.1.0" }))...)
				r.expect("new", engine.StateReady, "")
				close(hangs.opened)
				r.settle()
				r.expect("slow-001", engine.StateReady, "0.2.0")
				r.stop()
			})
		})
	}
}

func TestWorkThatWaitsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 2
		r := newRig(t, 1)
		busy := &busyBackend{}
		r.start(withWorkers(workers), func(o *engine.Options) {
			busy.Backend = o.Backends[0].Backend
			o.Backends[0].Backend = busy
		})
		r.publish("0.1.0", "0.2.0")
		ds, hangs := r.bystanders(50)
		r.declare(ds...)
		time.Sleep(time.Minute)
		if now, most := hangs.waiting(); now != 10*workers || most != now {
			t.Errorf("%d pulls wait, and %d did at most, want %d", now, most, 10*workers)
		}
		close(hangs.opened)
		time.Sleep(time.Minute)
		r.expect("slow-049", engine.StateReady, "0.2.0")
		if n := busy.most; n != workers {
			t.Errorf("%d pods were made at once, want %d", n, workers)
		}
		// It shrinks back: as many work at once as before.
		busy.most = 0
		var next []*schema.Deployment
		for i := range 20 {
			next = append(next, hello(fmt.Sprintf("next-%d", i), func(d *schema.Deployment) { d.Version = "0.1.0" }))
		}
		r.declare(append(ds, next...)...)
		time.Sleep(time.Minute)
		r.expect("next-19", engine.StateReady, "")
		if n := busy.most; n != workers {
			t.Errorf("%d pods were made at once afterwards, want %d", n, workers)
		}
		r.stop()
	})
}

func TestBerthStopsWhileWorkWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.start(withWorkers(2))
		r.publish("0.1.0", "0.2.0")
		ds, hangs := r.bystanders(30)
		r.declare(ds...)
		began := time.Now()
		r.stop() // the bubble ends only if every goroutine does
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it stopped after %s", took)
		}
		if now, _ := hangs.waiting(); now != 0 {
			t.Errorf("%d pulls go on", now)
		}
	})
}

func withWorkers(n int) func(*engine.Options) {
	return func(o *engine.Options) { o.Backends[0].Config.Workers = n }
}

// A busyBackend takes a second for each pod, once its image is there, and counts
// for how many it does so at once.
type busyBackend struct {
	backends.Backend
	mu        sync.Mutex
	now, most int
}

func (b *busyBackend) Apply(ctx context.Context, w backends.Workload, report func(backends.Step)) (backends.Progress, error) {
	if w.Pod.Image == "hello:0.1.0" {
		b.work()
	}
	return b.Backend.Apply(ctx, w, func(s backends.Step) {
		report(s)
		if s.Verb == "pull" && s.Done {
			b.work()
		}
	})
}

func (b *busyBackend) work() {
	b.mu.Lock()
	b.now++
	b.most = max(b.most, b.now)
	b.mu.Unlock()
	time.Sleep(time.Second)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now--
}
