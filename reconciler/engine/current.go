package engine

import (
	"cmp"
	"time"

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
// come with it: until then what was planned last counts, and the changes that the
// engine was told of meanwhile are kept for the new state. The caller holds mu.
func (e *Engine) current() (v view, behind bool) {
	v = view{Desired: e.sources.Desired(), catalog: e.sources.Catalog()}
	if e.plan != nil && v.State != e.view.State && v.State != e.told {
		return e.view, true
	}
	return v, false
}

// input gathers what the planner needs. The caller holds mu for as long as it is used.
func (e *Engine) input(v view, now time.Time) planner.Input {
	held := 0
	if e.judged {
		held = heldOf(e.plan)
	}
	if held > 0 {
		held += e.late
	}
	return planner.Input{
		Desired: v.State, Catalog: v.catalog,
		Backends: e.world.backends, Pods: e.world.pods, Now: now,
		Unreadable: e.unreadable(v), Rewound: e.rewound(v), Confirmed: v.Confirmed,
		HeldOf: held, First: !e.judged,
	}
}

// heldOf returns against what the removals were measured of which a plan found too
// many; 0: it did not.
func heldOf(p *planner.Plan) int {
	if p == nil || !p.Guard().TooMany() {
		return 0
	}
	return p.Guard().Former
}

// unreadable tells why the desired state cannot be read; empty: it can. The
// caller holds mu.
func (e *Engine) unreadable(v view) string {
	unasked := ""
	if !e.world.asked() {
		unasked = "not every backend was asked yet what it runs"
	}
	return cmp.Or(v.Stale, e.rewind.unread, unasked)
}

// rewound tells why the desired state is taken for one that went back; empty: it
// did not. The caller holds mu.
func (e *Engine) rewound(v view) string { return cmp.Or(v.Rewound, e.rewind.why) }
