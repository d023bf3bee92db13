package api

import (
	"cmp"
	"slices"
	"strings"

	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

// release resolves Release.
type release struct {
	w *world
	r *catalog.Release
}

func (r release) ID() id                   { return id(r.r.Identifier + "@" + r.r.Version) }
func (r release) Version() string          { return r.r.Version }
func (r release) Name() string             { return r.r.Name }
func (r release) Description() string      { return r.w.meter.takeText(r.r.Description) }
func (r release) Author() string           { return r.w.meter.takeText(r.r.Author) }
func (r release) Prerelease() bool         { return r.r.Prerelease() }
func (r release) Channels() []string       { return r.w.texts(r.r.Channels) }
func (r release) Scopes() []string         { return r.w.texts(r.r.Scopes) }
func (r release) Repo() *repo              { return r.w.repo(r.r.Repo) }
func (r release) File() string             { return r.w.meter.takeText(r.r.File) }
func (r release) Commit() string           { return r.r.Commit }
func (r release) ShadowedBy() string       { return r.r.ShadowedBy }
func (r release) CreatedAt() *graphql.Time { return momentOrNone(r.r.CreatedAt) }

// App is there for every release of the catalog.
func (r release) App() app { return *r.w.app(r.r.Identifier) }

func (r release) Flavours() []flavour {
	r.w.meter.takeObjects(len(r.r.Flavours))
	out := make([]flavour, len(r.r.Flavours))
	for i := range out {
		out[i] = flavour{r.w, r.r, &r.r.Flavours[i]}
	}
	return out
}

func (r release) Definitions() []definition {
	var all []schema.Definition
	named := map[string]bool{}
	for i := range r.r.Flavours {
		for _, d := range r.r.Flavours[i].Definitions {
			if key := cmp.Or(d.Key, d.Name); !named[key] {
				named[key] = true
				all = append(all, d)
			}
		}
	}
	return definitionsOf(r.w, all)
}

func (r release) Deployments(args paging) (*connection[deployment], error) {
	return r.w.listDeployments(r.running(), nil, nil, nil, args)
}

// running returns the deployments that run the release, or are on their way to it.
func (r release) running() []entry {
	var out []entry
	for _, e := range r.w.index.ofApp(r.r.Identifier) {
		if runs(e.s, r.r) {
			out = append(out, e)
		}
	}
	return out
}

func (r release) Pods(args paging) (*connection[pod], error) {
	var found []*backends.Pod
	for _, e := range r.w.index.ofApp(r.r.Identifier) {
		for i := range e.s.Pods {
			if p := &e.s.Pods[i]; p.App == r.r.Identifier && p.Release == r.r.Version && r.r.ShadowedBy == "" {
				found = append(found, p)
			}
		}
	}
	return r.w.listPods(found, nil, nil, nil, args)
}

// releases are listed by app, then the newest first.
var releases = noun[release]{
	name: "release", usual: "APP",
	orders: map[string]order[release]{
		"APP":     func(a, b release) int { return compareReleases(a.r, b.r) },
		"VERSION": func(a, b release) int { return cmp.Or(compareVersions(a.r, b.r), compareReleases(a.r, b.r)) },
		"CREATED": func(a, b release) int {
			return cmp.Or(a.r.CreatedAt.Compare(b.r.CreatedAt), compareReleases(a.r, b.r))
		},
	},
	mark: func(r release) []string { return markRelease(r.r) },
	probe: func(w *world, left []string) (release, bool) {
		m := marks{left: left}
		r := release{w, m.release()}
		return r, m.ok()
	},
}

func compareReleases(a, b *catalog.Release) int {
	return cmp.Or(strings.Compare(a.Identifier, b.Identifier), catalog.Compare(a, b))
}

// compareVersions orders by SemVer; versions that are none come first, by their text.
func compareVersions(a, b *catalog.Release) int {
	switch {
	case a.SemVer != nil && b.SemVer != nil:
		return a.SemVer.Compare(b.SemVer)
	case a.SemVer == nil && b.SemVer == nil:
		return strings.Compare(a.Version, b.Version)
	case a.SemVer == nil:
		return -1
	}
	return 1
}

func markRelease(r *catalog.Release) []string {
	return []string{r.Identifier, r.Version, r.Repo, markTime(r.CreatedAt), markTime(r.Time())}
}

// release reads what markRelease wrote.
func (m *marks) release() *catalog.Release {
	r := &catalog.Release{Release: schema.Release{Identifier: m.text(), Version: m.text()}, Repo: m.text()}
	r.SemVer = catalog.ParseSemVer(r.Version)
	r.CreatedAt = m.time()
	r.Flavours = []schema.Flavour{{PublishedAt: m.time()}}
	return r
}

type releaseFilter struct {
	App, Version, Repo, Channel, Scope, Selector *[]string
	Prerelease, Running                          *[]bool
	Not                                          *releaseFilter
}

func (f *releaseFilter) filter(depth int) (filter[release], error) {
	if f == nil {
		return filter[release]{}, nil
	}
	var c conditions[release]
	c.text("app", f.App, func(r release) string { return r.r.Identifier })
	c.text("version", f.Version, release.Version)
	c.text("repo", f.Repo, func(r release) string { return r.r.Repo })
	c.texts("channel", f.Channel, release.Channels)
	c.texts("scope", f.Scope, release.Scopes)
	c.texts("selector", f.Selector, func(r release) []string { return selectorsOf(r.r) })
	c.flag("prerelease", f.Prerelease, release.Prerelease)
	c.flag("running", f.Running, func(r release) bool { return len(r.running()) > 0 })
	if f.Not != nil {
		c.not(depth, f.Not.filter)
	}
	return c.filter()
}

// releasesOf returns a listing of releases that stand in the usual order.
func releasesOf(w *world, found []*catalog.Release) listing[release] {
	return all(found, releases.usual, func(r *catalog.Release) release { return release{w, r} })
}

// listReleases lists releases.
func (w *world) listReleases(of listing[release], f *releaseFilter, words *string, by *orderBy, p paging) (*connection[release], error) {
	keep, err := f.filter(0)
	if err != nil {
		return nil, err
	}
	if keep, err = search(keep, words, func(r release) []string {
		return append([]string{r.r.Identifier, r.r.Version, r.r.Name, r.r.Description, r.r.Author, r.r.Repo}, r.r.Channels...)
	}); err != nil {
		return nil, err
	}
	return releases.page(w, of, keep, by, p)
}

// allReleases returns the releases that count, in an order that is kept for all queries.
func (w *world) allReleases(by *orderBy) listing[release] {
	in := releases.usual
	if by != nil {
		in = by.By
	}
	i := w.catalog
	sorted := i.releases[in].get(func() []release {
		out := make([]release, 0, i.of.Releases())
		for _, a := range i.of.Apps() {
			for _, r := range a.Releases {
				out = append(out, release{r: r})
			}
		}
		if in != releases.usual {
			slices.SortFunc(out, releases.orders[in])
		}
		return out
	})
	return all(sorted, in, func(r release) release { return release{w, r.r} })
}
