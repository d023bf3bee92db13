package catalog_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

func searchable(t *testing.T) *catalog.Catalog {
	t.Helper()
	stardist := release("org.stardist", "1.0.0", "a:cuda", "a:cpu")
	stardist.Name, stardist.Description, stardist.Author = "StarDist", "Object detection with star-convex shapes", "Uwe Müller"
	stardist.Scopes = []string{"read", "write"}
	stardist.Flavours[0].Selectors = []schema.Selector{{Kind: schema.SelectCUDA}, {Kind: schema.SelectRAM}}
	segment := schema.Definition{
		Name: "segmentNuclei", Description: "Finds nuclei in a volume", Args: []schema.Parameter{{Key: "inputImage"}}, Returns: []schema.Parameter{{Key: "labels"}},
	}
	stardist.Flavours[0].Definitions = []schema.Definition{segment}
	stardist.Flavours[1].Definitions = []schema.Definition{segment}

	next := release("org.stardist", "2.0.0-rc.1", "a:cpu")
	next.Name, next.Scopes = "StarDist", []string{"read", "admin"}
	next.Flavours[0].Definitions = []schema.Definition{{Name: "trackCells"}}

	fiji := release("net.imagej.fiji", "1.53.3", "b:cpu")
	fiji.Name, fiji.Description, fiji.Author = "Fiji", "Image processing; reads what StarDist segments", "Many"
	fiji.Flavours[0].Selectors = []schema.Selector{{Kind: schema.SelectResource, Name: "gpu"}}

	star := release("org.star", "0.1.0", "c:cpu")
	star.Name = "Star"
	return with(t,
		read("arkitekt", 0, publishes("stardist.yaml", stardist, next), publishes("star.yaml", star)),
		read("imagej", 0, publishes("fiji.yaml", fiji)))
}

func TestSearchRanksAndFilters(t *testing.T) {
	c := searchable(t)
	for _, tt := range []struct {
		name  string
		query catalog.Query
		want  []string // identifier and version, the best first
	}{
		{"nothing asked", catalog.Query{}, []string{"net.imagej.fiji 1.53.3", "org.star 0.1.0", "org.stardist 1.0.0"}},
		{"name before description", catalog.Query{Text: "stardist"}, []string{"org.stardist 1.0.0", "net.imagej.fiji 1.53.3"}},
		{"whole word before prefix", catalog.Query{Text: "star"}, []string{"org.star 0.1.0", "org.stardist 1.0.0", "net.imagej.fiji 1.53.3"}},
		{"identifier", catalog.Query{Text: "org.stardist"}, []string{"org.stardist 1.0.0"}},
		{"case", catalog.Query{Text: "STARDIST OBJECT"}, []string{"org.stardist 1.0.0"}},
		{"all words", catalog.Query{Text: "stardist fiji"}, []string{"net.imagej.fiji 1.53.3"}},
		{"prefix", catalog.Query{Text: "detec"}, []string{"org.stardist 1.0.0"}},
		{"part of a word", catalog.Query{Text: "magej"}, []string{"net.imagej.fiji 1.53.3"}},
		{"too short a part", catalog.Query{Text: "ji"}, []string{}},
		{"part of camelCase", catalog.Query{Text: "nuclei"}, []string{"org.stardist 1.0.0"}},
		{"camelCase as a whole", catalog.Query{Text: "segmentnuclei"}, []string{"org.stardist 1.0.0"}},
		{"argument", catalog.Query{Text: "inputimage"}, []string{"org.stardist 1.0.0"}},
		{"return", catalog.Query{Text: "labels"}, []string{"org.stardist 1.0.0"}},
		{"author without accent", catalog.Query{Text: "muller"}, []string{"org.stardist 1.0.0"}},
		{"author with another accent form", catalog.Query{Text: "mu\u0308ller"}, []string{"org.stardist 1.0.0"}},
		{"repo as a word", catalog.Query{Text: "arkitekt star"}, []string{"org.star 0.1.0", "org.stardist 1.0.0"}},
		{"release that has it", catalog.Query{Text: "trackcells"}, []string{"org.stardist 2.0.0-rc.1"}},
		{"words of two releases", catalog.Query{Text: "trackcells nuclei"}, []string{}},
		{"filter repo", catalog.Query{Repo: "imagej"}, []string{"net.imagej.fiji 1.53.3"}},
		{"filter repo in text", catalog.Query{Text: "repo:arkitekt star"}, []string{"org.star 0.1.0", "org.stardist 1.0.0"}},
		{"filter selector", catalog.Query{Text: "selector:cuda"}, []string{"org.stardist 1.0.0"}},
		{"filter any gpu", catalog.Query{Selector: "gpu"}, []string{"net.imagej.fiji 1.53.3", "org.stardist 1.0.0"}},
		{"filter scope", catalog.Query{Text: "scope:admin"}, []string{"org.stardist 2.0.0-rc.1"}},
		{"filters together", catalog.Query{Text: "scope:read scope:write Selector:ram", Repo: "arkitekt"}, []string{"org.stardist 1.0.0"}},
		{"no such filter", catalog.Query{Text: "image:fiji"}, []string{"net.imagej.fiji 1.53.3"}},
		{"limit", catalog.Query{Text: "star", Limit: 1}, []string{"org.star 0.1.0"}},
		{"not there", catalog.Query{Text: "napari"}, []string{}},
		{"signs alone", catalog.Query{Text: "!?", Limit: 1}, []string{"net.imagej.fiji 1.53.3"}},
		{"not UTF-8", catalog.Query{Text: "star\xff"}, []string{"org.star 0.1.0", "org.stardist 1.0.0", "net.imagej.fiji 1.53.3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := []string{}
			for _, h := range c.Search(tt.query) {
				got = append(got, h.App.Identifier+" "+h.Release.Version)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("hits (-want +got):\n%s", d)
			}
		})
	}
}

func TestSearchTellsWhatMatched(t *testing.T) {
	c := searchable(t)
	hit := c.Search(catalog.Query{Text: "nuclei convex input"})[0]
	want := []catalog.Match{
		{Field: "definition", Snippet: "segmentNuclei"},
		{Field: "description", Snippet: "Object detection with star-convex shapes"},
		{Field: "argument", Snippet: "inputImage"},
	}
	if d := cmp.Diff(want, hit.Matches); d != "" {
		t.Errorf("matches (-want +got):\n%s", d)
	}
}

func TestSnippetsAreShortAndPlain(t *testing.T) {
	r := release("org.a", "1.0.0", "a:x")
	r.Description = strings.Repeat("größer ", 40) + "needle\n\x1b[31mred " + strings.Repeat("länger ", 40)
	hits := with(t, read("r", 0, publishes("m.yaml", r))).Search(catalog.Query{Text: "needle"})
	got := hits[0].Matches[0].Snippet
	if len(got) > 160 || strings.ContainsAny(got, "\n\x1b") || !strings.Contains(got, "needle [31mred länger") ||
		!strings.HasPrefix(got, "…") || !strings.HasSuffix(got, "…") || strings.ContainsRune(got, '\uFFFD') {
		t.Errorf("snippet %q", got)
	}
}

// The size of what a stranger publishes bounds neither time nor memory.
func TestSearchOfHugeTexts(t *testing.T) {
	r := release("org.a", "1.0.0", "a:x")
	r.Description = strings.Repeat("word ", 1<<20) + "last"
	for i := range 20_000 {
		r.Flavours[0].Definitions = append(r.Flavours[0].Definitions, schema.Definition{Name: strings.Repeat("ab", i%50) + string(rune('a'+i%26))})
	}
	c := with(t, read("r", 0, publishes("m.yaml", r)))
	if hits := c.Search(catalog.Query{Text: "word"}); len(hits) != 1 {
		t.Errorf("%d hits", len(hits))
	}
	if hits := c.Search(catalog.Query{Text: strings.Repeat("word ", 1<<20)}); len(hits) != 1 {
		t.Errorf("%d hits", len(hits))
	}
}

func FuzzSearch(f *testing.F) {
	for _, seed := range []string{"stardist", "repo:arkitekt selector:cuda", "scope:", "ÄÖß ﬁ", "HTTPServer2D", "\xff\xfe", ":::", "a\u0301"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, description, query string) {
		r := release("org.a", "1.0.0", "a:x")
		r.Description = description
		c, _ := catalog.New().With(read("r", 0, publishes("m.yaml", r)))
		first := c.Search(catalog.Query{Text: query})
		again := c.Search(catalog.Query{Text: query})
		if !cmp.Equal(first, again) {
			t.Errorf("%q finds different things", query)
		}
		if len(description) > 1000 || strings.ContainsFunc(description, func(r rune) bool { return r > unicode.MaxASCII }) {
			return
		}
		for _, word := range strings.FieldsFunc(description, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			if hits := c.Search(catalog.Query{Text: word}); len(hits) != 1 {
				t.Errorf("%q of %q is not found", word, description)
			}
		}
	})
}
