package follow

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berthdev/berth/internal/gittest"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/git"
)

// A repository is a working copy on this machine.
type repository struct {
	t   *testing.T
	dir string
}

func newRepository(t *testing.T, name string) repository {
	t.Helper()
	r := repository{t, filepath.Join(t.TempDir(), name)}
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	return r
}

func (r repository) git(args ...string) {
	r.t.Helper()
	runGit(r.t, r.dir, args...)
}

// commit commits files; an empty text removes one.
func (r repository) commit(message string, files map[string]string) {
	r.t.Helper()
	for name, text := range files {
		name = filepath.Join(r.dir, name)
		err := os.MkdirAll(filepath.Dir(name), 0o700)
		if err == nil && text != "" {
			err = os.WriteFile(name, []byte(text), 0o600)
		} else if err == nil {
			err = os.Remove(name)
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", message)
}

// runHub follows a desired state until the test ends.
func runHub(t *testing.T, desired string) *Hub {
	t.Helper()
	return runHubIn(t, t.TempDir(), desired)
}

// runHubIn does so with the mirrors in a folder.
func runHubIn(t *testing.T, folder, desired string) *Hub {
	t.Helper()
	data, err := git.OpenDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	h := New(Options{
		Desired: schema.Desired{URL: desired, Path: ".", Interval: new(schema.Duration(time.Hour))},
		Open: func(s Spec) (sources.Source, error) {
			return git.Open(git.Options{Dir: data, URL: s.URL, Ref: s.Ref, History: s.History})
		},
		Same:   git.SameRepo,
		Key:    git.RepoKey,
		Redact: git.Redact,
		LocalDir: func(url string) (string, bool) {
			at, err := git.ParseURL(url)
			return at.Path, err == nil && at.IsLocal()
		},
		Watch:  true,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := data.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// wait waits until a condition holds and returns how long that took.
func wait(t *testing.T, what string, holds func() bool) time.Duration {
	t.Helper()
	started := time.Now()
	for !holds() {
		if time.Since(started) > time.Minute {
			t.Fatalf("still waiting for: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(started)
}

// A server that accepts connections and never answers holds up nothing that a
// former process has stored.
func TestWhatIsStoredIsUsedWhileTheServerHangs(t *testing.T) {
	repos := gittest.New(t)
	work := newRepository(t, "work")
	work.commit("first", map[string]string{"a.yaml": deployment("a", "org.a")})
	repos.Init("desired").Git("fetch", "-q", work.dir, "main:main")
	var hangs atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hangs.Load() {
			<-r.Context().Done()
			return
		}
		repos.Serve(w, r, "")
	}))
	defer server.Close()
	url, folder := server.URL+"/desired.git", t.TempDir()
	declared := func(h *Hub) func() bool {
		return func() bool {
			if h.State() == nil {
				return false
			}
			_, ok := h.State().Deployment("a")
			return ok
		}
	}
	t.Run("it answers", func(t *testing.T) {
		h := runHubIn(t, folder, url)
		wait(t, "the first commit", declared(h))
	})
	t.Run("it hangs", func(t *testing.T) {
		hangs.Store(true)
		h := runHubIn(t, folder, url)
		wait(t, "what is stored", declared(h))
		if s := h.desired.status(); !s.Stored {
			t.Errorf("status: %+v", s)
		}
	})
}

// TestALocalCommitTakesEffectAtOnce follows real repositories that are polled
// once an hour: everything happens by file events.
func TestALocalCommitTakesEffectAtOnce(t *testing.T) {
	apps, desired := newRepository(t, "apps"), newRepository(t, "desired")
	apps.commit("first", map[string]string{"fiji/manifest.yaml": manifest("org.fiji", "1.0.0")})
	repo := "kind: Repo\nname: apps\nurl: " + apps.dir + "\ninterval: 1h\n"
	desired.commit("first", map[string]string{"repos.yaml": repo, "fiji.yaml": deployment("fiji", "org.fiji")})
	h := runHub(t, "file://"+desired.dir)
	version := func() string {
		release, _, err := h.Catalog().Resolve("org.fiji", "")
		if err != nil {
			return ""
		}
		return release.Version
	}
	declared := func(name string) bool {
		if h.State() == nil {
			return false
		}
		_, ok := h.State().Deployment(name)
		return ok
	}
	wait(t, "the first release", func() bool { return version() == "1.0.0" })
	apps.commit("second", map[string]string{"fiji/manifest.yaml": manifest("org.fiji", "1.1.0")})
	t.Logf("a new release after %s", wait(t, "the second release", func() bool { return version() == "1.1.0" }))
	desired.commit("second", map[string]string{"more/napari.yaml": deployment("napari", "org.fiji")})
	t.Logf("a new deployment after %s", wait(t, "the new deployment", func() bool { return declared("napari") }))

	desired.git("reset", "-q", "--hard", "HEAD~1")
	wait(t, "the rewound branch", func() bool { return h.View().Rewound != "" && !declared("napari") })
	desired.commit("drop napari\n\nBerth-Confirm: removal", nil)
	wait(t, "the confirmation", func() bool { return h.View().Rewound == "" && Confirmed(h.Head().Message) })

	if err := os.Rename(apps.dir, apps.dir+".away"); err != nil {
		t.Fatal(err)
	}
	h.WakeAll()
	wait(t, "a problem", func() bool { return strings.Contains(h.Sources()[1].Problem, apps.dir) })
	if v := version(); v != "1.1.0" {
		t.Errorf("while the repository is away, the release is %q", v)
	}
	if err := os.Rename(apps.dir+".away", apps.dir); err != nil {
		t.Fatal(err)
	}
	h.Wake(hint(apps.dir, "main"))
	wait(t, "no problem", func() bool { return h.Sources()[1].Problem == "" })
}
