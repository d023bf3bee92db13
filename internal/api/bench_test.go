package api

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
	"github.com/berthdev/berth/sources/follow"
)

// benchCatalog holds so many apps of so many releases each, with two flavours.
func benchCatalog(apps, releases int, description string) *catalog.Catalog {
	change := catalog.Change{Repo: catalog.Repo{Name: "apps", Commit: "c"}}
	for a := range apps {
		var p schema.Publication
		for r := range releases {
			version := fmt.Sprintf("0.%d.0", r)
			p.Releases = append(p.Releases, schema.Release{
				Identifier: fmt.Sprintf("org.example.app%04d", a), Version: version, Name: fmt.Sprintf("App %d", a), Description: description,
				Flavours: []schema.Flavour{
					{Name: "cuda", Image: "example/app:" + version + "-cuda", Priority: 1, Selectors: []schema.Selector{{Kind: schema.SelectCUDA, Required: true, Weight: 1}}},
					{Name: "cpu", Image: "example/app:" + version, Priority: 2},
				},
			})
		}
		change.Files = append(change.Files, catalog.File{Path: fmt.Sprintf("app%04d/manifest.yaml", a), Publication: p})
	}
	c, _ := catalog.New().With(change)
	return c
}

// stillBackend runs every workload at once and for nothing, so that what is
// measured is Berth and not a container engine.
type stillBackend struct {
	backends.Backend // what a benchmark does not need
	applied          chan struct{}
}

func (b *stillBackend) Name() string { return "still" }
func (b *stillBackend) Capacity(context.Context) (backends.Capacity, error) {
	return backends.Capacity{CPU: 1e9, Memory: 1 << 50, Arch: "amd64", OS: "linux", OneHost: true}, nil
}
func (b *stillBackend) Pods(context.Context) ([]backends.Pod, error) { return nil, nil }
func (b *stillBackend) Watch(ctx context.Context, notify func(backends.Event)) error {
	notify(backends.Event{})
	<-ctx.Done()
	return ctx.Err()
}
func (b *stillBackend) Apply(_ context.Context, w backends.Workload, _ func(backends.Step)) (backends.Progress, error) {
	b.applied <- struct{}{}
	return backends.Progress{Phase: backends.PhaseReady, Pods: []backends.Pod{{
		Backend: "still", ID: w.Deployment, Name: w.Deployment, Deployment: w.Deployment, App: w.App, Release: w.Release,
		Flavour: w.Flavour, Commit: w.Commit, SpecHash: w.SpecHash(), InputHash: w.InputHash(), State: backends.PodRunning,
		StartedAt: time.Now().Add(-time.Hour), Image: w.Pod.Image,
	}}}, nil
}

// The sizes at which the goals of performance are set.
const (
	benchApps        = 1000
	benchReleases    = 10
	benchDeployments = 10_000
)

// busy is an API over an engine that has 10,000 deployments of 1,000 apps, and
// carries out a change of one of them after the other.
type busy struct {
	api     *API
	changes atomic.Int64
}

func newBusy(b *testing.B) *busy {
	b.Helper()
	docs := make([]*schema.Deployment, benchDeployments)
	for i := range docs {
		docs[i] = &schema.Deployment{
			Name: fmt.Sprintf("d%05d", i), App: fmt.Sprintf("org.example.app%04d", i%benchApps), Version: "^0",
			Position: schema.Position{File: fmt.Sprintf("d/%05d.yaml", i), Line: 1},
		}
	}
	f := &feed{catalog: benchCatalog(benchApps, benchReleases, "an app of many"), state: desired.Of("bench", "c0", docs)}
	backend := &stillBackend{applied: make(chan struct{}, benchDeployments)}
	e := engine.New(engine.Options{
		Backends: []engine.Backend{{Backend: backend, Config: schema.BackendConfig{Name: "still", Type: schema.BackendDocker}}}, Sources: f,
	})
	hub := &fakeHub{statuses: []follow.Status{{Name: follow.DesiredName}}}
	a, err := New(Options{Instance: "bench", Engine: e, Hub: hub, Journal: journal.New(journal.Options{})})
	if err != nil {
		b.Fatal(err)
	}
	out := &busy{api: a}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{}, 2)
	go func() { e.Run(ctx); ended <- struct{}{} }()
	for range docs {
		<-backend.applied
	}
	for e.Outcome().Verdict != engine.Success {
		time.Sleep(time.Millisecond)
	}
	go func() {
		defer func() { ended <- struct{}{} }()
		for n := 1; ctx.Err() == nil; n++ {
			out.change(f, e, docs[n%len(docs)], n)
			select {
			case <-backend.applied:
				out.changes.Add(1)
			case <-ctx.Done():
			}
		}
	}()
	b.Cleanup(func() { cancel(); <-ended; <-ended })
	return out
}

// change declares a deployment otherwise.
func (u *busy) change(f *feed, e *engine.Engine, doc *schema.Deployment, n int) {
	d := *doc
	d.Env = map[string]string{"ROUND": fmt.Sprint(n)}
	f.set(func() {
		f.state, _ = f.state.With(fmt.Sprintf("c%d", n), desired.FileChange{
			Path: d.Position.File, Parsed: schema.DesiredFile{Deployments: []*schema.Deployment{&d}},
		})
	})
	e.Changed(engine.Change{Deployments: []string{d.Name}})
}

// benchQuery asks a query again and again, as several clients at once do, while
// the engine reconciles. It tells how many queries are answered in a second, and
// how many changes are carried out meanwhile.
func benchQuery(b *testing.B, query string) {
	u := newBusy(b)
	if r := u.api.Execute(b.Context(), query, "", nil); len(r.Errors) > 0 {
		b.Fatal(r.Errors)
	}
	before := u.changes.Load()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			r := u.api.Execute(context.Background(), query, "", nil)
			if _, err := json.Marshal(r); err != nil || len(r.Errors) > 0 {
				b.Error(err, r.Errors)
			}
		}
	})
	b.StopTimer()
	seconds := b.Elapsed().Seconds()
	b.ReportMetric(float64(b.N)/seconds, "queries/s")
	b.ReportMetric(float64(u.changes.Load()-before)/seconds, "changes/s")
}

func BenchmarkReleasesPage(b *testing.B) {
	benchQuery(b, `{ releases(first: 50) { totalCount nodes { id app { identifier } version name description channels repo { name } createdAt } pageInfo { hasNextPage endCursor } } }`)
}

func BenchmarkReleasesLaterPage(b *testing.B) {
	r := &catalog.Release{Release: schema.Release{Identifier: "org.example.app0777", Version: "0.3.0"}, Repo: "apps"}
	after := writeCursor("release", orderBy{"APP", ascending}, markRelease(r))
	benchQuery(b, `{ releases(first: 50, after: "`+after+`") { nodes { id version } pageInfo { endCursor } } }`)
}

func BenchmarkReleasesFiltered(b *testing.B) {
	benchQuery(b, `{ releases(first: 50, filter: {app: ["*7"], version: ["0.9.0"]}) { totalCount nodes { id version } } }`)
}

func BenchmarkReleasesWithDeployments(b *testing.B) {
	benchQuery(b, `{ releases(first: 50) { nodes { id deployments(first: 1) { totalCount nodes { name state } } } } }`)
}

func BenchmarkDeploymentsPage(b *testing.B) {
	benchQuery(b, `{ deployments(first: 50) { totalCount nodes { name appIdentifier version flavourName backendName state reason since replicas readyReplicas } } }`)
}

func BenchmarkPodsPage(b *testing.B) {
	benchQuery(b, `{ pods(first: 50) { totalCount nodes { name deploymentName state ready restarts startedAt } } }`)
}

func BenchmarkAppsSearch(b *testing.B) {
	benchQuery(b, `{ apps(search: "app 77", first: 50) { totalCount nodes { identifier name matches { field snippet } } } }`)
}

func BenchmarkMatchFlavour(b *testing.B) {
	benchQuery(b, `{ matchFlavour(app: "org.example.app0001") { decision { flavour backend } choices { flavour backend reason } } }`)
}
