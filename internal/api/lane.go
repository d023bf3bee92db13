package api

import (
	"context"
	"sync"

	"github.com/berthdev/berth/internal/access"
)

// Lanes put a queue for each caller before the one for turns: however many queries
// somebody sends, no more of them stand before those of others than there are turns.
type lanes struct {
	mu sync.Mutex
	by map[string]*lane // by the name of the caller
}

type lane struct {
	places chan struct{}
	users  int // who wait for a place, or have one
}

// take waits for a turn of ctx's caller; leave gives it back. False: ctx ended.
func (a *API) take(ctx context.Context) (leave func(), ok bool) {
	name := access.From(ctx).Name
	l := a.lanes.enter(name, cap(a.turns))
	if !send(ctx, l.places, struct{}{}) {
		a.lanes.exit(name)
		return nil, false
	}
	out := func() { <-l.places; a.lanes.exit(name) }
	if !send(ctx, a.turns, struct{}{}) {
		out()
		return nil, false
	}
	return func() { <-a.turns; out() }, true
}

func (l *lanes) enter(name string, places int) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by[name] == nil {
		l.by[name] = &lane{places: make(chan struct{}, places)}
	}
	l.by[name].users++
	return l.by[name]
}

func (l *lanes) exit(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by[name].users--; l.by[name].users == 0 {
		delete(l.by, name)
	}
}
