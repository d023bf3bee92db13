package follow

import (
	"strings"
	"time"

	"github.com/berthdev/berth/schema"
)

// DesiredName stands for the desired-state repository where sources are named.
// No repo can have it.
const DesiredName = schema.DesiredName

// Status is where following a source stands.
type Status struct {
	Name    string // of the repo, or [DesiredName]
	URL     string // without password
	Ref     string // as configured; empty: the remote's HEAD
	Branch  string // that Ref is, without refs/heads/; empty: it is none, or was not asked yet
	Commit  string // last read; empty: never
	Message string // the first line of its message
	// Stored tells that Commit is what a former process left on disk: the source
	// itself did not answer since the start.
	Stored bool
	// Rewound is why the desired state is taken for one that went back, in words;
	// empty: it did not.
	Rewound string

	Attempt  time.Time        // when it was last asked, of attempts that have ended
	Success  time.Time        // when it last answered and could be read
	Next     time.Time        // when it is asked next, unless it is woken
	Problem  string           // why the last attempt failed; empty: it did not
	Kind     schema.ErrorKind // of the problem
	Failures int              // attempts in a row that failed
}

// Confirmed tells whether a commit's message has the line that confirms a
// removal which Berth would otherwise hold back.
func Confirmed(message string) bool {
	for line := range strings.Lines(message) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok && strings.EqualFold(key, "Berth-Confirm") && strings.EqualFold(strings.TrimSpace(value), "removal") {
			return true
		}
	}
	return false
}

// short is a commit as people write it.
func short(commit string) string { return commit[:min(len(commit), 7)] }

// concerns tells whether a hint that a ref moved concerns a source that follows
// a ref. resolved is what that ref last was; empty: not known. It is only a
// hint, so doubt means yes.
func concerns(configured, resolved, hinted string) bool {
	if hinted == "" || hinted == "HEAD" || resolved == "" {
		return true
	}
	if shortRef(hinted) == shortRef(resolved) {
		return true
	}
	followsRange := strings.HasPrefix(resolved, tagPrefix) && shortRef(configured) != shortRef(resolved)
	return followsRange && (strings.HasPrefix(hinted, tagPrefix) || !strings.HasPrefix(hinted, "refs/"))
}

const (
	branchPrefix = "refs/heads/"
	tagPrefix    = "refs/tags/"
)

func shortRef(ref string) string {
	return strings.TrimPrefix(strings.TrimPrefix(ref, branchPrefix), tagPrefix)
}
