package git

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/berthdev/berth/schema"
)

// mergeBase returns the best common ancestor of two commits: the newest of those
// that are no ancestor of another common one. Empty: there is none. here tells
// whether both commits are.
func mergeBase(ctx context.Context, o *objects, a, b string) (base string, here bool, err error) {
	if !plumbing.IsHash(a) || !plumbing.IsHash(b) {
		return "", false, nil
	}
	return newPainter(ctx, o).mergeBase(plumbing.NewHash(a), plumbing.NewHash(b))
}

// A colour tells what a commit is an ancestor of, itself included: of the one
// commit, of the other, or of one that is already known to be common.
type colour uint8

const (
	sideA colour = 1 << iota
	sideB
	below
	common = sideA | sideB
)

type painted struct {
	hash    plumbing.Hash
	parents []plumbing.Hash
	time    int64 // seconds since 1970
	colour  colour
	waiting bool // it is in the queue
	found   bool // it is common, and was not known to be below another one then
}

// A painter walks from both commits backwards, the newest commit first, as git
// does: once everything that is left to visit lies below common commits, those
// are known. It must not trust the times, which anybody may write: they only
// decide what is visited first.
type painter struct {
	ctx     context.Context
	objects *objects
	seen    map[plumbing.Hash]*painted
	queue   paintQueue
	open    int // in the queue and not below a common commit
	found   []*painted
	best    int // of found that are not known to be below another one
}

func newPainter(ctx context.Context, o *objects) *painter {
	return &painter{ctx: ctx, objects: o, seen: map[plumbing.Hash]*painted{}}
}

func (p *painter) mergeBase(a, b plumbing.Hash) (base string, here bool, err error) {
	for _, start := range []struct {
		hash   plumbing.Hash
		colour colour
	}{{a, sideA}, {b, sideB}} {
		if found, err := p.paint(start.hash, start.colour); err != nil || !found {
			return "", false, err
		}
	}
	// Of several that were found, one may yet lie below another: that shows
	// further back.
	for p.open > 0 || p.best > 1 && len(p.queue) > 0 {
		if err := p.step(); err != nil {
			return "", true, err
		}
	}
	best := slices.DeleteFunc(p.found, func(c *painted) bool { return c.colour&below != 0 })
	if len(best) == 0 {
		return "", true, nil
	}
	return slices.MinFunc(best, compareAge).hash.String(), true, nil
}

// step visits one commit.
func (p *painter) step() error {
	c := heap.Pop(&p.queue).(*painted)
	c.waiting = false
	down := c.colour
	if c.colour&below == 0 {
		p.open--
		if c.colour == common {
			c.found = true
			p.found = append(p.found, c)
			p.best++
			down |= below
		}
	}
	for _, parent := range c.parents {
		if _, err := p.paint(parent, down); err != nil {
			return err
		}
	}
	return nil
}

// paint adds a colour to a commit and has it visited if that is news. A commit
// that is not here ends its line: history may be shallow.
func (p *painter) paint(hash plumbing.Hash, add colour) (found bool, err error) {
	c, known := p.seen[hash]
	if !known {
		if c, err = p.read(hash); err != nil {
			return false, err
		}
		p.seen[hash] = c
	}
	if c == nil || c.colour&add == add {
		return c != nil, nil
	}
	wasBelow := c.colour&below != 0
	wasOpen := c.waiting && !wasBelow
	c.colour |= add
	if c.found && !wasBelow && c.colour&below != 0 {
		p.best--
	}
	if !c.waiting {
		c.waiting = true
		heap.Push(&p.queue, c)
	}
	switch isOpen := c.colour&below == 0; {
	case isOpen && !wasOpen:
		p.open++
	case wasOpen && !isOpen:
		p.open--
	}
	return true, nil
}

// read reads a commit; nil: it is not here.
func (p *painter) read(hash plumbing.Hash) (*painted, error) {
	if err := p.ctx.Err(); err != nil {
		return nil, err
	}
	if len(p.seen) >= maxWalk {
		return nil, fail(schema.Terminal, "", fmt.Errorf("the history has more than %d commits", maxWalk))
	}
	if found, err := p.objects.has(hash); err != nil || !found {
		return nil, err
	}
	commit, err := readCommit(p.objects, hash)
	if err != nil {
		return nil, err
	}
	return &painted{hash: hash, parents: commit.ParentHashes, time: commit.Committer.When.Unix()}, nil
}

// compareAge orders commits: the newest first.
func compareAge(a, b *painted) int {
	return cmp.Or(cmp.Compare(b.time, a.time), bytes.Compare(a.hash[:], b.hash[:]))
}

// A paintQueue is a heap of commits, the newest on top.
type paintQueue []*painted

// Len is for the heap, and so are the others.
func (q paintQueue) Len() int           { return len(q) }
func (q paintQueue) Less(i, j int) bool { return compareAge(q[i], q[j]) < 0 }
func (q paintQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push adds a commit.
func (q *paintQueue) Push(c any) { *q = append(*q, c.(*painted)) }

// Pop takes the last commit.
func (q *paintQueue) Pop() any {
	last := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = nil
	*q = (*q)[:len(*q)-1]
	return last
}
