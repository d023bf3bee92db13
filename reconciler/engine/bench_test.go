package engine_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

// The sizes at which docs/design.md sets its goals.
const (
	benchApps        = 1000
	benchReleases    = 10
	benchDeployments = 10_000
)

// stillBackend runs every workload that it is given, at once and for nothing, so
// that what is measured is the engine and not a container engine.
type stillBackend struct {
	backends.Backend // what a benchmark does not need
	pods             []backends.Pod
	applied          chan string
}

func (b *stillBackend) Name() string { return "still" }
func (b *stillBackend) Capacity(context.Context) (backends.Capacity, error) {
	return backends.Capacity{CPU: 1e9, Memory: 1 << 50, Arch: "amd64", OS: "linux", OneHost: true}, nil
}
func (b *stillBackend) Pods(context.Context) ([]backends.Pod, error) { return b.pods, nil }
func (b *stillBackend) Watch(ctx context.Context, notify func(backends.Event)) error {
	notify(backends.Event{})
	<-ctx.Done()
	return ctx.Err()
}
func (b *stillBackend) Apply(_ context.Context, w backends.Workload, _ func(backends.Step)) (backends.Progress, error) {
	p := podOf(w)
	b.applied <- w.Deployment
	return backends.Progress{Phase: backends.PhaseReady, Pods: []backends.Pod{p}}, nil
}
func (b *stillBackend) Remove(context.Context, string, func(backends.Step)) error { return nil }
func (b *stillBackend) Owned(context.Context) ([]backends.Object, error)          { return nil, nil }
func (b *stillBackend) Uninstall(context.Context, bool, func(backends.Step)) error {
	return nil
}
func (b *stillBackend) Close() error { return nil }

func podOf(w backends.Workload) backends.Pod {
	return backends.Pod{
		Backend: "still", ID: w.Deployment, Name: w.Deployment, Deployment: w.Deployment, App: w.App, Release: w.Release,
		Flavour: w.Flavour, SpecHash: w.SpecHash(), InputHash: w.InputHash(), State: backends.PodRunning,
		StartedAt: time.Now().Add(-time.Hour), Image: w.Pod.Image,
	}
}

func benchCatalog() *catalog.Catalog {
	c := catalog.New()
	for a := range benchApps {
		var p schema.Publication
		for r := range benchReleases {
			version := fmt.Sprintf("0.%d.0", r)
			p.Releases = append(p.Releases, schema.Release{
				Identifier: fmt.Sprintf("org.example.app%04d", a), Version: version, Name: fmt.Sprintf("App %d", a),
				Flavours: []schema.Flavour{
					{Name: "cuda", Image: "example/app:" + version + "-cuda", Priority: 1, Selectors: []schema.Selector{{Kind: schema.SelectCUDA, Required: true, Weight: 1}}},
					{Name: "cpu", Image: "example/app:" + version, Priority: 2},
				},
			})
		}
		c, _ = c.With(catalog.Change{
			Repo:  catalog.Repo{Name: "apps", Commit: "c"},
			Files: []catalog.File{{Path: fmt.Sprintf("app%04d/manifest.yaml", a), Publication: p}},
		})
	}
	return c
}

// BenchmarkOneChange measures, with 10,000 deployments of 1,000 apps running,
// from a change of one deployment to its Apply, and what all of it holds in memory.
func BenchmarkOneChange(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	deployments := make([]*schema.Deployment, benchDeployments)
	for i := range deployments {
		deployments[i] = &schema.Deployment{
			Name: fmt.Sprintf("d%05d", i), App: fmt.Sprintf("org.example.app%04d", i%benchApps), Version: "^0",
			Position: schema.Position{File: fmt.Sprintf("d/%05d.yaml", i), Line: 1},
		}
	}
	src := &fakeSources{catalog: benchCatalog(), desired: engine.Desired{State: desired.Of("bench", "c0", deployments)}}
	backend := &stillBackend{applied: make(chan string, benchDeployments)}
	e := engine.New(engine.Options{
		Backends: []engine.Backend{{Backend: backend, Config: schema.BackendConfig{Name: "still", Type: schema.BackendDocker}}}, Sources: src,
		Journal: journal.New(journal.Options{}),
	})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	for range benchDeployments {
		<-backend.applied
	}
	for e.View().Outcome.Verdict != engine.Success {
		time.Sleep(time.Millisecond)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)

	i := 0
	for b.Loop() {
		i++
		d := *deployments[i%benchDeployments]
		d.Env = map[string]string{"ROUND": fmt.Sprint(i)}
		src.set(func() {
			src.desired.State, _ = src.desired.State.With(fmt.Sprintf("c%d", i), desired.FileChange{
				Path: d.Position.File, Parsed: schema.DesiredFile{Deployments: []*schema.Deployment{&d}},
			})
		})
		e.Changed(engine.Change{Deployments: []string{d.Name}})
		<-backend.applied
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "heap-MB")
	cancel()
	<-ended
}
