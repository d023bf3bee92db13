package proposal

import (
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

// Manifests says in a state and one line what a change of an app repo's manifests
// would bring: the releases that they publish, as "org.fiji 1.2.0", or the first
// of the errors in them.
func Manifests(found schema.Problems, releases []string) (forge.State, string) {
	bad := found.Errors()
	switch {
	case len(bad) > 0:
		return forge.Failure, withMore(bad[0].Error(), len(bad)-1)
	case len(releases) == 0:
		return forge.Success, "no manifest changes"
	}
	return forge.Success, withMore("it would publish "+releases[0], len(releases)-1)
}
