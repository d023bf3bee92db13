// Package catalog holds what app repositories publish: Repo -> App -> Release
// -> Flavour. A [Catalog] is an immutable value; a new one is made from the old
// one and what changed, sharing all that did not.
package catalog

import (
	"github.com/Masterminds/semver/v3"

	"github.com/berthdev/berth/schema"
)

// A Repo is an app repository as the catalog knows it.
type Repo struct {
	Name     string
	URL      string // without password
	Priority int
	Apps     []string // identifiers that it may publish, with * for any text; none: any
	Commit   string   // at which it was last read; empty: never
	Problem  string   // why it cannot be read now; empty: it can
}

// An App is all releases of one identifier.
type App struct {
	Identifier  string
	Owner       string // the repo that owns the identifier
	Name        string // of the newest release
	Description string
	Author      string
	Logo        string
	Releases    []*Release // those that count, newest first: by SemVer, then the others by time and name
	Shadowed    []*Release // those of other repos than the owner, in the same order; they never run
}

// A Release is one version of an app, as its owning repo publishes it.
type Release struct {
	schema.Release                 // Flavours in the order of priority, then of the file
	Repo           string          // the repo that owns it
	File           string          // the file that publishes it, the first by path
	Commit         string          // of the repo, at which this content was first seen by this process
	SemVer         *semver.Version // nil: the version is no SemVer
	ShadowedBy     string          // the repo that owns the identifier instead; empty: this release counts
}

// Prerelease tells whether the release is no stable one: a SemVer prerelease,
// or no SemVer at all.
func (r *Release) Prerelease() bool { return r.SemVer == nil || r.SemVer.Prerelease() != "" }

// A Notice is something about the catalog that a person should know.
type Notice struct {
	Kind       NoticeKind
	Repo       string
	Identifier string
	Version    string
	Message    string
}

// NoticeKind says what a [Notice] is about.
type NoticeKind string

// The kinds of notices.
const (
	NoticeShadowed    NoticeKind = "shadowed"    // another repo owns the identifier
	NoticeRepublished NoticeKind = "republished" // the content changed under the same version
	NoticeNotAllowed  NoticeKind = "not-allowed" // the repo may not publish this identifier
	NoticeDuplicate   NoticeKind = "duplicate"   // one flavour stands several times; the last one counts
	NoticeInvalid     NoticeKind = "invalid"     // an entry or a file that cannot be used
)
