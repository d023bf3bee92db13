package statuses

import (
	"context"
	"errors"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

// lateness is how long after it was given up a request may still reach the forge,
// by way of a proxy that holds it. After that the forge is asked what it has.
const lateness = time.Minute

// Run sends until ctx ends; it is called once. What is due then may still be sent
// for the grace period. It owns all goroutines: when it returns, none is left.
func (s *Sender) Run(ctx context.Context) error {
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer s.end()
	defer s.requests.Wait()
	defer cut()
	s.mu.Lock()
	s.late = time.Now().Add(lateness)
	s.mu.Unlock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	ending := ctx.Done()
	var last time.Time // zero: it goes on
	for {
		next, underway := s.start(work)
		if !last.IsZero() {
			if underway == 0 && (next.IsZero() || next.After(last)) || !time.Now().Before(last) {
				return nil
			}
			next = earliest(next, last)
		}
		timer.Stop()
		if !next.IsZero() {
			timer.Reset(time.Until(next))
		}
		select {
		case <-ending:
			ending, last = nil, time.Now().Add(s.grace)
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// end answers all who still wait, after Run.
func (s *Sender) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for _, r := range s.repos {
		s.forgetAll(r, unknown(r, errStopping))
	}
}

// start begins the requests that may be made now. It returns when there may be
// something else to do, zero if that takes an event, and how many are under way.
func (s *Sender) start(ctx context.Context) (next time.Time, underway int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for h, news := range s.busy {
		if news || !h.next.IsZero() && !now.Before(h.next) {
			x := h.choose(now)
			for ; x.best.commit != nil; x = h.choose(now) {
				s.begin(ctx, x.best, now)
			}
			h.next, s.busy[h] = x.next, false
		}
		next = earliest(next, h.next)
		if len(h.busy) == 0 {
			delete(s.busy, h)
		}
	}
	return next, s.underway
}

// An outcome is what came of a request.
type outcome struct {
	task
	failing bool           // the repository failed before
	url     string         // of the repository
	sent    forge.Status   // with a key
	said    time.Time      // when Set was called for it
	has     []forge.Status // without a key: what the forge has
	reached bool           // the request itself was made: whatever failed, the forge may have got it
	err     error
}

// begin makes a request.
func (s *Sender) begin(ctx context.Context, t task, now time.Time) {
	r := t.commit.repo
	o := &outcome{task: t, url: r.url, failing: r.trouble.failures > 0}
	s.underway++
	r.underway++
	r.host.underway++
	if o.failing {
		r.host.failing++
	}
	if k := t.key; k != nil {
		o.sent, o.said, k.sending = k.want, k.since, true
		t.commit.sending++
		r.host.take(now)
	} else {
		t.commit.listing = true
	}
	s.requests.Go(func() {
		s.carry(ctx, o)
		s.settle(ctx, o)
		s.poke()
	})
}

// carry carries a request out.
func (s *Sender) carry(ctx context.Context, o *outcome) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	at, err := s.open(ctx, o.url)
	switch {
	case err != nil:
		o.err = err
	case o.key == nil:
		o.reached = true
		o.has, o.err = at.Statuses(ctx, o.commit.hash)
	default:
		o.reached = true
		o.err = at.SetStatus(ctx, o.commit.hash, o.sent)
	}
}

// settle takes in what came of a request.
func (s *Sender) settle(ctx context.Context, o *outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underway--
	s.busy[o.commit.repo.host] = true
	o.end()
	now, r := time.Now(), o.commit.repo
	absent := r.absent()
	var limited *forge.Limited
	switch {
	case o.err == nil:
		s.succeeded(o, now)
	case ctx.Err() != nil: // it was cut off
	case errors.As(o.err, &limited):
		s.metrics.failed(askedToWait)
		s.limited(r.host, limited, now)
	case errors.Is(o.err, forge.ErrNone):
		s.none(r, o.err, now)
	default:
		s.failed(o, now)
	}
	s.trim(r, maxCommits)
	if r.absent() != absent {
		for _, c := range r.commits {
			for _, k := range c.keys {
				s.tally(k)
			}
		}
	}
}

// end takes a request from the counts of those under way.
func (o *outcome) end() {
	c := o.commit
	c.repo.underway--
	c.repo.host.underway--
	if o.failing {
		c.repo.host.failing--
	}
	if o.key != nil {
		o.key.sending = false
		c.sending--
	} else {
		c.listing = false
	}
}

// failed takes in that a request failed.
func (s *Sender) failed(o *outcome, now time.Time) {
	s.metrics.failed(string(schema.KindOf(o.err)))
	if o.key != nil && errors.Is(o.err, forge.ErrFull) {
		s.recovered(o.commit.repo)
		o.key.count = max(o.key.count, lastStatuses-1) // a former process sent the others
		s.counted(o.key)
		s.tally(o.key)
		return
	}
	if mustAct(o.err) {
		s.refused(o, now)
		return
	}
	if o.key != nil && o.reached {
		s.counted(o.key) // perhaps
		o.commit.listed, o.commit.doubt = false, now.Add(lateness)
	}
	s.missed(o, now)
}

// succeeded takes in that a request succeeded.
func (s *Sender) succeeded(o *outcome, now time.Time) {
	c, k := o.commit, o.key
	r := c.repo
	if !now.Before(r.host.until) {
		r.host.limits = 0
	}
	if k == nil {
		if !r.trouble.final || r.strikes == 0 { // that it can be read says nothing of writing
			s.recovered(r)
		}
		s.listed(c, o.has, now)
		return
	}
	s.recovered(r)
	r.strikes, c.strikes, c.trouble, k.trouble = 0, 0, trouble{}, trouble{}
	k.known, k.has, k.hearsay = true, o.sent, false
	s.counted(k)
	s.metrics.sent(now.Sub(o.said))
	s.tally(k)
}

// counted notes that the forge has one more status of a context.
func (s *Sender) counted(k *key) {
	if k.count++; k.count == lastStatuses {
		s.log.Warn("a forge takes only so many statuses of one commit and context; what comes of it is no more told there",
			"repo", k.commit.repo.name, "commit", short(k.commit.hash), "context", k.want.Context, "most", forge.MaxStatuses)
	}
}

// listed takes in what the forge has of a commit.
func (s *Sender) listed(c *commit, has []forge.Status, now time.Time) {
	there := map[*key]bool{}
	for _, st := range has {
		if k := c.key(st.Context, maxForeign); k != nil {
			k.found(st)
			there[k] = true
		}
	}
	for _, k := range c.keys {
		k.known = there[k]
		s.tally(k)
	}
	c.listed = true
	if !c.trouble.final {
		c.trouble = trouble{}
	}
	if now.Before(s.late) {
		c.doubt = latest(c.doubt, s.late)
	}
	c.answer(nil)
}
