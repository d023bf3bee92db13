package statuses

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

// A trouble is why something is not tried for a while. The zero value is none.
type trouble struct {
	failures int // in a row
	failed   time.Time
	until    time.Time
	final    bool // a person must act
	err      error
}

const (
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute
	// What a person must mend is tried again as seldom as this, ever more seldom,
	// and no sooner than the first although there is something new to say: forges
	// lock out who insists.
	firstAppeal = 5 * time.Minute
	lastAppeal  = time.Hour
	// A forge that was not found is looked for again after this, and then ever more
	// seldom too.
	firstSearch = time.Minute
)

// over tells whether it may be tried again.
func (t *trouble) over(now time.Time) bool { return !now.Before(t.until) }

// fail notes that something failed, and is not to be tried for a while.
func (t *trouble) fail(now time.Time, wait time.Duration, err error) {
	t.failures++
	t.failed, t.until, t.err = now, now.Add(wait), err
	t.final = errors.Is(err, forge.ErrNone) || mustAct(err)
}

// news has what waits for a person tried again soon: there is something new to say.
func (t *trouble) news() {
	if soon := t.failed.Add(firstAppeal); t.final && t.until.After(soon) {
		t.until = soon
	}
}

// absent tells that a repository has no forge, as it was found last. Nothing of
// what is said of it counts as waiting.
func (r *repo) absent() bool { return errors.Is(r.trouble.err, forge.ErrNone) }

// none takes in that a repository has no forge. One may be found yet: a proxy may
// have answered while it was away. So what was said of the last commits is kept.
func (s *Sender) none(r *repo, err error, now time.Time) {
	if !r.absent() || r.trouble.over(now) { // several answers of the same moment are one
		s.log.Debug("nobody is told of commits", "repo", r.name, "error", err)
		r.trouble.fail(now, s.spread(doubled(firstSearch, r.trouble.failures+1, lastAppeal)), err)
	}
	for _, c := range r.commits {
		c.answer(err)
		if c.idle() && !c.wanted() {
			s.forget(c)
		}
	}
	for len(r.commits) > maxCommits {
		c := r.oldest((*commit).weight)
		if c == nil {
			return
		}
		s.forget(c)
	}
}

// doubled doubles a time for each failure after the first, up to most.
func doubled(d time.Duration, failures int, most time.Duration) time.Duration {
	for ; failures > 1 && d < most; failures-- {
		d *= 2
	}
	return min(d, most)
}

// mustAct tells whether an error stays until a person acts, or something else is said.
func mustAct(err error) bool {
	kind := schema.KindOf(err)
	return kind == schema.Terminal || kind == schema.Invalid
}

// A refusal concerns the context, the commit or the repository, which the error
// does not tell. So it counts for the context; for the commit after so many
// contexts in a row; and for the repository after so many commits.
const (
	commitStrikes = 2
	repoStrikes   = 3
)

// refused takes in an error that stays until a person acts.
func (s *Sender) refused(o *outcome, now time.Time) {
	c, k := o.commit, o.key
	r := c.repo
	fail := func(t *trouble) {
		t.fail(now, s.spread(doubled(firstAppeal, t.failures+1, lastAppeal)), o.err)
	}
	s.tell(r, slog.LevelError, "commit statuses are refused", o.err)
	if k == nil || !o.reached {
		fail(&r.trouble)
		r.warned = true
		for _, c := range r.commits {
			c.answer(o.err)
		}
		return
	}
	fail(&k.trouble)
	if c.strikes++; c.strikes == 1 {
		r.strikes++
	}
	if c.strikes >= commitStrikes {
		fail(&c.trouble)
	}
	if r.strikes >= repoStrikes {
		fail(&r.trouble)
		r.warned = true
	}
}

// quietTime is how long nothing must have failed for the next failure to be news.
const quietTime = time.Hour

// missed takes in an error that goes away by itself. As long as a repository
// fails, one request at a time finds out whether it still does, each time about
// something else if there is. What fails by itself has pauses of its own.
func (s *Sender) missed(o *outcome, now time.Time) {
	pause := func(t *trouble) time.Duration { return s.spread(doubled(firstRetry, t.failures+1, lastRetry)) }
	r, own := o.commit.repo, &o.commit.trouble
	if o.key != nil {
		own = &o.key.trouble
	}
	if r.trouble.failures == 0 || own.failed.Equal(r.trouble.failed) {
		own.fail(now, pause(own), o.err)
	}
	own.failed = now
	r.trouble.fail(now, pause(&r.trouble), o.err)
	if now.Sub(r.missed) > quietTime {
		r.misses = 0
	}
	r.missed = now
	if r.misses++; r.misses&(r.misses-1) == 0 { // when it is new, and then ever less often
		r.warned = true
		s.log.Warn("commit statuses cannot be told", "repo", r.name, "error", o.err, "kind", schema.KindOf(o.err),
			"failures", r.misses, "retry", r.trouble.until.Sub(now).Round(time.Millisecond))
	}
}

// recovered takes in that a request about a repository succeeded.
func (s *Sender) recovered(r *repo) {
	if r.warned {
		s.log.Info("commit statuses can be told again", "repo", r.name)
	}
	if r.trouble.failures > 0 {
		clear(r.told)
	}
	r.trouble, r.warned = trouble{}, false
}

// maxTold is how many reasons are remembered as told.
const maxTold = 16

// tell logs what a person should know, once for each repository and reason.
func (s *Sender) tell(r *repo, level slog.Level, text string, err error) {
	reason, args := text, []any{"repo", r.name}
	if err != nil {
		args = append(args, "error", err, "kind", schema.KindOf(err))
		reason = err.Error()
		if e := (*schema.Error)(nil); errors.As(err, &e) && e.Err != nil {
			reason = e.Err.Error() // without the commit
		}
	}
	if r.told[reason] {
		return
	}
	if len(r.told) >= maxTold {
		clear(r.told)
	}
	r.told[reason] = true
	s.log.Log(context.Background(), level, text, args...)
}
