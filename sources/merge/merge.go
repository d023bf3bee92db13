// Package merge puts the files of two branches together, as a merge would, file
// by file: what one branch changed since their merge base goes onto the other.
// Contents are compared by their hashes and never read; folders that did not
// change are not entered.
package merge

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/berthdev/berth/sources"
)

// Merge returns base with what head changed since ancestor, their merge base. A
// renamed file is one that went and one that came. Folders for which enter returns
// false stay as base has them; nil enters all.
//
// What both changed, and not to the same, is a conflict: so is a file that one
// changed and the other removed, and a file of the one where the other has a
// folder. Of a conflict base's file stays. The paths of conflicts are sorted.
//
// The merged tree reads from base and head, and can be compared with whatever
// base can be compared with, and with other merged trees. Of equal inputs it has
// an equal hash, which is base's own if nothing is different.
func Merge(ctx context.Context, base, head, ancestor sources.Tree, enter func(dir string) bool) (merged sources.Tree, conflicts []string, err error) {
	theirs, err := diff(ctx, head, ancestor, enter)
	if err != nil {
		return nil, nil, err
	}
	ours, err := diff(ctx, base, ancestor, theirs.near(enter))
	if err != nil {
		return nil, nil, err
	}
	m := &tree{base: base, head: head, blobs: map[sources.Hash]bool{}}
	for _, c := range theirs.list {
		own, both := ours.files[c.Path]
		switch {
		case both && own.After == c.After: // both did the same
		case both, c.After != (sources.Hash{}) && ours.clashes(c.Path):
			conflicts = append(conflicts, c.Path)
		default:
			m.changes = append(m.changes, c)
			m.blobs[c.After] = true
		}
	}
	return m, conflicts, nil
}

// A changeSet is what one branch changed.
type changeSet struct {
	list    []sources.Change // in the order of paths
	files   map[string]sources.Change
	above   map[string]bool // folders in which something changed
	filled  map[string]bool // folders that hold a file that is new or other
	present map[string]bool // files that are new or other
}

func diff(ctx context.Context, tree, before sources.Tree, enter func(string) bool) (*changeSet, error) {
	s := &changeSet{
		files: map[string]sources.Change{}, above: map[string]bool{}, filled: map[string]bool{}, present: map[string]bool{},
	}
	err := tree.Diff(ctx, before, enter, func(c sources.Change) error {
		s.list = append(s.list, c)
		s.files[c.Path] = c
		for dir := range folders(c.Path) {
			s.above[dir] = true
			if !c.After.IsZero() {
				s.filled[dir] = true
			}
		}
		if !c.After.IsZero() {
			s.present[c.Path] = true
		}
		return nil
	})
	return s, err
}

// near tells which folders the other branch must be looked into: those in which
// something changed, and those where there is a file now.
func (s *changeSet) near(enter func(string) bool) func(string) bool {
	return func(dir string) bool {
		if enter != nil && !enter(dir) {
			return false
		}
		if s.above[dir] || s.present[dir] {
			return true
		}
		for above := range folders(dir) {
			if s.present[above] {
				return true
			}
		}
		return false
	}
}

// clashes tells whether a file cannot be where there are files of this set: a
// file where it needs a folder, or a folder where it is.
func (s *changeSet) clashes(file string) bool {
	for dir := range folders(file) {
		if s.present[dir] {
			return true
		}
	}
	return s.filled[file]
}

// folders yields the folders above a path, the innermost first.
func folders(name string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if !yield(dir) {
				return
			}
		}
	}
}

// entered tells whether every folder above a file is entered.
func entered(name string, enter func(string) bool) bool {
	if enter == nil {
		return true
	}
	above := slices.Collect(folders(name))
	for _, dir := range slices.Backward(above) {
		if !enter(dir) {
			return false
		}
	}
	return true
}

func compareChanges(a, b sources.Change) int { return strings.Compare(a.Path, b.Path) }
