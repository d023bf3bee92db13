package git

import (
	"context"
	"errors"
	"hash/maphash"
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/web"
)

// A remote is a repository behind a transport, with its mirror here.
type remote struct {
	opts      Options
	loc       Location
	spec      refSpec
	folder    string
	transport transport

	mirror *mirror // nil: not opened yet
	stale  bool    // the mirror's objects were found damaged

	refused refusal

	seed     maphash.Seed           // of the fingerprint
	proposed atomic.Pointer[string] // the fingerprint of the last update; nil: none was taken

	ground atomic.Pointer[ground]     // what is looked at beside an update; nil: nothing is here yet
	asides asides                     // only for at and mergeBase
	lent   atomic.Pointer[[]*objects] // those of asides
}

func (r *remote) secrets() []string { return r.transport.secrets() }

func (r *remote) close() {
	r.transport.close()
	r.opts.Dir.giveBack(r.folder)
}

// load opens the mirror that a former process left, once.
func (r *remote) load(ctx context.Context) error {
	if r.mirror != nil {
		return nil
	}
	m, damage, err := openMirror(ctx, r.folder)
	if err != nil {
		return err
	}
	if damage != nil {
		r.opts.Logger.Warn("mirror is damaged; it is fetched again", "repo", r.loc.String(), "error", web.Clean(damage.Error()))
	}
	r.mirror = m
	return nil
}

func (r *remote) stored(ctx context.Context) (*sources.Snapshot, error) {
	defer r.publish()
	if err := r.load(ctx); err != nil || r.mirror.current == nil {
		return nil, err
	}
	g := r.mirror.current
	snap, err := snapshot(g.objects, r.loc, r.opts.Ref, g.head)
	if err != nil {
		r.distrust(err)
		return nil, ctx.Err()
	}
	return snap, nil
}

func (r *remote) readable() bool { return r.ground.Load() != nil }

func (r *remote) contains(ctx context.Context, newer, older string) (bool, error) {
	o, err := r.held(ctx)
	if err != nil || o == nil {
		return false, err
	}
	return isAncestor(ctx, o, newer, older)
}

func (r *remote) history(ctx context.Context, commit string, n int) ([]sources.Commit, error) {
	o, err := r.held(ctx)
	if err != nil || o == nil {
		return nil, err
	}
	return history(ctx, o, commit, n)
}

// held returns what the mirror holds; nil: nothing.
func (r *remote) held(ctx context.Context) (*objects, error) {
	if r.ground.Load() == nil {
		defer r.publish()
		if err := r.load(ctx); err != nil || r.mirror.current == nil {
			return nil, err
		}
		return r.mirror.current.objects, nil
	}
	return r.ground.Load().objects, nil
}

func (r *remote) update(ctx context.Context, current *sources.Snapshot) (*sources.Snapshot, error) {
	defer r.publish()
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	if current == nil {
		var err error
		if current, err = r.stored(ctx); err != nil {
			return nil, err
		}
	}
	r.inspect(ctx)
	here := r.mirror.current
	if here != nil && !r.stale && here.head.commit == r.spec.commit && current != nil {
		return current, nil // a commit never moves
	}
	s, t, caps, err := r.askFollowed(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if here != nil && !r.stale && here.head == t && current != nil {
		here.objects.release()
		r.releaseAsides()
		return current, nil
	}
	if err := r.refused.again(t); err != nil {
		return nil, err
	}
	if err := r.fetch(ctx, s, t, caps); err != nil {
		r.refused.note(t, err)
		return nil, err
	}
	g := r.mirror.current
	r.opts.Logger.Debug("fetched", "repo", r.loc.String(), "ref", t.name, "commit", t.commit.String())
	return snapshot(g.objects, r.loc, r.opts.Ref, g.head)
}

// inspect looks at the mirror if reading from it has failed since the last time.
func (r *remote) inspect(ctx context.Context) {
	g := r.mirror.current
	if g == nil || r.stale {
		return
	}
	fault := g.objects.takeFault()
	if errors.Is(fault, errMissing) { // or asked for what was never there
		fault = g.check(ctx)
	}
	var system *fs.PathError
	if errors.As(fault, &system) && !errors.Is(fault, fs.ErrNotExist) {
		return // the machine is at fault: too many open files, no permission
	}
	r.distrust(fault)
}

// distrust notes that the mirror must be fetched again, and says so once.
func (r *remote) distrust(err error) {
	if err == nil || r.stale || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return
	}
	r.stale = true
	r.opts.Logger.Warn("mirror is damaged; it is fetched again", "repo", r.loc.String(), "error", web.Clean(err.Error()))
}

// askFollowed finds out what the ref that is followed points to, and takes the
// fingerprint of proposals from the same answer.
func (r *remote) askFollowed(ctx context.Context) (session, target, capabilities, error) {
	res := &resolver{spec: r.spec}
	if r.opts.Proposals {
		res.proposed = newProposals(r.seed)
	}
	return r.ask(ctx, res)
}

// proposals is the fingerprint that was taken last.
func (r *remote) proposals() string {
	if taken := r.proposed.Load(); taken != nil {
		return *taken
	}
	return ""
}

// ask opens a session and finds out what the resolver's ref points to.
func (r *remote) ask(ctx context.Context, res *resolver) (session, target, capabilities, error) {
	s, err := r.transport.open(ctx)
	if err != nil {
		return nil, target{}, capabilities{}, err
	}
	caps, err := readRefs(s.refs(), res)
	if err != nil {
		err = s.explain(err)
		s.close()
		return nil, target{}, caps, err
	}
	if res.proposed != nil { // also if the ref itself is not there
		taken := res.proposed.fingerprint()
		r.proposed.Store(&taken)
	}
	t, err := res.result()
	if err == nil {
		err = caps.check()
	}
	if err != nil {
		s.close()
		return nil, target{}, caps, err
	}
	return s, t, caps, nil
}

// check tells whether a server is one that can be talked to.
func (c capabilities) check() error {
	if c.objectFormat != "" && c.objectFormat != "sha1" {
		return errSHA256
	}
	if !c.sideBand {
		return fail(schema.Terminal, "the git server is too old", errors.New("the server does not speak side-band-64k"))
	}
	return nil
}

// fetch brings t into the mirror: what is missing if there is something to
// build on, everything into a new generation otherwise.
func (r *remote) fetch(ctx context.Context, s session, t target, caps capabilities) error {
	if g := r.mirror.current; g != nil && !r.stale {
		if holds(ctx, g.objects, plumbing.ZeroHash, t.commit) {
			return g.commit(t, nil)
		}
		if !g.grown() {
			err := r.fetchMore(ctx, s, g, t, caps)
			if err == nil || ctx.Err() != nil || hopeless(err) {
				return err
			}
			r.opts.Logger.Debug("incremental fetch failed; fetching everything", "repo", r.loc.String(), "error", web.Clean(err.Error()))
			if s, t, caps, err = r.askFollowed(ctx); err != nil {
				return err
			}
			defer s.close()
		}
	}
	return r.fetchAll(ctx, s, t, caps)
}

// A refusal remembers what was fetched in vain because it is too large or not
// acceptable, so that not every poll fetches it in vain.
type refusal struct {
	target target
	err    error
	left   int
}

// patience is how many updates pass before what was refused is tried again.
const patience = 30

func (r *refusal) note(t target, err error) {
	if hopeless(err) {
		*r = refusal{target: t, err: err, left: patience}
	}
}

func (r *refusal) again(t target) error {
	if r.left == 0 || r.target != t {
		return nil
	}
	r.left--
	return r.err
}

// hopeless tells whether an error stays until the ref points elsewhere.
func hopeless(err error) bool {
	return errors.Is(err, errTooLarge) || errors.Is(err, errMalformed)
}

// holds tells whether a commit is here already with all that belongs to it, as
// after a rewind; what belongs to base is known to be.
func holds(ctx context.Context, o *objects, base, commit plumbing.Hash) bool {
	found, err := o.has(commit)
	return err == nil && found && verify(ctx, o, base, commit) == nil
}

// fetchMore asks for what is between the commit that is here and t.
func (r *remote) fetchMore(ctx context.Context, s session, g *generation, t target, caps capabilities) error {
	req, err := r.requestMore(ctx, g.ground(), t.commit, caps)
	if err != nil {
		return err
	}
	shallow, err := r.receive(ctx, s, g, req, caps)
	if err != nil {
		return err
	}
	if err := verify(ctx, g.objects, g.head.commit, t.commit); err != nil {
		return err
	}
	return g.commit(t, shallow)
}

// requestMore builds on the commit that is here.
func (r *remote) requestMore(ctx context.Context, here *ground, commit plumbing.Hash, caps capabilities) (packRequest, error) {
	req := r.request(commit, caps)
	if !caps.thinPack {
		// Such a server does not leave out what is here from a commit without
		// parents, so it has to send the commits between.
		req.depth = 0
	}
	req.haves = []plumbing.Hash{here.head.commit}
	if r.opts.History {
		haves, err := recent(ctx, here.objects, here.head.commit)
		if err != nil {
			return req, err
		}
		req.haves = haves
	}
	if caps.shallow {
		req.shallow = here.shallow
	}
	return req, nil
}

// fetchAll fetches t into a new generation, which takes over only when it is
// complete.
func (r *remote) fetchAll(ctx context.Context, s session, t target, caps capabilities) (err error) {
	g, err := r.mirror.begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(g.folder)
		}
	}()
	req := r.request(t.commit, caps)
	shallow, err := r.receive(ctx, s, g, req, caps)
	var said remoteError
	if errors.As(err, &said) && !r.spec.commit.IsZero() {
		shallow, err = nil, r.fetchTips(ctx, g)
	}
	if err != nil {
		return err
	}
	if err := verify(ctx, g.objects, plumbing.ZeroHash, t.commit); err != nil {
		if !r.spec.commit.IsZero() && errors.Is(err, errMissing) {
			return noCommit(r.spec)
		}
		return err
	}
	if err := g.commit(t, shallow); err != nil {
		return err
	}
	r.mirror.replace(g)
	r.stale = false
	return nil
}

func (r *remote) request(commit plumbing.Hash, caps capabilities) packRequest {
	req := packRequest{wants: []plumbing.Hash{commit}}
	if !r.opts.History && caps.shallow {
		req.depth = 1
	}
	return req
}

// fetchTips fetches all branches and tags with their history, to find in it a
// commit that the server does not give out by itself.
func (r *remote) fetchTips(ctx context.Context, g *generation) error {
	s, err := r.transport.open(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	res := &resolver{spec: r.spec, wantTips: true}
	caps, err := readRefs(s.refs(), res)
	if err != nil {
		return err
	}
	if len(res.tips) == 0 {
		return noCommit(r.spec)
	}
	_, err = r.receive(ctx, s, g, packRequest{wants: mergeHashes(nil, res.tips)}, caps)
	return err
}

func noCommit(spec refSpec) error {
	return fail(schema.Terminal, "check the commit hash", errors.New("the repository has no commit "+spec.raw))
}

// receive sends a request and stores the pack that answers it.
func (r *remote) receive(ctx context.Context, s session, g *generation, req packRequest, caps capabilities) ([]plumbing.Hash, error) {
	answer, err := s.request(req.encode(caps))
	if err != nil {
		return nil, err
	}
	pack, err := readAnswer(answer, req.depth)
	if err == nil {
		err = g.receive(ctx, pack, r.opts.MaxPack)
	}
	if err != nil {
		return nil, s.explain(err)
	}
	return pack.shallow, nil
}
