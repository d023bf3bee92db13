package git

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

// A ground is a generation as it stands: what is fetched next builds on it. It
// is immutable.
type ground struct {
	folder  string
	objects *objects
	head    target
	shallow []plumbing.Hash
	stale   bool // it was found damaged
}

func (g *generation) ground() *ground {
	return &ground{folder: g.folder, objects: g.objects, head: g.head, shallow: g.shallow}
}

// publish makes known what there is to stand on.
func (r *remote) publish() {
	if r.mirror == nil || r.mirror.current == nil {
		return
	}
	now := r.mirror.current.ground()
	now.stale = r.stale
	if old := r.ground.Load(); old == nil || old.folder != now.folder || old.head != now.head || old.stale != now.stale {
		r.ground.Store(now)
	}
}

// asides are where a mirror keeps what is looked at beside the ref that it
// follows: heads of pull requests, of which most are never asked for again. Each
// aside is a repository in the folder of a generation. It borrows that one's
// objects, so that only the difference is fetched, and the generation itself
// takes nothing in.
//
// So old pull requests do not pile up: an aside that grew too large is left for
// a new one, of which there are at most two; both go with their generation, and
// when the process starts anew.
type asides struct {
	ground  *ground
	current *aside // nil: nothing was fetched yet
	former  *aside
	last    int // highest number of an aside
	refused []refusal
}

type aside struct {
	*generation
	heads []plumbing.Hash // that were fetched, so that they need not travel again
}

const (
	asideFolder = "aside"
	asideSize   = 64 << 20 // bytes of packs
	maxRefused  = 64       // targets that are remembered as too large or not acceptable
)

// at finds out what a ref points to, and fetches what is missing of it.
func (r *remote) at(ctx context.Context, ref string) (*sources.Snapshot, error) {
	spec, err := parseRef(ref)
	if err != nil {
		return nil, err
	}
	if err := r.standAside(); err != nil {
		return nil, err
	}
	t := target{commit: spec.commit}
	var o *objects
	if !t.commit.IsZero() {
		o = r.asides.find(ctx, t.commit)
	}
	if o == nil {
		if o, t, err = r.fetchAside(ctx, spec); err != nil {
			return nil, err
		}
	}
	return snapshot(o, r.loc, ref, t)
}

// here returns a commit that was fetched before, of whatever ref.
func (r *remote) here(ctx context.Context, commit string) (*sources.Snapshot, error) {
	if !plumbing.IsHash(commit) {
		return nil, nil
	}
	if err := r.standAside(); err != nil {
		return nil, err
	}
	t := target{commit: plumbing.NewHash(commit)}
	if o := r.asides.find(ctx, t.commit); o != nil {
		return snapshot(o, r.loc, commit, t)
	}
	return nil, nil
}

func (r *remote) mergeBase(ctx context.Context, a, b string) (string, error) {
	if err := r.standAside(); err != nil {
		return "", err
	}
	for _, o := range r.asides.stores() {
		if base, here, err := mergeBase(ctx, o, a, b); here || err != nil {
			return base, err
		}
	}
	return "", nil
}

// standAside begins on the newest ground. A damaged one is left alone: the next
// update mends it.
func (r *remote) standAside() error {
	now, a := r.ground.Load(), &r.asides
	switch {
	case now == nil:
		return fail(schema.Waiting, "it is read first", errors.New("the repository was not read yet"))
	case now.stale:
		return fail(schema.Transient, "it is fetched again", errors.New("the mirror is damaged"))
	case a.ground == nil || a.ground.folder != now.folder:
		*a = asides{refused: a.refused}
	}
	for _, one := range []**aside{&a.current, &a.former} {
		if *one == nil {
			continue
		}
		if a.ground != now { // it may have got more
			(*one).objects.release()
		}
		if fault := (*one).objects.takeFault(); fault != nil {
			now.objects.blame(fault) // whose objects are at fault, the update finds out
			_ = os.RemoveAll((*one).folder)
			*one = nil
		}
	}
	a.ground = now
	return nil
}

// releaseAsides lets go of what asides keep in memory, as an update does with what
// it keeps when nothing moves.
func (r *remote) releaseAsides() {
	if lent := r.lent.Load(); lent != nil {
		for _, o := range *lent {
			o.release()
		}
	}
}

// stores are where an object may be: an aside also knows those of the ground.
func (a *asides) stores() []*objects {
	var found []*objects
	for _, one := range []*aside{a.current, a.former} {
		if one != nil {
			found = append(found, one.objects)
		}
	}
	return append(found, a.ground.objects)
}

// find tells where a commit is with all that belongs to it; nil: nowhere.
func (a *asides) find(ctx context.Context, commit plumbing.Hash) *objects {
	for _, o := range a.stores() {
		if holds(ctx, o, a.ground.head.commit, commit) {
			return o
		}
	}
	return nil
}

// fetchAside asks where a ref points to, and fetches that if it is not here.
func (r *remote) fetchAside(ctx context.Context, spec refSpec) (*objects, target, error) {
	s, t, caps, err := r.ask(ctx, &resolver{spec: spec})
	if err != nil {
		return nil, t, err
	}
	defer s.close()
	a := &r.asides
	if o := a.find(ctx, t.commit); o != nil {
		return o, t, nil
	}
	for i := range a.refused {
		if err := a.refused[i].again(t); err != nil {
			return nil, t, err
		}
	}
	if err := a.grow(); err != nil {
		return nil, t, err
	}
	stores := a.stores()
	r.lent.Store(&stores)
	if err := r.fetchInto(ctx, s, a.current, t.commit, caps); err != nil {
		var said remoteError
		if errors.As(err, &said) && !spec.commit.IsZero() {
			err = fail(schema.Terminal, "check the commit hash, or name a ref that points to it",
				errors.New("the repository gives out no commit "+spec.raw))
		}
		a.refuse(t, err)
		return nil, t, err
	}
	r.opts.Logger.Debug("fetched aside", "repo", r.loc.String(), "ref", firstOf(t.name, spec.raw), "commit", t.commit.String())
	return a.current.objects, t, nil
}

func (r *remote) fetchInto(ctx context.Context, s session, into *aside, commit plumbing.Hash, caps capabilities) error {
	here := r.asides.ground
	req, err := r.requestMore(ctx, here, commit, caps)
	if err != nil {
		return err
	}
	req.haves = mergeHashes(req.haves, into.heads)
	if caps.shallow {
		req.shallow = mergeHashes(req.shallow, into.shallow)
	}
	shallow, err := r.receive(ctx, s, into.generation, req, caps)
	if err != nil {
		return err
	}
	if err := verify(ctx, into.objects, here.head.commit, commit); err != nil {
		return err
	}
	into.shallow = mergeHashes(into.shallow, shallow)
	into.heads = append(into.heads, commit)
	return nil
}

// grow begins a new aside if there is none that has room. The one before the
// former goes.
func (a *asides) grow() error {
	if a.current != nil && a.current.packs < maxPacks && a.current.size < asideSize {
		return nil
	}
	a.last++
	g, err := newGeneration(filepath.Join(a.ground.folder, asideFolder, strconv.Itoa(a.last)))
	if err != nil {
		return err
	}
	borrowed := filepath.Join("..", "..", "..", "objects") // from objects/ of the aside
	if err := os.WriteFile(filepath.Join(g.folder, "objects", "info", "alternates"), []byte(borrowed+"\n"), 0o600); err != nil {
		return err
	}
	if a.former != nil {
		_ = os.RemoveAll(a.former.folder)
	}
	a.former, a.current = a.current, &aside{generation: g}
	return nil
}

// refuse remembers what is too large or not acceptable.
func (a *asides) refuse(t target, err error) {
	if !hopeless(err) {
		return
	}
	a.refused = slices.DeleteFunc(a.refused, func(r refusal) bool { return r.left == 0 })
	if len(a.refused) == maxRefused {
		a.refused = a.refused[1:]
	}
	var r refusal
	r.note(t, err)
	a.refused = append(a.refused, r)
}
