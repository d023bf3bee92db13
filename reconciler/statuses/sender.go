// Package statuses tells forges what became of commits.
//
// A [Reporter] decides what is said of which commit. A [Sender] delivers it: at
// least once, what is said of one commit and context in order, the newest last. It
// keeps what was said last, and what the forge is known to have; the difference is
// what it sends. So what was overtaken is skipped, and what the forge has already
// is not sent again, also not after a restart: the forge is asked first.
package statuses

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

var _ Outbox = (*Sender)(nil)

const defaultGrace = 2 * time.Second

// Options configure a [Sender].
type Options struct {
	// Open returns a repository's side of its forge, by clone URL. It is called
	// before each request, by several goroutines, and should remember.
	// [forge.ErrNone] says that nobody is to be told for now: it is asked again, ever
	// more seldom, and then told what was said last of the newest commits.
	Open    func(ctx context.Context, repo string) (forge.Repo, error)
	Logger  *slog.Logger // nil: nothing is logged
	Metrics *Metrics     // nil: none
	// Grace is how long what is due may still be sent after Run's context ends;
	// default 2 seconds, less than 0 for none. What is left then is dropped: after a
	// restart the forge is asked what it has, and the rest is sent.
	Grace time.Duration
	// Random returns numbers in [0, 1) for the jitter of pauses; nil: math/rand.
	// It is called by one goroutine at a time.
	Random func() float64
}

// A Sender delivers commit statuses. Its methods are safe for concurrent use.
type Sender struct {
	open    func(ctx context.Context, repo string) (forge.Repo, error)
	log     *slog.Logger
	metrics *Metrics
	grace   time.Duration
	random  func() float64

	wake     chan struct{} // one slot, so that bursts coalesce
	requests sync.WaitGroup

	mu       sync.Mutex // guards what follows, and whatever hangs on it
	hosts    map[string]*host
	busy     map[*host]bool   // those with busy repositories; true: something happened
	repos    map[string]*repo // by clone URL
	beyond   int              // commits of repositories beyond maxCommits of each
	turn     uint64           // counts what is said and asked
	underway int              // requests
	late     time.Time        // until then requests of a former process may arrive
	stopped  bool
}

var errStopping = errors.New("berth is stopping")

// NewSender makes a sender. It sends while Run does.
func NewSender(o Options) *Sender {
	s := &Sender{
		open: o.Open, log: o.Logger, metrics: o.Metrics, grace: o.Grace, random: o.Random,
		wake: make(chan struct{}, 1), hosts: map[string]*host{}, busy: map[*host]bool{}, repos: map[string]*repo{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.metrics == nil {
		s.metrics = NewMetrics(nil)
	}
	if s.grace == 0 {
		s.grace = defaultGrace
	}
	if s.random == nil {
		s.random = rand.Float64
	}
	return s
}

// Set says what a context says of a commit from now on. It returns at once. What
// was said before and is not sent yet is not sent any more.
func (s *Sender) Set(repo, commit string, st forge.Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	r := s.repo(repo)
	if s.stopped {
		return
	}
	c := s.commit(r, commit)
	k := c.key(st.Context, maxContexts)
	if k == nil {
		s.tell(r, slog.LevelWarn, "a commit has too many contexts; some are not told", nil)
		return
	}
	if k.wanted && k.want == st {
		return
	}
	if s.turn++; !k.waits() {
		k.turn = s.turn
	}
	k.want, k.wanted, k.since = st, true, now
	for _, t := range []*trouble{&k.trouble, &c.trouble, &r.trouble} {
		t.news()
	}
	s.tally(k)
	s.rouse(c)
}

// Known returns the newest status of each context of a commit, sorted by context:
// what the forge had when it was asked, which is once, and what was sent since. It
// waits while the forge does not answer or asks to wait, until ctx ends. Errors
// are of type [schema.Error], terminal where waiting would not help, or
// [forge.ErrNone].
func (s *Sender) Known(ctx context.Context, repo, commit string) ([]forge.Status, error) {
	answer := make(chan error, 1)
	statuses, asked, err := s.ask(repo, commit, answer)
	if asked == nil {
		return statuses, err
	}
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = s.unask(asked, answer, context.Cause(ctx))
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return asked.statuses(), nil
}

// ask returns what is known of a commit, or has the forge asked: then it returns
// the commit, and the answer tells when it is known, or why it cannot be.
func (s *Sender) ask(repo, hash string, answer chan error) ([]forge.Status, *commit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.repo(repo)
	switch {
	case s.stopped:
		return nil, nil, unknown(r, errStopping)
	case r.trouble.final && !r.trouble.over(time.Now()):
		return nil, nil, r.trouble.err
	}
	c := s.commit(r, hash)
	if c.listed {
		return c.statuses(), nil, nil
	}
	c.asks = append(c.asks, answer)
	s.rouse(c)
	return nil, c, nil
}

// unask takes back what was asked, and returns why there is no answer.
func (s *Sender) unask(c *commit, answer chan error, cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.asks = slices.DeleteFunc(c.asks, func(a chan error) bool { return a == answer })
	if last := c.repo.trouble.err; last != nil {
		cause = errors.Join(cause, last)
	}
	return unknown(c.repo, cause)
}

// unknown is the error of who asked in vain.
func unknown(r *repo, why error) error {
	return &schema.Error{Op: "read commit statuses", Resource: r.name, Kind: schema.Transient, Err: why}
}

// statuses returns what the forge is known to have. The caller holds the sender's mu.
func (c *commit) statuses() []forge.Status {
	var out []forge.Status
	for _, k := range c.keys {
		if k.known {
			out = append(out, k.has)
		}
	}
	slices.SortFunc(out, func(a, b forge.Status) int { return strings.Compare(a.Context, b.Context) })
	return out
}

// rouse has a commit looked at. The caller holds mu.
func (s *Sender) rouse(c *commit) {
	c.repo.busy[c] = true
	c.repo.host.busy[c.repo] = true
	s.busy[c.repo.host] = true
	s.poke()
}

func (s *Sender) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// spread returns d, or up to a fifth more: never less, for that a forge may forbid.
func (s *Sender) spread(d time.Duration) time.Duration {
	return d + time.Duration(float64(d)*0.2*s.random())
}
