package proposal_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/reconciler/proposal"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// A world is what a proposal is compared with: documents, what runs, and where.
type world struct {
	files    map[string]desired.FileChange // by path
	releases []schema.Release
	backends []planner.Backend
	pods     map[string][]backends.Pod
	set      func(*planner.Input) // what else the input says
	made     int
}

// newWorld has a backend with one GPU, lab, and one without, annex; StarDist for
// both in two versions, and a database.
func newWorld() *world {
	w := &world{files: map[string]desired.FileChange{}, pods: map[string][]backends.Pod{}, set: func(*planner.Input) {}}
	w.backends = []planner.Backend{
		{Name: "annex", Type: schema.BackendDocker, Known: true, Capacity: backends.Capacity{OneHost: true, CPU: 2000}},
		{Name: "lab", Type: schema.BackendDocker, Known: true, Priority: 1, Capacity: backends.Capacity{
			OneHost: true, GPUs: []backends.GPU{{ID: "0", Vendor: schema.NVIDIA}},
		}},
	}
	for _, version := range []string{"0.4.9", "0.4.11"} {
		w.releases = append(w.releases, schema.Release{Identifier: "org.stardist", Version: version, Flavours: []schema.Flavour{
			{Name: "cuda", Image: "stardist:" + version + "-cuda", Priority: 1, Selectors: []schema.Selector{{Kind: schema.SelectCUDA, Required: true}}},
			{Name: "cpu", Image: "stardist:" + version, Priority: 2},
		}})
	}
	w.releases = append(w.releases, schema.Release{Identifier: "org.db", Version: "16.0.0", Scopes: []string{"read"},
		Flavours: []schema.Flavour{{Name: "vanilla", Image: "db:16"}}})
	return w
}

// write writes a file of documents as people do.
func (w *world) write(path, text string) {
	w.files[path] = desired.FileChange{Path: path, Parsed: schema.DecodeDesired(path, []byte(text)), Raw: []byte(text)}
}

func (w *world) clone() *world {
	c := *w
	c.files, c.pods = maps.Clone(w.files), maps.Clone(w.pods)
	return &c
}

func (w *world) state() *desired.State {
	s, _ := desired.New("file:///desired").With("base", slices.Collect(maps.Values(w.files))...)
	return s
}

func (w *world) input() planner.Input {
	in := planner.Input{Desired: w.state(), Backends: w.backends, Pods: w.pods, Now: noon}
	in.Catalog, _ = catalog.New().With(catalog.Change{
		Repo:  catalog.Repo{Name: "apps", Commit: "a1"},
		Files: []catalog.File{{Path: "manifest.yaml", Publication: schema.Publication{Releases: w.releases}}},
	})
	w.set(&in)
	return in
}

// settle carries plans out until nothing changes any more.
func (w *world) settle(t testing.TB) {
	t.Helper()
	for range 20 {
		plan := planner.New(w.input())
		if plan.Summary().Changes() == 0 {
			return
		}
		w.carryOut(plan)
	}
	t.Fatal("it does not settle")
}

// carryOut does what a plan says, at once.
func (w *world) carryOut(plan *planner.Plan) {
	w.pods = maps.Clone(w.pods)
	for _, d := range plan.Decisions() {
		if d.Changes() {
			delete(w.pods, d.Deployment)
		}
	}
	for _, d := range plan.Decisions() {
		if d.Action == planner.Create || d.Action == planner.Replace {
			for i := range d.Workload.Replicas {
				w.start(d.Workload, i)
			}
		}
	}
}

// start makes a running pod, with the first free GPUs.
func (w *world) start(want *backends.Workload, ordinal int) {
	w.made++
	p := backends.Pod{
		Backend: want.Backend, ID: fmt.Sprint(w.made), Name: fmt.Sprintf("%s-%d", want.Deployment, ordinal), Deployment: want.Deployment,
		Ordinal: ordinal, App: want.App, Release: want.Release, Flavour: want.Flavour, Source: want.Source, Commit: want.Commit,
		SpecHash: want.SpecHash(), InputHash: want.InputHash(), Image: want.Pod.Image, State: backends.PodRunning,
		CreatedAt: noon.Add(-time.Hour), StartedAt: noon.Add(-time.Hour),
	}
	for _, b := range w.backends {
		for _, g := range b.Capacity.GPUs {
			if b.Name == want.Backend && len(p.GPUs) < want.Pod.GPUs && !w.taken(b.Name, g.ID) {
				p.GPUs = append(p.GPUs, g.ID)
			}
		}
	}
	w.pods[want.Deployment] = append(slices.Clone(w.pods[want.Deployment]), p)
}

func (w *world) taken(backend, gpu string) bool {
	for _, pods := range w.pods {
		for _, p := range pods {
			if p.Backend == backend && slices.Contains(p.GPUs, gpu) {
				return true
			}
		}
	}
	return false
}

// propose reports what becomes of the world if the files of another were in force.
func (w *world) propose(other *world, conflicts ...string) *proposal.Report {
	return proposal.New(w.input(), nil, proposal.Proposed{
		State: other.state(), Branch: "main", Conflicts: conflicts, Problems: brought(w.state(), other.state()),
		Base: "abcdef0123456789", Head: "fedcba9876543210", MergeBase: "0123456789abcdef",
	})
}

// brought returns the problems that a state has and another has not, on whatever line.
func brought(before, now *desired.State) schema.Problems {
	known := map[string]bool{}
	for _, p := range before.Problems() {
		known[p.File+p.Path+p.Message] = true
	}
	var out schema.Problems
	for _, p := range now.Problems() {
		if !known[p.File+p.Path+p.Message] {
			out = append(out, p)
		}
	}
	return out
}
