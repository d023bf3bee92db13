// Package gitlab speaks to GitLab, the public one and those that somebody runs,
// over version 4 of its REST API (https://docs.gitlab.com/api/rest/). A pull
// request is called a merge request there, and a comment a note.
//
// The token needs the scope api; its owner, the role Developer, and to write
// statuses on protected branches, Maintainer.
package gitlab

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"sync"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/rest"
)

const (
	pageSize = 100 // the most that GitLab gives at once; a power of ten
	maxPages = 50
	// maxPage is how many bytes of a page are read: more than one item can have,
	// whose text GitLab bounds to a million letters, escaped as they may be.
	maxPage = 8 << 20
)

// A Repo is one project of a GitLab.
type Repo struct {
	api  *rest.Client
	path string // of the project's part of the API
	name string // for errors
	most int    // bytes of a page that are read

	mu   sync.Mutex
	self int64 // the ID of the user that the token belongs to; 0: not asked yet
}

var _ forge.Repo = (*Repo)(nil)

// New returns the project of that path, as lab/imaging/desired. The API's base is
// that of the GitLab with /api/v4 behind it.
func New(api *rest.Client, project string) *Repo {
	return &Repo{api: api, path: "/projects/" + url.PathEscape(project), name: api.Host() + "/" + project, most: maxPage}
}

// hash is a whole one: SHA-1, or SHA-256, which GitLab tries out.
var hash = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// checkCommit refuses what is no whole hash: GitLab takes branches and tags too.
func (r *Repo) checkCommit(op, commit string) error {
	if hash.MatchString(commit) {
		return nil
	}
	return r.fail(op, schema.Terminal, "", errors.New("the commit is no hash of 40 digits"))
}

func (r *Repo) fail(op string, kind schema.ErrorKind, hint string, err error) error {
	return &schema.Error{Op: op, Resource: r.name, Kind: kind, Hint: hint, Err: err}
}

// do makes a request below the project.
func (r *Repo) do(ctx context.Context, call rest.Call, into any) (http.Header, error) {
	call.Resource, call.Path = r.name, r.path+call.Path
	return r.api.Do(ctx, call, into)
}

// pages asks for one page of a list after the other, and hands the items on until
// more returns false. It tells whether that was all: of a list without an end, it
// is not. Texts that strangers wrote may make a page longer than what is read of
// an answer; then it is asked for in smaller ones.
func pages[T any](ctx context.Context, r *Repo, call rest.Call, more func(T) bool) (whole bool, err error) {
	size, done := pageSize, 0
	call.Limit = r.most
	for range maxPages {
		page := done/size + 1
		call.Query.Set("per_page", strconv.Itoa(size))
		call.Query.Set("page", strconv.Itoa(page))
		var items []T
		header, err := r.do(ctx, call, rest.Each(func(item T) { items = append(items, item) }))
		if errors.Is(err, rest.ErrTooLong) && size > 1 && len(items) < size {
			size /= 10 // done is a multiple of it, as it was before
			continue
		}
		if err != nil {
			return false, err
		}
		for _, item := range items {
			if !more(item) {
				return true, nil
			}
		}
		next, err := strconv.Atoi(header.Get("X-Next-Page"))
		if err != nil || next <= page { // on the last page it is empty
			return true, nil
		}
		done += size
	}
	return false, nil
}

// said returns what GitLab refused a request with, if it did with that status.
func said(err error, status int) (message string, ok bool) {
	var refusal *rest.Refusal
	if !errors.As(err, &refusal) || refusal.Status != status {
		return "", false
	}
	return refusal.Message, true
}
