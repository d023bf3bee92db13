package engine

import (
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/sorted"
)

// A View is all that an engine knew at one moment. It is immutable: readers of it
// never wait for the engine, nor the engine for them.
type View struct {
	Desired
	Catalog  *catalog.Catalog
	Backends []planner.Backend // in the order of the configuration
	Plan     *planner.Plan     // nil: nothing was planned yet
	Outcome  Outcome           // of the commit in force
	DryRun   bool
	Standby  bool // another Berth works; what is planned is what that one does

	// rows holds where each deployment stands, with its pods. One without a state
	// has pods, and was not planned yet.
	rows       sorted.Map[Status]
	states     map[State]int
	tally      tally
	unreadable string // as planner.Input has it
	rewound    string // as planner.Input has it

	gather sync.Once
	pods   map[string][]backends.Pod // gathered from rows when first asked for
}

// View returns what the engine knows now. It does not wait; it is never nil.
func (e *Engine) View() *View { return e.shown.Load() }

// Asked tells whether what the view says of the commit rests on an answer, or an
// error, of every backend, and on a plan: not so in the first moments of a process.
func (v *View) Asked() bool {
	return v.Plan != nil && !slices.ContainsFunc(v.Backends, func(b planner.Backend) bool { return b.Problem == notAsked })
}

// Status returns where a deployment stands; false when it is neither declared nor there.
func (v *View) Status(deployment string) (Status, bool) {
	if s := v.rows.Get(deployment); s != nil && s.State != "" {
		return *s, true
	}
	return Status{}, false
}

// Len counts the deployments.
func (v *View) Len() int {
	n := 0
	for _, more := range v.states {
		n += more
	}
	return n
}

// States counts the deployments in each state; states without any are left out.
func (v *View) States() map[State]int { return maps.Clone(v.states) }

// Statuses yields where every deployment stands, in the order of names. What it
// yields is the view's own: it is read only.
func (v *View) Statuses() iter.Seq[*Status] {
	return func(yield func(*Status) bool) {
		for s := range v.rows.Values() {
			if s.State != "" && !yield(s) {
				return
			}
		}
	}
}

// PodsOf returns the pods that were observed of one deployment, of all backends.
// The slice is the view's own: it is read only.
func (v *View) PodsOf(deployment string) []backends.Pod {
	if s := v.rows.Get(deployment); s != nil {
		return s.Pods
	}
	return nil
}

// AllPods yields the pods of every deployment that has any, in the order of names.
// The slices are the view's own: they are read only.
func (v *View) AllPods() iter.Seq2[string, []backends.Pod] {
	return func(yield func(string, []backends.Pod) bool) {
		for name, s := range v.rows.All() {
			if len(s.Pods) > 0 && !yield(name, s.Pods) {
				return
			}
		}
	}
}

// Pods returns all pods that were observed, by deployment. They are gathered when
// a view is first asked for them; for one deployment [View.PodsOf] costs less.
// The map is the view's own: it is read only.
func (v *View) Pods() map[string][]backends.Pod {
	v.gather.Do(func() {
		v.pods = make(map[string][]backends.Pod, v.rows.Len())
		for name, pods := range v.AllPods() {
			v.pods[name] = pods
		}
	})
	return v.pods
}

// observed returns the pods, and the objects that stand for deployments without any.
func (v *View) observed() map[string][]backends.Pod {
	all, own := v.Pods(), false
	for name, s := range v.rows.All() {
		if len(s.objects) == 0 {
			continue
		}
		if !own {
			all, own = maps.Clone(all), true
		}
		all[name] = slices.Concat(s.Pods, s.objects)
	}
	return all
}

// Input returns what the plan was made of, to explain it.
func (v *View) Input(now time.Time) planner.Input {
	return planner.Input{
		Desired: v.State, Catalog: v.Catalog, Backends: v.Backends, Pods: v.observed(), Now: now,
		Unreadable: v.unreadable, Rewound: v.rewound, Confirmed: v.Confirmed,
		HeldOf: heldOf(v.Plan),
	}
}
