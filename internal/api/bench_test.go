package api

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"syscall"
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

// busy is an API over an engine that has 10,000 deployments of 1,000 apps.
type busy struct {
	api     *API
	engine  *engine.Engine
	feed    *feed
	docs    []*schema.Deployment
	backend *stillBackend
	changes atomic.Int64
}

func newBusy(b *testing.B) *busy {
	b.Helper()
	u := &busy{backend: &stillBackend{applied: make(chan struct{}, benchDeployments)}}
	for i := range benchDeployments {
		u.docs = append(u.docs, &schema.Deployment{
			Name: fmt.Sprintf("d%05d", i), App: fmt.Sprintf("org.example.app%04d", i%benchApps), Version: "^0",
			Position: schema.Position{File: fmt.Sprintf("d/%05d.yaml", i), Line: 1},
		})
	}
	u.feed = &feed{catalog: benchCatalog(benchApps, benchReleases, "an app of many"), state: desired.Of("bench", "c0", u.docs)}
	config := schema.BackendConfig{Name: "still", Type: schema.BackendDocker}
	u.engine = engine.New(engine.Options{Backends: []engine.Backend{{Backend: u.backend, Config: config}}, Sources: u.feed})
	hub := &fakeHub{statuses: []follow.Status{{Name: follow.DesiredName}}}
	var err error
	if u.api, err = New(Options{Instance: "bench", Engine: u.engine, Hub: hub, Journal: journal.New(journal.Options{})}); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- u.engine.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-ended })
	for range u.docs {
		<-u.backend.applied
	}
	for u.engine.Outcome().Verdict != engine.Success {
		time.Sleep(time.Millisecond)
	}
	return u
}

// keepChanging carries out a change of one deployment after the other, until it
// is stopped.
func (u *busy) keepChanging(b *testing.B) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := 1; ctx.Err() == nil; n++ {
			u.change(n)
			select {
			case <-u.backend.applied:
				u.changes.Add(1)
			case <-ctx.Done():
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// change declares a deployment otherwise.
func (u *busy) change(n int) {
	d := *u.docs[n%len(u.docs)]
	d.Env = map[string]string{"ROUND": fmt.Sprint(n)}
	u.feed.set(func() {
		u.feed.state, _ = u.feed.state.With(fmt.Sprintf("c%d", n), desired.FileChange{
			Path: d.Position.File, Parsed: schema.DesiredFile{Deployments: []*schema.Deployment{&d}},
		})
	})
	u.engine.Changed(engine.Change{Deployments: []string{d.Name}})
}

// benchQuery asks a query again and again: first alone, then as several clients
// at once do while the engine carries out changes as fast as it can. It tells how
// many queries are answered in a second, how much CPU time one takes, and how many
// changes are carried out meanwhile.
func benchQuery(b *testing.B, query string) {
	u := newBusy(b)
	ask := func() {
		r := u.api.Execute(context.Background(), query, "", nil)
		if _, err := json.Marshal(r); err != nil || len(r.Errors) > 0 {
			b.Error(err, r.Errors)
		}
	}
	b.Run("idle", func(b *testing.B) {
		b.ReportAllocs()
		before := cpuTime(b)
		for b.Loop() {
			ask()
		}
		b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-us/query")
	})
	stop := u.keepChanging(b)
	defer stop()
	b.Run("reconciling", func(b *testing.B) {
		before := u.changes.Load()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				ask()
			}
		})
		seconds := b.Elapsed().Seconds()
		b.ReportMetric(float64(b.N)/seconds, "queries/s")
		b.ReportMetric(float64(u.changes.Load()-before)/seconds, "changes/s")
	})
}

// cpuTime is how much CPU time the process took until now.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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
