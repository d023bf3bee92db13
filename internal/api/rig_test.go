package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/schema/publication"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
	"github.com/berthdev/berth/sources/follow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is an API over an engine that runs, on two engines in memory. It lives in
// a bubble of testing/synctest, so that its times are always the same.
type rig struct {
	t       testing.TB
	api     *API
	engine  *engine.Engine
	journal *journal.Journal
	hub     *fakeHub
	feed    *feed
	docker  *memory.Engine
}

// commitHash is a hash that tells commits of tests apart.
func commitHash(n int) string { return fmt.Sprintf("%02x%038x", 0xa0+n, n) }

// inWorld runs a test in the world of testdata/world, once everything has settled.
func inWorld(t *testing.T, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.engine.Run(ctx) }()
		r.settle()
		r.remember()
		test(r)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, journal: journal.New(journal.Options{}), feed: readWorld(t)}
	east := time.FixedZone("", 3600) // an engine may tell its times so; the API tells all of them in UTC
	r.docker = memory.NewEngine(memory.Options{
		Now: func() time.Time { return time.Now().In(east) },
		Capacity: backends.Capacity{
			Labels: map[string]string{"site": "lab"}, Engine: "Docker 28.2, API 1.50",
			GPUs: []backends.GPU{{ID: "0", Vendor: schema.NVIDIA, Version: "12.4", Memory: 24e9}, {ID: "1", Vendor: schema.NVIDIA}},
		},
		Images: map[string]memory.Image{
			"postgres:16.4": {UsedCPU: 120, UsedMemory: 90e6}, "stardist/stardist:0.4.10-cuda": {UsedCPU: 1500, UsedMemory: 3e9},
			"fiji/fiji:2.15.0": {Exits: true, ExitCode: 3, Output: "no display\n"},
		},
	})
	cluster := memory.NewEngine(memory.Options{Capacity: backends.Capacity{Engine: "Kubernetes 1.34"}})
	open := []engine.Backend{
		{Backend: r.docker.Open("lab", "docker"), Config: schema.BackendConfig{Name: "docker", Type: schema.BackendDocker, Priority: 5}},
		{Backend: cluster.Open("lab", "cluster"), Config: schema.BackendConfig{Name: "cluster", Type: schema.BackendKubernetes}},
	}
	r.engine = engine.New(engine.Options{Backends: open, Sources: r.feed, Random: func() float64 { return 0 }})
	r.hub = &fakeHub{statuses: []follow.Status{
		{
			Name: follow.DesiredName, URL: "https://git.example.org/lab/desired.git", Commit: commitHash(1), Message: "Run Fiji",
			Attempt: time.Now(), Success: time.Now(), Next: time.Now().Add(30 * time.Second),
		},
		{Name: "apps", URL: "https://git.example.org/lab/apps.git", Ref: "main", Commit: commitHash(8), Attempt: time.Now(), Success: time.Now()},
		{Name: "community", URL: "https://git.example.org/community/apps.git", Commit: commitHash(9), Attempt: time.Now(), Problem: "it does not answer", Failures: 3},
	}}
	a, err := New(Options{
		Instance: "lab", Version: "1.2.3", Started: time.Now(), Engine: r.engine, Hub: r.hub, Journal: r.journal,
		Backends: []backends.Backend{open[0].Backend, open[1].Backend},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.api = a
	return r
}

// remember fills the journal as an instance does that has run for a while.
func (r *rig) remember() {
	for n, message := range []string{"Begin", "Run Fiji"} {
		r.journal.InForce(commitHash(n), time.Now(), []string{"fiji"})
		r.journal.Seed([]journal.CommitRecord{{Hash: commitHash(n), Message: message, Author: "Anna", Time: time.Now().Add(time.Duration(n) * time.Minute)}})
	}
	r.journal.Outcome(commitHash(1), journal.VerdictFailure, "4 of 6 running; fiji: it ended with exit code 3")
	for _, e := range []journal.Event{
		{Kind: journal.Commit, Commit: commitHash(1), Message: "Run Fiji"},
		{Kind: journal.Step, Deployment: "fiji", Backend: "docker", Message: "create fiji-0"},
		{Kind: journal.State, Severity: journal.Error, Deployment: "fiji", App: "org.fiji", State: "failed", Message: "it ended with exit code 3"},
		{Kind: journal.Source, Severity: journal.Warning, Source: "community", Message: "it does not answer"},
	} {
		time.Sleep(time.Second)
		r.journal.Record(e)
	}
	r.journal.Begin(journal.Rollout{Deployment: "fiji", Version: "2.15.0", Flavour: "vanilla", Backend: "docker", Commit: commitHash(1), Input: "x"})
	r.journal.Turn("fiji", journal.Failed, "it ended with exit code 3")
}

// settle lets a while pass, long enough for pods to become ready or to fail.
func (r *rig) settle() {
	time.Sleep(5 * time.Minute)
	synctest.Wait()
}

// answer is what a query is answered, for reading.
type answer struct {
	Data   any
	Errors []struct {
		Message    string
		Path       []any
		Extensions struct{ Code, Hint string }
	}
}

// ask returns the answer to a query.
func (r *rig) ask(query string, variables map[string]any) answer {
	r.t.Helper()
	return read(r.t, r.askJSON(query, variables))
}

func read(t testing.TB, text []byte) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return a
}

// askJSON returns the answer as a client sees it, indented.
func (r *rig) askJSON(query string, variables map[string]any) []byte {
	r.t.Helper()
	text, err := json.Marshal(r.api.Execute(r.t.Context(), query, "", variables))
	if err != nil {
		r.t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		r.t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

// feed is what an engine reads: the documents of testdata/world.
type feed struct {
	mu      sync.Mutex
	state   *desired.State
	catalog *catalog.Catalog
}

func (f *feed) Desired() engine.Desired {
	f.mu.Lock()
	defer f.mu.Unlock()
	return engine.Desired{State: f.state}
}

func (f *feed) Catalog() *catalog.Catalog {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.catalog
}

func (f *feed) Contains(context.Context, string, string) (bool, error) { return true, nil }

func readWorld(t testing.TB) *feed {
	t.Helper()
	f := &feed{state: desired.New("https://git.example.org/lab/desired.git"), catalog: catalog.New()}
	var changes []desired.FileChange
	for path, text := range readFiles(t, "desired") {
		changes = append(changes, desired.FileChange{Path: path, Raw: text, Parsed: schema.DecodeDesired(path, text)})
	}
	f.state, _ = f.state.With(commitHash(1), changes...)
	for n, repo := range []catalog.Repo{
		{Name: "apps", URL: "https://git.example.org/lab/apps.git", Priority: 10, Commit: commitHash(8)},
		{Name: "community", URL: "https://git.example.org/community/apps.git", Commit: commitHash(9), Apps: []string{"org.stardist", "org.fiji"}, Problem: "it does not answer"},
	} {
		change := catalog.Change{Repo: repo}
		for path, text := range readFiles(t, []string{"apps", "community"}[n]) {
			change.Files = append(change.Files, catalog.File{Path: path, Publication: publication.Read(path, text), Raw: text})
		}
		f.catalog, _ = f.catalog.With(change)
	}
	return f
}

// readFiles returns the files of a folder of testdata/world, by name.
func readFiles(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "world", folder, "*.yaml"))
	if err != nil || len(paths) == 0 {
		t.Fatal("no files in", folder, err)
	}
	out := map[string][]byte{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(path)] = text
	}
	return out
}

// fakeHub follows nothing; it tells what it was given.
type fakeHub struct {
	mu       sync.Mutex
	statuses []follow.Status
	woken    []string
}

func (h *fakeHub) Sources() []follow.Status { return h.statuses }

func (h *fakeHub) WakeSource(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.woken = append(h.woken, name)
	return slices.ContainsFunc(h.statuses, func(s follow.Status) bool { return s.Name == name })
}

func (h *fakeHub) WakeAll() { h.WakeSource("") }

// set changes what the engine reads.
func (f *feed) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// changed tells the engine that the sources are others now, and waits until it
// shows it.
func (r *rig) changed(c *catalog.Catalog) {
	r.engine.Changed(engine.Change{Everything: true})
	r.settle()
	if r.engine.View().Catalog != c {
		r.t.Fatal("the engine does not show the catalog that was set")
	}
}
