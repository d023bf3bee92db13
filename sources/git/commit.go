package git

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

const (
	maxCommitSize = 4 << 20  // bytes of one commit or tag object
	maxMessage    = 64 << 10 // bytes of a message that are kept
	maxWalk       = 500_000  // commits that are looked at to answer one question
	maxPeel       = 10       // tags that point to each other
	maxSymbolic   = 5        // refs that point to each other
)

// readCommit reads a commit object.
func readCommit(o *objects, hash plumbing.Hash) (commit *object.Commit, err error) {
	defer rescue(&err)
	data, err := o.get(hash, plumbing.CommitObject, maxCommitSize)
	if err != nil {
		return nil, err
	}
	return object.DecodeCommit(nil, memoryObject(plumbing.CommitObject, data))
}

func memoryObject(t plumbing.ObjectType, data []byte) *plumbing.MemoryObject {
	m := new(plumbing.MemoryObject)
	m.SetType(t)
	m.SetSize(int64(len(data)))
	_, _ = m.Write(data) // writes to memory
	return m
}

// peel follows annotated tags to what they tag.
func peel(o *objects, hash plumbing.Hash) (commit plumbing.Hash, err error) {
	defer rescue(&err)
	for range maxPeel {
		t, data, err := o.any(hash, maxCommitSize)
		if err != nil || t != plumbing.TagObject {
			return hash, err
		}
		tag, err := object.DecodeTag(nil, memoryObject(t, data))
		if err != nil {
			return hash, err
		}
		hash = tag.Target
	}
	return hash, errors.New("tags point to tags without end")
}

// snapshot reads what a source hands out for a commit.
func snapshot(o *objects, loc Location, ref string, t target) (*sources.Snapshot, error) {
	commit, err := readCommit(o, t.commit)
	if err != nil {
		return nil, err
	}
	if _, err := readTree(o, commit.TreeHash); err != nil {
		return nil, err
	}
	message := commit.Message
	if len(message) > maxMessage {
		message = message[:maxMessage]
	}
	return &sources.Snapshot{
		URL:     loc.String(),
		Ref:     ref,
		Name:    t.name,
		Commit:  t.commit.String(),
		Time:    commit.Committer.When.UTC(),
		Message: strings.ToValidUTF8(message, "\uFFFD"),
		Tree:    &tree{store: o, root: sources.Hash(commit.TreeHash)},
	}, nil
}

// walk visits commits from a start backwards, each once, nearest first, until
// visit returns false. A commit that is not here ends its line: history may be
// shallow.
func walk(ctx context.Context, o *objects, start plumbing.Hash, visit func(plumbing.Hash) bool) error {
	seen := map[plumbing.Hash]bool{start: true}
	for queue := []plumbing.Hash{start}; len(queue) > 0; queue = queue[1:] {
		if err := ctx.Err(); err != nil {
			return err
		}
		if found, err := o.has(queue[0]); err != nil {
			return err
		} else if !found {
			continue
		}
		if !visit(queue[0]) {
			return nil
		}
		commit, err := readCommit(o, queue[0])
		if err != nil {
			return err
		}
		for _, parent := range commit.ParentHashes {
			if !seen[parent] {
				seen[parent] = true
				queue = append(queue, parent)
			}
		}
		if len(seen) > maxWalk {
			return fail(schema.Terminal, "", fmt.Errorf("the history has more than %d commits", maxWalk))
		}
	}
	return nil
}

// isAncestor tells whether older is newer or one of the commits before it.
func isAncestor(ctx context.Context, o *objects, newer, older string) (found bool, err error) {
	if !plumbing.IsHash(newer) || !plumbing.IsHash(older) {
		return false, nil
	}
	wanted := plumbing.NewHash(older)
	err = walk(ctx, o, plumbing.NewHash(newer), func(h plumbing.Hash) bool {
		found = h == wanted
		return !found
	})
	return found, err
}

// recent lists commits that are here, to tell a server: all of the nearest ones,
// then fewer and fewer, so that a common one is found even after a long rewind.
func recent(ctx context.Context, o *objects, start plumbing.Hash) ([]plumbing.Hash, error) {
	const near, most, farthest = 32, 256, 20_000
	var haves []plumbing.Hash
	next, step, i := 0, 1, 0
	err := walk(ctx, o, start, func(h plumbing.Hash) bool {
		if i == next {
			haves = append(haves, h)
			if i >= near {
				step += step/8 + 1
			}
			next += step
		}
		i++
		return len(haves) < most && i < farthest
	})
	return haves, err
}
