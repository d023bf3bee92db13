package githubtest

import (
	"net/http"
	"strings"

	"github.com/berthdev/berth/internal/gittest"
)

// Git gives the repository a git repository, which is empty, and returns its URL.
// It is served over HTTP to who has a token; git must be installed.
func (r *Repo) Git() string {
	r.s.t.Helper()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.git == nil {
		r.git = r.s.git.Init(r.Path)
	}
	return r.url()
}

func (r *Repo) url() string { return r.s.URL + "/" + r.Path + ".git" }

// serveGit serves the git repositories, and tells webhooks what a push moved.
func (s *Server) serveGit(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	by, ok := s.who(req)
	s.mu.Unlock()
	if !ok || by.login == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	path, moved := s.git.Serve(w, req, by.login)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.repos[strings.ToLower(path)]; r != nil {
		r.pushed(moved)
	}
}

// pushed tells of refs that moved, and moves the pull requests of their branches.
func (r *Repo) pushed(moved []gittest.Move) {
	for _, m := range moved {
		r.tell("push", map[string]any{"ref": m.Ref, "before": m.Before, "after": m.After})
		for _, p := range r.pulls {
			if p.State == "open" && !p.Fork && m.Ref == "refs/heads/"+p.Branch && m.After != gittest.Gone {
				p.Head = m.After
				r.git.Git("update-ref", p.ref(), p.Head)
				r.tellPull("synchronize", p, false)
			}
		}
	}
}
