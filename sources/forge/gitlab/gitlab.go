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
	pageSize = 100 // the most that GitLab gives at once
	maxPages = 50
)

// A Repo is one project of a GitLab.
type Repo struct {
	api  *rest.Client
	path string // of the project's part of the API
	name string // for errors

	mu   sync.Mutex
	self int64 // the ID of the user that the token belongs to; 0: not asked yet
}

var _ forge.Repo = (*Repo)(nil)

// New returns the project of that path, as lab/imaging/desired. The API's base is
// that of the GitLab with /api/v4 behind it.
func New(api *rest.Client, project string) *Repo {
	return &Repo{api: api, path: "/projects/" + url.PathEscape(project), name: api.Host() + "/" + project}
}

var hash = regexp.MustCompile(`^[0-9a-f]{40}$`)

// checkCommit refuses what is no whole hash: GitLab takes branches and tags too.
func (r *Repo) checkCommit(op, commit string) error {
	if hash.MatchString(commit) {
		return nil
	}
	return r.fail(op, schema.Terminal, errors.New("the commit is no hash of 40 digits"))
}

func (r *Repo) fail(op string, kind schema.ErrorKind, err error) error {
	return &schema.Error{Op: op, Resource: r.name, Kind: kind, Err: err}
}

// do makes a request below the project.
func (r *Repo) do(ctx context.Context, call rest.Call, into any) (http.Header, error) {
	call.Resource, call.Path = r.name, r.path+call.Path
	return r.api.Do(ctx, call, into)
}

// pages makes a request for each page of a list, and hands the pages on until
// more returns false.
func pages[T any](ctx context.Context, r *Repo, call rest.Call, more func([]T) bool) error {
	for page := 1; page <= maxPages; {
		call.Query.Set("per_page", strconv.Itoa(pageSize))
		call.Query.Set("page", strconv.Itoa(page))
		var items []T
		header, err := r.do(ctx, call, &items)
		if err != nil || !more(items) {
			return err
		}
		next, err := strconv.Atoi(header.Get("X-Next-Page"))
		if err != nil || next <= page { // on the last page it is empty
			return nil
		}
		page = next
	}
	return nil
}

// refusal returns what GitLab itself said, if that is what is wrong.
func refusal(err error) (rest.Refusal, bool) {
	var said *rest.Refusal
	if !errors.As(err, &said) {
		return rest.Refusal{}, false
	}
	return *said, true
}
