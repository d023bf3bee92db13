package catalog_test

import (
	"fmt"
	"testing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

// manifest returns a file that publishes one release with two flavours, which
// offer the same three functions.
func manifest(app, minor int, description string) catalog.File {
	r := schema.Release{
		Identifier: fmt.Sprintf("org.example.group%d.app%04d", app%20, app), Version: fmt.Sprintf("1.%d.0", minor),
		Name: fmt.Sprintf("Example App %d", app), Description: description, Author: "The Example Group", Line: 1,
	}
	var definitions []schema.Definition
	for _, verb := range []string{"segment", "track", "measure"} {
		definitions = append(definitions, schema.Definition{
			Name: fmt.Sprintf("%sCells%d", verb, app), Description: "Takes a volume of five dimensions and returns what it found in it",
			Args: []schema.Parameter{{Key: "inputImage"}, {Key: "threshold"}, {Key: "minimalSize"}}, Returns: []schema.Parameter{{Key: "labels"}},
		})
	}
	for i, name := range []string{"cuda", "cpu"} {
		r.Flavours = append(r.Flavours, schema.Flavour{
			Name: name, Image: fmt.Sprintf("registry.example.org/app%d:%d-%s", app, minor, name), Priority: i + 1, Definitions: definitions,
			Selectors: []schema.Selector{{Kind: schema.SelectRAM, Memory: 8e9}},
		})
	}
	return catalog.File{Path: fmt.Sprintf("app%04d/%d.manifest.yaml", app, minor), Publication: schema.Publication{Releases: []schema.Release{r}}}
}

// large is 1,000 apps with 10 releases each, in 10,000 files of one repo.
func large() catalog.Change {
	c := catalog.Change{Repo: catalog.Repo{Name: "apps", Commit: "c1"}}
	for i := range 10_000 {
		c.Files = append(c.Files, manifest(i/10, i%10, "Counts what can be counted"))
	}
	return c
}

func BenchmarkFirstReadOf10000(b *testing.B) {
	change := large()
	b.ReportAllocs()
	for b.Loop() {
		catalog.New().With(change)
	}
}

func BenchmarkOneChangeOf10000(b *testing.B) {
	c, _ := catalog.New().With(large())
	texts := []string{"Counts cells", "Counts nuclei"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c, _ = c.With(catalog.Change{Repo: catalog.Repo{Name: "apps", Commit: "c2"}, Files: []catalog.File{manifest(500, 5, texts[i%2])}})
	}
}

func BenchmarkResolve(b *testing.B) {
	c, _ := catalog.New().With(large())
	for _, version := range []string{"", "1.5.0", "^1.2", "~1.3.0"} {
		b.Run("version="+version, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, _, err := c.Resolve(fmt.Sprintf("org.example.group%d.app%04d", i%20, i%1000), version); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFirstSearchOf10000(b *testing.B) {
	change := large()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		c, _ := catalog.New().With(change)
		b.StartTimer()
		c.Search(catalog.Query{Text: "segment"})
	}
}

func BenchmarkSearchOf10000(b *testing.B) {
	c, _ := catalog.New().With(large())
	for name, text := range map[string]string{
		"one": "segmentcells500", "all": "cells", "part": "hresho", "three": "example volume segment", "filters": "repo:apps selector:ram app5", "none": "napari",
	} {
		b.Run(name, func(b *testing.B) {
			c.Search(catalog.Query{Text: text})
			b.ReportAllocs()
			for b.Loop() {
				c.Search(catalog.Query{Text: text, Limit: 20})
			}
		})
	}
}

func BenchmarkErrorOfUnknownApp(b *testing.B) {
	c, _ := catalog.New().With(large())
	for b.Loop() {
		if _, _, err := c.Resolve("org.example.group7.app05000", ""); err == nil {
			b.Fatal("found")
		}
	}
}
