package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/rest"
)

const (
	opPulls     = "list pull requests"
	opMergeBase = "find the merge base"
)

// A pull is a pull request as the API shows it.
type pull struct {
	Number int `json:"number"`
	Base   end `json:"base"`
	Head   end `json:"head"`
}

// An end is a branch of a pull request.
type end struct {
	Ref string `json:"ref"`
	SHA string `json:"sha"`
}

// A page is one of a list, kept for when the forge says that it is the same.
type page struct {
	etag  string
	pulls []forge.PullRequest
	more  bool
}

// maxKnown bounds how many pages are kept.
const maxKnown = 64

// PullRequests implements [forge.Repo]. Pages that did not change cost neither
// bytes nor, on GitHub, any of the requests that may be made in an hour.
func (r *Repo) PullRequests(ctx context.Context, base string) ([]forge.PullRequest, error) {
	var list []forge.PullRequest
	for n := 1; n <= maxPages && len(list) < forge.MaxPullRequests; n++ {
		p, err := r.pulls(ctx, base, n)
		if err != nil {
			return nil, err
		}
		list = append(list, p.pulls...)
		if !p.more {
			break
		}
	}
	// What is opened in between moves others to the next page, where they come again.
	slices.SortFunc(list, func(a, b forge.PullRequest) int { return b.Number - a.Number })
	list = slices.CompactFunc(list, func(a, b forge.PullRequest) bool { return a.Number == b.Number })
	return list[:min(len(list), forge.MaxPullRequests)], nil
}

// pulls returns one page of the pull requests that are open.
func (r *Repo) pulls(ctx context.Context, base string, n int) (page, error) {
	query := r.query(n, textSize)
	query.Set("state", "open")
	if r.dialect.Sorted {
		query.Set("sort", "created")
		query.Set("direction", "desc")
	}
	if base != "" {
		query.Set(r.dialect.Base, base)
	}
	key := fmt.Sprint(n, " ", base)
	r.mu.Lock()
	old := r.known[key]
	r.mu.Unlock()

	var p page
	header, err := r.do(ctx, rest.Call{Op: opPulls, Path: "/pulls", Query: query, ETag: old.etag}, rest.Each(func(found pull) {
		if seen, ok := found.request(base); ok {
			p.pulls = append(p.pulls, seen)
		}
	}))
	if old.etag != "" && rest.StatusOf(err) == http.StatusNotModified {
		return old, nil
	}
	if err != nil {
		return page{}, err
	}
	p.etag, p.more = header.Get("ETag"), rest.HasNext(header)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) >= maxKnown {
		clear(r.known)
	}
	if p.etag != "" {
		r.known[key] = p
	}
	return p, nil
}

// request returns what is seen of a pull request; false if it is not to another
// base, or the forge tells no commit of it.
func (p pull) request(base string) (forge.PullRequest, bool) {
	return forge.PullRequest{
		Number: p.Number, Base: p.Base.Ref, Head: p.Head.SHA, Ref: fmt.Sprintf("refs/pull/%d/head", p.Number),
	}, p.Number > 0 && hash.MatchString(p.Head.SHA) && (base == "" || p.Base.Ref == base)
}

// MergeBase implements [forge.Repo].
func (r *Repo) MergeBase(ctx context.Context, p forge.PullRequest) (commit string, err error) {
	if err := r.checkCommit(opMergeBase, p.Head); err != nil {
		return "", err
	}
	if r.dialect.Kept {
		commit, err = r.keptMergeBase(ctx, p)
	} else {
		commit, err = r.compare(ctx, p)
	}
	if err != nil || !hash.MatchString(commit) {
		return "", err
	}
	return commit, nil
}

// compare has the forge look for the merge base.
func (r *Repo) compare(ctx context.Context, p forge.PullRequest) (string, error) {
	var found struct {
		Commit struct {
			SHA string `json:"sha"`
		} `json:"merge_base_commit"`
	}
	path := "/compare/" + url.PathEscape(p.Base) + "..." + p.Head
	// The first page of commits comes with all that they change, which may be long.
	_, err := r.do(ctx, rest.Call{Op: opMergeBase, Path: path, Query: r.query(2, 1)}, &found)
	return found.Commit.SHA, err
}

// keptMergeBase returns the merge base that the pull request has; none, if that is of
// another head.
func (r *Repo) keptMergeBase(ctx context.Context, p forge.PullRequest) (string, error) {
	var now struct {
		Head      end    `json:"head"`
		MergeBase string `json:"merge_base"`
	}
	_, err := r.do(ctx, rest.Call{Op: opMergeBase, Path: fmt.Sprintf("/pulls/%d", p.Number)}, &now)
	if now.Head.SHA != p.Head {
		return "", err
	}
	return now.MergeBase, err
}
