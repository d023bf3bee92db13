package statuses

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/berthdev/berth/sources/forge"
)

// Forges take so many statuses of one context, and so many in an hour, and no more.
const (
	// quiet is how long a status stands before another text of the same state
	// follows; it doubles with each that does, up to 64 times.
	quiet    = 5 * time.Second
	quietest = 6
	// freeFalls is how often a success may be taken back before the next one is
	// told only when it has lasted: twice quiet at first, twice as long with each
	// further fall, proof at most. What has lasted for that long begins anew.
	freeFalls = 2
	proof     = 10 * time.Minute
)

// A saying is what was said last in one context.
type saying struct {
	state forge.State
	text  string
	at    time.Time // zero: by a former process
	words int       // texts that followed in the same state
	falls int       // times that a success was taken back
	rose  time.Time // since when it is a success, or would be one; zero: it is none, or one of a former process
}

// probation is how long a success must last until it is told.
func (s *saying) probation() time.Duration {
	if s.falls <= freeFalls {
		return 0
	}
	return min(quiet<<min(s.falls-freeFalls, 10), proof)
}

// judge returns what is to be said of a state at now, and when that is to be
// looked at again; 0: when there is news.
func (s *saying) judge(now time.Time, state forge.State, text string) (forge.State, string, time.Duration) {
	switch {
	case state == forge.Success && s.state == forge.Success:
	case state == forge.Success:
		if s.rose.IsZero() {
			s.rose = now
		}
		if wait := s.probation() - now.Sub(s.rose); wait > 0 {
			text = fmt.Sprintf("%s; that did not last %d times, and counts once it has for %s", text, s.falls, s.probation())
			return s.state, text, wait
		}
	case state == forge.Pending:
		s.rose = time.Time{}
	default:
		if s.state == forge.Success {
			if now.Sub(s.rose) >= proof {
				s.falls = 0
			}
			s.falls++
		}
		s.rose = time.Time{}
	}
	return state, text, 0
}

// say puts a status of a context below that of the instance into the outbox,
// unless it was said already, or has to wait: for it is only in other words, or a
// success that was taken back too often. The context "" is the instance's own. It
// returns what was said last. The caller holds mu.
func (r *Reporter) say(ctx context.Context, repo, commit, context string, s saying, state forge.State, text string) saying {
	now := time.Now()
	state, text, again := s.judge(now, state, line(text))
	if again > 0 {
		r.lookAgain(ctx, now.Add(again))
	}
	if state == s.state {
		if text == s.text {
			return s
		}
		if until := s.at.Add(quiet << min(s.words, quietest)); now.Before(until) {
			r.lookAgain(ctx, until)
			return s
		}
		s.words++
	} else {
		s.words = 0
	}
	s.state, s.text, s.at = state, text, now
	st := forge.Status{Context: r.o.Context, State: state, Description: text, URL: r.o.Page(commit)}
	if context != "" {
		st.Context += "/" + context
	}
	r.o.Outbox.Set(repo, commit, st)
	return s
}

// lookAgain has the newest view looked at once more at a time, or before. The
// caller holds mu.
func (r *Reporter) lookAgain(ctx context.Context, at time.Time) {
	if ctx.Err() != nil || r.again != nil && !at.Before(r.againAt) {
		return
	}
	if r.again == nil || !r.again.Stop() {
		r.running.Add(1)
	}
	var timer *time.Timer
	timer = time.AfterFunc(time.Until(at), func() {
		defer r.running.Done()
		r.mu.Lock()
		if r.again == timer {
			r.again = nil
		}
		maps.Copy(r.manifests.unsaid, r.manifests.held)
		r.mu.Unlock()
		r.update(ctx, nil)
	})
	r.again, r.againAt = timer, at
}

// hush ends what [Reporter.lookAgain] began.
func (r *Reporter) hush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.again != nil && r.again.Stop() {
		r.running.Done()
	}
}
