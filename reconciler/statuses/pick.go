package statuses

import (
	"strings"
	"time"
)

// A task is a request that may be made: to set a status or, without a key, to ask
// what the forge has of a commit.
type task struct {
	commit  *commit
	key     *key
	tried   time.Time // when it failed last, if the repository fails
	summary bool
	turn    uint64
}

// isSummary tells whether a context sums up a commit, or is about a part of it.
func isSummary(context string) bool { return !strings.Contains(context, "/") }

// before tells which of two tasks of a host comes first: summaries do, then newer
// commits, then what waits longer. Of what may fail again, it is what was tried
// longest ago: it is not known what of it is the matter.
func (t task) before(u task) bool {
	switch {
	case !t.tried.Equal(u.tried):
		return t.tried.Before(u.tried)
	case t.summary != u.summary:
		return t.summary
	case t.commit.order != u.commit.order:
		return t.commit.order > u.commit.order
	default:
		return t.turn < u.turn
	}
}

// A choice gathers what may be done now, and when something else may.
type choice struct {
	now  time.Time
	best task      // if it has a commit
	next time.Time // zero: nothing until something happens
}

// offer considers a task that may be begun at a time, after the trouble it had.
func (x *choice) offer(t task, own *trouble, at time.Time) {
	if t.commit.repo.trouble.failures > 0 {
		t.tried = own.failed
	}
	at = latest(at, own.until)
	switch {
	case at.After(x.now):
		x.wait(at)
	case x.best.commit == nil, t.before(x.best):
		x.best = t
	}
}

// wait notes that there may be something to do at a time.
func (x *choice) wait(at time.Time) { x.next = earliest(x.next, at) }

// earliest returns the earlier of two times, of which zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// choose returns what is to be asked of a host next.
func (h *host) choose(now time.Time) choice {
	x := choice{now: now}
	if now.Before(h.until) {
		x.next = h.until
		return x
	}
	if h.underway >= h.places() {
		return x
	}
	for r := range h.busy {
		if !r.free() {
			continue // what is under way ends
		}
		if !r.trouble.over(now) {
			x.wait(r.trouble.until)
			continue
		}
		for c := range r.busy {
			if !c.offer(&x) {
				delete(r.busy, c)
			}
		}
		if len(r.busy) == 0 {
			delete(h.busy, r)
		}
	}
	return x
}

// offer offers what is to be done about a commit. It returns false when there is
// nothing to wait for.
func (c *commit) offer(x *choice) (busy bool) {
	switch {
	case c.doubt.IsZero():
	case x.now.Before(c.doubt):
		x.wait(c.doubt)
		busy = true
	default:
		c.doubt = time.Time{}
		c.listed = c.listed && !c.wanted()
	}
	if c.listing || !c.listed && c.sending > 0 {
		return true
	}
	if !c.listed {
		if len(c.asks) == 0 && !c.wanted() {
			return busy
		}
		x.offer(c.look(), &c.trouble, time.Time{})
		return true
	}
	for _, k := range c.keys {
		if !k.waits() {
			continue
		}
		busy = true
		if !k.sending {
			t := task{commit: c, key: k, summary: isSummary(k.want.Context), turn: k.turn}
			x.offer(t, &k.trouble, latest(c.trouble.until, c.repo.host.sendAt(t.summary)))
		}
	}
	return busy || c.sending > 0
}

// look is the task to ask what the forge has of a commit. It is as urgent as what
// waits for it.
func (c *commit) look() task {
	t := task{commit: c, summary: len(c.asks) > 0}
	for _, k := range c.keys {
		if k.waits() {
			t.summary = t.summary || isSummary(k.want.Context)
			if t.turn == 0 || k.turn < t.turn {
				t.turn = k.turn
			}
		}
	}
	return t
}
