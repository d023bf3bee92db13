package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/berthdev/berth/schema"
)

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
		return fmt.Sprintf("newest of %s", plural(r.Of, "stable release"))
	}
}

// Resolve returns the release that a deployment's version selects, and by which
// rule. The version is tried as exact text, then as a channel, then as a SemVer
// range; empty means the newest release that is no prerelease. A range takes a
// prerelease only where it names one itself, as >=1.0.0-0. A channel is nothing
// but what releases name: none, not even stable, is built in. Shadowed releases
// are never returned.
//
// The error is a [schema.Error]: of kind waiting when a push can bring what is
// missing, of kind invalid when the version is no exact version or channel by
// its looks, and no range either.
func (c *Catalog) Resolve(identifier, version string) (*Release, Resolution, error) {
	a := c.apps.Get(identifier)
	if a == nil || len(a.Releases) == 0 {
		return nil, Resolution{}, c.noReleases(identifier, version)
	}
	if version == "" {
		r, of := a.newest(func(r *Release) bool { return !r.Prerelease() })
		return c.resolved(a, r, Resolution{RuleNewest, version, of})
	}
	if r := a.byVersion[version]; r != nil {
		return r, Resolution{RuleExact, version, 1}, nil
	}
	if r, of := a.newest(func(r *Release) bool { return slices.Contains(r.Channels, version) }); r != nil {
		return r, Resolution{RuleChannel, version, of}, nil
	}
	within := c.ranges.parse(version)
	if within == nil && strings.ContainsAny(version, rangeLetters) {
		return nil, Resolution{}, a.badRange(version)
	}
	r, of := a.newest(func(r *Release) bool { return within != nil && r.SemVer != nil && within.Check(r.SemVer) })
	return c.resolved(a, r, Resolution{RuleRange, version, of})
}

// rangeLetters occur in ranges, and not in versions or the names of channels.
const rangeLetters = "^~<>=!|,* "

// newest returns the newest release that matches, and how many do.
func (a *app) newest(matches func(*Release) bool) (newest *Release, of int) {
	for _, r := range a.Releases {
		if !matches(r) {
			continue
		}
		of++
		if newest == nil {
			newest = r
		}
	}
	return newest, of
}

// resolved returns what was found, or that nothing was.
func (c *Catalog) resolved(a *app, r *Release, why Resolution) (*Release, Resolution, error) {
	if r == nil {
		return nil, Resolution{}, c.noSuchVersion(a, why.Version)
	}
	return r, why, nil
}

// noReleases says why an identifier has no releases, and what is near.
func (c *Catalog) noReleases(identifier, version string) error {
	err := &schema.Error{
		Op: "resolve", Resource: strings.TrimSpace(identifier + " " + version), Kind: schema.Waiting,
		Err: errors.New("no repo publishes this app"), Hint: "follow a repo that publishes it",
	}
	if near := c.nearest(identifier); len(near) > 0 {
		err.Hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	a := c.apps.Get(identifier)
	switch {
	case a != nil && a.listed:
		err.Err, err.Hint = errors.New("the app has no releases yet: only its identity is published"), "publish a release with an image"
	case a != nil:
		err.Err = errors.New("only repos publish it that may not")
		err.Hint = a.notices[0].Message
	}
	if bad := c.badFile(identifier, version); bad != "" && (a == nil || a.listed) {
		err.Err, err.Hint = errors.New("a file that names this app has errors"), bad
	}
	if ready, missing := c.Ready(identifier); !ready {
		err.Hint = "not read yet: repo " + strings.Join(missing, ", ")
	}
	return err
}

// badFile returns the first error of a file that may hide a release of an app: it
// names the app and, where that can be a release's own, the version.
func (c *Catalog) badFile(identifier, version string) string {
	if version == "" || strings.ContainsAny(version, rangeLetters) {
		version = identifier
	}
	for r := range c.repos.Values() {
		if r.bad.Len() == 0 || !r.allows(identifier) {
			continue
		}
		for f := range r.bad.Values() {
			if len(f.text) > 0 && f.mayPublish(identifier, version) {
				return f.bad + ", of repo " + r.Name
			}
		}
	}
	return ""
}

// noSuchVersion says that no release matches a version, and what there is.
func (c *Catalog) noSuchVersion(a *app, version string) error {
	err := &schema.Error{
		Op: "resolve", Resource: a.Identifier + " " + version, Kind: schema.Waiting,
		Err: errors.New("no release matches this version"), Hint: a.available(),
	}
	if version == "" {
		err.Resource, err.Err = a.Identifier, errors.New("there is no stable release")
		err.Hint = "name a version; " + err.Hint
	} else if bad := c.badFile(a.Identifier, version); bad != "" {
		err.Hint = "a file that names the app has errors: " + bad + "; " + err.Hint
	}
	return err
}

// badRange says that a version is no range, though it looks like one.
func (a *app) badRange(version string) error {
	return &schema.Error{
		Op: "resolve", Resource: a.Identifier + " " + version, Kind: schema.Invalid,
		Err: errors.New("the version is no SemVer range"), Hint: "write it as ^0.4, ~1.2.0 or >=1.0 <2; " + a.available(),
	}
}

// available lists what versions and channels there are, the newest first.
func (a *app) available() string {
	const most = 5
	var versions, channels []string
	for _, r := range a.Releases {
		if len(versions) < most {
			versions = append(versions, r.Version)
		}
		for _, c := range r.Channels {
			if len(channels) < most && !slices.Contains(channels, c) {
				channels = append(channels, c)
			}
		}
	}
	out := "there is " + strings.Join(versions, ", ")
	if more := len(a.Releases) - len(versions); more > 0 {
		out += fmt.Sprintf(" and %d older", more)
	}
	if len(channels) > 0 {
		out += "; channels " + strings.Join(channels, ", ")
	}
	return out
}
