package pages_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/internal/pages"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	older = "1111111111111111111111111111111111111111"
	newer = "2222222222222222222222222222222222222222"
	apps  = "3333333333333333333333333333333333333333"
)

// world is a desired state with one deployment that runs and one that cannot.
type world struct{ state *desired.State }

func (w world) Desired() engine.Desired { return engine.Desired{State: w.state} }

func (w world) Contains(context.Context, string, string) (bool, error) { return false, nil }

func (w world) Catalog() *catalog.Catalog {
	p := schema.Publication{
		Releases: []schema.Release{{Identifier: "hello", Version: "1.0.0", Flavours: []schema.Flavour{{Name: "cpu", Image: "hello:1"}}}},
		Problems: schema.Problems{{File: "manifest.yaml", Line: 3, Column: 7, Message: "unknown field <img>"}},
	}
	c, _ := catalog.New().With(catalog.Change{Repo: catalog.Repo{Name: "apps", Commit: apps}, Reset: true, Files: []catalog.File{{Path: "manifest.yaml", Publication: p}}})
	return c
}

// standing says of the commit in force more than the engine does, as the statuses
// of one do whose pod has died.
func standing(commit, deployment string) (string, bool) {
	return "failure", commit == newer && (deployment == "" || deployment == "bad")
}

// serve returns the pages of an engine that has settled.
func serve(t *testing.T, test func(get func(path string) *httptest.ResponseRecorder)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		j := journal.New(journal.Options{})
		j.Seed([]journal.CommitRecord{
			{Hash: newer, Message: "more <script>alert(1)</script>", Author: "Ada", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
			{Hash: older, Message: "first"},
		})
		e := engine.New(engine.Options{
			Backends: []engine.Backend{{Backend: memory.NewEngine(memory.Options{}).Open("test", "lab"), Config: schema.BackendConfig{Name: "lab", Type: schema.BackendDocker}}},
			Sources: world{desired.Of("test", newer, []*schema.Deployment{
				{Name: "good", App: "hello"}, {Name: "bad", App: "missing"},
			})},
			Logger: slog.New(slog.DiscardHandler), Journal: j,
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		e.Changed(engine.Change{Everything: true})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		h := pages.New(pages.Options{Instance: "lab", View: e.View, Journal: j, Standing: standing, Logger: slog.New(slog.DiscardHandler)})
		test(func(path string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			return w
		})
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestCommit(t *testing.T) {
	serve(t, func(get func(string) *httptest.ResponseRecorder) {
		for path, want := range map[string][]string{
			pages.Commits + newer: {
				"1 of 2 running", `verdict failure">failure<`, `<td>bad<td class="failure">waiting`, "no repo publishes this app", "declared before: 1.", "Ada, <time>2026-01-02 03:04:05 UTC", "in force",
				"&lt;script&gt;alert(1)", "What happened", "1 of 1 running 1.0.0 cpu on lab",
			},
			pages.Commits + newer[:8]: {"1 of 2 running"},
			pages.Commits + older:     {"unknown", "first"},
			pages.Commits + apps:      {"failure", "in the app repo apps", "<td>hello<td>1.0.0", "manifest.yaml:3:7: unknown field &lt;img&gt;"},
		} {
			w := get(path)
			if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("%s: %d %v", path, w.Code, w.Header())
			}
			for _, text := range want {
				if !strings.Contains(w.Body.String(), text) {
					t.Errorf("%s lacks %q:\n%s", path, text, w.Body)
				}
			}
		}
	})
}

func TestUnknownCommits(t *testing.T) {
	serve(t, func(get func(string) *httptest.ResponseRecorder) {
		for _, path := range []string{"4444444444444444444444444444444444444444", "222222", "x", "", newer + "/x"} {
			if w := get(pages.Commits + path); w.Code != http.StatusNotFound {
				t.Errorf("%s: %d", path, w.Code)
			}
		}
	})
}
