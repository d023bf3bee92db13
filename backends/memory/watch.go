package memory

import (
	"context"
	"errors"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// A watcher collects events until its Watch passes them on, or waits for what one
// pod does.
type watcher struct {
	instance string
	pod      *container    // nil: it collects events
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
	worse := c.State != backends.PodRunning || c.Health == backends.HealthUnhealthy || e.find(c.ID) == nil
	for w := range e.watchers {
		switch {
		case w.pod == c:
			w.wake()
		case w.pod == nil && w.instance == c.instance:
			w.events = append(w.events, backends.Event{
				Deployment: c.Deployment, Pod: c.Name, What: "container " + what, Worse: worse, Ours: ours,
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
	defer e.leave(w)

	notify(backends.Event{})
	for {
		events, due, err := b.collect(ctx, w)
		for _, event := range events {
			notify(event)
		}
		if err != nil {
			return err
		}
		b.wait(ctx, w, due)
	}
}

// leave ends the watcher.
func (e *Engine) leave(w *watcher) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.watchers, w)
}

// wait waits until there may be something to see: for the watcher, or because a
// change is due by itself.
func (b *Backend) wait(ctx context.Context, w *watcher, due time.Duration) {
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

// collect takes the watcher's events, and tells in what time the next change is
// due by itself; 0: never.
func (b *Backend) collect(ctx context.Context, w *watcher) (events []backends.Event, due time.Duration, err error) {
	e := b.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if due, err = b.look(ctx, w, "watch"); err != nil {
		return nil, 0, err
	}
	events, w.events = w.events, nil
	return events, due, nil
}

// look makes the changes that are due, and tells in what time the next one is; 0:
// never. The engine's mutex is held.
func (b *Backend) look(ctx context.Context, w *watcher, op string) (due time.Duration, err error) {
	if err := b.check(ctx, op); err != nil {
		return 0, err
	}
	if w.broken {
		return 0, &schema.Error{
			Op: op, Resource: "backend " + b.name, Kind: schema.Transient, Err: errors.New("the connection was cut"),
		}
	}
	e := b.engine
	e.settle()
	if c := e.due(); c != nil {
		due = max(c.next.Sub(e.now()), time.Millisecond)
	}
	return due, nil
}
