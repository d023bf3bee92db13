package catalog_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

// release returns an entry with a flavour for each image, called as the image's tag.
func release(identifier, version string, images ...string) schema.Release {
	r := schema.Release{Identifier: identifier, Version: version, Line: 1}
	for _, image := range images {
		_, name, _ := strings.Cut(image, ":")
		r.Flavours = append(r.Flavours, schema.Flavour{Name: name, Image: image})
	}
	return r
}

func publishes(path string, releases ...schema.Release) catalog.File {
	return catalog.File{Path: path, Publication: schema.Publication{Releases: releases}}
}

// read is a repo that was read, with its files.
func read(name string, priority int, files ...catalog.File) catalog.Change {
	return catalog.Change{Repo: catalog.Repo{Name: name, Priority: priority, Commit: "c1"}, Files: files}
}

func with(t *testing.T, changes ...catalog.Change) *catalog.Catalog {
	t.Helper()
	c, _ := catalog.New().With(changes...)
	return c
}

func app(t *testing.T, c *catalog.Catalog, identifier string) *catalog.App {
	t.Helper()
	a, ok := c.App(identifier)
	if !ok {
		t.Fatalf("%s is not in the catalog", identifier)
	}
	return a
}

func versions(releases []*catalog.Release) []string {
	out := []string{}
	for _, r := range releases {
		out = append(out, r.Version)
	}
	return out
}

func told(c *catalog.Catalog) []string {
	out := []string{}
	for _, n := range c.Notices() {
		out = append(out, string(n.Kind)+": "+n.Message)
	}
	return out
}

func TestReleasesAreOrderedNewestFirst(t *testing.T) {
	day := func(version string, d int) schema.Release {
		r := release("org.a", version, "a:x")
		r.CreatedAt = time.Date(2024, 1, d, 0, 0, 0, 0, time.UTC)
		return r
	}
	c := with(t, read("r", 0, publishes("m.yaml",
		day("dev", 1), day("1.9.0", 9), day("1.10.0", 2), day("2.0.0-rc.1", 3), day("1.10.0+b2", 4), day("v1.2.0", 5),
		day("latest", 7), day("3", 6), day("0.4", 6))))
	want := []string{"2.0.0-rc.1", "1.10.0+b2", "1.10.0", "1.9.0", "v1.2.0", "latest", "3", "0.4", "dev"}
	if got := versions(app(t, c, "org.a").Releases); !slices.Equal(got, want) {
		t.Errorf("releases %q, want %q", got, want)
	}
	if c.Releases() != len(want) {
		t.Errorf("%d releases are counted, want %d", c.Releases(), len(want))
	}
}

func TestEntriesOfOneReleaseMerge(t *testing.T) {
	first := release("org.a", "1.0.0", "a:cpu", "a:old")
	first.Scopes, first.Channels, first.Description, first.Line = []string{"read"}, []string{"beta"}, "first", 4
	second := release("org.a", "1.0.0", "a:cuda")
	second.Scopes, second.Channels, second.Author, second.Description = []string{"read", "write"}, []string{"stable"}, "A. Author", "second"
	second.Flavours[0].Priority = -1
	c := with(t, read("r", 0, publishes("b.yaml", second), publishes("a.yaml", first)))

	a := app(t, c, "org.a")
	if len(a.Releases) != 1 {
		t.Fatalf("%d releases, want 1", len(a.Releases))
	}
	r := a.Releases[0]
	var images []string
	for _, f := range r.Flavours {
		images = append(images, f.Image)
	}
	if want := []string{"a:cuda", "a:cpu", "a:old"}; !slices.Equal(images, want) {
		t.Errorf("flavours %q, want %q: by priority, then by file", images, want)
	}
	if !slices.Equal(r.Scopes, []string{"read", "write"}) || !slices.Equal(r.Channels, []string{"beta", "stable"}) {
		t.Errorf("scopes %q, channels %q: want all of both entries", r.Scopes, r.Channels)
	}
	if r.Description != "second" || r.Author != "A. Author" || r.File != "a.yaml" || r.Line != 4 || r.Repo != "r" || r.Commit != "c1" {
		t.Errorf("release is %+v", r)
	}
	if got := told(c); len(got) > 0 {
		t.Errorf("notices %q", got)
	}
}

func TestLaterOneOfAFlavourCounts(t *testing.T) {
	at := func(image string, day int, scopes ...string) schema.Release {
		r := release("org.a", "1.0.0", image)
		r.Flavours[0].Name, r.Scopes, r.Line = "cpu", scopes, day
		if day > 0 {
			r.Flavours[0].PublishedAt = time.Date(2024, 1, day, 0, 0, 0, 0, time.UTC)
		}
		return r
	}
	tests := []struct {
		name    string
		entries []schema.Release
		want    string
	}{
		{"by time", []schema.Release{at("a:1", 3, "admin"), at("a:2", 9), at("a:3", 5)}, "a:2"},
		{"by order", []schema.Release{at("a:1", 0, "admin"), at("a:2", 0), at("a:3", 0)}, "a:3"},
		{"by time, then by order", []schema.Release{at("a:1", 0), at("a:2", 3), at("a:3", 3)}, "a:3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := with(t, read("r", 0, publishes("m.yaml", tt.entries...)))
			r := app(t, c, "org.a").Releases[0]
			if len(r.Flavours) != 1 || r.Flavours[0].Image != tt.want {
				t.Errorf("flavours %+v, want image %s", r.Flavours, tt.want)
			}
			if len(r.Scopes) > 0 {
				t.Errorf("scopes %q are of an entry that counts no more", r.Scopes)
			}
			if got := told(c); len(got) != 1 || !strings.HasPrefix(got[0], "duplicate: flavour cpu of org.a 1.0.0 stands 3 times; the one at m.yaml") {
				t.Errorf("notices %q", got)
			}
		})
	}
}

func TestOneRepoOwnsAnIdentifier(t *testing.T) {
	theirs := publishes("m.yaml", release("org.a", "9.0.0", "evil:x"))
	ours := publishes("m.yaml", release("org.a", "1.0.0", "a:x"))
	tests := []struct {
		name    string
		changes []catalog.Change
		owner   string
		why     string
	}{
		{"the highest priority", []catalog.Change{read("a", 1, theirs), read("b", 2, ours)}, "b",
			"shadowed: repo a publishes org.a too (1 release); it belongs to repo b, whose priority is higher (2, not 1)"},
		{"then the first by name", []catalog.Change{read("z", 1, theirs), read("b", 1, ours)}, "b",
			"shadowed: repo z publishes org.a too (1 release); it belongs to repo b, the first by name of equal priority"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := with(t, tt.changes...)
			a := app(t, c, "org.a")
			if len(a.Releases) != 1 || a.Releases[0].Repo != tt.owner || a.Releases[0].ShadowedBy != "" {
				t.Errorf("releases %+v", a.Releases)
			}
			if len(a.Shadowed) != 1 || a.Shadowed[0].ShadowedBy != tt.owner {
				t.Errorf("shadowed %+v", a.Shadowed)
			}
			if got := told(c); !slices.Equal(got, []string{tt.why}) {
				t.Errorf("notices %q, want %q", got, tt.why)
			}
			for _, version := range []string{"9.0.0", "^9"} {
				if r, _, err := c.Resolve("org.a", version); err == nil {
					t.Errorf("%s resolves to the shadowed %s", version, r.Version)
				}
			}
			hits := c.Search(catalog.Query{Repo: tt.changes[0].Repo.Name})
			if len(hits) != 1 || hits[0].Release.ShadowedBy != tt.owner {
				t.Errorf("the shadowed release is not found: %+v", hits)
			}
		})
	}
}

func TestReposPublishOnlyWhatTheyMay(t *testing.T) {
	change := read("r", 0, publishes("m.yaml", release("org.example.a", "1.0.0", "a:x"), release("org.other", "1.0.0", "b:x")))
	change.Repo.Apps = []string{"org.example.*"}
	other := read("s", -1, publishes("m.yaml", release("org.other", "2.0.0", "c:x")))
	c := with(t, change)
	if _, ok := c.App("org.other"); ok || len(c.Apps()) != 1 || c.Releases() != 1 {
		t.Error("an identifier that is not allowed is listed")
	}
	want := []string{"not-allowed: repo r publishes org.other in m.yaml, and may publish org.example.* only"}
	if got := told(c); !slices.Equal(got, want) {
		t.Errorf("notices %q, want %q", got, want)
	}
	if _, _, err := c.Resolve("org.other", ""); err == nil || !strings.Contains(err.Error(), "may publish org.example.* only") {
		t.Errorf("the error does not tell why: %v", err)
	}
	c, diff := c.With(other)
	if a := app(t, c, "org.other"); a.Releases[0].Repo != "s" || !slices.Equal(diff.Apps, []string{"org.other"}) {
		t.Errorf("a repo that may publish does not own: %+v, %+v", a.Releases[0], diff)
	}
	change.Files, change.Repo.Apps = nil, nil
	c, diff = c.With(change)
	if a := app(t, c, "org.other"); a.Releases[0].Repo != "r" || len(diff.Apps) != 1 || len(diff.Resolved) != 1 {
		t.Errorf("after the rule is gone: %+v, %+v", a.Releases[0], diff)
	}
}

func TestIdentitiesDescribeApps(t *testing.T) {
	identity := schema.Release{Identifier: "org.a", Version: "1.0.0", Name: "An App", Author: "A. Author", Logo: "logo.png"}
	file := catalog.File{Path: ".arkitekt/manifest.yaml", Publication: schema.Publication{Identities: []schema.Release{identity}}}
	c := with(t, read("r", 0, file))
	if a := app(t, c, "org.a"); a.Name != "An App" || len(a.Releases) != 0 || c.Releases() != 0 {
		t.Errorf("app %+v", a)
	}
	if _, _, err := c.Resolve("org.a", ""); schema.KindOf(err) != schema.Waiting || !strings.Contains(err.Error(), "only its identity is published") {
		t.Errorf("error %v", err)
	}
	if hits := c.Search(catalog.Query{Text: "author", Repo: "r"}); len(hits) != 1 || hits[0].Release != nil {
		t.Errorf("hits %+v", hits)
	}
	named := release("org.a", "1.0.0", "a:x")
	named.Author = "B. Author"
	c, _ = c.With(read("r", 0, publishes("deployments.yaml", named)))
	if a := app(t, c, "org.a"); a.Name != "An App" || a.Author != "B. Author" || len(a.Releases) != 1 {
		t.Errorf("app %+v", a)
	}
	// The identity of another repo, though it ranks higher, takes no releases away.
	squat := read("boss", 99, file)
	c, _ = c.With(squat)
	if a := app(t, c, "org.a"); len(a.Releases) != 1 || a.Releases[0].Repo != "r" || len(told(c)) != 0 {
		t.Errorf("app %+v, notices %q", a, told(c))
	}
}

func TestRepublishedReleasesAreReported(t *testing.T) {
	first := release("org.a", "1.0.0", "one:cpu", "one:cuda")
	first.Scopes = []string{"read", "write"}
	first.Flavours[0].Requirements = []schema.Requirement{{Key: "db"}, {Key: "cache"}}
	base := with(t, read("r", 0, publishes("m.yaml", first)))
	tests := []struct {
		name   string
		change func(*schema.Release)
		want   string // after "published again with other content: "; empty: no notice
		same   bool
	}{
		{"nothing", func(*schema.Release) {}, "", true},
		{"its line", func(r *schema.Release) { r.Line = 77 }, "", true},
		{"a text", func(r *schema.Release) { r.Description = "better" }, "", false},
		{"the order", func(r *schema.Release) {
			slices.Reverse(r.Scopes)
			slices.Reverse(r.Flavours[0].Requirements)
		}, "", false},
		{"a requirement", func(r *schema.Release) { r.Flavours[0].Requirements[0].Service = "other" }, "flavour cpu: other requirements", false},
		{"a flavour more", func(r *schema.Release) {
			r.Flavours = append(r.Flavours, schema.Flavour{Name: "rocm", Image: "one:rocm"})
		}, "", false},
		{"an image", func(r *schema.Release) { r.Flavours[0].Image = "two:cpu" }, "flavour cpu: image two:cpu instead of one:cpu", false},
		{"a flavour less", func(r *schema.Release) { r.Flavours = r.Flavours[:1] }, "flavour cuda is gone", false},
		{"several", func(r *schema.Release) {
			r.Scopes = []string{"read"}
			r.Flavours[1].Selectors = []schema.Selector{{Kind: schema.SelectCUDA}}
			r.Flavours[1].Env = map[string]string{"A": "b"}
		}, "the scopes differ; flavour cuda: other selectors, other settings of the container", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := first
			r.Scopes, r.Flavours = slices.Clone(first.Scopes), slices.Clone(first.Flavours)
			r.Flavours[0].Requirements = slices.Clone(first.Flavours[0].Requirements)
			tt.change(&r)
			change := read("r", 0, publishes("m.yaml", r))
			change.Repo.Commit = "c2"
			c, diff := base.With(change)
			var want []string
			if tt.want != "" {
				want = []string{"republished: org.a 1.0.0 was published again with other content: " + tt.want}
			}
			if got := told(c); !slices.Equal(got, want) {
				t.Errorf("notices %q, want %q", got, want)
			}
			if tt.same != (len(diff.Apps) == 0) {
				t.Errorf("changed apps %q", diff.Apps)
			}
			commit := map[bool]string{true: "c1", false: "c2"}[tt.same]
			if got := app(t, c, "org.a").Releases[0]; got.Commit != commit || got.Line != r.Line {
				t.Errorf("release of commit %s at line %d, want %s at %d", got.Commit, got.Line, commit, r.Line)
			}
			later, _ := c.With(read("s", 0, publishes("m.yaml", release("org.b", "1.0.0", "b:x"))), read("r", 0, publishes("n.yaml", release("org.a", "2.0.0", "a:x"))))
			if got := told(later); !slices.Equal(got, want) {
				t.Errorf("later notices %q, want %q", got, want)
			}
			gone, _ := later.With(catalog.Change{Repo: catalog.Repo{Name: "r", Commit: "c3"}, Removed: []string{"m.yaml"}})
			if got := told(gone); len(got) > 0 {
				t.Errorf("notices of what is gone: %q", got)
			}
		})
	}
}

func TestWhatCannotBeUsedIsReported(t *testing.T) {
	bad := catalog.File{Path: "m.yaml", Raw: []byte("identifier: org.a\nversion: 2.0.0\n"), Publication: schema.Publication{
		Releases: []schema.Release{release("org.a", "1.0.0", "a:x")},
		Problems: schema.Problems{{Line: 7, Column: 3, Message: "no image"}, {Line: 1, Message: "an old form", Notice: true}},
	}}
	huge := catalog.File{Path: "huge.yaml", Unreadable: "it is larger than 4 MiB"}
	c, diff := catalog.New().With(read("r", 0, bad))
	if want := []string{"invalid: m.yaml:7:3: no image"}; !slices.Equal(told(c), want) || !diff.Holds || len(diff.New) != 1 {
		t.Errorf("notices %q, diff %+v", told(c), diff)
	}
	for version, want := range map[string]bool{"1.0.0": false, "2.0.0": true, "2.0": false, "0.0": false, "3.0.0": false} {
		if reason, hold := c.Holds("org.a", version); hold != want || hold && !strings.Contains(reason, "m.yaml:7:3: no image") {
			t.Errorf("%s: held %t: %s", version, hold, reason)
		}
	}
	if _, hold := c.Holds("org.b", "2.0.0"); hold {
		t.Error("another app is held")
	}
	c, _ = c.With(read("s", 0, huge))
	if _, hold := c.Holds("org.b", "3.0.0"); !hold {
		t.Error("a file that cannot be read holds nothing")
	}
	c, diff = c.With(catalog.Change{Repo: catalog.Repo{Name: "s"}, Gone: true}, catalog.Change{Repo: catalog.Repo{Name: "r", Commit: "c2"}, Removed: []string{"m.yaml"}})
	if _, hold := c.Holds("org.a", "2.0.0"); hold || !diff.Holds || len(diff.Resolved) != 2 || len(told(c)) > 0 {
		t.Errorf("after the files are gone: %+v, %q", diff, told(c))
	}
}

func TestReady(t *testing.T) {
	unread := func(name string, priority int, apps ...string) catalog.Change {
		return catalog.Change{Repo: catalog.Repo{Name: name, Priority: priority, Apps: apps}}
	}
	c, diff := catalog.New().With(
		read("m", 5, publishes("m.yaml", release("org.a", "1.0.0", "a:x"))),
		unread("low", 4), unread("z-equal", 5), unread("b-equal", 5, "org.*"), unread("high", 9, "com.*"))
	if !diff.Readiness {
		t.Error("the diff does not tell that readiness changed")
	}
	for identifier, want := range map[string][]string{
		"org.a": {"b-equal"},
		"org.b": {"b-equal", "low", "z-equal"},
		"com.c": {"high", "low", "z-equal"},
		"net.d": {"low", "z-equal"},
	} {
		if ready, missing := c.Ready(identifier); ready || !slices.Equal(missing, want) {
			t.Errorf("%s: ready %t, missing %q, want %q", identifier, ready, missing, want)
		}
	}
	if _, _, err := c.Resolve("org.b", ""); !strings.Contains(err.Error(), "not read yet: repo b-equal, low, z-equal") {
		t.Errorf("error %v", err)
	}
	c, diff = c.With(read("b-equal", 5))
	if ready, missing := c.Ready("org.a"); !ready || !diff.Readiness {
		t.Errorf("after the last one was read: %q, %+v", missing, diff)
	}
	if _, diff = c.With(read("m", 5)); diff.Readiness {
		t.Error("readiness changes by a repo that was read before")
	}
}

func TestChangesOfARepo(t *testing.T) {
	file := func(path, identifier string) catalog.File {
		return publishes(path, release(identifier, "1.0.0", "a:x"))
	}
	base := with(t, read("r", 0, file("a.yaml", "org.a"), file("b.yaml", "org.b")), read("s", 0, file("c.yaml", "org.c")))
	list := func(c *catalog.Catalog) []string {
		out := []string{}
		for _, a := range c.Apps() {
			out = append(out, a.Identifier)
		}
		return out
	}
	r := catalog.Repo{Name: "r", Commit: "c2"}
	tests := []struct {
		name    string
		changes []catalog.Change
		want    []string
		changed []string
	}{
		{"a file changed", []catalog.Change{{Repo: r, Files: []catalog.File{file("a.yaml", "org.z")}}}, []string{"org.b", "org.c", "org.z"}, []string{"org.a", "org.z"}},
		{"a file moved", []catalog.Change{{Repo: r, Files: []catalog.File{file("z.yaml", "org.a")}, Removed: []string{"a.yaml"}}}, []string{"org.a", "org.b", "org.c"}, nil},
		{"reset", []catalog.Change{{Repo: r, Reset: true, Files: []catalog.File{file("a.yaml", "org.a")}}}, []string{"org.a", "org.c"}, []string{"org.b"}},
		{"gone", []catalog.Change{{Repo: r, Gone: true}}, []string{"org.c"}, []string{"org.a", "org.b"}},
		{"gone and back", []catalog.Change{{Repo: r, Gone: true}, {Repo: r, Files: []catalog.File{file("b.yaml", "org.b")}}}, []string{"org.b", "org.c"}, []string{"org.a"}},
		{"added and gone", []catalog.Change{{Repo: r, Files: []catalog.File{file("z.yaml", "org.z")}}, {Repo: r, Gone: true}}, []string{"org.c"}, []string{"org.a", "org.b"}},
		{"its commit alone", []catalog.Change{{Repo: r}}, []string{"org.a", "org.b", "org.c"}, nil},
		{"an unknown file gone", []catalog.Change{{Repo: r, Removed: []string{"x.yaml"}}}, []string{"org.a", "org.b", "org.c"}, nil},
		{"an unknown repo gone", []catalog.Change{{Repo: catalog.Repo{Name: "x"}, Gone: true}}, []string{"org.a", "org.b", "org.c"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, diff := base.With(tt.changes...)
			if got := list(c); !slices.Equal(got, tt.want) {
				t.Errorf("apps %q, want %q", got, tt.want)
			}
			if d := cmp.Diff(tt.changed, diff.Apps); d != "" {
				t.Errorf("changed apps (-want +got):\n%s", d)
			}
			if got := list(base); !slices.Equal(got, []string{"org.a", "org.b", "org.c"}) {
				t.Errorf("the catalog before it changed: %q", got)
			}
		})
	}
}
