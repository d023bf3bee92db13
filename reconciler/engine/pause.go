package engine

import (
	"context"
	"errors"
	"time"

	"github.com/berthdev/berth/schema"
)

const (
	firstRetry = 200 * time.Millisecond
	firstWait  = 5 * time.Second // where an event is awaited that may not be seen, as an image pushed later
	lastRetry  = 5 * time.Minute
	soonest    = 5 * time.Millisecond // until a backend is asked again, if it asks for that
	// newsPause is how long after it failed a task is tried again because of news
	// of the deployment's pods: a pod that was killed must come back although its
	// successor cannot be made.
	newsPause = 5 * time.Second
)

// A pause keeps a task that failed from being tried again too soon.
type pause struct {
	task   string
	failed time.Time // when it was tried last
	until  time.Time // zero: until the input changes
	state  State     // where it leaves the deployment
	why    string
}

// over tells whether the task may be tried again.
func (p *pause) over(now time.Time) bool { return !p.until.IsZero() && !now.Before(p.until) }

// settle decides when a deployment is worked on again after it was; again is when
// the backend asks for it, zero if it does not. The caller holds the engine's mu.
func (w *worker) settle(ctx context.Context, name string, t task, again time.Time, err error) {
	delete(w.pauses, name)
	now := time.Now()
	var p pause
	switch {
	case errors.Is(context.Cause(ctx), errSuperseded):
		w.retries.Forget(name)
		return
	case err == nil:
		w.retries.Forget(name)
	default:
		p = pause{task: t.id(), failed: now, until: w.retryAt(name, err, now), state: stateAfter(err), why: err.Error()}
	}
	if !again.IsZero() { // also after an error: what did not fail goes on
		p.until = earlier(p.until, later(again, now.Add(soonest)))
	}
	if err != nil {
		w.pauses[name] = &p
	}
	if !p.until.IsZero() {
		w.engine.doubt(name, due)
		w.queue.AddAfter(name, p.until.Sub(now))
	}
}

// retryAt returns when what failed is tried again; zero: when the input changes.
func (w *worker) retryAt(name string, err error, now time.Time) time.Time {
	again := w.engine.jittered(w.retries.When(name))
	switch schema.KindOf(err) {
	case schema.Transient:
		return now.Add(again)
	case schema.Waiting:
		return now.Add(min(max(again, w.engine.jittered(firstWait)), w.engine.jittered(lastRetry)))
	case schema.Terminal: // nobody tells when a person has acted
		return now.Add(w.engine.jittered(lastRetry))
	default:
		return time.Time{}
	}
}

// stillPaused tells whether a task must not be tried yet, and sees to it that it
// is tried in time. The caller holds the engine's mu.
func (w *worker) stillPaused(name string, t task, news bool) bool {
	p := w.pauses[name]
	if p == nil {
		return false
	}
	now := time.Now()
	if p.task != t.id() {
		// Another task is tried at once. What can never work is remembered while
		// the deployment waits for something else.
		if t.id() != "" || !p.until.IsZero() {
			delete(w.pauses, name)
			w.retries.Forget(name)
		}
		return false
	}
	if soon := p.failed.Add(newsPause); news && (p.until.IsZero() || soon.Before(p.until)) {
		p.until = soon
	}
	if p.over(now) {
		return false
	}
	if !p.until.IsZero() {
		w.queue.AddAfter(name, p.until.Sub(now))
	}
	return true
}
