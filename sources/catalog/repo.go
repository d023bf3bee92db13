package catalog

import (
	"maps"
	"slices"
)

// SameRepo tells whether nothing about a repo, nor what is in it, was changed
// since an older catalog; nil is one without repos.
func (c *Catalog) SameRepo(older *Catalog, name string) bool {
	return older != nil && c.repos.Get(name) == older.repos.Get(name)
}

// Errors returns why files and entries of a repo cannot be used, as file:line:col
// and why.
func (c *Catalog) Errors(repo string) []string {
	r := c.repos.Get(repo)
	if r == nil {
		return nil
	}
	var out []string
	for f := range r.bad.Values() {
		for _, n := range f.notices {
			if n.Kind == NoticeInvalid {
				out = append(out, n.Message)
			}
		}
	}
	if len(r.Apps) == 0 {
		return out // it may publish anything
	}
	for _, identifier := range r.identifiers() {
		if why := c.NotAllowed(repo, identifier); why != "" {
			out = append(out, why)
		}
	}
	return out
}

// NotAllowed returns why a repo may not publish an identifier that it publishes;
// empty: it may, or does not.
func (c *Catalog) NotAllowed(repo, identifier string) string {
	for _, n := range c.apps.Get(identifier).noticed() {
		if n.Repo == repo && n.Kind == NoticeNotAllowed {
			return n.Message
		}
	}
	return ""
}

// identifiers returns what the files of a repo publish, sorted.
func (r *repo) identifiers() []string {
	all := map[string]bool{}
	for f := range r.files.Values() {
		for identifier := range f.claims {
			all[identifier] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Published returns the releases of a repo whose content was first seen at a
// commit, also those that are shadowed, in the order of identifiers; with an empty
// commit, all of the repo.
func (c *Catalog) Published(repo, commit string) []*Release {
	r := c.repos.Get(repo)
	if r == nil {
		return nil
	}
	var out []*Release
	for _, identifier := range r.identifiers() {
		app, listed := c.App(identifier)
		if !listed {
			continue
		}
		for _, releases := range [][]*Release{app.Releases, app.Shadowed} {
			for _, r := range releases {
				if r.Repo == repo && (commit == "" || r.Commit == commit) {
					out = append(out, r)
				}
			}
		}
	}
	return out
}
