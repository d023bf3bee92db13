package engine

import (
	"context"
	"sync"
	"time"

	"github.com/berthdev/berth/backends"
)

const (
	// slowAfter is how long work may wait for others, a registry or a container
	// that takes its time to end, before it gives its place to other work.
	slowAfter = 3 * time.Second
	// mostRunners bounds, as a multiple of the workers, how much work goes on or
	// waits at once.
	mostRunners = 10
)

// waits are the steps that wait for others. The engine itself does little meanwhile.
var waits = map[string]bool{"pull": true, "stop": true, "remove": true}

// A pool bounds how much work is done at once on one backend: no more than it has
// places. Work that waits gives its place up, and takes one again before it goes
// on; so one slow registry holds up nothing but what needs it.
type pool struct {
	places chan struct{}
	run    func() // starts one more runner

	mu      sync.Mutex
	runners int // goroutines that take work from the queue, one piece at a time
	away    int // pieces of work that gave their place up
}

// start starts as many runners as there are places.
func (p *pool) start() {
	p.runners = cap(p.places)
	for range p.runners {
		p.run()
	}
}

// enter waits for a place; nil: ctx ended before.
func (p *pool) enter(ctx context.Context) *place {
	select {
	case p.places <- struct{}{}:
		return &place{pool: p, held: true}
	case <-ctx.Done():
		return nil
	}
}

// gone notes that work gave its place up, and has a runner there for the next.
func (p *pool) gone() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away++
	if p.runners-p.away < cap(p.places) && p.runners < mostRunners*cap(p.places) {
		p.runners++
		p.run()
	}
	<-p.places
}

// back notes that work that was away goes on, or has ended.
func (p *pool) back() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away--
}

// ends tells whether the runner that asks is one too many, and ends.
func (p *pool) ends() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.runners-p.away <= cap(p.places) {
		return false
	}
	p.runners--
	return true
}

// A place is that of one piece of work.
type place struct {
	pool  *pool
	mu    sync.Mutex
	slow  *time.Timer // while a step waits for others, until the place is given up
	held  bool
	ended bool
}

// step takes note of a step. At the end of one that waited for long, it waits for
// a place.
func (pl *place) step(ctx context.Context, s backends.Step) {
	if !waits[s.Verb] {
		return
	}
	if s.Done {
		pl.resume(ctx)
		return
	}
	pl.mu.Lock()
	defer pl.mu.Unlock()
	if pl.held && !pl.ended && pl.slow == nil {
		pl.slow = time.AfterFunc(slowAfter, pl.giveUp)
	}
}

// giveUp gives the place to other work. The work's own runner has not ended yet:
// leave waits for it.
func (pl *place) giveUp() {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	if pl.slow == nil {
		return // the step ended in this moment
	}
	pl.slow, pl.held = nil, false
	pl.pool.gone()
}

// stopClock ends the time that a step has. The caller holds mu.
func (pl *place) stopClock() {
	if pl.slow != nil {
		pl.slow.Stop()
		pl.slow = nil
	}
}

// resume waits for a place, if it was given up. Work that is cut off gets none: it
// is at its end.
func (pl *place) resume(ctx context.Context) {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	pl.stopClock()
	if pl.held {
		return
	}
	select {
	case pl.pool.places <- struct{}{}:
		pl.held = true
		pl.pool.back()
	case <-ctx.Done():
	}
}

// leave ends the work.
func (pl *place) leave() {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	pl.stopClock()
	pl.ended = true
	if pl.held {
		<-pl.pool.places
		return
	}
	pl.pool.back()
}
