package follow

import (
	"context"
	"errors"
	"fmt"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/desired"
	"github.com/berthdev/berth/sources/merge"
)

// A Proposal is the desired state as it would be if a branch were merged now. It
// depends on Base and Head alone. It is a value: nothing of it is followed, and
// nobody is told of it.
type Proposal struct {
	State  *desired.State // of Base, with what Head changed since MergeBase
	Before *desired.State // of Base

	Base      string // the commit in force
	Head      string // the commit that is proposed; empty: a folder is
	MergeBase string // of both

	// Conflicts are the files that Base changed too, below desired.path: State has
	// Base's. Sorted.
	Conflicts []string
}

// Problems returns those of State's problems that Before has not, in the order of
// files and lines. A problem that only moved to another line is none of these.
func (p *Proposal) Problems() schema.Problems {
	return newProblems(p.State.Problems(), p.Before.Problems())
}

// newProblems returns those that were not there before, wherever they stood in
// their file.
func newProblems(now, before schema.Problems) schema.Problems {
	somewhere := func(one schema.Problem) schema.Problem {
		one.Line, one.Column = 0, 0
		return one
	}
	here, anywhere := map[schema.Problem]int{}, map[schema.Problem]int{}
	for _, old := range before {
		here[old]++
		anywhere[somewhere(old)]++
	}
	// Which of several of a kind is the new one, the lines tell, if anything does.
	var others, found schema.Problems
	for _, one := range now {
		if here[one] == 0 {
			others = append(others, one)
			continue
		}
		here[one]--
		anywhere[somewhere(one)]--
	}
	for _, one := range others {
		if anywhere[somewhere(one)] == 0 {
			found = append(found, one)
			continue
		}
		anywhere[somewhere(one)]--
	}
	return found
}

// proposed reads what is proposed: it may be anybody's, so it takes no slot from
// what is followed.
type proposed struct {
	documents *reader[schema.DesiredFile]
	manifests *reader[schema.Publication]
}

// maxLooks is how many proposals of one source are looked at at once. Others wait.
const maxLooks = 2

// A Ref is what is proposed, and what is known of it beforehand.
type Ref struct {
	Name string // a branch, refs/pull/7/head, a commit
	// Head is the commit that it points to. What was fetched of it before is taken,
	// and the repository is not asked again. Empty: it is not known.
	Head string
	// MergeBase asks somebody else where Head left the branch that is followed: it
	// is called where the history that is here does not tell. An empty answer says
	// that nobody knows. Nil: there is nobody to ask.
	MergeBase func(ctx context.Context) (string, error)
}

// snapshot returns what the ref points to.
func (r Ref) snapshot(ctx context.Context, source sources.Source) (*sources.Snapshot, error) {
	if r.Head != "" {
		if here, err := source.Here(ctx, r.Head); here != nil || err != nil {
			return here, err
		}
	}
	return source.At(ctx, r.Name)
}

// Propose returns the desired state as it would be if a ref were merged into the
// commit in force. It fetches what is
// missing, within the bounds of what is followed, and touches nothing.
//
// Before the desired state was read for the first time, the error is a waiting
// one; where both have no history in common, it is invalid.
func (h *Hub) Propose(ctx context.Context, ref Ref) (p *Proposal, err error) {
	err = h.desired.beside(ctx, func(ctx context.Context, source sources.Source) error {
		base, err := h.inForce()
		if err != nil {
			return err
		}
		head, err := ref.snapshot(ctx, source)
		if err != nil {
			return err
		}
		ancestor, err := mergeBase(ctx, source, base.Head, head)
		if err != nil {
			return err
		}
		if ancestor == nil {
			return &schema.Error{
				Op: "propose", Resource: head.URL, Kind: schema.Invalid,
				Err:  fmt.Errorf("commit %s has no history in common with %s, which is in force", short(head.Commit), short(base.Head.Commit)),
				Hint: "begin the branch at the one that is followed; a clone must not be shallow",
			}
		}
		p, err = h.propose(ctx, base, head, ancestor)
		return err
	})
	return p, err
}

// ProposeDir returns the desired state as it would be if it were what a folder
// holds now, be it a work tree or plain files. It stands for the whole
// repository: desired.path is looked for in it.
func (h *Hub) ProposeDir(ctx context.Context, dir string) (p *Proposal, err error) {
	source, err := h.options.Folder(dir)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	err = h.desired.beside(ctx, func(ctx context.Context, _ sources.Source) error {
		base, err := h.inForce()
		if err != nil {
			return err
		}
		head, err := source.Update(ctx)
		if err != nil {
			return err
		}
		p, err = h.propose(ctx, base, head, base.Head)
		return err
	})
	return p, err
}

func (h *Hub) inForce() (*View, error) {
	if base := h.View(); base != nil {
		return base, nil
	}
	return nil, h.desired.fail("propose", schema.Waiting, errors.New("the desired state was not read yet"))
}

// propose puts what head changed since ancestor onto what is in force.
func (h *Hub) propose(ctx context.Context, base *View, head, ancestor *sources.Snapshot) (*Proposal, error) {
	folder := h.folder()
	selected := documents(folder)
	merged, conflicts, err := merge.Merge(ctx, base.Head.Tree, head.Tree, ancestor.Tree, selected.enter)
	if err != nil {
		return nil, err
	}
	now := &sources.Snapshot{URL: head.URL, Commit: head.Commit, Tree: merged}
	changes, _, err := h.readDocuments(ctx, h.proposed.documents, base.Head, now)
	if err != nil {
		return nil, err
	}
	if err := h.checkEmptied(ctx, now, changes); err != nil {
		return nil, err
	}
	state, _ := base.State.With(head.Commit, changes...)
	p := &Proposal{
		State: state, Before: base.State,
		Base: base.Head.Commit, Head: head.Commit, MergeBase: ancestor.Commit,
	}
	for _, name := range conflicts {
		if selected.match(name) {
			p.Conflicts = append(p.Conflicts, name)
		}
	}
	return p, nil
}

// checkEmptied makes sure that the folder of the documents would still be there:
// git keeps no empty one.
func (h *Hub) checkEmptied(ctx context.Context, now *sources.Snapshot, changes []desired.FileChange) error {
	folder, removed := h.folder(), false
	for _, c := range changes {
		removed = removed || c.Removed
	}
	if folder == "." || !removed {
		return nil
	}
	found := false
	err := now.Tree.Diff(ctx, nil, func(dir string) bool { return within(dir, folder) || within(folder, dir) }, func(c sources.Change) error {
		found = found || within(c.Path, folder)
		return nil
	})
	if err == nil && !found {
		err = noFolder(now, folder)
	}
	return err
}

// mergeBase returns the merge base of two snapshots of a source; nil: there is
// none, or its history does not reach to it.
func mergeBase(ctx context.Context, source sources.Source, base, head *sources.Snapshot) (*sources.Snapshot, error) {
	commit, err := source.MergeBase(ctx, base.Commit, head.Commit)
	switch {
	case err != nil || commit == "":
		return nil, err
	case commit == base.Commit:
		return base, nil
	case commit == head.Commit:
		return head, nil
	}
	return source.At(ctx, commit)
}

// beside looks at something of the source that is not followed: not too many at
// a time, and not for ever.
func (f *follower) beside(ctx context.Context, look func(context.Context, sources.Source) error) (err error) {
	defer f.recovered(&err)
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	select {
	case f.looks <- struct{}{}:
		defer func() { <-f.looks }()
	case <-ctx.Done():
		return f.fail("propose", schema.Transient, ctx.Err())
	}
	source, err := f.opened()
	if err != nil {
		return err
	}
	return look(ctx, source)
}
