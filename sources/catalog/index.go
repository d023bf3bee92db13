package catalog

import (
	"iter"
	"slices"

	"github.com/berthdev/berth/sources/sorted"
)

// A Catalog is everything that the app repositories publish. It is immutable:
// any number of readers may use it while [Catalog.With] makes the next one.
type Catalog struct {
	repos    sorted.Map[repo] // by name
	apps     sorted.Map[app]  // by identifier, also those that no repo may publish
	unread   []*repo          // repos that were never read, by name
	releases int              // that count
	ranges   *ranges          // parsed SemVer ranges, shared with all catalogs made from this one
}

// A repo is a followed repo and its files.
type repo struct {
	Repo
	files sorted.Map[file] // by path
	bad   sorted.Map[file] // those with errors
}

// New returns a catalog without repos.
func New() *Catalog { return &Catalog{ranges: newRanges()} }

// App returns the app of an identifier; false when no repo publishes it.
func (c *Catalog) App(identifier string) (*App, bool) {
	if a := c.apps.Get(identifier); a != nil && a.listed {
		return &a.App, true
	}
	return nil, false
}

// Apps returns all apps in the order of their identifiers.
func (c *Catalog) Apps() []*App {
	apps := make([]*App, 0, c.apps.Len())
	for a := range c.apps.Values() {
		if a.listed {
			apps = append(apps, &a.App)
		}
	}
	return apps
}

// Repo returns a repo by name; false when it is not followed.
func (c *Catalog) Repo(name string) (Repo, bool) {
	if r := c.repos.Get(name); r != nil {
		return r.Repo, true
	}
	return Repo{}, false
}

// Repos yields the repos in the order of their names.
func (c *Catalog) Repos() iter.Seq[Repo] {
	return func(yield func(Repo) bool) {
		for r := range c.repos.Values() {
			if !yield(r.Repo) {
				return
			}
		}
	}
}

// Releases counts the releases that can be resolved.
func (c *Catalog) Releases() int { return c.releases }

// Notices returns all notices, sorted.
func (c *Catalog) Notices() []Notice {
	notices := []Notice{}
	for r := range c.repos.Values() {
		for f := range r.files.Values() {
			notices = append(notices, f.notices...)
		}
	}
	for a := range c.apps.Values() {
		notices = append(notices, a.notices...)
	}
	slices.SortFunc(notices, compareNotices)
	return notices
}

// Ready tells whether every repo that could own the identifier was read at
// least once, and if not, which were not. Until then a release that is missing
// is not known to be missing, and one that is there may yet turn out shadowed.
// A repo that the identifier's owner outranks is not waited for.
func (c *Catalog) Ready(identifier string) (bool, []string) {
	if len(c.unread) == 0 {
		return true, nil
	}
	var owner *repo
	if a := c.apps.Get(identifier); a != nil && len(a.Releases) > 0 {
		owner = c.repos.Get(a.Releases[0].Repo)
	}
	var missing []string
	for _, r := range c.unread {
		if r.allows(identifier) && (owner == nil || r.outranks(owner)) {
			missing = append(missing, r.Name)
		}
	}
	return len(missing) == 0, missing
}

// outranks tells whether an identifier that both publish belongs to r: the
// highest priority, then the first by name.
func (r *repo) outranks(other *repo) bool {
	if r.Priority != other.Priority {
		return r.Priority > other.Priority
	}
	return r.Name < other.Name
}

// allows tells whether the repo may publish an identifier.
func (r *repo) allows(identifier string) bool {
	return len(r.Apps) == 0 || slices.ContainsFunc(r.Apps, func(pattern string) bool { return match(pattern, identifier) })
}

// match tells whether a pattern, in which * stands for any text, matches.
func match(pattern, text string) bool {
	star, restart := -1, 0 // the last *, and where the text after it is tried next
	p, t := 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, restart = p, t
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			p++
			t++
		case star >= 0:
			restart++
			p, t = star+1, restart
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
