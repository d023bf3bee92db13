package api

import (
	"fmt"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

// benchCatalog holds so many apps of so many releases each, with two flavours.
func benchCatalog(apps, releases int, description string) *catalog.Catalog {
	change := catalog.Change{Repo: catalog.Repo{Name: "apps", Commit: "c"}}
	for a := range apps {
		var p schema.Publication
		for r := range releases {
			version := fmt.Sprintf("0.%d.0", r)
			p.Releases = append(p.Releases, schema.Release{
				Identifier: fmt.Sprintf("org.example.app%04d", a), Version: version, Name: fmt.Sprintf("App %d", a), Description: description,
				Flavours: []schema.Flavour{
					{Name: "cuda", Image: "example/app:" + version + "-cuda", Priority: 1, Selectors: []schema.Selector{{Kind: schema.SelectCUDA, Required: true, Weight: 1}}},
					{Name: "cpu", Image: "example/app:" + version, Priority: 2},
				},
			})
		}
		change.Files = append(change.Files, catalog.File{Path: fmt.Sprintf("app%04d/manifest.yaml", a), Publication: p})
	}
	c, _ := catalog.New().With(change)
	return c
}
