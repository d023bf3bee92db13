package api

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/sources/catalog"
)

// indexes hold what was worked out of the newest snapshots, for all queries that
// look at the same: lists that are sorted otherwise, relations the other way round.
type indexes struct {
	catalog atomic.Pointer[catalogIndex]
	view    atomic.Pointer[viewIndex]
}

// A lazy value is made when it is first asked for.
type lazy[T any] struct {
	once  sync.Once
	value T
}

func (l *lazy[T]) get(produce func() T) T {
	l.once.Do(func() { l.value = produce() })
	return l.value
}

// newest returns what is kept of a snapshot, or begins it.
func newest[S, I any](at *atomic.Pointer[I], of func(*I) *S, snapshot *S, begin func() *I) *I {
	for {
		kept := at.Load()
		if kept != nil && of(kept) == snapshot {
			return kept
		}
		if fresh := begin(); at.CompareAndSwap(kept, fresh) {
			return fresh
		}
	}
}

// A catalogIndex holds all releases and flavours of a catalog, that count, in
// every order that was asked for.
type catalogIndex struct {
	of       *catalog.Catalog
	releases map[string]*lazy[[]release] // by order; without a world
	flavours map[string]*lazy[[]flavour]
	byRepo   lazy[map[string][]*catalog.Release] // also those that are shadowed
}

// ofRepo returns the releases that a repo publishes, in the usual order.
func (i *catalogIndex) ofRepo(name string) []*catalog.Release {
	return i.byRepo.get(func() map[string][]*catalog.Release {
		out := map[string][]*catalog.Release{}
		for _, a := range i.of.Apps() {
			for _, r := range slices.Concat(a.Releases, a.Shadowed) {
				out[r.Repo] = append(out[r.Repo], r)
			}
		}
		for _, found := range out {
			slices.SortFunc(found, compareReleases)
		}
		return out
	})[name]
}

func (x *indexes) ofCatalog(c *catalog.Catalog) *catalogIndex {
	return newest(&x.catalog, func(i *catalogIndex) *catalog.Catalog { return i.of }, c, func() *catalogIndex {
		i := &catalogIndex{of: c, releases: map[string]*lazy[[]release]{}, flavours: map[string]*lazy[[]flavour]{}}
		for by := range releases.orders {
			i.releases[by] = &lazy[[]release]{}
		}
		for by := range flavours.orders {
			i.flavours[by] = &lazy[[]flavour]{}
		}
		return i
	})
}

// A viewIndex holds what was worked out of a view of the engine.
type viewIndex struct {
	of        *engine.View
	statuses  lazy[[]*engine.Status] // in the order of names
	byApp     lazy[map[string][]*engine.Status]
	byBackend lazy[map[string][]*engine.Status]
	byCommit  lazy[map[string][]*engine.Status]
	pods      lazy[[]*backends.Pod] // in the order of deployments
	decisions lazy[[]planner.Decision]
	given     lazy[map[string]given]
}

func (x *indexes) ofView(v *engine.View) *viewIndex {
	return newest(&x.view, func(i *viewIndex) *engine.View { return i.of }, v, func() *viewIndex { return &viewIndex{of: v} })
}

// deployments returns where all deployments stand, in the order of names.
func (i *viewIndex) deployments() []*engine.Status {
	return i.statuses.get(func() []*engine.Status {
		out := make([]*engine.Status, 0, i.of.Len())
		for s := range i.of.Statuses() {
			out = append(out, s)
		}
		return out
	})
}

// ofApp returns the deployments that ask for an app; those of one that is
// declared no more are its pods'.
func (i *viewIndex) ofApp(identifier string) []*engine.Status {
	return i.byApp.get(func() map[string][]*engine.Status { return i.group(appOf) })[identifier]
}

func (i *viewIndex) ofBackend(name string) []*engine.Status {
	return i.byBackend.get(func() map[string][]*engine.Status {
		return i.group(func(_ *engine.View, s *engine.Status) string { return s.Backend })
	})[name]
}

func (i *viewIndex) ofCommit(hash string) []*engine.Status {
	return i.byCommit.get(func() map[string][]*engine.Status { return i.group(commitOf) })[hash]
}

func (i *viewIndex) group(by func(*engine.View, *engine.Status) string) map[string][]*engine.Status {
	out := map[string][]*engine.Status{}
	for _, s := range i.deployments() {
		key := by(i.of, s)
		out[key] = append(out[key], s)
	}
	return out
}

// allPods returns all pods, in the order of deployments.
func (i *viewIndex) allPods() []*backends.Pod {
	return i.pods.get(func() []*backends.Pod {
		var out []*backends.Pod
		for _, found := range i.of.Pods() {
			for p := range found {
				out = append(out, &found[p])
			}
		}
		slices.SortFunc(out, comparePods)
		return out
	})
}

// plan returns what the plan says of every deployment, in the order of names.
func (i *viewIndex) plan() []planner.Decision {
	return i.decisions.get(func() []planner.Decision {
		if i.of.Plan == nil {
			return nil
		}
		return i.of.Plan.Decisions()
	})
}

// A given is what pods were promised of a backend.
type given struct {
	CPU    float64
	Memory byteCount
	GPUs   int32
	Pods   int32
}

func (i *viewIndex) givenOf(backend string) given {
	return i.given.get(func() map[string]given {
		out := map[string]given{}
		for _, p := range i.allPods() {
			g := out[p.Backend]
			g.CPU += cpus(p.CPU)
			g.Memory += byteCount(p.Memory)
			g.GPUs += count(len(p.GPUs))
			g.Pods++
			out[p.Backend] = g
		}
		return out
	})[backend]
}
