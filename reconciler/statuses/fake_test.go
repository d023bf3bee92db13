package statuses_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/berthdev/berth/reconciler/statuses"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fault is what goes wrong with one request. The zero value is nothing.
type fault struct {
	after  time.Duration // the answer comes so late
	err    error         // the answer; nil: the forge did what it was asked
	stored bool          // the forge did it nevertheless
	late   time.Duration // the forge does it so long after the answer
	hang   bool          // there is no answer at all
}

// A target is one context of a commit.
type target struct{ repo, commit, context string }

// A request is one that was made. Its status is empty where the forge was asked
// what it has.
type request struct {
	target
	forge.Status
	at time.Time
}

// fakeForges are all the forges of the world. They judge what they are asked.
type fakeForges struct {
	mu       sync.Mutex
	has      map[target]forge.Status
	count    map[target]int
	requests []request
	// faults decides what goes wrong; nil: nothing. It is called with mu held.
	faults func(r request) fault
	// gitlab has the forge tell errors as failures, and shorten what it tells.
	gitlab bool
	// latency is how long each request takes.
	latency time.Duration
	hidden  bool // no forge is found
	opened  int  // how often one was looked for

	asking   map[string]time.Time // when hosts asked to wait
	until    map[string]time.Time // and until when
	underway map[target]int
	busy     map[string]int // requests under way, by host
	disturbs map[target]bool
	wrong    []string
}

func newForges() *fakeForges {
	return &fakeForges{
		has: map[target]forge.Status{}, count: map[target]int{}, asking: map[string]time.Time{}, until: map[string]time.Time{},
		underway: map[target]int{}, busy: map[string]int{}, disturbs: map[target]bool{},
	}
}

func (f *fakeForges) open(_ context.Context, repo string) (forge.Repo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened++
	if f.hidden || strings.HasPrefix(repo, "file:") {
		return nil, &schema.Error{Op: "connect to forge", Resource: repo, Kind: schema.Terminal, Err: forge.ErrNone}
	}
	return &fakeRepo{fakeForges: f, url: repo}, nil
}

// set changes the forges while they are in use.
func (f *fakeForges) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// sent returns what was sent, as "context state description", in order, and by
// context where it was sent at the same time.
func (f *fakeForges) sent() (out []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	slices.SortStableFunc(f.requests, func(a, b request) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.context, b.context))
	})
	for _, r := range f.requests {
		if r.State != "" {
			out = append(out, fmt.Sprintf("%s %s %s", r.Context, r.State, r.Description))
		}
	}
	return out
}

// asked counts how often forges were asked what they have.
func (f *fakeForges) asked() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		if r.State == "" {
			n++
		}
	}
	return n
}

func (f *fakeForges) total() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.requests)
}

func (f *fakeForges) last(repo, commit, context string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	st := f.has[target{repo, commit, context}]
	return string(st.State) + " " + st.Description
}

// fakeRepo is a repository of a forge.
type fakeRepo struct {
	*fakeForges
	forge.Repo // what nobody calls
	url        string
}

func (r *fakeRepo) Statuses(ctx context.Context, commit string) (out []forge.Status, err error) {
	r.set(func() { // as early as can be: what is told may be outdated when it arrives
		for t, st := range r.has {
			if t.repo == r.url && t.commit == commit {
				delete(r.disturbs, t)
				out = append(out, r.told(st))
			}
		}
	})
	done, failure := r.answer(ctx, request{target: target{r.url, commit, ""}})
	r.set(done)
	return out, failure.err
}

// told returns a status as the forge tells it.
func (f *fakeForges) told(st forge.Status) forge.Status {
	if !f.gitlab {
		return st
	}
	if st.State == forge.Error {
		st.State = forge.Failure
	}
	if letters := []rune(st.Description); len(letters) > 20 {
		st.Description = string(letters[:19]) + "…"
	}
	return st
}

func (r *fakeRepo) SetStatus(ctx context.Context, commit string, st forge.Status) error {
	t := target{r.url, commit, st.Context}
	done, failure := r.answer(ctx, request{target: t, Status: st})
	r.mu.Lock()
	defer r.mu.Unlock()
	defer done()
	store := func() {
		r.has[t] = st
		r.count[t]++
	}
	switch {
	case failure.err == nil, failure.stored:
		store()
	case failure.late > 0:
		time.AfterFunc(failure.late, func() {
			r.set(func() {
				store()
				r.disturbs[t] = true
			})
		})
	}
	return failure.err
}

// answer is what all requests have in common. The caller calls done at their end,
// with mu held.
func (r *fakeRepo) answer(ctx context.Context, q request) (done func(), f fault) {
	r.mu.Lock()
	at := hostOf(r.url)
	q.at = time.Now()
	r.judge(at, q)
	r.requests = append(r.requests, q)
	r.underway[q.target]++
	r.busy[at]++
	if r.faults != nil {
		f = r.faults(q)
	}
	f.after += r.latency
	r.mu.Unlock()
	done = func() {
		r.underway[q.target]--
		r.busy[at]--
		if l := (*forge.Limited)(nil); errors.As(f.err, &l) && l.Until.After(r.until[at]) {
			r.asking[at], r.until[at] = time.Now(), l.Until
		}
	}
	var answered <-chan time.Time // for ever
	if !f.hang {
		answered = time.After(f.after)
	}
	select {
	case <-answered:
	case <-ctx.Done():
		f.err = transient(context.Cause(ctx).Error())
	}
	return done, f
}

// judge tells of what must not be asked.
func (r *fakeRepo) judge(at string, q request) {
	complain := func(text string, args ...any) {
		r.wrong = append(r.wrong, fmt.Sprintf("%v: %s", q, fmt.Sprintf(text, args...)))
	}
	if q.at.After(r.asking[at]) && q.at.Before(r.until[at]) {
		complain("the forge asked to wait until %v", r.until[at])
	}
	if r.underway[q.target] > 0 {
		complain("another request for it is under way")
	}
	if r.busy[at] >= 4 {
		complain("%d others are under way", r.busy[at])
	}
	if q.State != "" && r.has[q.target] == q.Status && !r.disturbs[q.target] {
		complain("the forge has it already")
	}
}

func hostOf(repo string) string {
	u, err := url.Parse(repo)
	if err != nil {
		return repo
	}
	return u.Hostname()
}

func transient(text string) error {
	return &schema.Error{Op: "set status", Kind: schema.Transient, Err: errors.New(text)}
}

func terminal(text string) error {
	return &schema.Error{Op: "set status", Kind: schema.Terminal, Err: errors.New(text), Hint: "give the token statuses:write"}
}

func limit(d time.Duration) error {
	return &schema.Error{Op: "set status", Kind: schema.Transient, Err: &forge.Limited{Until: time.Now().Add(d)}}
}

// A post is a sender with forges, in a bubble of testing/synctest: time is the
// test's.
type post struct {
	*fakeForges
	*statuses.Sender
	t      *testing.T
	log    logBook
	counts *prometheus.Registry // of the sender that runs
	cancel context.CancelFunc
	ended  chan error
}

// A logBook keeps what is logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logBook) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// inBubble runs a test with a sender that runs.
func inBubble(t *testing.T, test func(t *testing.T, p *post)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &post{fakeForges: newForges(), t: t}
		p.start(0)
		defer func() {
			p.stop()
			for _, w := range p.wrong {
				t.Error(w)
			}
			if t.Failed() {
				t.Log(p.log.text.String())
			}
		}()
		test(t, p)
	})
}

func (p *post) start(grace time.Duration) {
	p.counts = prometheus.NewRegistry()
	p.Sender = statuses.NewSender(statuses.Options{
		Open: p.open, Grace: grace, Metrics: statuses.NewMetrics(p.counts), Logger: slog.New(slog.NewTextHandler(&p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Random: func() float64 { return 0.5 },
	})
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(context.Background())
	p.ended = make(chan error, 1)
	run := p.Sender.Run
	go func() { p.ended <- run(ctx) }()
}

func (p *post) stop() {
	p.cancel()
	if err := <-p.ended; err != nil {
		p.t.Errorf("Run: %v", err)
	}
}

// restart kills the sender and starts another.
func (p *post) restart() {
	p.stop()
	p.start(0)
}

// waiting is how many statuses wait, as the metrics tell.
func (p *post) waiting() int {
	p.t.Helper()
	families, err := p.counts.Gather()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "berth_statuses_waiting" {
			return int(f.GetMetric()[0].GetGauge().GetValue())
		}
	}
	p.t.Fatal("nothing is counted")
	return 0
}

// pass lets time pass.
func (p *post) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// want compares what was sent since it was last called.
func (p *post) want(sent ...string) {
	p.t.Helper()
	synctest.Wait()
	if got := p.sent(); !slices.Equal(got, sent) {
		p.t.Errorf("sent\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(sent, "\n\t"))
	}
	p.set(func() { p.requests = nil })
}

const (
	desired = "https://git.example.org/lab/desired.git"
	apps    = "https://git.example.org/lab/apps.git"
	other   = "ssh://git@forge.example.com/lab/apps.git"
)

func status(context string, state forge.State, text string) forge.Status {
	return forge.Status{Context: context, State: state, Description: text, URL: "https://berth.example.org/commits/c1"}
}
