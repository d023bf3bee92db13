package engine

import (
	"cmp"
	"context"
	"iter"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/sources/catalog"
)

// A view is what the sources said at one moment.
type view struct {
	Desired
	catalog *catalog.Catalog
}

// current returns what is to be planned: what the sources say now. A state of
// which the engine was not told yet waits a moment, for the names of what changed
// come with it. The caller holds mu.
func (e *Engine) current() view {
	v := view{Desired: e.sources.Desired(), catalog: e.sources.Catalog()}
	if e.plan != nil && v.State != e.view.State && v.State != e.told {
		return e.view
	}
	return v
}

// input gathers what the planner needs. The caller holds mu for as long as it is used.
func (e *Engine) input(v view, now time.Time) planner.Input {
	return planner.Input{
		Desired: v.State, Catalog: v.catalog,
		Backends: e.world.backends, Pods: e.world.pods, Now: now,
		Unreadable: cmp.Or(v.Stale, e.rewind.unread),
		Rewound:    cmp.Or(v.Rewound, e.rewind.why),
		Confirmed:  v.Confirmed,
	}
}

// A View is all that an engine knew at one moment. It is immutable: readers of it
// never wait for the engine, nor the engine for them.
type View struct {
	Desired
	Catalog  *catalog.Catalog
	Backends []planner.Backend // in the order of the configuration
	Plan     *planner.Plan     // nil: nothing was planned yet
	Outcome  Outcome           // of the commit in force
	DryRun   bool

	statuses []Status
}

// View returns what the engine knows now. It does not wait; it is never nil.
func (e *Engine) View() *View {
	e.mu.Lock()
	defer e.mu.Unlock()
	v := &View{Desired: e.view.Desired, Catalog: e.view.catalog, Plan: e.plan, DryRun: e.dryRun}
	if v.Catalog == nil {
		v.Catalog = e.sources.Catalog()
	}
	v.Backends = append(v.Backends, e.world.backends...)
	return v
}

// Status returns where a deployment stands; false when it is neither declared nor there.
func (v *View) Status(deployment string) (Status, bool) {
	for _, s := range v.statuses {
		if s.Deployment == deployment {
			return s, true
		}
	}
	return Status{}, false
}

// Len counts the deployments.
func (v *View) Len() int { return len(v.statuses) }

// Statuses yields where every deployment stands, in the order of names.
func (v *View) Statuses() iter.Seq[*Status] {
	return func(yield func(*Status) bool) {
		for i := range v.statuses {
			if !yield(&v.statuses[i]) {
				return
			}
		}
	}
}

// Pods returns all pods that were observed, by deployment.
func (v *View) Pods() map[string][]backends.Pod { return nil }

// Input returns what the plan was made of, to explain it.
func (v *View) Input(now time.Time) planner.Input { return planner.Input{} }

// Follow calls each with the names of the deployments about which anything
// changed in the view since the last call, the first time as soon as anything
// does, until ctx ends or each fails. Changes that come while each runs are told
// together. The engine never waits for it.
func (e *Engine) Follow(ctx context.Context, each func(deployments []string) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// Reconcile has the engine look again at once, whatever pauses there are: at a
// deployment, at the pods of a backend, or, if both are empty, at everything. The
// error, a [schema.Error] of kind invalid, says that there is no such thing.
func (e *Engine) Reconcile(deployment, backend string) error { return nil }

// Retry has a failed rollout tried again: the failed pods, which are the memory
// of it, are removed, and their names are returned. The error is a [schema.Error]
// of kind invalid where nothing failed, and says what may help instead.
func (e *Engine) Retry(ctx context.Context, deployment string) (pods []string, err error) {
	return nil, nil
}
