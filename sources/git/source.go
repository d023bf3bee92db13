package git

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

// Options say what to follow, and how.
type Options struct {
	Dir         *Dir          // where mirrors are kept; not needed for local repositories
	URL         string        // the repository, see [ParseURL]
	Ref         string        // branch, tag, full commit hash or SemVer range over tags; empty: the remote's HEAD
	History     bool          // keep the commits behind the newest one, for Contains and History
	Proposals   bool          // take the fingerprint that Proposals returns
	Credentials Credentials   // how to log in; nil: not at all
	Timeout     time.Duration // of one update; 0: two minutes
	MaxPack     int64         // bytes of one fetch; 0: 1 GiB with history, 512 MiB without
	Logger      *slog.Logger  // nil: no log

	// Proxy finds the proxy for a request; nil: HTTPS_PROXY, HTTP_PROXY, NO_PROXY.
	Proxy func(*http.Request) (*url.URL, error)
}

const (
	defaultTimeout    = 2 * time.Minute
	defaultMaxHistory = 1 << 30
	defaultMaxShallow = 512 << 20
)

// Open prepares a source. It does not look at the repository yet; only options
// that can never work are an error.
func Open(opts Options) (sources.Source, error) {
	loc, err := ParseURL(opts.URL)
	if err != nil {
		return nil, err
	}
	spec, err := parseRef(opts.Ref)
	if err != nil {
		return nil, seal(err, loc.String(), nil)
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Timeout <= 0 {
		opts.Timeout = defaultTimeout
	}
	if opts.MaxPack <= 0 {
		opts.MaxPack = defaultMaxShallow
		if opts.History {
			opts.MaxPack = defaultMaxHistory
		}
	}
	if loc.IsLocal() {
		return newFollower(opts, loc, &local{loc: loc, spec: spec}), nil
	}
	if opts.Dir == nil {
		return nil, seal(fail(schema.Terminal, "", errors.New("a remote repository needs a data folder")), loc.String(), nil)
	}
	r := &remote{opts: opts, loc: loc, spec: spec, seed: maphash.MakeSeed(), folder: opts.Dir.take(loc, opts.Ref, opts.History)}
	r.transport = newHTTPTransport(loc, opts.Credentials, opts.Proxy)
	if loc.IsSSH() {
		r.transport = &sshTransport{loc: loc, credentials: opts.Credentials}
	}
	return newFollower(opts, loc, r), nil
}

// A repository is what a follower follows. Its methods are called one at a time,
// but at, here and mergeBase beside the others, contains and history too where it is
// readable, and proposals beside all.
type repository interface {
	// update returns the snapshot of what the ref points to now; the very same
	// as current if that has not changed.
	update(ctx context.Context, current *sources.Snapshot) (*sources.Snapshot, error)
	stored(ctx context.Context) (*sources.Snapshot, error)
	contains(ctx context.Context, newer, older string) (bool, error)
	history(ctx context.Context, commit string, n int) ([]sources.Commit, error)
	at(ctx context.Context, ref string) (*sources.Snapshot, error)
	here(ctx context.Context, commit string) (*sources.Snapshot, error)
	mergeBase(ctx context.Context, a, b string) (string, error)
	proposals() string
	// readable tells that contains and history need not wait for an update.
	readable() bool
	secrets() []string
	close()
}

// A follower is the [sources.Source] around any repository: one call at a time,
// each bounded in time, errors sealed.
type follower struct {
	repo    repository
	shown   string
	timeout time.Duration
	turn    chan struct{} // held by the call that is running
	beside  chan struct{} // held by the call of At, Here or MergeBase that is running
	reading chan struct{} // held by the call of Contains or History that is running and waits for no update
	life    context.Context
	end     context.CancelFunc
	closing sync.Once

	current *sources.Snapshot // guarded by turn
}

func newFollower(opts Options, loc Location, repo repository) *follower {
	f := &follower{repo: repo, shown: loc.String(), timeout: opts.Timeout, turn: make(chan struct{}, 1), beside: make(chan struct{}, 1), reading: make(chan struct{}, 1)}
	f.life, f.end = context.WithCancel(context.Background())
	return f
}

// Update asks the repository what the ref points to, and fetches it if it moved.
func (f *follower) Update(ctx context.Context) (snap *sources.Snapshot, err error) {
	err = f.call(ctx, f.turn, func(ctx context.Context) error {
		next, err := f.repo.update(ctx, f.current)
		if err == nil {
			f.current, snap = next, next
		}
		return err
	})
	return snap, err
}

// Stored returns what a former process left.
func (f *follower) Stored(ctx context.Context) (snap *sources.Snapshot, err error) {
	err = f.call(ctx, f.turn, func(ctx context.Context) (err error) {
		if f.current == nil {
			f.current, err = f.repo.stored(ctx)
		}
		snap = f.current
		return err
	})
	return snap, err
}

// Contains tells whether older is newer or comes before it.
func (f *follower) Contains(ctx context.Context, newer, older string) (found bool, err error) {
	err = f.call(ctx, f.lookTurn(), func(ctx context.Context) error {
		found, err = f.repo.contains(ctx, newer, older)
		return err
	})
	return found && err == nil, err
}

// History lists a commit and those before it.
func (f *follower) History(ctx context.Context, commit string, n int) (found []sources.Commit, err error) {
	err = f.call(ctx, f.lookTurn(), func(ctx context.Context) error {
		found, err = f.repo.history(ctx, commit, n)
		return err
	})
	return found, err
}

// lookTurn is the turn for who looks at what is here: he waits for no server, once
// anything is.
func (f *follower) lookTurn() chan struct{} {
	if f.repo.readable() {
		return f.reading
	}
	return f.turn
}

// At returns the snapshot of another ref than the one that is followed.
func (f *follower) At(ctx context.Context, ref string) (snap *sources.Snapshot, err error) {
	err = f.call(ctx, f.beside, func(ctx context.Context) error {
		snap, err = f.repo.at(ctx, ref)
		return err
	})
	return snap, err
}

// Here returns the snapshot of a commit that needs no fetch; nil: it does.
func (f *follower) Here(ctx context.Context, commit string) (snap *sources.Snapshot, err error) {
	err = f.call(ctx, f.beside, func(ctx context.Context) error {
		snap, err = f.repo.here(ctx, commit)
		return err
	})
	return snap, err
}

// MergeBase returns the best common ancestor of two commits.
func (f *follower) MergeBase(ctx context.Context, a, b string) (base string, err error) {
	err = f.call(ctx, f.beside, func(ctx context.Context) error {
		base, err = f.repo.mergeBase(ctx, a, b)
		return err
	})
	return base, err
}

// Proposals returns a fingerprint of the heads of pull and merge requests.
func (f *follower) Proposals() string { return f.repo.proposals() }

// Close ends what is running and waits for it.
func (f *follower) Close() error {
	f.closing.Do(func() {
		f.end()
		f.turn <- struct{}{} // kept: nothing runs any more
		f.beside <- struct{}{}
		f.reading <- struct{}{}
		f.repo.close()
	})
	return nil
}

// call does something in its turn, within the time of an update.
func (f *follower) call(ctx context.Context, turn chan struct{}, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	defer context.AfterFunc(f.life, cancel)()
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return f.seal(ctx.Err())
	}
	if f.life.Err() != nil {
		return f.seal(errClosed)
	}
	err := func() (err error) {
		defer rescue(&err)
		return do(ctx)
	}()
	if err != nil {
		return f.seal(cause(ctx, err))
	}
	return nil
}

// cause prefers the end of the context to what it made fail.
func cause(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	return err
}

func (f *follower) seal(err error) error {
	if f.life.Err() != nil {
		err = fail(schema.Terminal, "", errClosed)
	}
	return seal(err, f.shown, f.repo.secrets())
}
