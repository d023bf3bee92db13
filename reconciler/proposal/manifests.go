package proposal

import (
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/forge"
)

// Manifests says in a state and one line what a change of an app repo's manifests
// would bring: the releases that would be new in the catalog, or the first of the
// errors in them. against is the branch whose newest commit they are compared with
// because it is not known where they left it; empty: it is.
func Manifests(found schema.Problems, releases []*catalog.Release, against string) (forge.State, string) {
	bad := found.Errors()
	note := ""
	if against != "" {
		note = " (compared with the newest commit of " + cut(clean(against), maxBranch) + ")"
	}
	switch {
	case len(bad) > 0:
		return forge.Failure, withRest(bad[0].Error(), len(bad)-1, note)
	case len(releases) == 0:
		return forge.Success, "no manifest changes"
	}
	first := releases[0]
	text := "it would publish " + first.Identifier + " " + first.Version
	if first.ShadowedBy != "" {
		text += " (shadowed by " + first.ShadowedBy + ")"
	}
	return forge.Success, withRest(text, len(releases)-1, note)
}

// maxBranch is how many letters of a branch's name are shown.
const maxBranch = 30
