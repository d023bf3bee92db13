package proposal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

// refollowed returns the catalog as it would be right after the Repo documents of
// one state gave way to those of another, before any repo was read anew: a repo
// that is new was never read, and what a repo published goes with it. It notes
// what is known only then. No repo is contacted.
func refollowed(c *catalog.Catalog, was, is *desired.State) (*catalog.Catalog, []string) {
	if c == nil {
		c = catalog.New()
	}
	var changes []catalog.Change
	var notes []string
	for name, doc := range is.Repos() {
		old, ok := was.Repo(name)
		known, followed := c.Repo(name)
		switch {
		case ok && old.Same(doc):
			continue
		case !followed:
			known = catalog.Repo{Name: name}
			notes = append(notes, fmt.Sprintf("repo %s would be followed: what it publishes is known only after the merge", name))
		case ok && !sameFiles(old, doc):
			notes = append(notes, fmt.Sprintf("repo %s would be read otherwise (%s): here its apps are as they are now", name, otherwise(old, doc)))
		case !slices.Equal(known.Apps, doc.Apps) || known.Priority != doc.Priority:
			notes = append(notes, fmt.Sprintf("repo %s may publish other apps, or before other repos", name))
		default: // only how often it is asked
			continue
		}
		known.Priority, known.Apps = doc.Priority, doc.Apps
		changes = append(changes, catalog.Change{Repo: known})
	}
	for name, old := range was.Repos() {
		if _, stays := is.Repo(name); stays {
			continue
		}
		if _, hold := is.HoldsRepo(name, old.Position.File); hold {
			continue // it is followed on as it was
		}
		notes = append(notes, fmt.Sprintf("repo %s would be followed no more, and what it publishes is gone from the catalog", name))
		changes = append(changes, catalog.Change{Repo: catalog.Repo{Name: name}, Gone: true})
	}
	if len(changes) == 0 {
		return c, notes
	}
	next, _ := c.With(changes...)
	return next, notes
}

// sameFiles tells whether two documents ask for the same files.
func sameFiles(a, b *schema.Repo) bool { return otherwise(a, b) == "" }

// otherwise names what makes two documents ask for other files.
func otherwise(a, b *schema.Repo) string {
	var names []string
	for _, field := range []struct {
		name string
		same bool
	}{{"url", a.URL == b.URL}, {"ref", a.Ref == b.Ref}, {"paths", slices.Equal(a.Paths, b.Paths)}} {
		if !field.same {
			names = append(names, field.name)
		}
	}
	return strings.Join(names, ", ")
}
