package catalog

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/berthdev/berth/sources/sorted"
)

// With returns the catalog after the changes, and what they changed. Changes of
// one repo count in their order; otherwise their order does not matter. What the
// changes point to must not be changed later.
func (c *Catalog) With(changes ...Change) (*Catalog, Diff) {
	e := edit{old: c, repos: map[string]*repo{}, files: map[at]*file{}, touched: map[string]bool{}}
	for _, change := range changes {
		e.apply(change)
	}
	e.touch()
	return e.finish()
}

// An edit is a catalog in the making.
type edit struct {
	old     *Catalog
	repos   map[string]*repo // changed repos; nil: gone
	files   map[at]*file     // changed files; nil: gone
	touched map[string]bool  // identifiers whose app must be built anew
	diff    Diff
}

// at is where a file is.
type at struct{ repo, path string }

// repo returns a repo as it is now; nil when it is not followed.
func (e *edit) repo(name string) *repo {
	if r, changed := e.repos[name]; changed {
		return r
	}
	return e.old.repos.Get(name)
}

func (e *edit) apply(c Change) {
	next := &repo{Repo: c.Repo}
	next.Apps = slices.Clone(c.Repo.Apps)
	old := e.repo(c.Repo.Name)
	if old != nil {
		next.files, next.bad = old.files, old.bad
	}
	edits, bad := map[string]*file{}, map[string]*file{}
	drop := func(path string) { edits[path], bad[path] = nil, nil }
	if c.Gone || c.Reset {
		for path := range next.files.All() {
			drop(path)
		}
	}
	for _, path := range c.Removed {
		drop(path)
	}
	for _, f := range c.Files {
		drop(f.Path)
		edits[f.Path] = newFile(c.Repo.Name, f)
		if edits[f.Path].bad != "" {
			bad[f.Path] = edits[f.Path]
		}
	}
	for path, f := range edits {
		e.files[at{c.Repo.Name, path}] = f
		if c.Gone {
			e.files[at{c.Repo.Name, path}] = nil
		}
	}
	if c.Gone {
		e.repos[c.Repo.Name] = nil
		return
	}
	next.files, next.bad = edited(next.files, edits), edited(next.bad, bad)
	e.repos[c.Repo.Name] = next
}

// edited leaves out edits that remove what is not there: a map that does not
// change is shared.
func edited[V any](m sorted.Map[V], edits map[string]*V) sorted.Map[V] {
	maps.DeleteFunc(edits, func(key string, value *V) bool { return value == nil && m.Get(key) == nil })
	return m.With(edits)
}

// touch notes the identifiers that the changed files publish or published, and
// all those of repos whose rights or rank changed.
func (e *edit) touch() {
	claimed := func(f *file) {
		if f != nil {
			for identifier := range f.claims {
				e.touched[identifier] = true
			}
		}
	}
	for where, f := range e.files {
		claimed(f)
		if old := e.old.repos.Get(where.repo); old != nil {
			claimed(old.files.Get(where.path))
		}
	}
	for name, r := range e.repos {
		old := e.old.repos.Get(name)
		if old == nil || r == nil || old.Priority == r.Priority && slices.Equal(old.Apps, r.Apps) {
			continue // all its files are new, gone, or under the same rules
		}
		for f := range r.files.Values() {
			claimed(f)
		}
	}
}

// claims returns what all files publish of an identifier now, by repo and path.
func (e *edit) claims(identifier string, came map[string][]*claim) []*claim {
	var claims []*claim
	if old := e.old.apps.Get(identifier); old != nil {
		for _, c := range old.claims {
			if _, changed := e.files[at{c.repo, c.path}]; !changed {
				claims = append(claims, c)
			}
		}
	}
	claims = append(claims, came[identifier]...)
	slices.SortFunc(claims, func(a, b *claim) int {
		return cmp.Or(strings.Compare(a.repo, b.repo), strings.Compare(a.path, b.path))
	})
	return claims
}

// finish builds the touched apps and returns the new catalog.
func (e *edit) finish() (*Catalog, Diff) {
	next := &Catalog{
		repos: edited(e.old.repos, e.repos), releases: e.old.releases, ranges: e.old.ranges,
	}
	came := map[string][]*claim{}
	notices := map[Notice]int{} // how many more there are now than before
	for where, f := range e.files {
		if old := e.old.repos.Get(where.repo); old != nil {
			count(notices, old.files.Get(where.path), -1)
		}
		count(notices, f, 1)
		if f != nil {
			for identifier, c := range f.claims {
				came[identifier] = append(came[identifier], c)
			}
		}
	}
	apps := make(map[string]*app, len(e.touched))
	for identifier := range e.touched {
		old := e.old.apps.Get(identifier)
		apps[identifier] = build(identifier, e.claims(identifier, came), &next.repos, old)
		if !apps[identifier].same(old) {
			e.diff.Apps = append(e.diff.Apps, identifier)
		}
		next.releases += apps[identifier].count() - old.count()
		countAll(notices, apps[identifier].noticed(), 1)
		countAll(notices, old.noticed(), -1)
	}
	next.apps = edited(e.old.apps, apps)
	next.unread = e.unread(next)
	slices.Sort(e.diff.Apps)
	e.diff.Holds = e.holdsChanged()
	for n, more := range notices {
		switch {
		case more > 0:
			e.diff.New = append(e.diff.New, n)
		case more < 0:
			e.diff.Resolved = append(e.diff.Resolved, n)
		}
	}
	slices.SortFunc(e.diff.New, compareNotices)
	slices.SortFunc(e.diff.Resolved, compareNotices)
	return next, e.diff
}

func count(notices map[Notice]int, f *file, by int) {
	if f != nil {
		countAll(notices, f.notices, by)
	}
}

func countAll(notices map[Notice]int, of []Notice, by int) {
	for _, n := range of {
		notices[n] += by
	}
}

// unread returns the repos that were never read, and notes whether any answer of
// Ready may have changed: it depends on them, and on the owners that outrank them.
func (e *edit) unread(next *Catalog) []*repo {
	if len(e.repos) == 0 {
		return e.old.unread
	}
	var unread []*repo
	for r := range next.repos.Values() {
		if r.Commit == "" {
			unread = append(unread, r)
		}
	}
	e.diff.Readiness = !slices.EqualFunc(e.old.unread, unread, func(a, b *repo) bool {
		return a.Name == b.Name && a.Priority == b.Priority && slices.Equal(a.Apps, b.Apps)
	})
	for name, r := range e.repos {
		if old := e.old.repos.Get(name); old != nil && r != nil && old.Priority != r.Priority && len(unread) > 0 {
			e.diff.Readiness = true
		}
	}
	return unread
}

// holdsChanged tells whether a file with errors came, changed or went, or the
// rights of a repo that has some.
func (e *edit) holdsChanged() bool {
	for where, f := range e.files {
		if f != nil && f.bad != "" {
			return true
		}
		if old := e.old.repos.Get(where.repo); old != nil && old.bad.Get(where.path) != nil {
			return true
		}
	}
	for name, r := range e.repos {
		old := e.old.repos.Get(name)
		if r != nil && old != nil && r.bad.Len() > 0 && !slices.Equal(r.Apps, old.Apps) {
			return true
		}
	}
	return false
}
