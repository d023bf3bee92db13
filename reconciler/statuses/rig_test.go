package statuses

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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

// An outbox keeps what a reporter says, and is the forge that has it.
type outbox struct {
	mu   sync.Mutex
	said []told
	has  map[string][]forge.Status // by commit
	fail error                     // of Known
}

type told struct {
	key string // repo, commit and context
	forge.Status
}

func (o *outbox) Set(repo, commit string, s forge.Status) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if slices.Contains(o.has[commit], s) {
		return // as a sender does
	}
	o.said = append(o.said, told{repo + " " + commit + " " + s.Context, s})
	others := slices.DeleteFunc(slices.Clone(o.has[commit]), func(old forge.Status) bool { return old.Context == s.Context })
	o.has[commit] = append(others, s)
}

func (o *outbox) Known(_ context.Context, _, commit string) ([]forge.Status, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.has[commit], o.fail
}

// rig is a reporter on an engine with one memory backend, in a bubble of
// testing/synctest.
type rig struct {
	t       *testing.T
	mu      sync.Mutex
	catalog *catalog.Catalog
	desired engine.Desired
	commits []string            // the newest first
	changes map[string][]string // what they changed

	machine  *memory.Engine
	engine   *engine.Engine
	reporter *Reporter
	outbox   *outbox
	cancel   context.CancelFunc
	ended    sync.WaitGroup
	late     time.Duration  // that the reporter begins after the engine
	looksOn  engine.Options // DryRun and Standby
}

func (r *rig) Desired() engine.Desired {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.desired
}

func (r *rig) Catalog() *catalog.Catalog {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.catalog
}

func (r *rig) Contains(context.Context, string, string) (bool, error) { return false, nil }

func (r *rig) history(_ context.Context, n int) ([]sources.Commit, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []sources.Commit
	for _, c := range r.commits[:min(n, len(r.commits))] {
		out = append(out, sources.Commit{Hash: c})
	}
	return out, nil
}

func (r *rig) changed(_ context.Context, commit string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changes[commit], nil
}

// bubble runs a test with Berth running, and nothing declared yet.
func bubble(t *testing.T, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		test(r)
		r.stop()
	})
}

func newRig(t *testing.T) *rig {
	return &rig{
		t: t, catalog: catalog.New(), changes: map[string][]string{}, machine: memory.NewEngine(memory.Options{}),
		outbox: &outbox{has: map[string][]forge.Status{}},
	}
}

func (r *rig) start() {
	ctx, cancel := context.WithCancel(r.t.Context())
	r.cancel = cancel
	j := journal.New(journal.Options{})
	log := slog.New(slog.DiscardHandler)
	r.engine = engine.New(engine.Options{
		Backends: []engine.Backend{{Backend: r.machine.Open("test", "lab"), Config: schema.BackendConfig{Name: "lab", Type: schema.BackendDocker}}},
		Sources:  r, Logger: log, Journal: j, DryRun: r.looksOn.DryRun, Standby: r.looksOn.Standby,
	})
	r.reporter = NewReporter(ReporterOptions{
		Engine: r.engine, Journal: j, Outbox: r.outbox, History: r.history, Changed: r.changed, Repo: "desired", Context: "berth",
		Page: func(commit string) string { return "https://berth.example/commits/" + commit }, Logger: log,
	})
	run := func(part func(context.Context) error, after time.Duration) {
		r.ended.Go(func() {
			time.Sleep(after)
			if err := part(ctx); err != nil {
				r.t.Error(err)
			}
		})
	}
	run(r.engine.Run, 0)
	run(r.reporter.Run, r.late)
	synctest.Wait()
	if r.desired.State != nil {
		r.engine.Changed(engine.Change{Everything: true})
	}
}

func (r *rig) stop() {
	r.cancel()
	r.ended.Wait()
}

func (r *rig) settle() {
	time.Sleep(10 * time.Second)
	synctest.Wait()
}

// publish has the app repo hold these versions of the app "hello".
func (r *rig) publish(versions ...string) {
	r.push(schema.Publication{}, versions...)
}

func (r *rig) push(p schema.Publication, versions ...string) {
	for _, v := range versions {
		p.Releases = append(p.Releases, schema.Release{Identifier: "hello", Version: v, Flavours: []schema.Flavour{{Name: "cpu", Image: "hello:" + v}}})
	}
	r.mu.Lock()
	commit := fmt.Sprintf("a%d", len(versions)+len(p.Problems)*10)
	r.catalog, _ = r.catalog.With(catalog.Change{
		Repo: catalog.Repo{Name: "apps", URL: "apps", Commit: commit}, Reset: true,
		Files: []catalog.File{{Path: "manifest.yaml", Publication: p}},
	})
	r.mu.Unlock()
	r.engine.Changed(engine.Change{Identifiers: []string{"hello"}})
	r.settle()
}

// declare has a new commit of the desired state hold these deployments; changed
// are those that it changes.
func (r *rig) declare(changed string, ds ...*schema.Deployment) {
	r.mu.Lock()
	commit := fmt.Sprintf("d%d", len(r.commits)+1)
	r.commits = slices.Insert(r.commits, 0, commit)
	r.desired.State = desired.Of("test", commit, ds)
	r.changes[commit] = strings.Fields(changed)
	r.mu.Unlock()
	r.engine.Changed(engine.Change{Deployments: strings.Fields(changed)})
}

func hello(name string, more ...func(*schema.Deployment)) *schema.Deployment {
	d := &schema.Deployment{Name: name, App: "hello", Position: schema.Position{File: name + ".yaml", Line: 1}}
	for _, f := range more {
		f(d)
	}
	return d
}

// expect checks what was said since it was called last: of each context its states
// in their order, and the last text. That it was pending in between is left out.
func (r *rig) expect(want ...string) {
	r.t.Helper()
	synctest.Wait()
	if got := r.outbox.take(); !slices.Equal(want, got) {
		r.t.Errorf("it said\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// take returns what was said since it was called last, in the order of contexts.
func (o *outbox) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	type history struct {
		states []string
		text   string
	}
	all := map[string]*history{}
	for _, s := range o.said {
		if all[s.key] == nil {
			all[s.key] = &history{}
		}
		h := all[s.key]
		h.states = slices.Compact(append(slices.DeleteFunc(h.states, func(before string) bool { return before == string(forge.Pending) }), string(s.State)))
		h.text = s.Description
	}
	o.said = nil
	var out []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		out = append(out, fmt.Sprintf("%s %s: %s", key, strings.Join(all[key].states, ", "), all[key].text))
	}
	return out
}

func (r *rig) pod(name string) memory.Container {
	for _, c := range r.machine.Containers() {
		if c.Deployment == name {
			return c
		}
	}
	r.t.Fatalf("%s has no pod", name)
	return memory.Container{}
}
