package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

// fakeSources are sources whose content a test sets.
type fakeSources struct {
	mu        sync.Mutex
	desired   engine.Desired
	catalog   *catalog.Catalog
	ancestors map[string]string // newer -> older
	history   error             // why the history cannot be read
}

func (f *fakeSources) Desired() engine.Desired {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.desired
}

func (f *fakeSources) Catalog() *catalog.Catalog {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.catalog
}

func (f *fakeSources) Contains(_ context.Context, newer, older string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ancestors[newer] == older, f.history
}

// set changes what the sources hold.
func (f *fakeSources) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// rig is an engine on memory backends with sources that the test sets. It lives
// in a bubble of testing/synctest: time is the test's.
type rig struct {
	t       *testing.T
	sources *fakeSources
	engines []*memory.Engine
	opened  []*memory.Backend // of all starts
	engine  *engine.Engine
	cancel  context.CancelFunc
	ended   chan error
	log     logBook
	commit  int
}

// A logBook keeps what is logged.
type logBook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBook) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// bubble runs a test with n engines, Berth serving.
func bubble(t *testing.T, n int, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, n)
		r.start()
		test(r)
		r.stop()
	})
}

// newRig returns a rig with n engines; start starts Berth.
func newRig(t *testing.T, n int) *rig {
	r := &rig{t: t, sources: &fakeSources{catalog: catalog.New()}}
	for range n {
		r.engines = append(r.engines, memory.NewEngine(memory.Options{}))
	}
	return r
}

// start starts Berth, with its options changed.
func (r *rig) start(change ...func(*engine.Options)) {
	var bs []engine.Backend
	for i, e := range r.engines {
		name := fmt.Sprintf("b%d", i)
		backend := e.Open("test", name)
		r.opened = append(r.opened, backend)
		bs = append(bs, engine.Backend{
			Backend: backend,
			Config:  schema.BackendConfig{Name: name, Type: schema.BackendDocker},
		})
	}
	o := engine.Options{Backends: bs, Sources: r.sources, Logger: slog.New(slog.NewTextHandler(&r.log, nil))}
	for _, f := range change {
		f(&o)
	}
	r.engine = engine.New(o)
	ctx, cancel := context.WithCancel(r.t.Context())
	r.cancel, r.ended = cancel, make(chan error, 1)
	go func() { r.ended <- r.engine.Run(ctx) }()
	synctest.Wait()
}

// stop ends Berth; the engines and their pods stay.
func (r *rig) stop() {
	r.cancel()
	if err := <-r.ended; err != nil {
		r.t.Errorf("Run: %v", err)
	}
}

// publish has the catalog hold these versions of the app "hello", and no other.
func (r *rig) publish(versions ...string) {
	r.fill(versions...)
	r.engine.Changed(engine.Change{Identifiers: []string{"hello"}})
	r.settle()
}

// fill does so without telling the engine.
func (r *rig) fill(versions ...string) {
	var p schema.Publication
	for _, v := range versions {
		p.Releases = append(p.Releases, schema.Release{
			Identifier: "hello", Version: v,
			Flavours: []schema.Flavour{{Name: "cpu", Image: "hello:" + v}},
		})
	}
	r.sources.set(func() {
		r.sources.catalog, _ = r.sources.catalog.With(catalog.Change{
			Repo: catalog.Repo{Name: "apps", Commit: "c"}, Reset: true, Files: []catalog.File{{Path: "manifest.yaml", Publication: p}},
		})
	})
}

// declare has the desired state hold these deployments, and no other.
func (r *rig) declare(ds ...*schema.Deployment) {
	r.engine.Changed(engine.Change{Deployments: r.swap(ds...)})
	r.settle()
}

// swap has the sources hold these deployments, without telling the engine; it
// returns the names that came, stayed or went.
func (r *rig) swap(ds ...*schema.Deployment) (names []string) {
	r.commit++
	commit := fmt.Sprintf("%040d", r.commit)
	if state := r.sources.desired.State; state != nil {
		for name := range state.Deployments() {
			names = append(names, name)
		}
	}
	for _, d := range ds {
		names = append(names, d.Name)
	}
	r.sources.set(func() { r.sources.desired.State = desired.Of("test", commit, ds) })
	return names
}

func hello(name string, more ...func(*schema.Deployment)) *schema.Deployment {
	d := &schema.Deployment{Name: name, App: "hello", Position: schema.Position{File: name + ".yaml", Line: 1}}
	for _, f := range more {
		f(d)
	}
	return d
}

// settle lets a while pass, long enough for pods to become ready.
func (r *rig) settle() {
	time.Sleep(10 * time.Second)
	synctest.Wait()
}

// status returns where a deployment stands when nothing more happens at this moment.
func (r *rig) status(name string) engine.Status {
	synctest.Wait()
	s, _ := r.engine.View().Status(name)
	return s
}

// expect checks a deployment's state and the words of its reason.
func (r *rig) expect(name string, state engine.State, reason string) {
	r.t.Helper()
	if s := r.status(name); s.State != state || !strings.Contains(s.Reason, reason) {
		r.t.Errorf("%s is %q (%s), want %q (…%s…)\n%s", name, s.State, s.Reason, state, reason, r.log.String())
	}
}

// pods lists the containers of a deployment, on all engines.
func (r *rig) pods(name string) []memory.Container {
	var out []memory.Container
	for _, e := range r.engines {
		for _, c := range e.Containers() {
			if c.Deployment == name {
				out = append(out, c)
			}
		}
	}
	return out
}

func (r *rig) writes() int {
	n := 0
	for _, b := range r.opened {
		n += b.Writes()
	}
	return n
}
