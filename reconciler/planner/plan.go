// Package planner compares the desired state with what was observed, and says
// what must change and why. It is pure: the same [Input] gives the same [Plan],
// in whatever order its parts stand. It asks nothing and changes nothing.
//
// For each deployment it resolves the release (resolve.go), places it on a
// flavour and a backend (place.go; what rules a choice out stands in rules.go and
// selectors.go), makes the workload that follows (workload.go), and compares that
// with the deployment's pods (diff.go). What nothing declares any more is removed,
// or held (guard.go). It tells how it came to a decision (explain.go), and what a
// deployment would get that nobody declared yet (match.go).
//
// Deployments are planned in three rounds, each in the order of names: those
// whose pods run as they are declared, then the others that have pods, then
// those without. So what runs keeps what it holds of a backend (ledger.go), and
// a newcomer gets what is left.
//
// # Placement
//
// Every flavour of the release on every backend is a candidate. It is out where
// a required selector does not match, where the server's configuration does not
// allow what it asks for, and where there is no room: CPU and memory are summed
// where they are stated, GPUs and fixed host ports are given exclusively. A
// selector that asks for what nothing tells matches, unverified.
//
// The others are ranked by: the weights of matching selectors that are not
// required (the highest sum), the flavour's priority (the lowest; none said comes
// last), what the flavour needs (one for a GPU first), the backend's priority
// (the highest), its load (the lowest, in quarters), names. What runs stays on
// its backend, and in its flavour, as long as that fits.
//
// A flavour with a required selector for a GPU gets one GPU, unless gpus says
// otherwise; one with an optional selector gets none. Where it does not say whose
// GPU, it gets one of the vendor that the backend has most of. Pods with GPUs are
// recreated rather than rolled, unless rolling is asked for: that takes one more.
//
// A backend that does not answer is ranked by what was last known of it. If it is
// the best, a newcomer waits for it: a pod may be on its way there. What runs
// there stays, and gets no second copy.
package planner

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
	"github.com/berthdev/berth/sources/sorted"
)

// Input is all that a plan depends on.
type Input struct {
	Desired  *desired.State
	Catalog  *catalog.Catalog
	Backends []Backend
	Pods     map[string][]backends.Pod // observed, by deployment, of all backends
	Now      time.Time                 // against which readiness is told

	// Unreadable is why the desired state, or a part of it, cannot be read at
	// all: then nothing is removed. Empty: it can.
	Unreadable string
	// Rewound is why the desired state is taken for one that went back: then
	// nothing is removed until it is confirmed. Empty: it did not.
	Rewound string
	// Confirmed tells that the commit confirms the removals that it brings.
	Confirmed bool
	// HeldOf is [Guard.Former] of the plan before, if that knew what runs and found
	// too many removals; else 0. See [Guard.TooMany].
	HeldOf int
	// First tells that no plan was made yet that knew what runs.
	First bool
}

// A Backend is where pods may be placed, and what is known of it.
type Backend struct {
	Name     string
	Type     schema.BackendType
	Priority int // the highest is preferred
	Capacity backends.Capacity
	Known    bool   // its capacity and pods were listed at least once since the start
	Problem  string // why it does not answer now; empty: it does
}

// Action is what is done about a deployment.
type Action string

// The actions.
const (
	Create  Action = "create"  // pods are missing; none of another specification is there
	Replace Action = "replace" // pods of another specification, or on another backend, or too many, are there
	Remove  Action = "remove"  // it is declared no more
	Keep    Action = "keep"    // all is as it should be
	Hold    Action = "hold"    // something would change, but must not: invalid, suspended, guarded, failed before
	Wait    Action = "wait"    // something must change, but cannot yet: a release, a backend, a dependency, a GPU
)

// A Decision is what the plan says of one deployment.
type Decision struct {
	Deployment string
	Action     Action
	Reason     string           // why this action, in words; what a person can do when it is Hold or Wait
	Kind       schema.ErrorKind // for Hold and Wait: what makes it go on
	Position   schema.Position  // where it is declared

	Release string // what it gets; empty when nothing could be chosen
	Flavour string
	Backend string
	Why     string // why this release, flavour and backend, in words

	From Placement // what runs now; zero when nothing does

	// Workload is what the backend is asked to run; nil unless Create, Replace,
	// Keep, or Hold for a rollout that failed before: then the backend keeps the
	// old pods well, and knows from the failed pod that it must not try again.
	Workload *backends.Workload
	// Leave names other backends that hold pods of it, which are removed once the
	// workload is ready on Backend (Replace), or at once (Remove).
	Leave []string
}

// A Placement is what runs, and where.
type Placement struct {
	Release  string
	Flavour  string
	Backend  string
	SpecHash string
	Replicas int
}

// Changes tells whether the decision changes anything on a backend.
func (d Decision) Changes() bool {
	return d.Action == Create || d.Action == Replace || d.Action == Remove
}

// A Plan says what is to be done about every deployment. It is immutable.
type Plan struct {
	commit   string
	backends []Backend // in the order of names
	records  sorted.Map[record]
	ledger   ledger
	summary  Summary
	guard    Guard
	blocked  []string // deployments that wait for others: for room, a GPU, a port, a dependency
	planned  []string // deployments that were planned now, sorted
	revision int      // counts those that led to it
}

// A record is what a plan keeps of one deployment.
type record struct {
	decision Decision
	claims   []claim
	running  bool // it has pods that are not being removed
	orphan   bool // it is running, or something is left of it, and would be removed if nothing held it
	revision int  // of the plan, in which it was planned
	turn     int  // at which it was, in that revision
}

// Decision returns what the plan says of one deployment; false when it is
// neither declared nor there.
func (p *Plan) Decision(name string) (Decision, bool) {
	if r := p.records.Get(name); r != nil {
		return r.decision, true
	}
	return Decision{}, false
}

// Decisions returns what the plan says of every deployment, in the order of names.
func (p *Plan) Decisions() []Decision {
	out := make([]Decision, 0, p.records.Len())
	for r := range p.records.Values() {
		out = append(out, r.decision)
	}
	return out
}

// Planned returns the names of the deployments that were planned now, sorted:
// all of them, or what a revision named and what had to follow. A name of which
// there is no decision is neither declared nor there any more.
func (p *Plan) Planned() []string { return p.planned }

// Commit returns the commit of the desired state that was planned last.
func (p *Plan) Commit() string { return p.commit }

// Guard tells whether removals are held back.
func (p *Plan) Guard() Guard { return p.guard }

// Summary counts the decisions by action.
func (p *Plan) Summary() Summary { return maps.Clone(p.summary) }

// A Summary counts decisions by action; actions without any are left out.
type Summary map[Action]int

// Changes counts the decisions that change something on a backend.
func (s Summary) Changes() int { return s[Create] + s[Replace] + s[Remove] }

// String renders the summary as "1 to create, 2 to replace, 30 to keep".
func (s Summary) String() string {
	var parts []string
	for _, a := range []Action{Create, Replace, Remove, Keep, Hold, Wait} {
		if s[a] > 0 {
			parts = append(parts, fmt.Sprintf("%d to %s", s[a], a))
		}
	}
	if len(parts) == 0 {
		return "nothing is declared, nothing runs"
	}
	return strings.Join(parts, ", ")
}
