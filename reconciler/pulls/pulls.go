// Package pulls tells on pull requests what they would do: a commit status on the
// newest commit of each that is open, and, where there is more to tell, one
// comment that is kept up to date.
//
// A [Follower] lists the pull requests of each repository from time to time, or
// as soon as somebody hints that one moved, and plans those again for which
// anything is another: their commits, or what the plan was made against.
package pulls

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/berthdev/berth/sources/forge"
)

// A Repo is a repository whose pull requests are told about.
type Repo struct {
	Name string // of the source
	// Also are the names of other sources that are the same repository and base.
	Also []string
	URL  string // its clone URL
	Base string // the branch that is followed: pull requests to others are none of ours
	// Context is that of the status.
	Context string
	// Against tells what plans are made against, in a value that is equal as long
	// as that is the same. It must be comparable: one that holds a slice or a map
	// makes the follower panic.
	Against any
	// Plan returns what a pull request would do. Its errors are of type
	// [schema.Error]; after a transient one it is asked again, and after a waiting
	// one too, but then nobody is told of that. A panic is a terminal one.
	Plan func(ctx context.Context, pr Request) (Plan, error)
}

// A Request is a pull request that is to be planned.
type Request struct {
	forge.PullRequest
	// MergeBase asks the forge where the pull request left its base, once for each
	// head. Empty: the forge cannot tell. It is for the time of the plan.
	MergeBase func(ctx context.Context) (string, error)
}

// A Plan is what a pull request would do, in words.
type Plan struct {
	State   forge.State
	Summary string // one line
	Comment string // Markdown; empty: the status says it all
}

// Outbox delivers statuses; see [statuses.Sender].
type Outbox interface {
	Set(repo, commit string, s forge.Status)
}

// Options are what a [Follower] follows, and how.
type Options struct {
	// Repos returns the repositories whose pull requests are told about now.
	Repos  func() []Repo
	Open   func(ctx context.Context, url string) (forge.Repo, error)
	Outbox Outbox
	// Admit tells whether a comment may be written on a repository now; if not, it is
	// tried again. Nil: always. See [statuses.Sender.Admit].
	Admit  func(url string) bool
	Marker string // the HTML comment by which our comments are known
	Logger *slog.Logger
	// Interval is how often pull requests are listed when nobody hints that one
	// moved. Default: 5 minutes.
	Interval time.Duration
	// Look is how often it is looked what plans are made against when nobody says that
	// it changed. Default: 30 seconds.
	Look time.Duration
}

// The pace of a follower.
const (
	defaultInterval = 5 * time.Minute
	defaultLook     = 30 * time.Second
	atOnce          = 4                // repositories that are asked
	settle          = 10 * time.Second // between two plans of one pull request for news of what it is planned against
	planTime        = 2 * time.Minute  // that one plan may take, with what is fetched for it
	firstPause      = time.Second      // after an error; it doubles
	lastPause       = 5 * time.Minute
)

// A Follower follows pull requests.
type Follower struct {
	o    Options
	wake chan struct{} // one slot

	mu    sync.Mutex
	woken map[string]bool // sources with news
}

// New returns a follower that follows nothing yet.
func New(o Options) *Follower {
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	if o.Look <= 0 {
		o.Look = defaultLook
	}
	if o.Admit == nil {
		o.Admit = func(string) bool { return true }
	}
	return &Follower{o: o, wake: make(chan struct{}, 1), woken: map[string]bool{}}
}

// Wake has the pull requests of a source listed soon. It never blocks.
func (f *Follower) Wake(source string) {
	f.mu.Lock()
	f.woken[source] = true
	f.mu.Unlock()
	f.poke()
}

// Changed says that what plans are made against may be another, or the repos: it
// is looked at anyway from time to time. It never blocks.
func (f *Follower) Changed() { f.poke() }

func (f *Follower) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *Follower) take() (woken map[string]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	woken, f.woken = f.woken, map[string]bool{}
	return woken
}

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, atOnce)
	done := make(chan *round)
	rounds := map[string]*round{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		match(rounds, f.o.Repos(), f.take(), now)
		for _, r := range rounds {
			if r.busy || now.Before(r.due) {
				continue
			}
			r.begin()
			running.Go(func() {
				select {
				case slots <- struct{}{}:
					r.err = r.visit(ctx, f)
					<-slots
				case <-ctx.Done():
				}
				select {
				case done <- r:
				case <-ctx.Done():
				}
			})
		}
		timer.Reset(time.Until(next(rounds, now.Add(f.o.Look))))
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		case <-timer.C:
		case r := <-done:
			r.finish(time.Now(), f.o.Interval)
		}
	}
}

// match brings the rounds up to the repositories that there are now.
func match(rounds map[string]*round, repos []Repo, woken map[string]bool, now time.Time) {
	there := map[string]bool{}
	for _, repo := range repos {
		there[repo.Name] = true
		r := rounds[repo.Name]
		if r == nil || r.next.URL != repo.URL || r.next.Base != repo.Base {
			r = &round{told: map[int]*told{}, due: now}
			rounds[repo.Name] = r
		}
		r.next = repo
		switch {
		case woken[repo.Name] || slices.ContainsFunc(repo.Also, func(name string) bool { return woken[name] }):
			r.hurry(now)
		case repo.Against != r.repo.Against:
			r.hurry(later(now, r.planned.Add(settle)))
		}
	}
	for name := range rounds {
		if !there[name] {
			delete(rounds, name)
		}
	}
}

// next is when the next round is due.
func next(rounds map[string]*round, latest time.Time) time.Time {
	for _, r := range rounds {
		if !r.busy && r.due.Before(latest) {
			latest = r.due
		}
	}
	return latest
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// limited tells until when a forge asks to wait.
func limited(err error) time.Time {
	if l := (*forge.Limited)(nil); errors.As(err, &l) {
		return l.Until
	}
	return time.Time{}
}
