package gitlabtest

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/berthdev/berth/internal/gittest"
)

// A Project is a repository with its merge requests. Without git, commits are mere
// hashes.
type Project struct {
	server    *Server
	id        int64
	path      string
	branches  map[string][]string // the commits of each
	protected map[string]bool
	commits   map[string]bool // all that are known, those of merge requests too
	git       *gittest.Repo   // nil: it has none
	hooks     []hook
	told      []Status        // the oldest first
	pipelines []*pipeline     // the oldest first
	mergers   []*mergeRequest // the oldest first

	// PipelineSize is how many jobs a pipeline may have; 0: any number.
	PipelineSize int
}

// Project makes a project, with its groups, as lab/imaging/desired. It has the
// branches main, which is protected, and next.
func (s *Server) Project(path string) *Project {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &Project{
		server: s, id: s.next(), path: path,
		branches: map[string][]string{"main": nil, "next": nil}, protected: map[string]bool{"main": true}, commits: map[string]bool{},
	}
	s.projects[path] = p
	return p
}

// Commit makes a commit on a branch and returns its hash.
func (p *Project) Commit(branch string) string {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	return p.commit(branch)
}

// commit makes a commit; without a branch, one that only a ref of a merge request
// has.
func (p *Project) commit(branch string) string {
	sum := sha1.Sum(fmt.Appendf(nil, "%s %d", p.path, p.server.next()))
	hash := hex.EncodeToString(sum[:])
	p.commits[hash] = true
	if branch != "" {
		p.branches[branch] = append(p.branches[branch], hash)
	}
	return hash
}

// branchWith returns the first branch that has a commit; empty: none has.
func (p *Project) branchWith(commit string) string {
	var names []string
	for name, commits := range p.branches {
		if slices.Contains(commits, commit) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	switch {
	case len(names) > 0:
		return names[0]
	case p.git != nil:
		return p.inGit(commit)
	}
	return ""
}

// route finds what a path below the project means.
func (p *Project) route(r *request, parts []string) answer {
	method := r.Method
	switch path := strings.Join(parts, "/"); {
	case method == http.MethodPost && len(parts) == 2 && parts[0] == "statuses":
		return p.postStatus(r, parts[1])
	case method == http.MethodGet && len(parts) == 4 && strings.HasPrefix(path, "repository/commits/") && parts[3] == "statuses":
		return p.listStatuses(r, parts[2])
	case method == http.MethodGet && len(parts) == 4 && strings.HasPrefix(path, "repository/commits/") && parts[3] == "merge_requests":
		return p.mergeRequestsOf(r, parts[2])
	case method == http.MethodGet && path == "repository/merge_base":
		return p.getMergeBase(r.URL.Query()["refs[]"])
	case method == http.MethodGet && path == "merge_requests":
		return p.listMergeRequests(r)
	case len(parts) >= 3 && parts[0] == "merge_requests" && parts[2] == "notes":
		number, _ := strconv.Atoi(parts[1])
		at := slices.IndexFunc(p.mergers, func(m *mergeRequest) bool { return m.Number == number })
		if at < 0 {
			return notFound("Merge Request")
		}
		return p.mergers[at].routeNotes(r, parts[3:])
	}
	return answer{http.StatusNotFound, map[string]any{"error": "404 Not Found"}}
}
