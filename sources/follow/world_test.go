package follow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/schema/publication"
	"github.com/berthdev/berth/sources"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const desiredURL = "https://git.example.org/desired.git"

// A world is a hub and the repositories that it can reach.
type world struct {
	*Hub
	t       *testing.T
	desired *fakeRepo
	metrics *prometheus.Registry

	mu      sync.Mutex
	repos   map[string]*fakeRepo
	changes []Change
	parsed  []string // files that were parsed, in order
	log     bytes.Buffer
}

func newWorld(t *testing.T, change ...func(*Options)) *world {
	w := &world{t: t, desired: newFakeRepo(desiredURL), metrics: prometheus.NewRegistry(), repos: map[string]*fakeRepo{}}
	w.repos[desiredURL] = w.desired
	o := Options{
		Desired: schema.Desired{URL: desiredURL, Path: "."},
		Open: func(s Spec) (sources.Source, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if r := w.repos[s.URL]; r != nil {
				return r.source(), nil
			}
			return nil, &schema.Error{Op: "open", Resource: s.URL, Kind: schema.Invalid, Err: errors.New("no such repository")}
		},
		Same:          func(a, b string) bool { return strings.TrimSuffix(a, ".git") == strings.TrimSuffix(b, ".git") },
		Redact:        func(url string) string { return strings.ReplaceAll(url, "hunter2", "***") },
		LocalDir:      func(string) (string, bool) { return "", false },
		Logger:        slog.New(slog.NewTextHandler(locked{w}, &slog.HandlerOptions{Level: slog.LevelInfo})),
		Notify:        w.notified,
		Metrics:       w.metrics,
		parseDesired:  schema.DecodeDesired,
		parseManifest: publication.Read,
	}
	for _, f := range change {
		f(&o)
	}
	parseDesired, parseManifest := o.parseDesired, o.parseManifest
	o.parseDesired = func(path string, data []byte) schema.DesiredFile {
		w.noteParsed(path)
		return parseDesired(path, data)
	}
	o.parseManifest = func(path string, data []byte) schema.Publication {
		w.noteParsed(path)
		return parseManifest(path, data)
	}
	w.Hub = New(o)
	return w
}

// locked writes to the log of a world.
type locked struct{ *world }

func (l locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

func (w *world) notified(c Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes = append(w.changes, c)
}

func (w *world) noteParsed(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parsed = append(w.parsed, path)
}

// repo adds an app repository to the world, not to the desired state.
func (w *world) repo(name string) *fakeRepo {
	r := newFakeRepo("https://git.example.org/" + name + ".git")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.repos[r.url] = r
	return r
}

// run runs the hub until the test ends.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// takeChanges returns what was told since it was last called, and the files
// that were parsed.
func (w *world) takeChanges() ([]Change, []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	changes, parsed := w.changes, w.parsed
	w.changes, w.parsed = nil, nil
	return changes, parsed
}

func (w *world) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

// status returns where following a source stands.
func (w *world) status(name string) Status {
	for _, s := range w.Sources() {
		if s.Name == name {
			return s
		}
	}
	w.t.Errorf("there is no source %q", name)
	return Status{}
}

// apps returns what is published, as "org.fiji@1.0.0".
func (w *world) apps() []string {
	var all []string
	for _, app := range w.Catalog().Apps() {
		for _, r := range app.Releases {
			all = append(all, app.Identifier+"@"+r.Version)
		}
	}
	return all
}

func (w *world) wantApps(want ...string) {
	w.t.Helper()
	if got := w.apps(); !slices.Equal(got, want) {
		w.t.Errorf("apps: %q, want %q", got, want)
	}
}

func (w *world) wantDeployments(want ...string) {
	w.t.Helper()
	var got []string
	if state := w.State(); state != nil {
		for name := range state.Deployments() {
			got = append(got, name)
		}
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("deployments: %q, want %q", got, want)
	}
}

func manifest(identifier, version string) string {
	return fmt.Sprintf("identifier: %s\nversion: %s\nflavours:\n  - {name: cpu, image: %s:%s}\n", identifier, version, identifier, version)
}

func deployment(name, app string) string {
	return fmt.Sprintf("kind: Deployment\nname: %s\napp: %s\n", name, app)
}

func repoDocument(name string, more ...string) string {
	return fmt.Sprintf("kind: Repo\nname: %s\nurl: https://git.example.org/%s.git\n%s\n", name, name, strings.Join(more, "\n"))
}

// away is what a remote that does not answer gives.
func away(text string) error {
	return &schema.Error{Op: "fetch", Resource: "https://git.example.org", Kind: schema.Transient, Err: errors.New(text)}
}

// between tells whether a time is within a tenth of another.
func between(got, want time.Duration) bool {
	return got >= want-want/10-time.Millisecond && got <= want+want/10+time.Millisecond
}

// hint says that a ref of a repository moved.
func hint(url, ref string) sources.Hint { return sources.Hint{URLs: []string{url}, Ref: ref} }
