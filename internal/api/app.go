package api

import (
	"cmp"
	"slices"
	"strings"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

// app resolves App.
type app struct {
	w       *world
	a       *catalog.App
	score   int              // of the search that found it
	release *catalog.Release // that it found; nil without a search
	found   []catalog.Match
}

func (a app) ID() id              { return id(a.a.Identifier) }
func (a app) Identifier() string  { return a.a.Identifier }
func (a app) Name() string        { return a.a.Name }
func (a app) Description() string { return a.w.meter.takeText(a.a.Description) }
func (a app) Author() string      { return a.w.meter.takeText(a.a.Author) }
func (a app) Logo() string        { return a.w.meter.takeText(a.a.Logo) }
func (a app) Repo() *repo         { return a.w.repo(a.a.Owner) }

func (a app) Newest() *release {
	if r := a.newest(); r != nil {
		return one(a.w, release{a.w, r})
	}
	return nil
}

func (a app) newest() *catalog.Release {
	r, _, err := a.w.view.Catalog.Resolve(a.a.Identifier, "")
	if err != nil {
		return nil // there are only prereleases
	}
	return r
}

func (a app) Releases(args struct {
	Filter *releaseFilter
	Order  *orderBy
	paging
}) (*connection[release], error) {
	return a.w.listReleases(releasesOf(a.w, a.a.Releases), args.Filter, nil, args.Order, args.paging)
}

func (a app) Shadowed() []release {
	a.w.meter.takeObjects(len(a.a.Shadowed))
	out := make([]release, len(a.a.Shadowed))
	for i, r := range a.a.Shadowed {
		out[i] = release{a.w, r}
	}
	return out
}

func (a app) Deployments(args struct {
	Filter *deploymentFilter
	Order  *orderBy
	paging
}) (*connection[deployment], error) {
	return a.w.listDeployments(a.w.index.ofApp(a.a.Identifier), args.Filter, nil, args.Order, args.paging)
}

func (a app) Notices() []notice {
	return a.w.notices(func(n *catalog.Notice) bool { return n.Identifier == a.a.Identifier })
}

// Found is what a search without words finds where there was none.
func (a app) Found() *release {
	r := cmp.Or(a.release, a.newest())
	if r == nil && len(a.a.Releases) > 0 {
		r = a.a.Releases[0]
	}
	if r == nil {
		return nil
	}
	return one(a.w, release{a.w, r})
}

func (a app) Matches() []searchMatch {
	a.w.meter.takeObjects(len(a.found))
	out := make([]searchMatch, len(a.found))
	for i, m := range a.found {
		out[i] = searchMatch(m)
	}
	return out
}

// searchMatch resolves SearchMatch.
type searchMatch struct{ Field, Snippet string }

// relevance is the order of the apps that a search finds.
const relevance = "RELEVANCE"

// apps are listed by identifier.
var apps = noun[app]{
	name: "app", usual: "IDENTIFIER",
	orders: map[string]order[app]{
		"IDENTIFIER": compareIdentifiers,
		"NAME": func(a, b app) int {
			return cmp.Or(strings.Compare(strings.ToLower(a.a.Name), strings.ToLower(b.a.Name)), compareIdentifiers(a, b))
		},
		relevance: func(a, b app) int { return cmp.Or(cmp.Compare(b.score, a.score), compareIdentifiers(a, b)) },
	},
	mark: func(a app) []string { return []string{a.a.Identifier, a.a.Name, markInt(a.score)} },
	probe: func(w *world, left []string) (app, bool) {
		m := marks{left: left}
		a := app{w: w, a: &catalog.App{Identifier: m.text(), Name: m.text()}, score: m.int()}
		return a, m.ok()
	},
}

func compareIdentifiers(a, b app) int { return strings.Compare(a.a.Identifier, b.a.Identifier) }

type appFilter struct {
	Identifier, Repo, Author, Scope, Selector *[]string
	Not                                       *appFilter
}

func (f *appFilter) filter(depth int) (filter[app], error) {
	if f == nil {
		return filter[app]{}, nil
	}
	var c conditions[app]
	c.text("identifier", f.Identifier, app.Identifier)
	c.text("repo", f.Repo, func(a app) string { return a.a.Owner })
	c.text("author", f.Author, func(a app) string { return a.a.Author })
	c.texts("scope", f.Scope, func(a app) []string { return ofReleases(a, scopesOf) })
	c.texts("selector", f.Selector, func(a app) []string { return ofReleases(a, selectorsOf) })
	if f.Not != nil {
		c.not(depth, f.Not.filter)
	}
	return c.filter()
}

// ofReleases returns what the releases of an app say, all of them together.
func ofReleases(a app, of func(*catalog.Release) []string) []string {
	var out []string
	for _, r := range a.a.Releases {
		for _, value := range of(r) {
			if !slices.Contains(out, value) {
				out = append(out, value)
			}
		}
	}
	return out
}

func scopesOf(r *catalog.Release) []string { return r.Scopes }

// selectorsOf returns the kinds of selectors that the flavours of a release have,
// as the schema spells them. GPU stands for every kind of GPU.
func selectorsOf(r *catalog.Release) []string {
	var out []string
	for i := range r.Flavours {
		out = append(out, kindsOf(r.Flavours[i].Selectors)...)
	}
	return out
}

func kindsOf(selectors []schema.Selector) []string {
	var out []string
	for _, s := range selectors {
		out = append(out, enum(s.Kind))
		if s.GPU() {
			out = append(out, enum(schema.SelectGPU))
		}
	}
	return out
}

// listApps lists apps; those that words find come in the order of relevance.
func (w *world) listApps(f *appFilter, words *string, by *orderBy, p paging) (*connection[app], error) {
	keep, err := f.filter(0)
	if err != nil {
		return nil, err
	}
	if words == nil || strings.TrimSpace(*words) == "" {
		return apps.page(w, all(w.view.Catalog.Apps(), "IDENTIFIER", func(a *catalog.App) app { return app{w: w, a: a} }), keep, by, p)
	}
	if err := w.meter.spend(10 * w.view.Catalog.Releases()); err != nil {
		return nil, err
	}
	if by == nil {
		by = &orderBy{relevance, ascending}
	}
	hits := w.view.Catalog.Search(catalog.Query{Text: *words})
	return apps.page(w, all(hits, relevance, func(h catalog.Hit) app {
		return app{w: w, a: h.App, score: h.Score, release: h.Release, found: h.Matches}
	}), keep, by, p)
}

// runs tells whether a deployment runs a release, or is on its way to it.
func runs(s *engine.Status, r *catalog.Release) bool {
	return r.ShadowedBy == "" && s.Release == r.Version
}
