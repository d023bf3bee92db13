package gitlab

import (
	"context"
	"net/url"
	"slices"
	"strconv"

	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/rest"
)

// A mergeRequest is what GitLab tells of one.
type mergeRequest struct {
	Number int    `json:"iid"` // in the project; the id is that in the whole GitLab
	Base   string `json:"target_branch"`
	Head   string `json:"sha"`
}

// ref is under which the project itself has the merge request's head.
func (m mergeRequest) ref() string { return "refs/merge-requests/" + strconv.Itoa(m.Number) + "/head" }

// PullRequests implements [forge.Repo].
func (r *Repo) PullRequests(ctx context.Context, base string) ([]forge.PullRequest, error) {
	query := url.Values{"state": {"opened"}, "order_by": {"created_at"}, "sort": {"desc"}}
	if base != "" {
		query.Set("target_branch", base)
	}
	var out []forge.PullRequest
	_, err := pages(ctx, r, rest.Call{Op: "list merge requests", Path: "/merge_requests", Query: query}, func(m mergeRequest) bool {
		if m.Number > 0 && hash.MatchString(m.Head) { // one without commits has no head
			out = append(out, forge.PullRequest{Number: m.Number, Base: m.Base, Head: m.Head, Ref: m.ref()})
		}
		return len(out) < forge.MaxPullRequests
	})
	if err != nil {
		return nil, err
	}
	// What is opened in between moves others to the next page, where they come again.
	slices.SortFunc(out, func(a, b forge.PullRequest) int { return b.Number - a.Number })
	return slices.CompactFunc(out, func(a, b forge.PullRequest) bool { return a.Number == b.Number }), nil
}

// MergeBase implements [forge.Repo].
func (r *Repo) MergeBase(ctx context.Context, p forge.PullRequest) (string, error) {
	const op = "find the merge base"
	if err := r.checkCommit(op, p.Head); err != nil {
		return "", err
	}
	var found struct {
		ID string `json:"id"`
	}
	call := rest.Call{Op: op, Path: "/repository/merge_base", Query: url.Values{"refs[]": {p.Base, p.Head}}}
	if _, err := r.do(ctx, call, &found); err != nil || !hash.MatchString(found.ID) {
		return "", err
	}
	return found.ID, nil
}

// refOf returns the ref of an open merge request that has the commit, its head if
// there is one; empty: none has.
func (r *Repo) refOf(ctx context.Context, commit string) (string, error) {
	var all []mergeRequest
	call := rest.Call{Op: "find the commit's merge request", Path: "/repository/commits/" + commit + "/merge_requests", Query: url.Values{"state": {"opened"}}}
	if _, err := r.do(ctx, call, &all); err != nil {
		return "", err
	}
	ref := ""
	for _, m := range all {
		switch {
		case m.Number <= 0:
		case m.Head == commit:
			return m.ref(), nil
		case ref == "":
			ref = m.ref()
		}
	}
	return ref, nil
}
