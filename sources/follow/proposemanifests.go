package follow

import (
	"context"
	"errors"
	"slices"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/catalog"
)

// A ManifestProposal is what a ref of an app repository would publish, as if it
// were merged now. The catalog knows nothing of it.
type ManifestProposal struct {
	Base string // the commit that is followed
	Head string // the commit that is proposed
	// MergeBase is what Head is compared with; empty: it is not known, and Head is
	// compared with Base.
	MergeBase string
	// Releases are those that would be new in the catalog, or others than before.
	Releases []*catalog.Release
	// Problems are those of the manifests that Head changed, in the order of paths,
	// and then why the repo may not publish what they do. Without a merge base,
	// those of Base are left out.
	Problems schema.Problems
}

// ProposeManifests returns what the manifests say that a ref of an app repository
// changes.
func (h *Hub) ProposeManifests(ctx context.Context, repo string, ref Ref) (p *ManifestProposal, err error) {
	for _, f := range h.all()[1:] {
		if f.name != repo {
			continue
		}
		err = f.beside(ctx, func(ctx context.Context, source sources.Source) error {
			p, err = h.proposeManifests(ctx, f, source, ref)
			return err
		})
		return p, err
	}
	return nil, &schema.Error{Op: "propose", Resource: repo, Kind: schema.Waiting, Err: errors.New("no such repo is followed")}
}

func (h *Hub) proposeManifests(ctx context.Context, f *follower, source sources.Source, ref Ref) (*ManifestProposal, error) {
	base := f.taken.Load()
	if base == nil {
		return nil, f.fail("propose", schema.Waiting, errors.New("the repo was not read yet"))
	}
	head, err := ref.snapshot(ctx, source)
	if err != nil {
		return nil, err
	}
	ancestor, err := ref.ancestor(ctx, source, base, head)
	if err != nil {
		return nil, err
	}
	p := &ManifestProposal{Base: base.Commit, Head: head.Commit}
	if ancestor != nil {
		p.MergeBase = ancestor.Commit
	}
	changes, err := brought(ctx, base, head, ancestor, f.selected)
	if err != nil {
		return nil, err
	}
	return p, h.judge(ctx, f, p, base, head, changes)
}

// ancestor returns the merge base of a ref and what is followed; nil: nobody knows
// it. App repos are shallow, so that mostly somebody else has to tell.
func (r Ref) ancestor(ctx context.Context, source sources.Source, base, head *sources.Snapshot) (*sources.Snapshot, error) {
	found, err := mergeBase(ctx, source, base, head)
	if found != nil || err != nil || r.MergeBase == nil {
		return found, err
	}
	commit, err := r.MergeBase(ctx)
	switch {
	case err != nil || commit == "":
		return nil, err
	case commit == base.Commit:
		return base, nil
	case commit == head.Commit:
		return head, nil
	}
	found, err = Ref{Name: commit, Head: commit}.snapshot(ctx, source)
	if kind := schema.KindOf(err); err != nil && kind != schema.Transient && kind != schema.Waiting {
		return nil, nil // not every repository gives out commits that no ref points to
	}
	return found, err
}

// brought returns the selected files of base that would be others if head were
// merged: those that head changed since ancestor, or, if that is not known, all
// that differ.
func brought(ctx context.Context, base, head, ancestor *sources.Snapshot, s selection) ([]sources.Change, error) {
	changes, err := scan(ctx, base, head, s)
	if err != nil || ancestor == nil || ancestor == base {
		return changes, err
	}
	theirs, err := scan(ctx, ancestor, head, s)
	if err != nil {
		return nil, err
	}
	changed := make(map[string]bool, len(theirs))
	for _, c := range theirs {
		changed[c.Path] = true
	}
	return slices.DeleteFunc(changes, func(c sources.Change) bool { return !changed[c.Path] }), nil
}

// judge notes what files of head would bring to the catalog, and what is wrong
// with them.
func (h *Hub) judge(ctx context.Context, f *follower, p *ManifestProposal, base, head *sources.Snapshot, changes []sources.Change) error {
	gone, files := apart(changes)
	readings, err := h.proposed.manifests.read(ctx, head.Tree, files)
	if err != nil {
		return err
	}
	now := h.Catalog()
	repo, _ := now.Repo(f.name)
	repo.Name, repo.Commit = f.name, p.Head
	update := catalog.Change{Repo: repo, Removed: gone}
	for i, r := range readings {
		update.Files = append(update.Files, catalog.File{Path: files[i].Path, Unreadable: r.unreadable, Publication: r.value, Raw: r.raw})
		p.Problems = append(p.Problems, problemsIn(files[i].Path, r)...)
	}
	next, _ := now.With(update)
	p.Releases = next.Published(f.name, p.Head)
	refused := notAllowed(next, f.name, readings)
	if p.MergeBase == "" {
		old, err := h.problemsOf(ctx, base, files)
		if err != nil {
			return err
		}
		p.Problems = newProblems(p.Problems, old)
		refused = newProblems(refused, notAllowed(now, f.name, readings))
	}
	p.Problems = append(p.Problems, refused...)
	return nil
}

// problemsOf returns the problems that files have in a snapshot, as far as they
// are there.
func (h *Hub) problemsOf(ctx context.Context, at *sources.Snapshot, files []sources.Change) (found schema.Problems, err error) {
	var there []sources.Change
	for _, c := range files {
		if !c.Before.IsZero() {
			there = append(there, sources.Change{Path: c.Path, After: c.Before})
		}
	}
	readings, err := h.proposed.manifests.read(ctx, at.Tree, there)
	for i, r := range readings {
		found = append(found, problemsIn(there[i].Path, r)...)
	}
	return found, err
}

// problemsIn returns what is wrong with a manifest.
func problemsIn(path string, r reading[schema.Publication]) schema.Problems {
	if r.unreadable != "" {
		return schema.Problems{{File: path, Message: r.unreadable}}
	}
	return r.value.Problems
}

// notAllowed returns why a repo may not publish what files of it do, in the order
// of identifiers.
func notAllowed(c *catalog.Catalog, repo string, files []reading[schema.Publication]) (found schema.Problems) {
	var identifiers []string
	for _, f := range files {
		for _, r := range slices.Concat(f.value.Releases, f.value.Identities) {
			identifiers = append(identifiers, r.Identifier)
		}
	}
	slices.Sort(identifiers)
	for _, identifier := range slices.Compact(identifiers) {
		if why := c.NotAllowed(repo, identifier); why != "" {
			found = append(found, schema.Problem{Message: why})
		}
	}
	return found
}
