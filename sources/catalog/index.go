package catalog

import "iter"

// A Catalog is everything that the app repositories publish. It is immutable:
// any number of readers may use it while [Catalog.With] makes the next one.
type Catalog struct{}

// New returns a catalog without repos.
func New() *Catalog { return &Catalog{} }

// With returns the catalog after the changes, and what they changed.
func (c *Catalog) With(changes ...Change) (*Catalog, Diff) { return c, Diff{} }

// App returns the app of an identifier; false when no repo publishes it.
func (c *Catalog) App(identifier string) (*App, bool) { return nil, false }

// Apps returns all apps in the order of their identifiers.
func (c *Catalog) Apps() []*App { return nil }

// Repo returns a repo by name; false when it is not followed.
func (c *Catalog) Repo(name string) (Repo, bool) { return Repo{}, false }

// Repos yields the repos in the order of their names.
func (c *Catalog) Repos() iter.Seq[Repo] { return func(func(Repo) bool) {} }

// Releases counts the releases that can be resolved.
func (c *Catalog) Releases() int { return 0 }

// Notices returns all notices, sorted.
func (c *Catalog) Notices() []Notice { return nil }

// Ready tells whether every repo that could own the identifier was read at
// least once, and if not, which were not. Until then nothing that is missing is
// known to be missing.
func (c *Catalog) Ready(identifier string) (bool, []string) { return true, nil }

// Resolve returns the release that a deployment's version selects, and by which
// rule. The version is tried as exact text, then as a channel, then as a SemVer
// range; empty means the newest release that is no prerelease. Shadowed releases
// are never returned.
//
// The error is a [schema.Error]: of kind waiting when a push can bring what is
// missing, of kind invalid when the version can never select anything.
func (c *Catalog) Resolve(identifier, version string) (*Release, Resolution, error) {
	return nil, Resolution{}, nil
}

// Search returns the apps that match a query, the best first.
func (c *Catalog) Search(q Query) []Hit { return nil }
