package api

import (
	"cmp"
	"strings"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

// repo resolves Repo.
type repo struct {
	w *world
	r catalog.Repo
}

func (r repo) ID() id               { return id(r.r.Name) }
func (r repo) Name() string         { return r.r.Name }
func (r repo) URL() string          { return r.w.meter.takeText(r.r.URL) }
func (r repo) Priority() int32      { return count(r.r.Priority) }
func (r repo) MayPublish() []string { return r.w.texts(r.r.Apps) }
func (r repo) Commit() string       { return r.r.Commit }
func (r repo) Problem() string      { return r.w.meter.takeText(r.r.Problem) }

func (r repo) Ref() string {
	if doc := r.declared(); doc != nil {
		return doc.Ref
	}
	return ""
}

func (r repo) Declared() *position {
	if doc := r.declared(); doc != nil {
		return positionOf(doc.Position)
	}
	return nil
}

func (r repo) declared() *schema.Repo {
	if r.w.view.State == nil {
		return nil
	}
	doc, _ := r.w.view.State.Repo(r.r.Name)
	return doc
}

func (r repo) Source() *source { return r.w.source(r.r.Name) }

func (r repo) Notices() []notice {
	return r.w.notices(func(n *catalog.Notice) bool { return n.Repo == r.r.Name })
}

func (r repo) Apps(args struct {
	Search *string
	Order  *orderBy
	paging
}) (*connection[app], error) {
	return r.w.listApps(&appFilter{Repo: &[]string{r.r.Name}}, args.Search, args.Order, args.paging)
}

func (r repo) Releases(args struct {
	Search *string
	Order  *orderBy
	paging
}) (*connection[release], error) {
	return r.w.listReleases(releasesOf(r.w, r.w.catalog.ofRepo(r.r.Name)), nil, args.Search, args.Order, args.paging)
}

// repos are listed by name.
var repos = noun[repo]{
	name: "repo", usual: "NAME",
	orders: map[string]order[repo]{
		"NAME": func(a, b repo) int { return strings.Compare(a.r.Name, b.r.Name) },
		"PRIORITY": func(a, b repo) int {
			return cmp.Or(cmp.Compare(a.r.Priority, b.r.Priority), strings.Compare(a.r.Name, b.r.Name))
		},
	},
	mark: func(r repo) []string { return []string{r.r.Name, markInt(r.r.Priority)} },
	probe: func(w *world, left []string) (repo, bool) {
		m := marks{left: left}
		r := repo{w, catalog.Repo{Name: m.text(), Priority: m.int()}}
		return r, m.ok()
	},
}

type repoFilter struct {
	Name, URL *[]string
	Not       *repoFilter
}

func (f *repoFilter) filter(depth int) (filter[repo], error) {
	if f == nil {
		return filter[repo]{}, nil
	}
	var c conditions[repo]
	c.text("name", f.Name, repo.Name)
	c.text("url", f.URL, repo.URL)
	if f.Not != nil {
		c.not(depth, f.Not.filter)
	}
	return c.filter()
}

func (w *world) listRepos(f *repoFilter, words *string, by *orderBy, p paging) (*connection[repo], error) {
	keep, err := f.filter(0)
	if err != nil {
		return nil, err
	}
	if keep, err = search(keep, words, func(r repo) []string { return []string{r.r.Name, r.r.URL, r.r.Problem} }); err != nil {
		return nil, err
	}
	var found []catalog.Repo
	for r := range w.view.Catalog.Repos() {
		found = append(found, r)
	}
	return repos.page(w, all(found, "NAME", func(r catalog.Repo) repo { return repo{w, r} }), keep, by, p)
}

// notice resolves Notice.
type notice struct {
	w *world
	n *catalog.Notice
}

func (n notice) Kind() string       { return enum(n.n.Kind) }
func (n notice) Repo() string       { return n.n.Repo }
func (n notice) Identifier() string { return n.n.Identifier }
func (n notice) Version() string    { return n.n.Version }
func (n notice) Message() string    { return n.w.meter.takeText(n.n.Message) }

// notices returns those about the catalog that match.
func (w *world) notices(match func(*catalog.Notice) bool) []notice {
	var out []notice
	all := w.view.Catalog.Notices()
	w.meter.takeWork(len(all))
	for i := range all {
		if match(&all[i]) {
			out = append(out, notice{w, &all[i]})
		}
	}
	w.meter.takeObjects(len(out))
	return out
}

// position resolves Position.
type position struct{ schema.Position }

func (p position) File() string  { return p.Position.File }
func (p position) Line() int32   { return count(p.Position.Line) }
func (p position) Column() int32 { return count(p.Position.Column) }
func (p position) Text() string {
	return schema.Problem{File: p.Position.File, Line: p.Position.Line, Column: p.Position.Column}.Position()
}

// positionOf returns nothing where no file is named.
func positionOf(p schema.Position) *position {
	return orNone(p, func(p schema.Position) position { return position{p} })
}
