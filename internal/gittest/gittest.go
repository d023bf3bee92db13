// Package gittest is what the small forges of the tests share: bare git
// repositories that are served over HTTP, and webhooks that tell of what moves
// in them.
package gittest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Repos are the repositories of one forge. Git must be installed.
type Repos struct {
	t    testing.TB
	root string
}

// New returns no repository yet. They are removed when the test ends.
func New(t testing.TB) *Repos { return &Repos{t: t, root: t.TempDir()} }

// A Repo is a bare repository.
type Repo struct {
	t   testing.TB
	dir string
}

// Init makes an empty repository, whose path over HTTP this is with .git behind it.
func (rs *Repos) Init(path string) *Repo {
	rs.t.Helper()
	r := &Repo{rs.t, filepath.Join(rs.root, filepath.FromSlash(path)+".git")}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		rs.t.Fatal(err)
	}
	r.Git("init", "-q", "--bare", "-b", "main")
	r.Git("config", "http.receivepack", "true")
	return r
}

// Git runs git in the repository's folder; its failure ends the test.
func (r *Repo) Git(args ...string) string {
	r.t.Helper()
	out, err := r.run(args...)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// Has tells whether there is a commit.
func (r *Repo) Has(commit string) bool {
	_, err := r.run("cat-file", "-e", commit+"^{commit}")
	return err == nil
}

// Merge merges a commit into a branch, with a commit of its own, which it returns.
func (r *Repo) Merge(branch, commit, message string) string {
	r.t.Helper()
	ref := "refs/heads/" + branch
	tree := r.Git("merge-tree", "--write-tree", ref, commit)
	merged := r.Git("commit-tree", tree, "-p", ref, "-p", commit, "-m", message)
	r.Git("update-ref", ref, merged)
	return merged
}

func (r *Repo) run(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = r.dir, environment()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return strings.TrimSpace(string(out)), nil
}

// environment keeps git away from the machine's configuration.
func environment() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org",
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		"GIT_CONFIG_KEY_1=gc.auto", "GIT_CONFIG_VALUE_1=0",
	}
}

// A Move is a branch or tag that a push moved.
type Move struct {
	Ref           string
	Before, After string // commits; Gone: none
}

// Gone stands for no commit, as forges write it.
const Gone = "0000000000000000000000000000000000000000"

// Serve serves a request of git by git http-backend, for a user whom the caller
// has let in. It returns the path of the repository and what a push moved in it.
func (rs *Repos) Serve(w http.ResponseWriter, req *http.Request, login string) (path string, moved []Move) {
	backend, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		return "", nil
	}
	handler := &cgi.Handler{
		Path:   filepath.Join(strings.TrimSpace(string(backend)), "git-http-backend"),
		Stderr: io.Discard,
		Env:    append(environment(), "GIT_PROJECT_ROOT="+rs.root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER="+login),
	}
	name, isPush := strings.CutSuffix(req.URL.Path, ".git/git-receive-pack")
	if !isPush {
		handler.ServeHTTP(w, req)
		return "", nil
	}
	path = strings.Trim(name, "/")
	r := &Repo{rs.t, filepath.Join(rs.root, filepath.FromSlash(path)+".git")}
	before := r.refs()
	handler.ServeHTTP(w, req)
	return path, difference(before, r.refs())
}

// refs returns the commits of branches and tags.
func (r *Repo) refs() map[string]string {
	refs := map[string]string{}
	out, err := r.run("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags")
	if err != nil {
		return nil // there is no such repository
	}
	for line := range strings.Lines(out) {
		ref, commit, _ := strings.Cut(strings.TrimSpace(line), " ")
		refs[ref] = commit
	}
	return refs
}

func difference(before, after map[string]string) []Move {
	var moved []Move
	for ref, commit := range after {
		if was, ok := before[ref]; !ok {
			moved = append(moved, Move{ref, Gone, commit})
		} else if was != commit {
			moved = append(moved, Move{ref, was, commit})
		}
	}
	for ref, commit := range before {
		if _, ok := after[ref]; !ok {
			moved = append(moved, Move{ref, commit, Gone})
		}
	}
	return moved
}
