package gitlabtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/berthdev/berth/internal/gittest"
)

// Git gives the project a git repository, which is empty, and returns its URL. It
// is served over HTTP to who has a token; git must be installed. What is proposed
// are then its branches.
func (p *Project) Git() string {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	if p.git == nil {
		p.git = p.server.git.Init(p.path)
	}
	return p.url()
}

func (p *Project) url() string { return p.server.URL + "/" + p.path + ".git" }

// has tells whether the project has a commit.
func (p *Project) has(commit string) bool {
	return p.commits[commit] || p.git != nil && p.git.Has(commit)
}

// serveGit serves the git repositories, and tells webhooks what a push moved.
func (s *Server) serveGit(w http.ResponseWriter, hr *http.Request) {
	_, token, _ := hr.BasicAuth()
	s.mu.Lock()
	at := slices.IndexFunc(s.users, func(u User) bool { return u.Token == token })
	name := ""
	if at >= 0 {
		name = s.users[at].Username
	}
	s.mu.Unlock()
	if name == "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitLab"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.StripPrefix(s.root, http.HandlerFunc(func(w http.ResponseWriter, hr *http.Request) {
		path, moved := s.git.Serve(w, hr, name)
		s.mu.Lock()
		defer s.mu.Unlock()
		if p := s.projects[path]; p != nil {
			p.pushed(moved)
		}
	})).ServeHTTP(w, hr)
}

// pushed tells of refs that moved, and moves the merge requests of their branches.
func (p *Project) pushed(moved []gittest.Move) {
	for _, m := range moved {
		p.tell("push", "Push Hook", map[string]any{"ref": m.Ref, "before": m.Before, "after": m.After, "checkout_sha": m.After})
		for _, r := range p.mergers {
			if r.State == "opened" && m.Ref == "refs/heads/"+r.Source && m.After != gittest.Gone {
				r.SHA = m.After
				p.git.Git("update-ref", r.ref(), r.SHA)
				p.tellMerge("update", r, m.Before)
			}
		}
	}
}

func (m *mergeRequest) ref() string { return fmt.Sprintf("refs/merge-requests/%d/head", m.Number) }

// inGit returns the first branch of the git repository that has a commit.
func (p *Project) inGit(commit string) string {
	name, _, _ := strings.Cut(p.git.Git("for-each-ref", "--contains", commit, "--format=%(refname:lstrip=2)", "refs/heads"), "\n")
	return name
}

// Propose opens a merge request for a branch of the git repository, and returns
// its number and the branch's commit, which is served as
// refs/merge-requests/NUMBER/head.
func (p *Project) Propose(title, source, target string) (number int, head string) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	m := &mergeRequest{
		ID: p.server.next(), Number: len(p.mergers) + 1, Title: title, State: "opened", Target: target, Source: source,
		From: &p.id, To: p.id, SHA: p.git.Git("rev-parse", "refs/heads/"+source), server: p.server,
	}
	m.URL = fmt.Sprintf("%s/%s/-/merge_requests/%d", p.server.URL, p.path, m.Number)
	p.git.Git("update-ref", m.ref(), m.SHA)
	p.mergers = append(p.mergers, m)
	p.tellMerge("open", m, "")
	return m.Number, m.SHA
}

// Merge merges a merge request of the git repository, and returns the commit that
// this makes.
func (p *Project) Merge(number int) string {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	m := p.mergers[number-1]
	before := p.git.Git("rev-parse", "refs/heads/"+m.Target)
	merged := p.git.Merge(m.Target, m.SHA, fmt.Sprintf("Merge branch '%s' into '%s'", m.Source, m.Target))
	m.State, m.Merged = "merged", &merged
	p.tellMerge("merge", m, "")
	p.pushed([]gittest.Move{{Ref: "refs/heads/" + m.Target, Before: before, After: merged}})
	return merged
}
