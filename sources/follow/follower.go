package follow

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

const (
	// attemptTime bounds the fetch of one source, and the reading of what came.
	attemptTime = 5 * time.Minute
	// patience is how long the first answer is waited for before what a former
	// process left on disk is used.
	patience = 3 * time.Second
)

// A surrounding is what all followers of a hub share.
type surrounding struct {
	open    Opener
	lanes   *lanes
	metrics *metrics
	logger  *slog.Logger
	watch   bool

	proposed func(source string) // as in [Options]
}

// A follower keeps one source current.
type follower struct {
	*surrounding
	name string
	spec Spec
	key  string // of its URL, as [Options.Key] tells
	dir  string // of a local repository; empty: it is remote
	// first tells that it waits for no place in a lane.
	first bool
	// take turns a snapshot into values. before is the one that it took last.
	// It calls read between swapping the values and telling of it. After an
	// error nothing has changed.
	take func(ctx context.Context, before, now *sources.Snapshot, read func(rewound string)) (outcome, error)
	// troubled is called when the source's problem is another one, or no more.
	troubled func(problem string)
	selected selection       // of an app repo: the manifests that are read
	after    <-chan struct{} // closed when the follower that this one replaces has ended; nil: none

	wakes chan struct{} // one slot, so that bursts coalesce
	done  chan struct{} // closed when run has ended
	stop  context.CancelFunc

	// What is published: who reads it waits for nothing that the follower does.
	standing atomic.Pointer[standing]
	taken    atomic.Pointer[sources.Snapshot] // the last one
	looks    chan struct{}                    // a slot for each look beside that goes on
	interval atomic.Int64                     // between polls, a time.Duration

	mu     sync.Mutex     // held while the source is opened or closed
	source sources.Source // nil: not opened
	closed bool

	// Only for the goroutine that runs it.
	before  *sources.Snapshot // last taken
	refused *sources.Snapshot // last found invalid: it is not looked at again
	refusal error             // why
	asked   time.Time         // when the newest attempt began
	told    Status            // as it was when troubled was last called
	// proposals is the fingerprint that the source gave last; empty: none.
	proposals string
}

// A standing is where a follower is. It is immutable: each change makes another.
type standing struct {
	Status
	resolved string // what the ref last was, as refs/heads/main
}

// wake makes the follower ask its source soon. It never blocks.
func (f *follower) wake() {
	select {
	case f.wakes <- struct{}{}:
	default: // it is woken already
	}
}

// run follows until ctx ends.
func (f *follower) run(ctx context.Context) {
	defer close(f.done)
	if f.after != nil {
		<-f.after // two of them must not work on one mirror; it ends soon, for its context has
	}
	defer f.metrics.forget(f.name)
	defer f.close()
	if f.watch && f.dir != "" {
		var watching sync.WaitGroup
		watching.Go(func() { watchRefs(ctx, f.dir, f.logger.With("source", f.name), f.wake) })
		defer watching.Wait()
	}
	for floods := (spacing{}); ; {
		select {
		case <-f.wakes: // what comes from now on finds the slot free
		default:
		}
		err := f.attempt(ctx)
		if ctx.Err() != nil {
			return
		}
		if !f.sleep(ctx, f.settle(err), &floods) {
			return
		}
	}
}

// sleep waits for the next attempt; false: ctx has ended.
func (f *follower) sleep(ctx context.Context, poll time.Duration, floods *spacing) bool {
	timer := time.NewTimer(poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	case <-f.wakes:
	}
	timer.Reset(floods.next(time.Now()))
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// attempt asks the source once and takes what it has.
func (f *follower) attempt(ctx context.Context) (err error) {
	defer f.recovered(&err)
	if f.before != nil {
		now, err := f.fetch(ctx, f.before)
		if err != nil {
			return err
		}
		return f.accept(ctx, now, false)
	}
	now, err := f.firstFetch(ctx)
	if err != nil {
		if f.before == nil {
			f.acceptStored(ctx, f.stored(ctx))
		}
		return err
	}
	return f.accept(ctx, now, false)
}

// firstFetch fetches, and meanwhile takes what is stored if that takes long. What
// is stored is read before: while a source is asked, it tells nothing else.
func (f *follower) firstFetch(ctx context.Context) (*sources.Snapshot, error) {
	var now *sources.Snapshot
	var err error
	stored := f.stored(ctx)
	fetched := make(chan struct{})
	go func() {
		defer close(fetched)
		defer f.recovered(&err)
		now, err = f.fetch(ctx, nil)
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-fetched:
	case <-timer.C:
		f.acceptStored(ctx, stored)
		<-fetched
	}
	return now, err
}

// fetch asks the source for its snapshot. before is the one that is known.
func (f *follower) fetch(ctx context.Context, before *sources.Snapshot) (*sources.Snapshot, error) {
	if !f.first && f.dir == "" {
		leave, err := f.lanes.enter(ctx, f.failing())
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	started := time.Now()
	f.asked = started
	source, err := f.opened()
	var now *sources.Snapshot
	if err == nil {
		now, err = source.Update(ctx)
		f.notice(source.Proposals())
	}
	f.metrics.fetched(time.Since(started), now != before, err)
	return now, err
}

// notice tells when proposals are others than the last time: that a fetch failed
// after that was seen does not matter. What there is the first time is no news.
func (f *follower) notice(proposals string) {
	before := f.proposals
	if proposals == "" || proposals == before {
		return
	}
	if f.proposals = proposals; before != "" && f.proposed != nil {
		f.proposed(f.name)
	}
}

// accept takes a snapshot, unless it was taken already.
func (f *follower) accept(ctx context.Context, now *sources.Snapshot, stored bool) error {
	if now == f.before {
		f.note(func(s *standing) { s.Stored = s.Stored && stored })
		return nil
	}
	if now == f.refused {
		return f.refusal
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	started := time.Now()
	result, err := f.take(ctx, f.before, now, func(rewound string) {
		f.note(func(s *standing) {
			s.resolved = now.Name
			s.Commit, s.Message = now.Commit, sources.Line(now.Message)
			s.Stored, s.Rewound = stored, rewound
		})
	})
	if err != nil {
		if schema.KindOf(err) == schema.Invalid {
			f.refused, f.refusal = now, err
		}
		return err
	}
	moved := f.before == nil || f.before.Commit != now.Commit
	f.before = now
	f.taken.Store(now)
	if moved {
		message := "source read"
		if stored {
			message = "source does not answer yet; what is stored of it is used"
		}
		f.logger.Info(message, "source", f.name, "commit", short(now.Commit), "files", result.files,
			result.what, some(result.changed), "took", time.Since(started).Round(time.Millisecond))
	}
	return nil
}

// stored returns what a former process left on disk; nil: nothing. That it cannot
// be read is no news: the source itself cannot be read either.
func (f *follower) stored(ctx context.Context) *sources.Snapshot {
	source, err := f.opened()
	if err != nil {
		return nil
	}
	select {
	case f.lanes.stored <- struct{}{}:
		defer func() { <-f.lanes.stored }()
	case <-ctx.Done():
		return nil
	}
	now, err := source.Stored(ctx)
	f.storedUnused(err)
	return now
}

// acceptStored takes what a former process left on disk, if it did.
func (f *follower) acceptStored(ctx context.Context, stored *sources.Snapshot) {
	if stored != nil {
		f.storedUnused(f.accept(ctx, stored, true))
	}
}

func (f *follower) storedUnused(err error) {
	if err != nil {
		f.logger.Debug("what is stored of a source cannot be used", "source", f.name, "error", err)
	}
}

// settle notes how an attempt went and returns when the next one is due.
func (f *follower) settle(err error) time.Duration {
	now := time.Now()
	f.metrics.attempted(f.name, now, err)
	interval := time.Duration(f.interval.Load())
	before := f.status()
	wait := interval
	if err != nil {
		wait = backoff(schema.KindOf(err), before.Failures+1, interval)
	}
	wait = spread(wait)
	after := f.note(func(s *standing) {
		s.Attempt, s.Next = f.asked, now.Add(wait)
		if err == nil {
			s.Success, s.Problem, s.Kind, s.Failures = now, "", "", 0
			return
		}
		s.Problem, s.Kind = err.Error(), schema.KindOf(err)
		s.Failures++
	})
	f.logProblem(before, after, wait)
	if after.Problem != f.told.Problem || after.Stored != f.told.Stored {
		f.told = after
		f.troubled(after.Problem)
	}
	return wait
}

// logProblem logs a problem when it is new, and then ever less often.
func (f *follower) logProblem(before, after Status, retry time.Duration) {
	switch n := after.Failures; {
	case n == 0 && before.Failures > 0:
		f.logger.Info("source can be read again", "source", f.name, "failures", before.Failures)
	case n > 0 && (before.Problem != after.Problem || n&(n-1) == 0):
		f.logger.Warn("source cannot be read", "source", f.name, "error", after.Problem, "kind", after.Kind,
			"failures", n, "retry", retry.Round(time.Millisecond))
	}
}
