// Package sources is where documents come from. This package holds the
// contract that others build on: a [Source] is a git repository that is
// followed, and a [Snapshot] is what it held at one commit. The packages below
// it do the work:
//
//   - git: mirrors of repositories, near and far
//   - follow: keeps sources current, by webhook, file event and poll, and turns
//     their snapshots into the desired state and the catalog
//   - forge: what is told to, and asked of, the software behind a git host
//   - web: what git over http and the forges' APIs share
//   - webhook: handlers that turn a forge's request into a hint for follow
//   - desired: the desired state, an immutable value
//   - catalog: the apps, releases and flavours, an immutable value
//   - merge: the files as they would be if a branch were merged
//   - sorted: the immutable map that both are built of
package sources

import (
	"context"
	"encoding/hex"
	"time"
)

// Bounds on what is read from a repository. What exceeds them is an error on
// that file or repository, never a crash.
const (
	MaxFileSize = 4 << 20 // bytes of one document file
	MaxFiles    = 100_000 // files of one repository that are looked at
	MaxDepth    = 64      // folders below each other
)

// A Source is a git repository at one ref.
//
// Update asks the repository what the ref points to, fetches it if it moved,
// and returns the snapshot. When nothing moved it returns the very same
// *Snapshot as before, at the cost of one ls-remote. A remote that cannot be
// reached is a transient [schema.Error]; a ref that does not exist, refused
// credentials or an untrusted host key are terminal ones. Errors and the URL in
// a snapshot never hold a password.
//
// Stored returns the snapshot of the last Update that a former process left on
// disk, without asking the remote; nil when there is none. It lets a restart go
// on while the remote is away.
//
// Contains tells whether commit is older is an ancestor of (or the same as)
// newer, as far as the history that is kept tells. Unknown commits are no error:
// the answer is then false.
//
// History returns a commit and those before it by first parent, the newest
// first, as far as the history that is kept reaches; at most n, and at most
// [MaxHistory]. Of an unknown commit there is none, which is no error.
//
// At returns the snapshot of another ref, whatever Update may follow: a branch or
// tag by name, any ref by its full name (refs/pull/7/head), or a full commit hash
// that is here or that the remote gives out. What is missing is fetched, within
// the bounds of Update and with its errors. It changes nothing of what is
// followed, and neither waits for an Update nor lets one wait. Its snapshot can be
// read at least until At has fetched fifty others, or 64 MiB more; after that,
// asking again brings it back. A remote source must have been read once, by Update
// or Stored.
//
// Here returns the snapshot of a commit if At needs to fetch nothing for it, and
// nil if it does. It asks nobody.
//
// MergeBase returns the best common ancestor of two commits, as git merge-base
// does: one that is no ancestor of another common one. Where there are several,
// it is always the same one. Empty means that there is none, or that the history
// that is here does not reach to it. What At brings has its history with it where
// the source keeps history.
//
// Proposals returns a fingerprint of the heads of pull and merge requests, as the
// remote listed them when Update last asked it, which costs no further request.
// Another one means that a head came, moved or went. It is kept nowhere and means
// nothing to another Source. Empty: not known, as of a local repository, which no
// forge serves, before the first Update, or where nobody asked for it when the
// source was opened. It never waits.
//
// Methods are safe for concurrent use; Update runs one at a time, and so do At, Here
// and MergeBase. Every method returns soon after its context ends.
type Source interface {
	Update(ctx context.Context) (*Snapshot, error)
	Stored(ctx context.Context) (*Snapshot, error)
	Contains(ctx context.Context, newer, older string) (bool, error)
	History(ctx context.Context, commit string, n int) ([]Commit, error)
	At(ctx context.Context, ref string) (*Snapshot, error)
	Here(ctx context.Context, commit string) (*Snapshot, error)
	MergeBase(ctx context.Context, a, b string) (string, error)
	Proposals() string
	Close() error
}

// A Hash is a git object hash: equal hashes are equal content.
type Hash [20]byte

// String renders the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero tells whether the hash is none.
func (h Hash) IsZero() bool { return h == Hash{} }

// A Snapshot is what a repository held at one commit. It is immutable.
type Snapshot struct {
	URL     string    // of the repository, without password
	Ref     string    // as configured
	Name    string    // what the ref resolved to: refs/heads/main, refs/tags/v1.2.0, or empty
	Commit  string    // 40 hex digits
	Author  string    // of the commit, as in [Commit]
	Time    time.Time // of the commit, as in [Commit]
	Message string    // of the commit, whole, bounded to 64 KiB
	Tree    Tree
}

// A Tree is the files of a snapshot.
//
// Diff calls visit for each file that differs from before (nil: every file),
// in the order of paths. It does not enter folders whose hashes are equal, nor
// folders for which enter returns false. Symlinks and submodules are not files:
// they are passed over. Paths are clean, relative and slash-separated.
//
// Read returns the content of a blob; over max bytes it is an error of kind
// invalid.
type Tree interface {
	Hash() Hash
	Diff(ctx context.Context, before Tree, enter func(dir string) bool, visit func(Change) error) error
	Read(ctx context.Context, blob Hash, max int64) ([]byte, error)
}

// A Change is a file that two trees hold differently.
type Change struct {
	Path   string
	Before Hash // zero: the file is new
	After  Hash // zero: the file is gone
}
