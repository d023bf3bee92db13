package git

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdVariable); dir != "" {
		holdFolder(dir)
	}
	if fetched := os.Getenv(fetchVariable); fetched != "" {
		fetchUntilKilled(fetched)
	}
	if proxied := os.Getenv(proxyVariable); proxied != "" {
		updateThroughProxy(proxied)
	}
	goleak.VerifyTestMain(m)
}

// need finds a program of the machine. Without it a test is skipped; in CI it fails.
func need(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", names[0])
	}
	t.Skipf("%s is not installed", names[0])
	return ""
}

// runGit runs the real git, away from the machine's configuration.
func runGit(t testing.TB, dir string, args ...string) string {
	t.Helper()
	return runGitWith(t, dir, "", args...)
}

// runGitWith gives git a text to read.
func runGitWith(t testing.TB, dir, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command(need(t, "git"), args...)
	cmd.Dir = dir
	cmd.Env = gitEnv()
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func gitEnv() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_CONFIG_COUNT=3", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		"GIT_CONFIG_KEY_1=init.defaultBranch", "GIT_CONFIG_VALUE_1=main",
		"GIT_CONFIG_KEY_2=gc.auto", "GIT_CONFIG_VALUE_2=0",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z",
	}
}

// A repo is a working repository that pushes to a bare one beside it.
type repo struct {
	t    testing.TB
	dir  string // working repository
	bare string // what is followed
}

func newRepo(t testing.TB) *repo {
	t.Helper()
	root := t.TempDir()
	r := &repo{t: t, dir: filepath.Join(root, "work"), bare: filepath.Join(root, "repo.git")}
	runGit(t, root, "init", "-q", "--bare", r.bare)
	runGit(t, root, "init", "-q", r.dir)
	runGit(t, r.dir, "remote", "add", "origin", r.bare)
	return r
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	return runGit(r.t, r.dir, args...)
}

// write changes files: path, content, path, content, ... An empty content removes.
func (r *repo) write(files ...string) {
	r.t.Helper()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(r.dir, files[i])
		if files[i+1] == "" {
			must(r.t, os.Remove(name))
			continue
		}
		must(r.t, os.MkdirAll(filepath.Dir(name), 0o755))
		must(r.t, os.WriteFile(name, []byte(files[i+1]), 0o644))
	}
}

func (r *repo) commit(message string, files ...string) string {
	r.t.Helper()
	r.write(files...)
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", message)
	return r.git("rev-parse", "HEAD")
}

// push commits and pushes the current branch, by force.
func (r *repo) push(message string, files ...string) string {
	r.t.Helper()
	commit := r.commit(message, files...)
	r.git("push", "-q", "-f", "origin", "HEAD")
	return commit
}

// A server is a git server over HTTP, by git http-backend.
type server struct {
	*httptest.Server
	root     string
	user     string // empty: everybody may read
	password string

	requests atomic.Int64
	sent     atomic.Int64 // bytes of answers
	mu       sync.Mutex
	seen     []*http.Request
	handle   func(http.ResponseWriter, *http.Request) bool // true: answered
}

func newServer(t testing.TB, r *repo) *server {
	t.Helper()
	s := unstartedServer(t, r)
	s.Server.Start()
	return s
}

func unstartedServer(t testing.TB, r *repo) *server {
	t.Helper()
	backend := filepath.Join(strings.TrimSpace(runGit(t, r.dir, "--exec-path")), "git-http-backend")
	s := &server{root: filepath.Dir(r.bare)}
	handler := &cgi.Handler{
		Path:   backend,
		Stderr: io.Discard,
		Env:    append([]string{"GIT_PROJECT_ROOT=" + s.root, "GIT_HTTP_EXPORT_ALL=1"}, gitEnv()...),
	}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.requests.Add(1)
		s.mu.Lock()
		s.seen = append(s.seen, req.Clone(context.Background()))
		handle := s.handle
		s.mu.Unlock()
		if handle != nil && handle(w, req) {
			return
		}
		if user, password, _ := req.BasicAuth(); s.user != "" && (user != s.user || password != s.password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		handler.ServeHTTP(&countingWriter{ResponseWriter: w, n: &s.sent}, req)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) setHandle(handle func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle = handle
}

func (s *server) repoURL() string { return s.URL + "/repo.git" }

type countingWriter struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (w *countingWriter) Write(b []byte) (int, error) {
	w.n.Add(int64(len(b)))
	return w.ResponseWriter.Write(b)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openDir(t testing.TB) *Dir {
	t.Helper()
	d, err := OpenDir(filepath.Join(t.TempDir(), "data"))
	must(t, err)
	t.Cleanup(func() { d.Close() })
	return d
}

func open(t testing.TB, opts Options) sources.Source {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s, err := Open(opts)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Logf("%s", bytes.TrimSpace(b))
	return len(b), nil
}

func update(t testing.TB, s sources.Source) *sources.Snapshot {
	t.Helper()
	snap, err := s.Update(context.Background())
	must(t, err)
	return snap
}

// updateError updates and wants an error of a kind.
func updateError(t testing.TB, s sources.Source, kind schema.ErrorKind, parts ...string) error {
	t.Helper()
	snap, err := s.Update(context.Background())
	if err == nil {
		t.Fatalf("update succeeded with commit %s", snap.Commit)
	}
	wantError(t, err, kind, parts...)
	return err
}

func wantError(t testing.TB, err error, kind schema.ErrorKind, parts ...string) {
	t.Helper()
	var e *schema.Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is no *schema.Error", err)
	}
	if e.Kind != kind {
		t.Errorf("error %q is %s, want %s", err, e.Kind, kind)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

// changes lists a diff as "+path", "-path", "~path".
func changes(t testing.TB, before, after *sources.Snapshot) []string {
	t.Helper()
	var old sources.Tree
	if before != nil {
		old = before.Tree
	}
	var found []string
	must(t, after.Tree.Diff(context.Background(), old, nil, func(c sources.Change) error {
		sign := "~"
		if c.Before.IsZero() {
			sign = "+"
		} else if c.After.IsZero() {
			sign = "-"
		}
		found = append(found, sign+c.Path)
		return nil
	}))
	return found
}

// files reads all files of a snapshot.
func files(t testing.TB, snap *sources.Snapshot) map[string]string {
	t.Helper()
	found := map[string]string{}
	must(t, snap.Tree.Diff(context.Background(), nil, nil, func(c sources.Change) error {
		data, err := snap.Tree.Read(context.Background(), c.After, 1<<20)
		found[c.Path] = string(data)
		return err
	}))
	return found
}

func wantChanges(t testing.TB, before, after *sources.Snapshot, want ...string) {
	t.Helper()
	if got := changes(t, before, after); !slices.Equal(got, want) {
		t.Errorf("changes are %q, want %q", got, want)
	}
}

func wantFile(t testing.TB, snap *sources.Snapshot, name, content string) {
	t.Helper()
	if got := files(t, snap)[name]; got != content {
		t.Errorf("%s holds %q, want %q", name, got, content)
	}
}
