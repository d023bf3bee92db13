// Package git follows git repositories, near and far, without the git binary.
//
// [Open] gives a [sources.Source] for a URL. A remote repository (https, ssh)
// is mirrored in a data folder that one process owns ([OpenDir]); a local one
// (file://, a path) is opened where it is and only read. [Folder] follows a
// folder that is no repository, for commands that look at files at hand.
//
// An update of a mirror asks first, with one request: when the ref points where
// it did, nothing is fetched, nothing is written, and the very same snapshot is
// returned. Otherwise the server is told which commit is here, so that only the
// difference travels. Mirrors without history ask for the new commit alone and
// never get the history behind it.
//
// What is looked at beside the ref that is followed, as heads of pull requests, is
// fetched into repositories of its own that borrow from the mirror's: see asides.
// The mirror stays what its updates make it.
//
// Everything that a server sends is hostile until proven otherwise: sizes,
// counts and times are bounded, a pack is checked before it is indexed, an
// object is checked against its hash when it is read. A mirror that turns out
// to be damaged is fetched again; until then the snapshots that were given out
// stay what they were.
//
// Credentials go to the scheme, host and port that they belong to and to no
// other, also after a redirect. No error, log line or file of this package
// holds one.
package git
