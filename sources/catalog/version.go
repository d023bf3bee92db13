package catalog

import (
	"cmp"
	"strings"
	"sync"
	"time"

	"github.com/Masterminds/semver/v3"
)

// ParseSemVer reads a complete SemVer, with or without a leading v; nil for any
// other text. 3 and 0.4 are no SemVer: only their exact text selects them.
func ParseSemVer(version string) *semver.Version {
	v, err := semver.StrictNewVersion(strings.TrimPrefix(version, "v"))
	if err != nil {
		return nil
	}
	return v
}

// Compare orders releases of one app, the newest first: SemVer by precedence, then
// all others by time. What is then equal is ordered by the version's text, and by repo.
func Compare(a, b *Release) int {
	switch {
	case a.SemVer != nil && b.SemVer != nil:
		if c := b.SemVer.Compare(a.SemVer); c != 0 {
			return c
		}
	case a.SemVer != nil:
		return -1
	case b.SemVer != nil:
		return 1
	default:
		if c := b.Time().Compare(a.Time()); c != 0 {
			return c
		}
	}
	return cmp.Or(strings.Compare(b.Version, a.Version), strings.Compare(a.Repo, b.Repo))
}

// Time is when the release was last published, or else made; zero when neither is said.
func (r *Release) Time() time.Time {
	var last time.Time
	for _, f := range r.Flavours {
		if f.PublishedAt.After(last) {
			last = f.PublishedAt
		}
	}
	if last.IsZero() {
		return r.CreatedAt
	}
	return last
}

// ranges remembers parsed SemVer ranges: deployments have few different ones,
// and parsing costs more than all else of [Catalog.Resolve].
type ranges struct {
	mu     sync.RWMutex
	parsed map[string]*semver.Constraints // nil: the text is no range
}

const maxRanges = 4096

func newRanges() *ranges { return &ranges{parsed: map[string]*semver.Constraints{}} }

// parse returns the range that a text is; nil when it is none.
func (r *ranges) parse(text string) *semver.Constraints {
	r.mu.RLock()
	c, known := r.parsed[text]
	r.mu.RUnlock()
	if known {
		return c
	}
	c, err := semver.NewConstraint(text)
	if err != nil {
		c = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.parsed) >= maxRanges {
		clear(r.parsed)
	}
	r.parsed[text] = c
	return c
}
