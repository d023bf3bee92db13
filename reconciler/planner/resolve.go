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
	found := g.lookUp(d.App, d.Version)
	s.unread = found.unread
	release := found.release
	if why := g.missingOnly(s, release, found.by); why != "" {
		s.refused = verdict{Hold, schema.Invalid, why + "; " + s.stay()}
		return
	}
	if found.err != nil {
		s.refused = g.unresolved(s, found.err)
		return
	}
	s.release, s.resolution, s.how = release, found.by, found.how
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

// asked is what deployments ask the catalog for; many ask for the same.
type asked struct{ app, version string }

// found is what the catalog answers.
type found struct {
	release *catalog.Release
	by      catalog.Resolution
	how     string   // in words
	unread  []string // repos that might own the app, and were never read
	err     error    // why there is no release
}

// lookUp asks the catalog for a release, once for all that ask for the same.
func (g *planning) lookUp(app, version string) *found {
	key := asked{app, version}
	if f := g.found[key]; f != nil {
		return f
	}
	f := &found{}
	if ready, unread := g.in.Catalog.Ready(app); !ready {
		f.unread = unread
	}
	if f.release, f.by, f.err = g.in.Catalog.Resolve(app, version); f.err == nil {
		f.how = f.release.Version + ": " + f.by.String()
	}
	g.found[key] = f
	return f
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
		return verdict{Hold, schema.Waiting, err.Error() + "; " + s.stay()}
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
