package memory

import (
	"context"
	"errors"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// A watcher collects events until its Watch passes them on.
type watcher struct {
	instance string
	woken    chan struct{} // of one place: wakes coalesce
	// Guarded by the engine's mutex:
	events []backends.Event
	broken bool
}

func (w *watcher) wake() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// emit tells all watchers of the container's instance.
func (e *Engine) emit(c *container, what string, ours bool) {
	for w := range e.watchers {
		if w.instance == c.instance {
			w.events = append(w.events, backends.Event{
				Deployment: c.Deployment, Pod: c.Name, What: "container " + what, Ours: ours,
			})
			w.wake()
		}
	}
}

// Watch implements [backends.Backend].
func (b *Backend) Watch(ctx context.Context, notify func(backends.Event)) error {
	e := b.engine
	w := &watcher{instance: b.instance, woken: make(chan struct{}, 1)}
	e.mu.Lock()
	err := b.check(ctx, "watch")
	if err == nil {
		e.watchers[w] = true
	}
	e.mu.Unlock()
	if err != nil {
		return err
	}
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.watchers, w)
	}()

	notify(backends.Event{})
	for {
		events, due, err := b.collect(ctx, w)
		for _, event := range events {
			notify(event)
		}
		if err != nil {
			return err
		}
		var timer <-chan time.Time // collected when dropped
		if due > 0 {
			timer = time.After(due)
		}
		select {
		case <-ctx.Done():
		case <-b.closed:
		case <-w.woken:
		case <-timer:
		}
	}
}

// collect takes the watcher's events, and tells in what time the next change is
// due by itself; 0: never.
func (b *Backend) collect(ctx context.Context, w *watcher) (events []backends.Event, due time.Duration, err error) {
	e := b.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := b.check(ctx, "watch"); err != nil {
		return nil, 0, err
	}
	if w.broken {
		return nil, 0, &schema.Error{
			Op: "watch", Resource: "backend " + b.name, Kind: schema.Transient, Err: errors.New("the connection was cut"),
		}
	}
	e.settle()
	events, w.events = w.events, nil
	if c := e.due(); c != nil {
		due = max(c.next.Sub(e.now()), time.Millisecond)
	}
	return events, due, nil
}
