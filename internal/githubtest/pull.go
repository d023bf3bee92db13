package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/berthdev/berth/internal/gittest"
)

// A Pull is a pull request.
type Pull struct {
	Number int
	Title  string
	Base   string
	Branch string // that has the commits
	Head   string // the newest of them
	Draft  bool
	Fork   bool // the branch is in another repository
	Gone   bool // which was deleted
	State  string
	Left   string // the commit of the base that it builds on; with git, git tells
}

// Open opens a pull request, and returns it with its number. Without a head it
// gets one that git does not know; with a branch of the git repository, that
// branch's commit, which is served as refs/pull/NUMBER/head.
func (r *Repo) Open(p Pull) Pull {
	r.s.t.Helper()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	p.Number, p.State = r.nextNumber(), "open"
	switch {
	case p.Head != "":
	case p.Branch != "":
		p.Head = r.git.Git("rev-parse", "refs/heads/"+p.Branch)
		r.git.Git("update-ref", p.ref(), p.Head)
	default:
		p.Head, p.Branch, p.Left = r.commit(), "proposal", r.commit()
	}
	r.pulls = append(r.pulls, &p)
	r.tellPull("opened", &p, false)
	return p
}

// Update changes a pull request, as a push or its author does.
func (r *Repo) Update(number int, change func(*Pull)) {
	r.s.t.Helper()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	p := r.pull(number)
	if p == nil {
		r.s.t.Fatalf("there is no pull request %d", number)
	}
	change(p)
	if r.git != nil {
		r.git.Git("update-ref", p.ref(), p.Head)
	}
}

// Merge merges a pull request of the git repository into its base, with a commit of
// its own, whose hash it returns.
func (r *Repo) Merge(number int) string {
	r.s.t.Helper()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	p := r.pull(number)
	if p == nil || p.State != "open" {
		r.s.t.Fatalf("pull request %d is not open", number)
	}
	before := r.git.Git("rev-parse", "refs/heads/"+p.Base)
	merged := r.git.Merge(p.Base, p.Head, fmt.Sprintf("Merge pull request #%d", number))
	p.State = "closed"
	r.tellPull("closed", p, true)
	r.pushed([]gittest.Move{{Ref: "refs/heads/" + p.Base, Before: before, After: merged}})
	return merged
}

func (p *Pull) ref() string { return fmt.Sprintf("refs/pull/%d/head", p.Number) }

func (r *Repo) nextNumber() int { return len(r.pulls) + 1 }

func (r *Repo) pull(number int) *Pull {
	if number < 1 || number > len(r.pulls) {
		return nil
	}
	return r.pulls[number-1]
}

func (s *Server) listPulls(c *call) answer {
	query := c.URL.Query()
	base, state := query.Get("base"), query.Get("state")
	if s.gitea {
		base = query.Get("base_branch")
	}
	if state == "" {
		state = "open"
	}
	shown := []map[string]any{}
	for _, p := range slices.Backward(c.repo.pulls) {
		if (base == "" || p.Base == base) && (state == "all" || p.State == state) {
			shown = append(shown, c.repo.showPull(c, p))
		}
	}
	if query.Get("direction") == "asc" {
		slices.Reverse(shown)
	}
	return answer{http.StatusOK, page(s, c, shown)}
}

func (s *Server) getPull(c *call) answer {
	number, _ := strconv.Atoi(c.PathValue("number"))
	p := c.repo.pull(number)
	if p == nil {
		return notFound
	}
	return answer{http.StatusOK, c.repo.showPull(c, p)}
}

// compare is what differs between two commits. What changed between them, which no
// test asks for, is left out.
func (s *Server) compare(c *call) answer {
	base, head, ok := strings.Cut(c.PathValue("spec"), "...")
	if !ok || !c.repo.hasCommit(head) {
		return notFound
	}
	left := c.repo.left(base, head)
	if left == "" {
		return notFound
	}
	return answer{http.StatusOK, map[string]any{"merge_base_commit": map[string]any{"sha": left}, "commits": []any{}}}
}

// left returns the merge base of a branch and a commit; empty: there is none.
func (r *Repo) left(base, head string) string {
	if r.git != nil && r.git.Has(head) {
		return r.git.Git("merge-base", "refs/heads/"+base, head)
	}
	for _, p := range r.pulls {
		if p.Base == base && p.Head == head {
			return p.Left
		}
	}
	return ""
}

// MergeBase returns where a pull request left its base.
func (r *Repo) MergeBase(number int) string {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	p := r.pull(number)
	return r.left(p.Base, p.Head)
}

func (r *Repo) showPull(c *call, p *Pull) map[string]any {
	here := map[string]any{"id": r.id, "full_name": r.Path}
	there := here
	if p.Fork {
		there = map[string]any{"id": r.id + 1_000_000, "full_name": "stranger/fork"}
	}
	if p.Gone {
		there = nil
	}
	shown := map[string]any{
		"id": 1000 + p.Number, "number": p.Number, "title": p.Title, "state": p.State, "draft": p.Draft,
		"html_url": fmt.Sprintf("http://%s/%s/pull/%d", c.Host, r.Path, p.Number),
		"base":     map[string]any{"ref": p.Base, "repo": here},
		"head":     map[string]any{"ref": p.Branch, "sha": p.Head, "repo": there},
	}
	if r.s.gitea {
		shown["merge_base"] = r.left(p.Base, p.Head)
	}
	return shown
}
