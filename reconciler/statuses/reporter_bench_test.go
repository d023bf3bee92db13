package statuses

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
	"github.com/berthdev/berth/sources/forge"
)

// deaf is an outbox that nobody reads.
type deaf struct{}

func (deaf) Set(string, string, forge.Status) {}

func (deaf) Known(context.Context, string, string) ([]forge.Status, error) { return nil, nil }

// BenchmarkUpdate measures a wake for one of 10,000 deployments, of 1,000 apps in
// as many repos, all of which follow what their repos have just published.
func BenchmarkUpdate(b *testing.B) {
	r := &rig{catalog: catalog.New()}
	var all []*schema.Deployment
	var pushes [2][]catalog.Change
	for i := range 1000 {
		app := fmt.Sprintf("app%04d", i)
		for push := range pushes {
			repo := catalog.Repo{Name: app, URL: app, Commit: fmt.Sprint(push)}
			pushes[push] = append(pushes[push], catalog.Change{Repo: repo, Files: []catalog.File{published(app, fmt.Sprintf("1.0.%d", push))}})
		}
		for n := range 10 {
			all = append(all, &schema.Deployment{Name: fmt.Sprintf("%s-%d", app, n), App: app, Replicas: new(int)}) // ready at once
		}
	}
	r.catalog, _ = r.catalog.With(pushes[0]...)
	r.desired.State = desired.Of("bench", "d1", all)
	j := journal.New(journal.Options{})
	log := slog.New(slog.DiscardHandler)
	e := engine.New(engine.Options{
		Backends: []engine.Backend{{
			Backend: memory.NewEngine(memory.Options{}).Open("bench", "lab"),
			Config:  schema.BackendConfig{Name: "lab", Type: schema.BackendDocker},
		}},
		Sources: r, Logger: log, Journal: j,
	})
	reporter := NewReporter(ReporterOptions{
		Engine: e, Journal: j, Outbox: deaf{}, Repo: "desired", Context: "berth", Logger: log,
		History: func(context.Context, int) ([]sources.Commit, error) { return nil, nil },
		Changed: func(context.Context, string) ([]string, error) { return nil, nil },
	})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	defer func() {
		cancel()
		<-ended
		reporter.hush()
		reporter.running.Wait()
	}()
	e.Changed(engine.Change{Everything: true})
	for e.View().Plan == nil {
		time.Sleep(10 * time.Millisecond)
	}
	reporter.update(ctx, nil)
	r.mu.Lock()
	r.catalog, _ = r.catalog.With(pushes[1]...)
	r.mu.Unlock()
	e.Changed(engine.Change{Everything: true})
	for n := 0; n < 10_000; n = e.View().States()[engine.StateReady] {
		time.Sleep(10 * time.Millisecond)
	}
	names := make([]string, len(all))
	for i, d := range all {
		names[i] = d.Name
	}
	reporter.update(ctx, names)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		at := i * 7919 % len(names)
		reporter.update(ctx, names[at:at+1])
	}
}
