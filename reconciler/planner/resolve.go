package planner

import (
	"fmt"
	"slices"

	"github.com/berthdev/berth/schema"
)

// resolve finds the release that the deployment asks for, and whether it may run it.
func (g *planning) resolve(s *subject) {
	if s.resolved {
		return
	}
	s.resolved = true
	d := s.doc
	ready, unread := g.in.Catalog.Ready(d.App)
	if !ready {
		s.unread = unread
	}
	release, resolution, err := g.in.Catalog.Resolve(d.App, d.Version)
	if err != nil {
		s.refused = s.unresolved(err)
		return
	}
	s.release, s.resolution = release, resolution
	if missing := missingScopes(release.Scopes, d.Scopes); len(missing) > 0 {
		s.refused = verdict{Hold, schema.Invalid, fmt.Sprintf(
			"%s %s needs scopes that the deployment does not grant: %s; add them to its scopes, or name a version that does without",
			d.App, release.Version, bounded(missing, ", "))}
		return
	}
	if d.Flavour != "" && !slices.ContainsFunc(release.Flavours, func(f schema.Flavour) bool { return f.Name == d.Flavour }) {
		s.refused = verdict{Wait, schema.Waiting, fmt.Sprintf(
			"%s %s has no flavour %s; it has: %s", d.App, release.Version, d.Flavour, flavourNames(release.Flavours))}
	}
}

// unresolved says what follows when no release could be found.
func (s *subject) unresolved(err error) verdict {
	switch {
	case schema.KindOf(err) == schema.Invalid:
		return verdict{Hold, schema.Invalid, err.Error()}
	case len(s.unread) > 0:
		return verdict{Wait, schema.Waiting, err.Error() + "; not read yet: " + bounded(s.unread, ", ")}
	case len(s.seats) > 0:
		return verdict{Hold, schema.Waiting, err.Error() + "; its pods run on"}
	default:
		return verdict{Wait, schema.KindOf(err), err.Error()}
	}
}

// missingScopes returns the scopes that are needed and not granted, sorted.
func missingScopes(needed, granted []string) []string {
	var missing []string
	for _, scope := range needed {
		if !slices.Contains(granted, scope) {
			missing = append(missing, scope)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

func flavourNames(flavours []schema.Flavour) string {
	names := make([]string, len(flavours))
	for i, f := range flavours {
		names[i] = f.Name
	}
	if len(names) == 0 {
		return "none"
	}
	return bounded(names, ", ")
}
