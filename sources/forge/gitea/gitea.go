// Package gitea speaks to Gitea and Forgejo over their REST API, which mirrors
// GitHub's (https://docs.gitea.com/api). It differs in what the [github.Dialect]
// below says:
//
//   - pages are asked for with limit, and hold 50 at most, or what its owner allows;
//   - pull requests are filtered by base_branch, and come the newest first unless
//     another order is asked for; a Gitea older than that parameter lists all;
//   - a pull request knows its merge base, and commits are not compared;
//   - all comments of a pull request come at once;
//   - a commit or pull request that is not there makes it answer 500.
//
// A token needs the scopes write:repository, write:issue and read:user.
package gitea

import (
	"github.com/berthdev/berth/sources/forge/github"
	"github.com/berthdev/berth/sources/forge/rest"
)

// letters is how many letters of a description are written: Gitea takes any, and
// older versions of it as many as fit into a column of a table.
const letters = 255

var dialect = github.Dialect{
	PerPage: "limit",
	Base:    "base_branch",
	Letters: letters,
	Capped:  true,
	Whole:   true,
	Kept:    true,
	Vague:   true,
}

// API returns the root of the API of a Gitea by its URL without a path, or, where
// it is served below one, with that path.
func API(root string) string { return root + "/api/v1" }

// New returns the repository of that path, as example/desired. The API's base is
// what [API] says of the host.
func New(api *rest.Client, path string) (*github.Repo, error) {
	return github.NewDialect(api, path, dialect)
}
