package catalog

import "fmt"

// A Resolution says by which rule a version selected a release.
type Resolution struct {
	Rule    Rule
	Version string // as the deployment asks for it
	Of      int    // among how many releases the newest was taken
}

// A Rule is a way in which a version selects a release.
type Rule string

// The rules, in the order in which they are tried.
const (
	RuleExact   Rule = "exact"   // the version is the release's own text
	RuleChannel Rule = "channel" // the newest release that names the channel
	RuleRange   Rule = "range"   // the newest release in the SemVer range
	RuleNewest  Rule = "newest"  // no version: the newest that is no prerelease
)

// String says the rule in words, as "newest of 3 in ^0.4".
func (r Resolution) String() string {
	switch r.Rule {
	case RuleExact:
		return "exact version"
	case RuleChannel:
		return fmt.Sprintf("newest of %d in channel %s", r.Of, r.Version)
	case RuleRange:
		return fmt.Sprintf("newest of %d in %s", r.Of, r.Version)
	default:
		return fmt.Sprintf("newest of %d stable releases", r.Of)
	}
}
