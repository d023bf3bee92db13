package engine

import (
	"cmp"
	"time"

	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

// A view is what the sources said at one moment.
type view struct {
	state     *desired.State // nil: not read yet
	head      *sources.Snapshot
	catalog   *catalog.Catalog
	stale     string // why the state is not what the remote says now; empty: it is
	rewound   string
	confirmed bool
}

// look reads the sources until nothing was swapped meanwhile. Parts of two
// moments must not meet: what one commit confirms is not confirmed by another,
// and a state that an earlier process stored is not current because the remote
// was read a moment later.
func (e *Engine) look() view {
	for {
		head, state := e.sources.Head(), e.sources.State()
		v := view{
			state: state, head: head, catalog: e.sources.Catalog(),
			rewound: e.sources.Rewound(), confirmed: e.sources.Confirmed(),
		}
		if ok, why := e.sources.Current(); !ok {
			v.stale = cmp.Or(why, "the desired state may not be current")
		}
		if e.sources.State() == state && e.sources.Head() == head {
			return v
		}
	}
}

// current returns what is to be planned: what the sources say now. A state of
// which the engine was not told yet waits a moment, for the names of what changed
// come with it. The caller holds mu.
func (e *Engine) current() view {
	v := e.look()
	if e.plan != nil && v.state != e.view.state && v.state != e.told {
		return e.view
	}
	return v
}

// input gathers what the planner needs. The caller holds mu for as long as it is used.
func (e *Engine) input(v view, now time.Time) planner.Input {
	return planner.Input{
		Desired: v.state, Catalog: v.catalog,
		Backends: e.world.backends, Pods: e.world.pods, Now: now,
		Unreadable: cmp.Or(v.stale, e.rewind.unread),
		Rewound:    cmp.Or(v.rewound, e.rewind.why),
		Confirmed:  v.confirmed,
	}
}
