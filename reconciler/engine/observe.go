package engine

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// observe keeps the world current with one backend until ctx ends: it follows
// the engine's events, lists the pods whenever the stream (re)stands, and lists
// them now and then although nothing was heard.
func (w *worker) observe(ctx context.Context) {
	const first, most = 250 * time.Millisecond, 30 * time.Second
	pause := first
	for ctx.Err() == nil {
		began := time.Now()
		err := w.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		w.lost(err)
		if time.Since(began) > most {
			pause = first // it held for a while: the next try comes soon
		}
		if !w.sleep(ctx, w.engine.jittered(pause)) {
			return
		}
		pause = min(2*pause, most)
	}
}

// follow watches the backend until the stream breaks.
func (w *worker) follow(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var stream errgroup.Group
	defer stream.Wait() //nolint:errcheck // the error was returned already, or is the stop below
	defer stop()
	ended := make(chan struct{})
	stream.Go(func() error {
		defer close(ended)
		return w.backend.Watch(ctx, func(ev backends.Event) {
			if ev.Deployment == "" {
				w.askList()
				return
			}
			w.event(ev)
		})
	})
	timer := time.NewTimer(w.engine.jittered(w.engine.resync))
	defer timer.Stop()
	pruning := time.NewTimer(w.engine.jittered(w.engine.resync)) // its own: lists come as often as events ask for them
	defer pruning.Stop()
	for {
		select {
		case <-ended:
			return stream.Wait()
		case <-w.relist:
		case <-timer.C:
		case <-pruning.C:
			w.prune(ctx)
			pruning.Reset(w.engine.jittered(w.engine.resync))
			continue
		}
		if err := w.list(ctx); err != nil {
			return err
		}
		timer.Reset(w.engine.jittered(w.engine.resync))
	}
}

// listNow asks for a list at once, also where the backend does not answer and a
// pause is made. The caller holds the engine's mu.
func (w *worker) listNow() {
	w.askList()
	if w.engine.world.backends[w.index].Problem == "" {
		return
	}
	select {
	case w.hurry <- struct{}{}:
	default:
	}
}

// askList asks for a list of all pods soon; requests coalesce.
func (w *worker) askList() {
	select {
	case w.relist <- struct{}{}:
	default:
	}
}

// list asks the backend for its capacity and all its pods.
func (w *worker) list(ctx context.Context) error {
	e := w.engine
	e.mu.Lock()
	asked := e.world.clock
	e.mu.Unlock()
	capacity, err := w.backend.Capacity(ctx)
	if err != nil {
		return err
	}
	pods, err := w.backend.Pods(ctx)
	if err != nil {
		return err
	}
	e.mu.Lock()
	other := e.world.alsoOn(w.index, pods)
	e.mu.Unlock()
	if other != "" {
		return &schema.Error{Op: "list", Resource: "backend " + w.backend.Name(), Kind: schema.Invalid,
			Err: fmt.Errorf("it is the same engine as backend %s", other), Hint: "configure each engine once"}
	}
	first := !w.known
	if first {
		w.known = true
		e.recallRollouts(pods, time.Now())
	}
	e.mu.Lock()
	b := &e.world.backends[w.index]
	back := b.Problem != ""
	moved := back || !reflect.DeepEqual(b.Capacity, capacity)
	e.unseen, e.replan, e.moved = e.unseen || moved, e.replan || moved, e.moved || moved
	seen := len(e.world.pods)
	for _, name := range e.world.listed(w.index, capacity, pods, asked) {
		e.doubt(name, listed)
		e.dirty[name] = true
	}
	if first {
		e.late += max(0, len(e.world.pods)-seen)
	}
	e.mu.Unlock()
	if back {
		pods = slices.DeleteFunc(pods, absent)
		w.told = time.Time{}
		e.recordBackend(w.backend.Name(), slog.LevelInfo, fmt.Sprintf("it answers: %s, %d pods", capacity.Engine, len(pods)))
		e.log.Info("backend answers", "backend", w.backend.Name(), "engine", capacity.Engine,
			"cpus", capacity.CPU.String(), "memory", capacity.Memory.Short(), "gpus", len(capacity.GPUs), "pods", len(pods))
	}
	e.poke()
	return nil
}

// lost notes that the backend does not answer. It says so once, and again after
// a while if the reason is another one.
func (w *worker) lost(err error) {
	why := "the event stream ended"
	if err != nil {
		why = err.Error()
	}
	e := w.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	b := &e.world.backends[w.index]
	if b.Problem == why || !w.told.IsZero() && time.Since(w.told) < e.resync {
		return
	}
	b.Problem, w.told = why, time.Now()
	e.replan, e.unseen, e.moved = true, true, true
	e.log.Warn("backend does not answer: its pods run on, and it is tried again", "backend", w.backend.Name(), "error", why)
	e.recordBackend(w.backend.Name(), slog.LevelWarn, "it does not answer, its pods run on: "+why)
	e.poke()
}

// event takes in that a pod changed.
func (w *worker) event(ev backends.Event) {
	if ev.Ours && !w.engine.looksOn() {
		return
	}
	e := w.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.statuses[ev.Deployment]; s != nil && ev.What != "" {
		level := slog.LevelInfo
		if ev.Worse && !ev.Ours {
			level = slog.LevelWarn
		}
		s.log.tell(e.log, level, ev.What, "deployment", ev.Deployment, "pod", ev.Pod, "backend", w.backend.Name())
		e.recordPod(w.backend.Name(), level, s, ev)
	}
	e.world.hear(w.index, ev.Deployment)
	if d, ok := e.decision(ev.Deployment); !ok || e.looksOn() || d.Workload == nil || d.Backend != w.backend.Name() {
		w.askList() // nothing is applied here, so nobody else would look
		return
	}
	e.doubt(ev.Deployment, news)
	e.markDirty(ev.Deployment)
}

// sleep waits before the backend is tried again, unless somebody is in a hurry;
// false: ctx ended.
func (w *worker) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.hurry:
		return true
	case <-ctx.Done():
		return false
	}
}
