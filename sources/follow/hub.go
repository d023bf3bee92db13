package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/schema/publication"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

// A Spec says which source to open.
type Spec struct {
	URL       string // may hold a password
	Ref       string
	History   bool // whether commits are kept, to tell a rewound branch
	Proposals bool // whether a fingerprint of proposals is taken, to tell that one moved
}

// An Opener opens a source. It does not ask the remote.
type Opener func(Spec) (sources.Source, error)

// Options are what a [Hub] follows, and how.
type Options struct {
	Desired schema.Desired
	Open    Opener
	// Same tells whether two URLs name one repository, however they are spelled.
	Same func(a, b string) bool
	// Key returns what those URLs have in common that are Same: it is worked out
	// once for each source, so that a hint is not compared with every URL anew.
	Key func(url string) string
	// Redact returns a URL without secrets.
	Redact func(url string) string
	// LocalDir returns the folder of a repository on this machine.
	LocalDir func(url string) (dir string, local bool)
	// Folder opens a folder of plain files, for [Hub.ProposeDir].
	Folder func(dir string) (sources.Source, error)
	// Watch makes local repositories be followed by file events.
	Watch  bool
	Logger *slog.Logger
	// Notify is told what changed, after it did, one change after the other. It
	// must not block.
	Notify func(Change)
	// Proposed is told that a proposal to a source moved, as a pull request: by a
	// hint, or by the source itself when it is asked for the ref that is followed.
	// It must not block. Nil: nobody is.
	Proposed func(source string)
	Metrics  prometheus.Registerer // nil: none

	// What files say; nil: as package schema reads them.
	parseDesired  func(path string, data []byte) schema.DesiredFile
	parseManifest func(path string, data []byte) schema.Publication
}

// A Change is what became different: what it does not name did not change.
type Change struct {
	Deployments []string // whose declaration is new, changed, gone, broken or broken no more; sorted
	Identifiers []string // of apps that changed in a way that could matter; sorted
	Commit      string   // of the desired state, now
	Rewound     bool     // the desired state is taken for one that went back
	// Holds tells that what is held because it cannot be read may be another,
	// for any deployment: see [desired.State.Holds] and [catalog.Catalog.Holds].
	Holds bool
	// Readiness tells that the answers of [catalog.Catalog.Ready] may be others.
	Readiness bool
	// Sources are those that are followed now, or no more, or whose status changed
	// in more than its times and how often it failed; sorted.
	Sources []string
}

// A Hub follows the desired state and the app repositories that it names.
type Hub struct {
	options   Options
	shared    *surrounding
	desired   *follower
	documents *reader[schema.DesiredFile]
	manifests *reader[schema.Publication]
	proposed  proposed

	view    atomic.Pointer[View]
	catalog atomic.Pointer[catalog.Catalog]

	// followers are the one of the desired state and those of repos, by name.
	followers atomic.Pointer[[]*follower]

	// swapping is held while values are swapped and told about: one at a time.
	swapping sync.Mutex
	repos    map[string]*followedRepo // guarded by swapping
	furthest *sources.Snapshot        // of the desired state; only for its follower

	mu      sync.Mutex
	ctx     context.Context // of Run; nil: followers do not run by themselves
	running sync.WaitGroup
}

// A View is the desired state with what belongs to it.
type View struct {
	State   *desired.State
	Head    *sources.Snapshot // from which State was read
	Rewound string            // as in [Status]
}

// A followedRepo is a Repo document and who follows it.
type followedRepo struct {
	*follower
	doc *schema.Repo
}

// New returns a hub that follows nothing yet.
func New(o Options) *Hub {
	if o.parseDesired == nil {
		o.parseDesired = schema.DecodeDesired
	}
	if o.parseManifest == nil {
		o.parseManifest = publication.Read
	}
	m := newMetrics(o.Metrics)
	slots := newSlots()
	h := &Hub{
		options: o,
		shared:  &surrounding{open: o.Open, lanes: newLanes(), metrics: m, logger: o.Logger, watch: o.Watch, proposed: o.Proposed},
		documents: &reader[schema.DesiredFile]{
			parse: o.parseDesired, problems: func(f schema.DesiredFile) schema.Problems { return f.Problems },
			cache: newCache[schema.DesiredFile](), slots: slots, most: maxText,
			parsed: m.parsed.WithLabelValues("document"), logger: o.Logger,
		},
		manifests: &reader[schema.Publication]{
			parse: o.parseManifest, problems: func(p schema.Publication) schema.Problems { return p.Problems },
			cache: newCache[schema.Publication](), slots: slots, most: maxText,
			parsed: m.parsed.WithLabelValues("manifest"), logger: o.Logger,
		},
		repos: map[string]*followedRepo{},
	}
	h.proposed = proposed{documents: h.documents.beside(), manifests: h.manifests.beside()}
	h.catalog.Store(catalog.New())
	h.desired = h.newFollower(DesiredName, Spec{URL: o.Desired.URL, Ref: o.Desired.Ref, History: true})
	h.desired.first = true
	h.desired.interval.Store(int64(interval(o.Desired.Interval, defaultDesiredInterval, h.desired.dir != "")))
	h.desired.take = h.takeDesired
	h.desired.troubled = func(string) { h.tell(Change{Sources: []string{DesiredName}}) }
	h.publishFollowers()
	return h
}

func (h *Hub) newFollower(name string, spec Spec) *follower {
	spec.Proposals = h.options.Proposed != nil
	f := &follower{
		surrounding: h.shared, name: name, spec: spec, key: h.options.Key(spec.URL),
		wakes: make(chan struct{}, 1), done: make(chan struct{}), stop: func() {},
		looks: make(chan struct{}, maxLooks),
	}
	f.standing.Store(&standing{Status: Status{Name: name, URL: h.options.Redact(spec.URL), Ref: spec.Ref}})
	if dir, local := h.options.LocalDir(spec.URL); local {
		f.dir = dir
	}
	return f
}

// Run follows until ctx ends, and returns when all that it started has ended.
func (h *Hub) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.mu.Lock()
	h.ctx = ctx
	h.mu.Unlock()
	h.start(h.desired)
	<-ctx.Done()
	h.running.Wait()
	return nil
}

// start lets a follower run by itself, if the hub does.
func (h *Hub) start(f *follower) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx == nil {
		return
	}
	ctx, cancel := context.WithCancel(h.ctx)
	f.stop = cancel
	h.running.Go(func() {
		defer cancel()
		f.run(ctx)
	})
}

// Once reads every source once, for commands that only look. A source that
// cannot be read stops no other; the error joins those of all. The sources stay
// open until Close.
func (h *Hub) Once(ctx context.Context) error {
	problems := []error{h.desired.once(ctx)}
	if h.State() == nil {
		return problems[0]
	}
	repos := h.all()[1:]
	problems = append(problems, make([]error, len(repos))...)
	var reading sync.WaitGroup
	for i, f := range repos {
		reading.Go(func() {
			if err := f.once(ctx); err != nil {
				problems[i+1] = fmt.Errorf("repo %s: %w", f.name, err)
			}
		})
	}
	reading.Wait()
	return errors.Join(problems...)
}

func (f *follower) once(ctx context.Context) error {
	err := f.attempt(ctx)
	f.settle(err)
	return err
}

// Close closes the sources that Once opened.
func (h *Hub) Close() {
	for _, f := range h.all() {
		f.close()
	}
}

// View returns the desired state with what belongs to it; nil before it was
// read for the first time.
func (h *Hub) View() *View { return h.view.Load() }

// State returns the desired state; nil before it was read for the first time.
func (h *Hub) State() *desired.State {
	if v := h.View(); v != nil {
		return v.State
	}
	return nil
}

// Head returns the snapshot from which the desired state was read; nil before
// it was read for the first time.
func (h *Hub) Head() *sources.Snapshot {
	if v := h.View(); v != nil {
		return v.Head
	}
	return nil
}

// Catalog returns the catalog. It is never nil.
func (h *Hub) Catalog() *catalog.Catalog { return h.catalog.Load() }

// Sources returns where following each source stands: the desired state first,
// then the repos by name. It waits for nothing, and nothing waits for it.
func (h *Hub) Sources() []Status {
	followers := h.all()
	statuses := make([]Status, len(followers))
	for i, f := range followers {
		statuses[i] = f.status()
	}
	return statuses
}

// Contains tells whether a commit of the desired state is older than another,
// or the same, as far as its history is known.
func (h *Hub) Contains(ctx context.Context, newer, older string) (bool, error) {
	source, err := h.desired.opened()
	if err != nil {
		return false, err
	}
	return source.Contains(ctx, newer, older)
}

// History returns the newest commits of the desired state, by first parent, the
// one in force first; at most n, and only as far as its history is known.
func (h *Hub) History(ctx context.Context, n int) ([]sources.Commit, error) {
	head := h.Head()
	if head == nil {
		return nil, nil
	}
	source, err := h.desired.opened()
	if err != nil {
		return nil, err
	}
	return source.History(ctx, head.Commit, n)
}

// all returns the followers: that of the desired state, then those of repos by name.
func (h *Hub) all() []*follower { return *h.followers.Load() }

// publishFollowers makes known who is followed. It is called with swapping held,
// or before anything runs.
func (h *Hub) publishFollowers() {
	all := make([]*follower, 1, len(h.repos)+1)
	all[0] = h.desired
	for _, name := range slices.Sorted(maps.Keys(h.repos)) {
		all = append(all, h.repos[name].follower)
	}
	h.followers.Store(&all)
}

// tell tells of a change that swapped no value.
func (h *Hub) tell(c Change) {
	h.swapping.Lock()
	defer h.swapping.Unlock()
	h.notify(c)
}

// notify is called with swapping held.
func (h *Hub) notify(c Change) {
	if v := h.View(); v != nil {
		c.Commit, c.Rewound = v.State.Commit, v.Rewound != ""
	}
	if h.options.Notify != nil {
		h.options.Notify(c)
	}
}
