package api

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
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
	entries   lazy[[]entry] // in the order of names
	byApp     lazy[map[string][]entry]
	byBackend lazy[map[string][]entry]
	byCommit  lazy[map[string][]entry]
	pods      lazy[[]*backends.Pod] // in the order of deployments
	decisions lazy[[]planner.Decision]
	given     lazy[map[string]given]
}

func (x *indexes) ofView(v *engine.View) *viewIndex {
	return newest(&x.view, func(i *viewIndex) *engine.View { return i.of }, v, func() *viewIndex { return &viewIndex{of: v} })
}

// An entry is a deployment: where it stands, and its document.
type entry struct {
	s   *engine.Status
	doc *schema.Deployment // nil when it is not validly declared
}

// app returns the identifier that a deployment asks for, or that its pods are of.
func (e entry) app() string {
	if e.doc != nil {
		return e.doc.App
	}
	for i := range e.s.Pods {
		if app := e.s.Pods[i].App; app != "" {
			return app
		}
	}
	return ""
}

// deployments returns all deployments, in the order of names. Views come as fast
// as pods change, so nothing is looked up: both lists are walked side by side.
func (i *viewIndex) deployments() []entry {
	return i.entries.get(func() []entry {
		docs := i.declared()
		out := make([]entry, 0, i.of.Len())
		for s := range i.of.Statuses() {
			for len(docs) > 0 && docs[0].Name < s.Deployment {
				docs = docs[1:]
			}
			e := entry{s: s}
			if len(docs) > 0 && docs[0].Name == s.Deployment {
				e.doc = docs[0]
			}
			out = append(out, e)
		}
		return out
	})
}

// declared returns the documents, in the order of names.
func (i *viewIndex) declared() []*schema.Deployment {
	if i.of.State == nil {
		return nil
	}
	out := make([]*schema.Deployment, 0, i.of.State.Len())
	for _, d := range i.of.State.Deployments() {
		out = append(out, d)
	}
	return out
}

// ofApp returns the deployments that ask for an app; those of one that is
// declared no more are its pods'.
func (i *viewIndex) ofApp(identifier string) []entry {
	return i.byApp.get(func() map[string][]entry { return i.group(entry.app) })[identifier]
}

func (i *viewIndex) ofBackend(name string) []entry {
	return i.byBackend.get(func() map[string][]entry {
		return i.group(func(e entry) string { return e.s.Backend })
	})[name]
}

func (i *viewIndex) ofCommit(hash string) []entry {
	return i.byCommit.get(func() map[string][]entry {
		return i.group(func(e entry) string { return e.s.Commit })
	})[hash]
}

// group returns the deployments by a key, each group in the order of names. It is
// made anew for every view that is asked for it, so all groups share one array.
func (i *viewIndex) group(by func(entry) string) map[string][]entry {
	entries := i.deployments()
	numbers, sizes := map[string]int{}, []int{}
	of := make([]int, len(entries))
	for at, e := range entries {
		key := by(e)
		n, ok := numbers[key]
		if !ok {
			n = len(sizes)
			numbers[key], sizes = n, append(sizes, 0)
		}
		of[at] = n
		sizes[n]++
	}
	groups, left := make([][]entry, len(sizes)), make([]entry, len(entries))
	for n, size := range sizes {
		groups[n], left = left[:0:size], left[size:]
	}
	for at, e := range entries {
		groups[of[at]] = append(groups[of[at]], e)
	}
	out := make(map[string][]entry, len(groups))
	for key, n := range numbers {
		out[key] = groups[n]
	}
	return out
}

// allPods returns all pods, in the order of deployments.
func (i *viewIndex) allPods() []*backends.Pod {
	return i.pods.get(func() []*backends.Pod {
		out := make([]*backends.Pod, 0, i.of.Len())
		for _, found := range i.of.AllPods() {
			from := len(out)
			for p := range found {
				out = append(out, &found[p])
			}
			slices.SortFunc(out[from:], comparePods)
		}
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
