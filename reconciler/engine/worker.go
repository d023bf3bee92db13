package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/util/workqueue"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
)

const (
	defaultWorkers = 8
	firstRetry     = 200 * time.Millisecond
	firstWait      = 5 * time.Second // where an event is awaited that may not be seen, as an image pushed later
	lastRetry      = 5 * time.Minute
)

var errSuperseded = errors.New("superseded by newer input")

// worker is one backend with the queue of deployments that something is to do
// about there. Each backend has its own, so that a slow one delays no other.
type worker struct {
	engine  *Engine
	backend Backend
	index   int // in the configuration
	queue   workqueue.TypedDelayingInterface[string]
	retries workqueue.TypedRateLimiter[string]
	relist  chan struct{} // one slot

	mu       sync.Mutex
	underway map[string]underway
	pauses   map[string]pause
}

// underway is work in progress on one deployment.
type underway struct {
	task   string
	cancel context.CancelCauseFunc
}

// pause keeps a deployment that failed from being tried again too soon: until
// then, or until its task is another one.
type pause struct {
	task  string
	until time.Time // zero: until the input changes
}

func newWorker(e *Engine, b Backend, index int) *worker {
	return &worker{
		engine: e, backend: b, index: index,
		queue:    workqueue.NewTypedDelayingQueue[string](),
		retries:  workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstRetry, lastRetry),
		relist:   make(chan struct{}, 1),
		underway: map[string]underway{},
		pauses:   map[string]pause{},
	}
}

// start runs the backend's workers until its queue is shut down.
func (w *worker) start(ctx context.Context, group *errgroup.Group) {
	n := w.backend.Config.Workers
	if n <= 0 {
		n = defaultWorkers
	}
	for range n {
		group.Go(func() error {
			for {
				name, shutdown := w.queue.Get()
				if shutdown {
					return nil
				}
				w.work(ctx, name)
				w.queue.Done(name)
			}
		})
	}
}

// redirect queues what a new decision asks for, and cuts off work that it has
// overtaken. It does not hurry a task that is paused after an error.
func (w *worker) redirect(name string, t task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := t.id()
	if u, ok := w.underway[name]; ok && u.task != id {
		u.cancel(errSuperseded)
	}
	if p, ok := w.pauses[name]; ok {
		if p.task == id && (p.until.IsZero() || time.Now().Before(p.until)) {
			return
		}
		delete(w.pauses, name)
		w.retries.Forget(name)
	}
	if t.kind != nothing {
		w.queue.Add(name)
	}
}

// work does what the newest decision asks about one deployment.
func (w *worker) work(ctx context.Context, name string) {
	e := w.engine
	e.mu.Lock()
	if e.plan == nil {
		e.mu.Unlock()
		return
	}
	d, ok := e.plan.Decision(name)
	if !ok {
		e.mu.Unlock()
		return
	}
	t := e.task(w, d)
	if t.kind == apply {
		delete(e.verify, name)
	}
	e.mu.Unlock()
	if t.kind == nothing {
		return
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w.mu.Lock()
	w.underway[name] = underway{task: t.id(), cancel: cancel}
	w.mu.Unlock()
	began := time.Now()
	var err error
	if t.kind == apply {
		err = w.apply(ctx, d)
	} else {
		err = w.remove(ctx, d)
	}
	w.mu.Lock()
	delete(w.underway, name)
	w.mu.Unlock()
	e.metrics.worked(w.backend.Name(), t.kind, time.Since(began), err)
	w.settle(ctx, name, t, err)
}

// apply takes the next steps towards the decision's workload.
func (w *worker) apply(ctx context.Context, d planner.Decision) error {
	e := w.engine
	progress, err := w.backend.Apply(ctx, *d.Workload, e.tellStep(w.backend.Name(), d))
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.noteError(d, err, context.Cause(ctx))
		e.verify[d.Deployment] = true // what it got to is not known
		return err
	}
	if e.world.observed(w.backend.Name(), d.Deployment, progress.Pods) {
		e.dirty[d.Deployment] = true
		e.markDependents(d.Deployment)
		e.poke()
	}
	e.noteProgress(d, progress)
	if !progress.Again.IsZero() {
		e.verify[d.Deployment] = true
		w.queue.AddAfter(d.Deployment, max(time.Until(progress.Again), 5*time.Millisecond))
	}
	return nil
}

// remove removes the deployment's pods from this backend.
func (w *worker) remove(ctx context.Context, d planner.Decision) error {
	e := w.engine
	err := w.backend.Remove(ctx, d.Deployment, e.tellStep(w.backend.Name(), d))
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.noteError(d, err, context.Cause(ctx))
		w.askList()
		return err
	}
	e.world.observed(w.backend.Name(), d.Deployment, nil)
	e.dirty[d.Deployment] = true
	e.poke()
	return nil
}

// settle decides when a deployment is worked on again after an error.
func (w *worker) settle(ctx context.Context, name string, t task, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pauses, name)
	switch kind := schema.KindOf(err); {
	case err == nil:
		w.retries.Forget(name)
	case errors.Is(context.Cause(ctx), errSuperseded):
		w.retries.Forget(name)
		w.queue.Add(name)
	case kind == schema.Transient || kind == schema.Waiting:
		again := jittered(w.retries.When(name))
		if kind == schema.Waiting {
			again = min(max(again, jittered(firstWait)), jittered(lastRetry))
		}
		w.pauses[name] = pause{task: t.id(), until: time.Now().Add(again)}
		w.queue.AddAfter(name, again)
	default:
		w.pauses[name] = pause{task: t.id()}
	}
}

// tellStep returns a function that logs the steps taken for a decision.
func (e *Engine) tellStep(backend string, d planner.Decision) func(backends.Step) {
	return func(s backends.Step) {
		level := e.log.Debug
		if s.Done {
			level = e.log.Info
		}
		text := s.Verb
		if s.Detail != "" {
			text = fmt.Sprintf("%s: %s", s.Verb, s.Detail)
		}
		level(text, "deployment", d.Deployment, "pod", s.Pod, "backend", backend)
		e.metrics.step(backend, s)
	}
}
