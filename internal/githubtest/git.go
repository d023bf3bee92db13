package githubtest

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
)

// Git gives the repository a git repository, which is empty, and returns its URL.
// It is served over HTTP to who has a token; git must be installed.
func (r *Repo) Git() string {
	r.s.t.Helper()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.git == "" {
		r.git = filepath.Join(r.s.root, filepath.FromSlash(r.Path)+".git")
		if err := os.MkdirAll(r.git, 0o755); err != nil {
			r.s.t.Fatal(err)
		}
		r.mustGit("init", "-q", "--bare", "-b", "main")
		r.mustGit("config", "http.receivepack", "true")
	}
	return r.s.URL + "/" + r.Path + ".git"
}

// mustGit runs git in the repository's folder.
func (r *Repo) mustGit(args ...string) string {
	r.s.t.Helper()
	out, err := r.runGit(args...)
	if err != nil {
		r.s.t.Fatal(err)
	}
	return out
}

func (r *Repo) tryGit(args ...string) error {
	_, err := r.runGit(args...)
	return err
}

func (r *Repo) runGit(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = r.git, gitEnv()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return strings.TrimSpace(string(out)), nil
}

// gitEnv keeps git away from the machine's configuration.
func gitEnv() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org",
		"GIT_CONFIG_COUNT=2", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
		"GIT_CONFIG_KEY_1=gc.auto", "GIT_CONFIG_VALUE_1=0",
	}
}

// serveGit serves the git repositories by git http-backend.
func (s *Server) serveGit(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	by, ok := s.who(req)
	s.mu.Unlock()
	if !ok || by.login == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	backend, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	handler := &cgi.Handler{
		Path:   filepath.Join(strings.TrimSpace(string(backend)), "git-http-backend"),
		Stderr: io.Discard,
		Env:    append(gitEnv(), "GIT_PROJECT_ROOT="+s.root, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER="+by.login),
	}
	handler.ServeHTTP(w, req)
}
