// Package engine carries plans out. It watches the backends, plans whenever the
// desired state, the catalog or a pod changes, and lets each backend's workers
// take the steps of its deployments, one deployment at a time.
//
// It remembers nothing that it could not learn again: after a restart it lists
// the pods, reads the sources and plans; what is as it should be is not touched.
//
// The data flows one way. A change (Changed, or an event of a backend) marks
// deployments as dirty; the planning loop plans them and queues those on whose
// backend something is to do; a worker applies the decision of that moment and
// records what it observed, which may mark further deployments.
//
// Readers are shown a [View] (view.go, publish.go), and are never waited for. What
// happens is told to a journal (record.go, rollout.go), which decides nothing.
//
// What fails is paused (pause.go): nothing but a new input, or news of the pods,
// lets it be tried earlier, or a person who asks (request.go, retry.go). What was cut off may have left pods that nobody has
// seen: until they were, nothing is made on another backend (plan.go, world.go).
package engine

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/util/workqueue"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

// Sources is what the engine asks of whoever keeps the desired state and the
// catalog current. The values are immutable.
type Sources interface {
	Desired() Desired
	Catalog() *catalog.Catalog
	// Contains tells whether commit older is an ancestor of newer.
	Contains(ctx context.Context, newer, older string) (bool, error)
}

// Desired is the desired state with what is known of its commit.
type Desired struct {
	State     *desired.State // nil until it was read once
	Stale     string         // why it may not be what its repository says now; empty: it is
	Rewound   string         // why it is taken for one that went back; empty: it did not
	Confirmed bool           // whether its commit confirms the removals that it brings
}

// A Backend is a backend with what its configuration says of it.
type Backend struct {
	backends.Backend
	Config schema.BackendConfig
}

// Options are what an engine works with.
type Options struct {
	Backends []Backend
	Sources  Sources
	Logger   *slog.Logger
	Metrics  *Metrics         // nil: none
	Journal  *journal.Journal // nil: nothing is recorded
	// Resync is how often the pods of a backend are listed although no event
	// told of a change; default 5 minutes, with jitter.
	Resync time.Duration
	// Grace is how long work that has begun may go on after Run's context ends;
	// default 10 seconds.
	Grace time.Duration
	// Derived tells that the instance's name was derived from the URL of the desired
	// state, so that another one may share it. Then what commits made that are not
	// known is not removed until that is confirmed.
	Derived bool
	// DryRun has the engine say what it would do, and do nothing.
	DryRun bool
	// Standby has the engine look on and plan, for another one works.
	Standby bool
	// Random returns numbers in [0, 1) for the jitter of pauses; nil: math/rand.
	// It is called by several goroutines.
	Random func() float64
}

// Engine reconciles the desired state with the pods of its backends.
type Engine struct {
	sources Sources
	log     *slog.Logger
	metrics *Metrics
	journal *journal.Journal
	resync  time.Duration
	grace   time.Duration
	derived bool
	dryRun  bool
	standby bool
	random  func() float64
	workers []*worker

	wake chan struct{} // one slot: requests to plan coalesce

	shown     atomic.Pointer[View]
	followers sync.Map // of *follower

	mu        sync.Mutex
	told      *desired.State  // what the changes that were told of led to
	apps      map[string]bool // identifiers whose deployments are to be planned again
	edited    map[string]bool // documents that changed and were not planned since
	replanNew bool            // plan everything again, as the sources hold it now
	dirty     map[string]bool // deployments to plan again
	replan    bool            // plan everything again
	doubts    map[string]doubt
	alarms    map[string]time.Time // deployments that time alone makes dirty
	world     world
	view      view          // what was planned
	plan      *planner.Plan // nil: nothing was planned yet
	judged    bool          // whether a plan was made that knew what runs
	late      int           // deployments that ran already, and came to be known since the last plan
	moved     bool          // whether a backend answers or offers otherwise than the view shows
	unseen    bool          // whether something changed that the view does not show, besides deployments
	statuses  map[string]*status
	counts    map[State]int // of statuses
	last      Outcome       // that was told of the commit
	recorded  Outcome       // that the journal was told of last
	outcomes  quota         // of what is told of it
	rewind    rewind
	answers   []chan struct{} // closed when the view shows what was done
	stopped   bool            // Run ended
}

// New returns an engine; Run starts it.
func New(o Options) *Engine {
	e := &Engine{
		sources: o.Sources, log: o.Logger, metrics: o.Metrics, journal: o.Journal, resync: o.Resync, grace: o.Grace, derived: o.Derived, dryRun: o.DryRun, standby: o.Standby, random: o.Random,
		wake: make(chan struct{}, 1),
		apps: map[string]bool{}, edited: map[string]bool{}, dirty: map[string]bool{}, doubts: map[string]doubt{}, alarms: map[string]time.Time{},
		statuses: map[string]*status{}, counts: map[State]int{},
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.resync <= 0 {
		e.resync = 5 * time.Minute
	}
	if e.grace <= 0 {
		e.grace = 10 * time.Second
	}
	if e.random == nil {
		e.random = rand.Float64
	}
	if e.metrics == nil {
		e.metrics = NewMetrics(nil)
	}
	e.world = newWorld(o.Backends)
	for i, b := range o.Backends {
		e.workers = append(e.workers, newWorker(e, b, i))
	}
	e.shown.Store(&View{
		Catalog: catalog.New(), Backends: slices.Clone(e.world.backends), Outcome: unread, DryRun: e.dryRun, Standby: e.standby,
	})
	return e
}

// A Change tells what is new in the sources. One that names nothing tells that
// something else is, as a commit that changes no document.
type Change struct {
	Deployments []string // documents that changed, came or went
	Identifiers []string // apps whose releases changed
	Everything  bool     // do not trust the lists: plan all again
}

// Changed tells the engine that the sources hold something new. It does not wait
// for what follows. It is called after each swap of the state, before the next.
func (e *Engine) Changed(c Change) {
	e.mu.Lock()
	e.told = e.sources.Desired().State
	for _, name := range c.Deployments {
		e.edited[name] = true
	}
	for _, id := range c.Identifiers {
		e.apps[id] = true
	}
	e.replanNew = e.replanNew || c.Everything
	e.mu.Unlock()
	e.poke()
}

// markDirty has a deployment planned again. The caller holds mu.
func (e *Engine) markDirty(name string) {
	e.dirty[name] = true
	e.poke()
}

// A doubt is why the pods of a deployment that is as it should be must be looked
// at nevertheless.
type doubt int

const (
	listed doubt = iota + 1 // a list of all pods showed other ones than were known
	due                     // the backend asked for it, or work on them failed
	news                    // an event told that one changed: they are not known
)

// doubt notes why a deployment must be looked at, unless there is a better reason
// already. The caller holds mu.
func (e *Engine) doubt(name string, why doubt) { e.doubts[name] = max(e.doubts[name], why) }

// poke asks the planning loop to run.
func (e *Engine) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// ErrDeposed is the cause of the end of Run's context where another engine may do
// the same work from now on.
var ErrDeposed = errors.New("another Berth leads now")

// Run works until ctx ends; it is called once. Work that has begun then may go on
// for the grace period, or, after [ErrDeposed], is cut off at once; what is cut off
// is taken up after the next start.
func (e *Engine) Run(ctx context.Context) error {
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	var loops, workers errgroup.Group
	e.mu.Lock()
	for _, w := range e.workers {
		w.queue = workqueue.NewTypedDelayingQueue[string]()
		w.start(ctx, work, &workers)
	}
	e.mu.Unlock()
	for _, w := range e.workers {
		loops.Go(func() error { w.observe(ctx); return nil })
	}
	loops.Go(func() error { e.planLoop(ctx); return nil })
	<-ctx.Done()
	for _, w := range e.workers {
		w.queue.ShutDown()
	}
	grace := e.grace
	if errors.Is(context.Cause(ctx), ErrDeposed) {
		grace = 0
	}
	cut := time.AfterFunc(grace, func() { stop(errStopping) })
	defer cut.Stop()
	err := workers.Wait()
	stop(nil)
	err = errors.Join(err, loops.Wait())
	e.endRetrials()
	return err
}

// jittered returns d, at most a fifth longer or shorter.
func (e *Engine) jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*e.random()))
}
