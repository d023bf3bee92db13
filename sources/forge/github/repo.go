// Package github speaks to GitHub over its REST API
// (https://docs.github.com/rest), in the cloud and on one's own servers, with a
// token or as a GitHub App. A [Dialect] lets it speak to forges whose API mirrors
// GitHub's.
//
// A token needs the permissions commit statuses and pull requests, read and
// write, and contents and metadata, read; a classic one, the scope repo. An App
// needs the same.
package github

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/rest"
)

// A Dialect is how the API of another forge differs from GitHub's.
type Dialect struct {
	Header  http.Header // that is sent with each request
	PerPage string      // the parameter that says how long a page is
	Base    string      // the parameter that filters pull requests by their base
	Letters int         // of a status's description that are taken
	// Sorted tells that the order of a list can be asked for.
	Sorted bool
	// Capped tells that pages may be shorter than asked for.
	Capped bool
	// Whole tells that the comments of a pull request come on one page.
	Whole bool
	// Kept tells that a pull request knows its merge base.
	Kept bool
	// Vague tells that 500 may mean that something is not there.
	Vague bool
}

// GitHub's own. Descriptions are refused above 140 letters.
var native = Dialect{
	Header: http.Header{
		"Accept":               {"application/vnd.github+json"},
		"X-Github-Api-Version": {"2022-11-28"},
	},
	PerPage: "per_page",
	Base:    "base",
	Letters: 140,
	Sorted:  true,
}

const (
	// pageSize is what is asked for at once of what is short: as much as Gitea gives.
	pageSize = 50
	// textSize is that of what strangers wrote, 65,536 letters each: so much fits
	// into an answer that is read, also where a letter takes six bytes.
	textSize = 25
	maxPages = 60
)

// API returns the root of the API of a GitHub by its host, which may have a port.
func API(host string) string {
	if strings.EqualFold(host, "github.com") || strings.EqualFold(host, "www.github.com") {
		return "https://api.github.com"
	}
	return "https://" + host + "/api/v3"
}

var (
	errNoCommit = errors.New("there is no such commit")
	errNoPull   = errors.New("there is no such pull request")
)

// A Repo is one repository of a GitHub.
type Repo struct {
	api     *rest.Client
	dialect Dialect
	path    string                                // of the repository's part of the API
	name    string                                // for errors
	login   func(context.Context) (string, error) // whose comments are ours

	mu    sync.Mutex
	self  string          // the user that the token belongs to; empty: not asked yet
	known map[string]page // pages of pull requests that need not be sent again
}

var _ forge.Repo = (*Repo)(nil)

// New returns the repository of that path, as example/desired. The API's base is
// what [API] says of the host.
func New(api *rest.Client, path string) (*Repo, error) {
	return NewDialect(api, path, native)
}

// NewDialect returns the repository of that path on a forge that speaks so.
func NewDialect(api *rest.Client, path string, d Dialect) (*Repo, error) {
	escaped, err := escape(path)
	name := strings.TrimPrefix(api.Host(), "api.") + "/" + path
	if err != nil {
		return nil, &schema.Error{Op: "reach", Resource: name, Kind: schema.Terminal, Err: err}
	}
	r := &Repo{api: api.WithHeader(d.Header), dialect: d, path: "/repos/" + escaped, name: name, known: map[string]page{}}
	r.login = r.user
	return r, nil
}

// escape makes a part of a URL's path of a repository's path.
func escape(path string) (string, error) {
	owner, name, ok := strings.Cut(path, "/")
	for _, part := range []string{owner, name} {
		if !ok || part == "" || part == "." || part == ".." || strings.ContainsAny(part, "/\x00") {
			return "", errors.New("its path is not that of a repository: OWNER/NAME")
		}
	}
	return url.PathEscape(owner) + "/" + url.PathEscape(name), nil
}

// do makes a request below the repository.
func (r *Repo) do(ctx context.Context, call rest.Call, into any) (http.Header, error) {
	call.Resource, call.Path = r.name, r.path+call.Path
	return r.api.Do(ctx, call, into)
}

// has tells whether something below the repository is there. An error says that
// it is not known.
func (r *Repo) has(ctx context.Context, op, path string) (bool, error) {
	_, err := r.do(ctx, rest.Call{Op: op, Path: path}, nil)
	if rest.StatusOf(err) == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// explain looks whether what failed is not there, where the forge does not say.
func (r *Repo) explain(ctx context.Context, op string, err error, path string, missing error) error {
	if !r.dialect.Vague || rest.StatusOf(err) != http.StatusInternalServerError {
		return err
	}
	if found, unknown := r.has(ctx, op, path); found || unknown != nil {
		return err
	}
	return r.fail(op, schema.Terminal, "", missing)
}

func (r *Repo) fail(op string, kind schema.ErrorKind, hint string, err error) error {
	return &schema.Error{Op: op, Resource: r.name, Kind: kind, Hint: hint, Err: err}
}

// query asks for a page, counted from one.
func (r *Repo) query(page, size int) url.Values {
	return url.Values{r.dialect.PerPage: {strconv.Itoa(size)}, "page": {strconv.Itoa(page)}}
}

// hash is a whole one: SHA-1, or SHA-256, which Gitea can.
var hash = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// checkCommit refuses what is no whole hash: the API takes branches and tags too.
func (r *Repo) checkCommit(op, commit string) error {
	if hash.MatchString(commit) {
		return nil
	}
	return r.fail(op, schema.Terminal, "", errors.New("the commit is no hash of 40 digits"))
}
