package catalog_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

var (
	someRepos       = []string{"a", "b", "c"}
	somePaths       = []string{"x.yaml", "y.yaml", "z/w.yaml"}
	someIdentifiers = []string{"org.a", "org.b", "com.c"}
	someVersions    = []string{"1.0.0", "1.1.0", "2.0.0-rc.1", "v1.1.0", "dev", "3", "1.0.0+b"}
)

func releases() *rapid.Generator[schema.Release] {
	return rapid.Custom(func(t *rapid.T) schema.Release {
		r := schema.Release{
			Identifier:  rapid.SampledFrom(someIdentifiers).Draw(t, "identifier"),
			Version:     rapid.SampledFrom(someVersions).Draw(t, "version"),
			Description: rapid.SampledFrom([]string{"", "one", "two"}).Draw(t, "description"),
			Channels:    rapid.SampledFrom([][]string{nil, {"beta"}}).Draw(t, "channels"),
			Scopes:      rapid.SampledFrom([][]string{nil, {"read"}, {"write", "read"}}).Draw(t, "scopes"),
			Line:        rapid.IntRange(1, 9).Draw(t, "line"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "flavours") {
			f := schema.Flavour{
				Name:     rapid.SampledFrom([]string{"cpu", "cuda"}).Draw(t, "flavour"),
				Image:    rapid.SampledFrom([]string{"i:1", "i:2"}).Draw(t, "image"),
				Priority: rapid.IntRange(0, 1).Draw(t, "priority"),
			}
			if day := rapid.IntRange(0, 3).Draw(t, "day"); day > 0 {
				f.PublishedAt = time.Date(2024, 1, day, 0, 0, 0, 0, time.UTC)
			}
			r.Flavours = append(r.Flavours, f)
		}
		return r
	})
}

func files(path string) *rapid.Generator[catalog.File] {
	return rapid.Custom(func(t *rapid.T) catalog.File {
		f := catalog.File{Path: path}
		switch rapid.IntRange(0, 5).Draw(t, "sort") {
		case 0:
			f.Unreadable = "it is too large"
			return f
		case 1:
			f.Raw = []byte("identifier: org.a\nversion: 1.0.0\n")
			f.Publication.Problems = schema.Problems{{Line: 3, Message: "no image"}}
		}
		f.Publication.Releases = rapid.SliceOfN(releases(), 0, 4).Draw(t, "releases")
		return f
	})
}

// changes draws a change of one repo: of its files, its rules, or its end.
func changes(name string) *rapid.Generator[catalog.Change] {
	return rapid.Custom(func(t *rapid.T) catalog.Change {
		c := catalog.Change{Repo: catalog.Repo{
			Name: name, Priority: rapid.IntRange(0, 1).Draw(t, "priority"),
			Apps:   rapid.SampledFrom([][]string{nil, {"org.*"}}).Draw(t, "apps"),
			Commit: rapid.SampledFrom([]string{"c1", "c2", "c2", ""}).Draw(t, "commit"),
		}}
		c.Gone = rapid.IntRange(0, 9).Draw(t, "gone") == 0
		c.Reset = rapid.IntRange(0, 9).Draw(t, "reset") == 0
		for _, path := range somePaths {
			switch rapid.IntRange(0, 3).Draw(t, path) {
			case 0:
				c.Files = append(c.Files, files(path).Draw(t, "file"))
			case 1:
				c.Removed = append(c.Removed, path)
			}
		}
		return c
	})
}

// A model is what a catalog should be made of: repos and their files.
type model map[string]*catalog.Change

func (m model) apply(c catalog.Change) {
	if c.Gone {
		delete(m, c.Repo.Name)
		return
	}
	files := map[string]catalog.File{}
	if old := m[c.Repo.Name]; old != nil && !c.Reset {
		for _, f := range old.Files {
			files[f.Path] = f
		}
	}
	for _, path := range c.Removed {
		delete(files, path)
	}
	for _, f := range c.Files {
		files[f.Path] = f
	}
	m[c.Repo.Name] = &catalog.Change{Repo: c.Repo, Files: slices.Collect(maps.Values(files))}
}

func (m model) build() *catalog.Catalog {
	var all []catalog.Change
	for _, c := range m { // in any order: Go's maps have none
		all = append(all, *c)
	}
	c, _ := catalog.New().With(all...)
	return c
}

// view is all that a catalog tells.
type view struct {
	Apps     []*catalog.App
	Repos    []catalog.Repo
	Notices  []catalog.Notice
	Releases int
	Resolved map[string]string
	Ready    map[string][]string
	Holds    map[string]string
	Found    []string
}

func look(c *catalog.Catalog) view {
	v := view{
		Apps: c.Apps(), Repos: slices.Collect(c.Repos()), Releases: c.Releases(),
		Resolved: map[string]string{}, Ready: map[string][]string{}, Holds: map[string]string{},
	}
	for _, n := range c.Notices() {
		if n.Kind != catalog.NoticeRepublished { // history by nature
			v.Notices = append(v.Notices, n)
		}
	}
	for _, id := range someIdentifiers {
		_, v.Ready[id] = c.Ready(id)
		for _, version := range append([]string{"", "beta", "^1", "9.9.9", "^^"}, someVersions...) {
			r, why, err := c.Resolve(id, version)
			v.Resolved[id+" "+version] = fmt.Sprint(why, err)
			if r != nil {
				v.Resolved[id+" "+version] = fmt.Sprint(r.Version, r.Repo, why)
			}
			v.Holds[id+" "+version], _ = c.Holds(id, version)
		}
	}
	for _, text := range []string{"", "org", "one", "repo:a", "read"} {
		for _, h := range c.Search(catalog.Query{Text: text}) {
			v.Found = append(v.Found, fmt.Sprint(text, h.App.Identifier, h.Score, h.Matches))
		}
	}
	return v
}

// The commit at which a content was first seen is history too.
var ignoreHistory = cmpopts.IgnoreFields(catalog.Release{}, "Commit")

// However a catalog came about, it tells what its files tell: it is the same as
// one made at once, in any order; and no catalog before it changes.
func TestCatalogDependsOnFilesAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, m := catalog.New(), model{}
		for range rapid.IntRange(1, 5).Draw(t, "steps") {
			var batch []catalog.Change
			for _, name := range rapid.SliceOfN(rapid.SampledFrom(someRepos), 1, 3).Draw(t, "repos") {
				change := changes(name).Draw(t, name)
				batch = append(batch, change)
				m.apply(change)
			}
			before := look(c)
			next, diff := c.With(batch...)
			if d := cmp.Diff(before, look(c)); d != "" {
				t.Fatalf("With changed the catalog before it:\n%s", d)
			}
			checkDiff(t, c, next, diff)
			c = next
			if d := cmp.Diff(look(m.build()), look(c), ignoreHistory); d != "" {
				t.Fatalf("from scratch (-) differs from step by step (+):\n%s", d)
			}
		}
		checkRules(t, c)
	})
}

// checkDiff checks that a diff names all that differs, and no notice else.
func checkDiff(t *rapid.T, before, after *catalog.Catalog, diff catalog.Diff) {
	was, is := look(before), look(after)
	for _, id := range someIdentifiers {
		old, _ := before.App(id)
		now, _ := after.App(id)
		same := cmp.Equal(old, now, ignoreHistory, cmpopts.IgnoreFields(catalog.Release{}, "File"), cmpopts.IgnoreFields(schema.Release{}, "Line"))
		if changed := slices.Contains(diff.Apps, id); changed == same {
			t.Fatalf("%s: the diff says changed: %t\nbefore %+v\nafter  %+v", id, changed, old, now)
		}
		if !diff.Readiness && !slices.Contains(diff.Apps, id) && !slices.Equal(was.Ready[id], is.Ready[id]) {
			t.Fatalf("%s: readiness changed and no diff tells", id)
		}
	}
	for what := range is.Holds {
		id, _, _ := strings.Cut(what, " ")
		if was.Holds[what] != is.Holds[what] && !diff.Holds && !slices.Contains(diff.Apps, id) {
			t.Fatalf("the hold of %s changed and no diff tells", what)
		}
	}
	expected := map[catalog.Notice]int{}
	for _, n := range after.Notices() {
		expected[n]++
	}
	for _, n := range before.Notices() {
		expected[n]--
	}
	for _, n := range diff.New {
		expected[n]--
	}
	for _, n := range diff.Resolved {
		expected[n]++
	}
	for n, off := range expected {
		if off != 0 {
			t.Fatalf("the diff of notices is off by %d of %+v", off, n)
		}
	}
}

// checkRules checks what holds in every catalog.
func checkRules(t *rapid.T, c *catalog.Catalog) {
	total := 0
	for _, a := range c.Apps() {
		total += len(a.Releases)
		for i, r := range a.Releases {
			owner, followed := c.Repo(r.Repo)
			if !followed || r.ShadowedBy != "" || r.Repo != a.Releases[0].Repo {
				t.Fatalf("%+v counts and is not of the owner", r)
			}
			if len(owner.Apps) > 0 && !strings.HasPrefix(a.Identifier, "org.") {
				t.Fatalf("%+v is not allowed", r)
			}
			if got, _, err := c.Resolve(a.Identifier, r.Version); err != nil || got != r {
				t.Fatalf("%s %s resolves to %+v, %v", a.Identifier, r.Version, got, err)
			}
			if i > 0 && r.SemVer != nil && (a.Releases[i-1].SemVer == nil || a.Releases[i-1].SemVer.LessThan(r.SemVer)) {
				t.Fatalf("%s comes after %s", r.Version, a.Releases[i-1].Version)
			}
		}
		for _, r := range a.Shadowed {
			if r.ShadowedBy == "" || len(a.Releases) == 0 || r.ShadowedBy != a.Releases[0].Repo {
				t.Fatalf("%+v is shadowed by no owner", r)
			}
		}
		if r, _, err := c.Resolve(a.Identifier, ""); err == nil && r.Prerelease() {
			t.Fatalf("the newest stable is %s", r.Version)
		}
	}
	if total != c.Releases() {
		t.Fatalf("%d releases are counted, %d listed", c.Releases(), total)
	}
}

// A file that comes and goes leaves nothing behind.
func TestRemovingAFileRestoresTheCatalog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := model{}
		for _, name := range someRepos {
			m.apply(changes(name).Draw(t, name))
		}
		m.apply(catalog.Change{Repo: catalog.Repo{Name: "a", Commit: "c1"}, Removed: []string{"x.yaml"}})
		base := m.build()
		repo := m["a"].Repo
		added, _ := base.With(catalog.Change{Repo: repo, Files: []catalog.File{files("x.yaml").Draw(t, "added")}})
		restored, _ := added.With(catalog.Change{Repo: repo, Removed: []string{"x.yaml"}})
		if d := cmp.Diff(look(base), look(restored), ignoreHistory); d != "" {
			t.Fatalf("before (-) and after (+) a file that came and went:\n%s", d)
		}
	})
}

// Readers of any catalog go on while the next ones are made.
func TestReadersNeverWait(t *testing.T) {
	c := with(t, read("a", 0, publishes("x.yaml", release("org.a", "1.0.0", "i:cpu"), release("org.b", "1.0.0", "i:cpu"))))
	want := look(c)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if d := cmp.Diff(want, look(c)); d != "" {
					t.Errorf("a reader sees another catalog:\n%s", d)
					return
				}
			}
		})
	}
	next := c
	for i := range 200 {
		id := someIdentifiers[rand.IntN(len(someIdentifiers))]
		next, _ = next.With(read("a", 0, publishes("y.yaml", release(id, fmt.Sprintf("2.0.%d", i), "i:cpu"))))
		next.Search(catalog.Query{Text: "org"})
	}
	wg.Wait()
}
