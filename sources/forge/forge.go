// Package forge is what Berth asks of the software behind a git host: it writes
// commit statuses, lists pull requests, and keeps one comment on each. This
// package holds the contract; the packages below it speak to a forge each:
//
//   - github: GitHub, by token or as an App
//   - gitea: Gitea and Forgejo
//   - gitlab: GitLab, where pull requests are called merge requests
//   - dial: tells which of them serves a repository, and connects to it
//   - forgetest: the suite that every one of them passes
package forge

import (
	"context"
	"errors"
	"time"
)

// Bounds on what a forge is asked and told. What is longer is cut by the clients,
// at a letter, with an ellipsis.
const (
	MaxPullRequests = 500      // open ones of a repository that are looked at, the newest first
	MaxComment      = 60_000   // bytes of a comment; GitHub takes 65,536 letters
	MaxStatuses     = 1000     // of one commit and context that GitHub takes, ever
	MaxResponse     = 12 << 20 // bytes of an answer that are read: 25 pull requests whose texts are as long as can be
)

// State is what a commit status says in one word.
type State string

// The states. GitLab has no error: there it is a failure.
const (
	Pending State = "pending"
	Success State = "success"
	Failure State = "failure"
	Error   State = "error" // not the commit is wrong: something could not be done
)

// A Status is what one context says of one commit. It is comparable: equal ones
// need not be sent again.
type Status struct {
	Context     string // berth, berth/stardist-john
	State       State
	Description string // in words; forges show 140 letters and more
	URL         string // where a person reads more; empty: nowhere
}

// A PullRequest asks to have the commits of a branch in another one.
type PullRequest struct {
	Number int
	Base   string // the branch that shall have the commits
	Head   string // their newest commit: 40 hex digits
	Ref    string // under which the base's repository serves Head, as refs/pull/7/head
}

// A Repo is one repository on a forge.
//
// Errors are of type [schema.Error]. Transient ones are worth another try: the
// forge does not answer, or fails by itself. A [Limited] one says when; until
// then the client asks the forge nothing and says the same again. Terminal ones
// are not worth it until a person acts: credentials are refused, the repository
// or the commit is not there. No error holds a secret. Nothing is tried again by
// the client itself.
//
// Methods are safe for concurrent use and return soon after their context ends,
// with its error as the cause. Whatever the forge answers, a call makes a bounded
// number of requests and reads a bounded number of bytes. Redirects are followed
// on the same host only.
type Repo interface {
	// Statuses returns the newest status of each context of a commit, in no order.
	// Of a commit that the forge does not know there is none, which is no error.
	// A commit is its whole hash, here and below: what is none is refused unasked.
	Statuses(ctx context.Context, commit string) ([]Status, error)
	// SetStatus writes one. It does not look whether the forge has it already. The
	// description is made one [Line] of as many letters as the forge takes. [ErrFull]
	// is in the error where the forge takes no more of the commit and context.
	SetStatus(ctx context.Context, commit string, s Status) error
	// PullRequests returns those that are open, the newest first; of base only,
	// unless that is empty.
	PullRequests(ctx context.Context, base string) ([]PullRequest, error)
	// MergeBase returns the newest commit that the head of a pull request, as it was
	// listed, has in common with its base: of several, the one that the forge compares
	// with. Empty: the forge knows none, or none yet. One that is gone by now is an
	// error, or none.
	MergeBase(ctx context.Context, p PullRequest) (string, error)
	// Comment keeps one comment on a pull request: the oldest that is ours and begins
	// with the marker gets the text, or a new one is written. It writes nothing where the
	// text is there already. Marker is an HTML comment, and the beginning of text;
	// a comment of somebody else that has it is not touched. The text is written
	// as its [Body]. A pull request has one caller at a time.
	Comment(ctx context.Context, number int, marker, text string) error
}

// ErrNone is the error for a repository that no forge serves, or none that may be
// asked: a local one, or one without a token.
var ErrNone = errors.New("no forge serves the repository")

// ErrFull is the error for a status too many of one commit and context.
var ErrFull = errors.New("the forge takes no more statuses of this commit and context")

// Limited is an error for which the forge asks to wait: a rate limit, primary or
// secondary. It is found with [errors.As] in a transient [schema.Error].
type Limited struct {
	Until time.Time // when the next request may be made
}

// Error implements error.
func (l *Limited) Error() string {
	return "the forge asks to wait until " + l.Until.UTC().Format(time.RFC3339)
}
