package desired

import "github.com/berthdev/berth/schema"

// A FileChange is a file of the desired-state repository that came, changed or went.
type FileChange struct {
	Path       string
	Removed    bool               // it is no more
	Unreadable string             // why it could not be read at all, as too large; empty: it could
	Parsed     schema.DesiredFile // what it declares
	Raw        []byte             // its text; needed only where Parsed has errors
}

// A Diff is what [State.With] changed.
type Diff struct {
	Deployments []string // names whose deployment is new, changed, gone, broken or no longer broken; sorted
	Repos       []string // likewise
	// Holds tells that the answers of [State.Holds] and [State.HoldsRepo] may
	// have changed for any name, also for those that are declared nowhere.
	Holds bool
}
