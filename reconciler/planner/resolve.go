package planner

import (
	"fmt"
	"slices"

	"github.com/Masterminds/semver/v3"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
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
	if why := g.missingOnly(s, release, resolution); why != "" {
		s.refused = verdict{Hold, schema.Invalid, why + "; its pods run on"}
		return
	}
	if err != nil {
		s.refused = g.unresolved(s, err)
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
func (g *planning) unresolved(s *subject, err error) verdict {
	_, published := g.in.Catalog.App(s.doc.App)
	switch {
	case schema.KindOf(err) == schema.Invalid:
		return verdict{Hold, schema.Invalid, err.Error()}
	case len(s.unread) > 0 && published:
		return verdict{Wait, schema.Waiting, err.Error() + "; not read yet: repo " + bounded(s.unread, ", ")}
	case len(s.unread) > 0: // the error says it
		return verdict{Wait, schema.Waiting, err.Error()}
	case len(s.seats) > 0:
		return verdict{Hold, schema.Waiting, err.Error() + "; its pods run on"}
	default:
		return verdict{Wait, schema.KindOf(err), err.Error()}
	}
}

// missingOnly says that the release that runs may be missing only because its
// file cannot be read: then no other takes its place, unless the deployment asks
// for another. Empty: it is not.
func (g *planning) missingOnly(s *subject, release *catalog.Release, by catalog.Resolution) string {
	runs := s.from.Release
	if runs == "" || release != nil && release.Version == runs {
		return ""
	}
	why, hold := g.in.Catalog.Holds(s.doc.App, runs)
	switch {
	case !hold, by.Rule == catalog.RuleExact:
		return ""
	case by.Rule == catalog.RuleRange:
		if v, err := semver.NewVersion(runs); err == nil && !inRange(s.doc.Version, v) {
			return ""
		}
	}
	return why
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
