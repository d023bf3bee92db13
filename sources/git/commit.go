package git

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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
		Author:  author(commit),
		Time:    committed(commit),
		Message: strings.ToValidUTF8(message, "\uFFFD"),
		Tree:    &tree{store: o, root: sources.Hash(commit.TreeHash)},
	}, nil
}

// author returns the name of who wrote a commit. go-git cuts the address off at
// the last bracket, git at the first: so none is left in the name.
func author(c *object.Commit) string {
	name, _, _ := strings.Cut(c.Author.Name, "<")
	return sources.Line(name)
}

// committed returns when a commit was made; zero for what no calendar has, and no
// text of a time can hold.
func committed(c *object.Commit) time.Time {
	t := c.Committer.When.UTC()
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// history lists a commit and those before it by first parent, the newest first.
// A commit that is not here ends it: history may be shallow.
func history(ctx context.Context, o *objects, start string, n int) ([]sources.Commit, error) {
	if !plumbing.IsHash(start) {
		return nil, nil
	}
	var found []sources.Commit
	for hash := plumbing.NewHash(start); len(found) < min(n, sources.MaxHistory); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if here, err := o.has(hash); err != nil {
			return nil, err
		} else if !here {
			break
		}
		commit, err := readCommit(o, hash)
		if err != nil {
			return nil, err
		}
		found = append(found, sources.Commit{
			Hash: hash.String(), Author: author(commit), Time: committed(commit), Message: sources.Line(commit.Message),
		})
		if len(commit.ParentHashes) == 0 {
			break
		}
		hash = commit.ParentHashes[0]
	}
	return found, nil
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
