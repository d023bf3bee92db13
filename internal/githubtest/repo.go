package githubtest

import (
	"crypto/sha1"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/berthdev/berth/internal/gittest"
)

// A Repo is a repository of a [Server].
type Repo struct {
	Path string // example/desired

	s        *Server
	id       int64
	commits  map[string]bool // those that are there without git
	git      *gittest.Repo   // nil: it has none
	hooks    []hook
	statuses map[string][]Status
	pulls    []*Pull // the oldest first
	comments []*Comment
}

// Repo makes a repository, or returns the one that is there. It is empty.
func (s *Server) Repo(path string) *Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.ToLower(path)
	if s.repos[key] == nil {
		s.repos[key] = &Repo{Path: path, s: s, id: s.id(), commits: map[string]bool{}, statuses: map[string][]Status{}}
	}
	return s.repos[key]
}

// Rename gives the repository another path; the old one leads to it.
func (r *Repo) Rename(path string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	old := strings.ToLower(r.Path)
	delete(r.s.repos, old)
	r.s.moved[old] = path
	r.s.repos[strings.ToLower(path)], r.Path = r, path
}

// Commit makes up a commit and returns its hash. Git does not know of it.
func (r *Repo) Commit() string {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.commit()
}

func (r *Repo) commit() string {
	hash := fmt.Sprintf("%x", sha1.Sum(fmt.Appendf(nil, "%s %d", r.Path, r.s.id())))
	r.commits[hash] = true
	return hash
}

func (r *Repo) hasCommit(hash string) bool {
	return r.commits[hash] || r.git != nil && r.git.Has(hash)
}

// id returns a number that nothing else has.
func (s *Server) id() int64 {
	s.nextID++
	return s.nextID
}

// inRepo finds the repository of a request.
func (s *Server) inRepo(do func(*call) answer) func(*call) answer {
	return func(c *call) answer {
		path := c.PathValue("owner") + "/" + c.PathValue("name")
		if to, ok := s.moved[strings.ToLower(path)]; ok {
			return s.redirect(c, path, to)
		}
		c.repo = s.repos[strings.ToLower(path)]
		if c.repo == nil {
			return notFound
		}
		return do(c)
	}
}

// redirect leads to where a repository moved: with 301, or for what is no GET,
// with 307.
func (s *Server) redirect(c *call, from, to string) answer {
	u := url.URL{Scheme: "http", Host: c.Host, Path: strings.Replace(c.URL.Path, "/repos/"+from, "/repos/"+to, 1), RawQuery: c.URL.RawQuery}
	c.header.Set("Location", u.String())
	if c.Method == http.MethodGet {
		return answer{http.StatusMovedPermanently, map[string]string{"message": "Moved Permanently", "url": u.String()}}
	}
	return answer{http.StatusTemporaryRedirect, map[string]string{"message": "Temporary Redirect", "url": u.String()}}
}

func (s *Server) getRepo(c *call) answer {
	return answer{http.StatusOK, map[string]any{"id": c.repo.id, "full_name": c.repo.Path}}
}

func (s *Server) getCommit(c *call) answer {
	if !c.repo.hasCommit(c.PathValue("ref")) {
		return notFound
	}
	return answer{http.StatusOK, map[string]any{"sha": c.PathValue("ref")}}
}
