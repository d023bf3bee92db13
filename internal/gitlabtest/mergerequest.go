package gitlabtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A Proposal is a merge request to be opened.
type Proposal struct {
	Title  string
	Text   string // its description
	Target string // the branch that shall have the commits
	Fork   bool   // from another project
	Gone   bool   // which was deleted since
	Draft  bool
}

// A mergeRequest is one as the API shows it.
type mergeRequest struct {
	ID     int64   `json:"id"`
	Number int     `json:"iid"`
	Title  string  `json:"title"`
	Text   string  `json:"description"`
	State  string  `json:"state"`
	Target string  `json:"target_branch"`
	Source string  `json:"source_branch"`
	From   *int64  `json:"source_project_id"`
	To     int64   `json:"target_project_id"`
	SHA    string  `json:"sha"`
	Draft  bool    `json:"draft"`
	URL    string  `json:"web_url"`
	Merged *string `json:"merge_commit_sha"`

	server *Server
	notes  []*note
	left   string // the commit of the target that it builds on; with git, git tells
}

// Open opens a merge request with one new commit, and returns its number and
// that commit. GitLab itself makes a note of it.
func (p *Project) Open(o Proposal) (number int, head string) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	id := p.server.next()
	m := &mergeRequest{
		ID: id, Number: len(p.mergers) + 1, Title: o.Title, Text: o.Text, State: "opened", Target: o.Target, Draft: o.Draft,
		Source: fmt.Sprint("change-", id), From: &p.id, To: p.id, server: p.server,
	}
	m.left = p.commit(o.Target)
	if o.Fork {
		other := p.server.next()
		m.From = &other
		m.SHA = p.commit("")
	} else {
		m.SHA = p.commit(m.Source)
	}
	if o.Gone {
		m.From = nil
	}
	m.URL = fmt.Sprintf("%s/%s/-/merge_requests/%d", p.server.URL, p.path, m.Number)
	m.add(p.server.Berth, "added 1 commit", true)
	p.mergers = append(p.mergers, m)
	return m.Number, m.SHA
}

// Close closes a merge request without merging it.
func (p *Project) Close(number int) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	p.mergers[number-1].State = "closed"
}

// State is opened or closed.
func (p *Project) State(number int) string {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	return p.mergers[number-1].State
}

// listMergeRequests is GET /projects/:id/merge_requests.
func (p *Project) listMergeRequests(r *request) answer {
	out := []*mergeRequest{}
	for _, m := range p.mergers {
		if want := r.params["target_branch"]; want != "" && want != m.Target {
			continue
		}
		if want := r.params["state"]; want != "" && want != "all" && want != m.State {
			continue
		}
		out = append(out, m)
	}
	if r.params["sort"] != "asc" { // by created_at, which is the default
		slices.Reverse(out)
	}
	return answer{http.StatusOK, out}
}

// mergeRequestsOf is GET /projects/:id/repository/commits/:sha/merge_requests.
func (p *Project) mergeRequestsOf(r *request, commit string) answer {
	if !p.has(commit) {
		return notFound("Commit")
	}
	out := []*mergeRequest{}
	for _, m := range p.mergers {
		if m.SHA == commit && (r.params["state"] == "" || r.params["state"] == m.State) {
			out = append(out, m)
		}
	}
	return answer{http.StatusOK, out}
}

// getMergeBase is GET /projects/:id/repository/merge_base, of a branch and a commit.
func (p *Project) getMergeBase(refs []string) answer {
	if len(refs) != 2 {
		return fault(http.StatusBadRequest, "Provide at least 2 refs")
	}
	if !p.has(refs[1]) {
		return fault(http.StatusBadRequest, "Could not find ref: "+refs[1])
	}
	left := p.left(refs[0], refs[1])
	if left == "" {
		return notFound("Merge Base")
	}
	return answer{http.StatusOK, map[string]any{"id": left}}
}

// left returns the merge base of a branch and a commit; empty: there is none.
func (p *Project) left(target, head string) string {
	if p.git != nil && p.git.Has(head) {
		return p.git.Git("merge-base", "refs/heads/"+target, head)
	}
	for _, m := range p.mergers {
		if m.Target == target && m.SHA == head {
			return m.left
		}
	}
	return ""
}

// MergeBase returns where a merge request left its target.
func (p *Project) MergeBase(number int) string {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	m := p.mergers[number-1]
	return p.left(m.Target, m.SHA)
}

// carryOut does what quick actions in a note say, and returns the text without
// them: lines that are a slash and the name of an action, with words behind it.
func (m *mergeRequest) carryOut(body string) (text string, commands int) {
	var kept []string
	for line := range strings.SplitSeq(strings.ReplaceAll(body, "\r", ""), "\n") {
		switch name, _, _ := strings.Cut(line, " "); name {
		case "/close":
			m.State = "closed"
		case "/reopen":
			m.State = "opened"
		case "/merge", "/approve", "/assign", "/label", "/title":
		default:
			kept = append(kept, line)
			continue
		}
		commands++
	}
	return strings.TrimRight(strings.Join(kept, "\n"), " \t\n"), commands
}
