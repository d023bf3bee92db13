// Package planner compares the desired state with what was observed, and says
// what must change and why. It is pure: the same [Input] gives the same [Plan],
// in whatever order its parts stand. It asks nothing and changes nothing.
//
// For each deployment it resolves the release, places it (flavour and backend),
// and compares the workload that follows with the deployment's pods.
package planner

import (
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
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

	// Workload is what the backend is asked to run; nil unless Create, Replace or Keep.
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
