package catalog

import "github.com/berthdev/berth/schema"

// A Change is what is new about one repo: about itself, its files, or both.
type Change struct {
	Repo    Repo     // as it is now; a repo of this name is added or updated
	Gone    bool     // it is followed no more; of Repo, only the name counts
	Reset   bool     // Files are all that it publishes: what else was known of it is gone
	Files   []File   // read anew
	Removed []string // paths of files that are no more
}

// A File is what one file of a repo publishes.
type File struct {
	Path        string
	Unreadable  string // why it could not be read at all, as too large; empty: it could
	Publication schema.Publication
	Raw         []byte // its text; only looked at where Publication has errors
}

// A Diff is what [Catalog.With] changed.
type Diff struct {
	// Apps are the identifiers whose app is new, gone, or different in any way
	// that could matter to a deployment; sorted.
	Apps []string
	// Readiness tells that the answers of [Catalog.Ready] may have changed, for
	// any identifier, also for those that are not in the catalog.
	Readiness bool
	// Holds tells the same of [Catalog.Holds].
	Holds    bool
	New      []Notice // notices that were not there before, sorted
	Resolved []Notice // notices that are no more, sorted
}
