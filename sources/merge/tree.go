package merge

import (
	"context"
	"crypto/sha1"
	"fmt"
	"maps"
	"slices"

	"github.com/berthdev/berth/sources"
)

// A tree is base with changes that come from head.
type tree struct {
	base, head sources.Tree
	changes    []sources.Change      // from base; in the order of paths
	blobs      map[sources.Hash]bool // that head has
}

// Hash is made of base's and of the changes; no object of git has it, unless
// nothing changed.
func (t *tree) Hash() sources.Hash {
	if len(t.changes) == 0 {
		return t.base.Hash()
	}
	h := sha1.New() // as long as other hashes of trees; collisions harm only who made them
	fmt.Fprintf(h, "merge\x00%s", t.base.Hash())
	for _, c := range t.changes {
		fmt.Fprintf(h, "\x00%s\x00%s", c.Path, c.After)
	}
	return sources.Hash(h.Sum(nil))
}

// Read returns a file's content.
func (t *tree) Read(ctx context.Context, blob sources.Hash, limit int64) ([]byte, error) {
	if t.blobs[blob] {
		return t.head.Read(ctx, blob, limit)
	}
	return t.base.Read(ctx, blob, limit)
}

// Diff compares the trees below and puts the changes over what comes out. From
// its own base the tree differs by its changes alone: that costs nothing more.
func (t *tree) Diff(ctx context.Context, before sources.Tree, enter func(string) bool, visit func(sources.Change) error) error {
	var old []sources.Change
	if merged, ok := before.(*tree); ok {
		before, old = merged.base, merged.changes
	}
	all := map[string]sources.Change{}
	if before == nil || before.Hash() != t.base.Hash() {
		if err := t.base.Diff(ctx, before, enter, func(c sources.Change) error {
			all[c.Path] = c
			return nil
		}); err != nil {
			return err
		}
	}
	over := func(changes []sources.Change, put func(c *sources.Change, blob sources.Hash)) {
		for _, c := range changes {
			if !entered(c.Path, enter) {
				continue
			}
			found, differs := all[c.Path]
			if !differs { // below, it is the same file on both sides
				found = sources.Change{Path: c.Path, Before: c.Before, After: c.Before}
			}
			put(&found, c.After)
			all[c.Path] = found
		}
	}
	over(old, func(c *sources.Change, blob sources.Hash) { c.Before = blob })
	over(t.changes, func(c *sources.Change, blob sources.Hash) { c.After = blob })
	for _, c := range slices.SortedFunc(maps.Values(all), compareChanges) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if c.Before == c.After {
			continue
		}
		if err := visit(c); err != nil {
			return err
		}
	}
	return nil
}
