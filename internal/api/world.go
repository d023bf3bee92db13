package api

import (
	"context"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/sources/follow"
)

// A world is what was known when a query began. All that answers the query looks
// at it, and at nothing else that changes.
type world struct {
	api     *API
	view    *engine.View
	sources []follow.Status
	now     time.Time
	meter   meter
}

// look takes a snapshot for one query, or for one answer of a subscription. The
// work on it ends when ctx does.
func (a *API) look(ctx context.Context) *world {
	w := &world{api: a, view: a.o.Engine.View(), sources: a.o.Hub.Sources(), now: time.Now()}
	w.meter.ctx = ctx
	return w
}

// key is what a context carries a world under.
type key struct{}

func with(ctx context.Context, w *world) context.Context { return context.WithValue(ctx, key{}, w) }

// worldOf returns the world of a query.
func worldOf(ctx context.Context) *world { return ctx.Value(key{}).(*world) }

// deployment returns a deployment; nil when it is neither declared nor there.
func (w *world) deployment(name string) *deployment { return nil }

// pod returns a pod of this world.
func (w *world) pod(p *backends.Pod) *pod { return nil }

// event returns an event as it is told in this world.
func (w *world) event(e *journal.Event) *event { return nil }
