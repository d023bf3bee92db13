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
)

const defaultWorkers = 8

var errSuperseded = errors.New("superseded by newer input")

// worker is one backend with the queue of deployments that something is to do
// about there. Each backend has its own, so that a slow one delays no other.
type worker struct {
	engine  *Engine
	backend Backend
	index   int                                      // in the configuration
	queue   workqueue.TypedDelayingInterface[string] // while it runs
	retries workqueue.TypedRateLimiter[string]
	relist  chan struct{} // one slot
	hurry   chan struct{} // one slot: a backend that did not answer is tried at once
	told    time.Time     // when it was last told that the backend does not answer; zero: it does
	known   bool          // it was listed once

	// Guarded by the engine's mu:
	underway map[string]underway
	pauses   map[string]*pause
	retrials map[string]*retrial
}

// underway is work in progress on one deployment.
type underway struct {
	kind   taskKind
	task   string
	began  uint64 // by the world's clock
	cancel context.CancelCauseFunc
}

func newWorker(e *Engine, b Backend, index int) *worker {
	return &worker{
		engine: e, backend: b, index: index,
		retries:  workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstRetry, lastRetry),
		relist:   make(chan struct{}, 1),
		hurry:    make(chan struct{}, 1),
		underway: map[string]underway{},
		pauses:   map[string]*pause{},
		retrials: map[string]*retrial{},
	}
}

// start runs the backend's workers until its queue is shut down. What is queued
// when running ends is not begun any more; what was begun may go on until ctx ends.
func (w *worker) start(running, ctx context.Context, group *errgroup.Group) {
	n := w.backend.Config.Workers
	if n <= 0 {
		n = defaultWorkers
	}
	p := &pool{places: make(chan struct{}, n)}
	p.run = func() {
		group.Go(func() error {
			for !p.ends() {
				name, shutdown := w.queue.Get()
				if shutdown {
					return nil
				}
				if at := p.enter(running); at != nil {
					if running.Err() == nil {
						w.work(ctx, name, at)
					}
					at.leave()
				}
				w.queue.Done(name)
			}
			return nil
		})
	}
	p.start()
}

// redirect queues what a new decision asks for, and cuts off work that it has
// overtaken. It does not hurry a task that is paused after an error; news of the
// deployment's pods does, a little. The caller holds the engine's mu.
func (w *worker) redirect(name string, t task, news bool) {
	if u, busy := w.underway[name]; busy && u.task != t.id() {
		u.cancel(errSuperseded)
	}
	if w.stillPaused(name, t, news) || t.kind == nothing {
		return
	}
	w.queue.Add(name)
}

// drop cuts off all work on a deployment that is no more, and forgets it. The
// caller holds the engine's mu.
func (w *worker) drop(name string) {
	if u, busy := w.underway[name]; busy {
		u.cancel(errSuperseded)
	}
	delete(w.pauses, name)
	w.retries.Forget(name)
	w.answer(name, nil, noDeployment("retry", name))
}

// work does what the newest decision asks about one deployment.
func (w *worker) work(ctx context.Context, name string, at *place) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e := w.engine
	d, t := w.begin(name, cancel)
	if t.kind == nothing {
		return
	}
	began := time.Now()
	progress, err := w.do(ctx, d, t, at)
	e.metrics.worked(w.backend.Name(), t.kind, time.Since(began), err)
	e.mu.Lock()
	defer e.mu.Unlock()
	if t.kind == forget {
		if err != nil && errors.Is(context.Cause(ctx), errSuperseded) {
			err = refuse(name, "its input changed meanwhile", "see what becomes of that")
		}
		w.forgot(name, err)
		return
	}
	w.observed(ctx, name, t, progress, err)
	switch {
	case errors.Is(context.Cause(ctx), errSuperseded):
		// Its newest decision says what follows, here or on another backend.
		e.markDirty(name)
	case ctx.Err() == nil:
		e.noteWork(d, t, progress, err)
	}
	w.settle(ctx, name, t, progress.Again, err)
	e.poke()
}

// do has the backend take the steps of a task.
func (w *worker) do(ctx context.Context, d planner.Decision, t task, at *place) (p backends.Progress, err error) {
	tell := w.engine.tellStep(w.backend.Name(), d)
	report := func(s backends.Step) {
		tell(s)
		at.step(ctx, s)
	}
	switch t.kind {
	case apply:
		return w.backend.Apply(ctx, *d.Workload, report)
	case forget:
		return p, w.backend.Forget(ctx, d.Deployment, report)
	default:
		return p, w.backend.Remove(ctx, d.Deployment, report)
	}
}

// begin notes that work begins, and returns on what; nothing if nothing is to be
// done now.
func (w *worker) begin(name string, cancel context.CancelCauseFunc) (planner.Decision, task) {
	e := w.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	d, ok := e.decision(name)
	if !ok {
		return d, task{}
	}
	t := e.task(w, d)
	if w.retrials[name] != nil {
		if err := e.retriable(name); err != nil {
			w.answer(name, nil, err) // it was to be removed, suspended or the like meanwhile
		} else {
			t.kind = forget
		}
	}
	if t.kind == nothing || t.kind != forget && w.stillPaused(name, t, false) {
		return d, task{}
	}
	if t.kind == apply {
		delete(e.doubts, name)
	}
	id := t.id()
	if t.kind == apply {
		e.beginRollout(d, id)
		if s := e.statuses[name]; s != nil && e.replaced(s, d, time.Now()) {
			e.turnReady(s, d, time.Now())
			e.poke()
		}
	}
	w.underway[name] = underway{kind: t.kind, task: id, began: e.world.clock, cancel: cancel}
	return d, t
}

// observed takes in the pods that work on a deployment has left, which is at its
// end. The caller holds the engine's mu.
func (w *worker) observed(ctx context.Context, name string, t task, progress backends.Progress, err error) {
	e := w.engine
	at := w.underway[name].began
	delete(w.underway, name)
	switch {
	case err == nil, t.kind == apply && progress.Phase != "" && ctx.Err() == nil:
		if e.world.observed(w.index, name, progress.Pods, at) {
			e.markDirty(name)
		}
	case t.kind == apply:
		e.world.lostTrack(w.index, name)
	default:
		w.askList()
	}
	if t.kind == apply && err != nil {
		e.doubt(name, due)
	}
}

// progressPause is how long a step may take before it is told how far it came,
// and then again.
const progressPause = 5 * time.Second

// tellStep returns a function that tells of the steps taken for a decision.
func (e *Engine) tellStep(backend string, d planner.Decision) func(backends.Step) {
	var mu sync.Mutex
	heard := time.Now() // when the last line was written that anybody reads
	return func(s backends.Step) {
		mu.Lock()
		defer mu.Unlock()
		level := e.log.Debug
		if s.Done || time.Since(heard) > progressPause {
			level, heard = e.log.Info, time.Now()
		}
		text := s.Verb
		if s.Detail != "" {
			text = fmt.Sprintf("%s: %s", s.Verb, s.Detail)
		}
		level(text, "deployment", d.Deployment, "pod", s.Pod, "backend", backend)
		if s.Done {
			e.recordStep(backend, d, s, text)
		}
		e.metrics.step(backend, s)
	}
}
