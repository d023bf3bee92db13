package git

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/web"
)

// A treeStore holds folders and files by hash.
type treeStore interface {
	entries(folder sources.Hash) ([]entry, error)
	content(blob sources.Hash, limit int64) ([]byte, error)
}

// A tree is a [sources.Tree]: one folder of a store, with all below it.
type tree struct {
	store treeStore
	root  sources.Hash
}

// Hash is the hash of the whole tree.
func (t *tree) Hash() sources.Hash { return t.root }

// Read returns a file's content.
func (t *tree) Read(ctx context.Context, blob sources.Hash, limit int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := t.store.content(blob, limit)
	return data, readError("read file", blob.String(), err)
}

// Diff walks both trees side by side. Folders with equal hashes are not read.
func (t *tree) Diff(ctx context.Context, before sources.Tree, enter func(string) bool, visit func(sources.Change) error) error {
	d := differ{ctx: ctx, after: t.store, enter: enter, visit: visit}
	var root sources.Hash
	switch old := before.(type) {
	case nil:
	case *tree:
		if old != nil {
			d.before, root = old.store, old.root
		}
	default:
		return readError("compare", "", fmt.Errorf("a tree of type %T is none of git's", before))
	}
	err := d.folder("", root, t.root, 0)
	var stopped *visitError
	if errors.As(err, &stopped) {
		return stopped.err
	}
	return readError("compare", "", err)
}

// readError classifies what went wrong while objects were read: a file that is
// too large is invalid, an object that cannot be read is fetched again.
func readError(op, resource string, err error) error {
	var known *schema.Error
	switch {
	case err == nil, errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case hopeless(err):
		return &schema.Error{Op: op, Resource: resource, Kind: schema.Invalid, Err: err}
	}
	return &schema.Error{Op: op, Resource: resource, Kind: schema.Transient, Err: err}
}

// A visitError carries the caller's own error through the walk unchanged.
type visitError struct{ err error }

func (e *visitError) Error() string { return e.err.Error() }

// A differ is one comparison of two trees.
type differ struct {
	ctx           context.Context
	before, after treeStore // before may be nil
	enter         func(string) bool
	visit         func(sources.Change) error
	files         int
	folders       int
}

// folder compares two folders; a zero hash is no folder.
func (d *differ) folder(dir string, before, after sources.Hash, depth int) error {
	if before == after {
		return nil
	}
	if err := d.count(dir, depth); err != nil {
		return err
	}
	olds, err := list(d.before, before)
	if err != nil {
		return inFolder(dir, err)
	}
	news, err := list(d.after, after)
	if err != nil {
		return inFolder(dir, err)
	}
	for len(olds) > 0 || len(news) > 0 {
		var old, now entry
		switch order := compareHeads(olds, news); {
		case order < 0:
			old, olds = olds[0], olds[1:]
		case order > 0:
			now, news = news[0], news[1:]
		default:
			old, olds, now, news = olds[0], olds[1:], news[0], news[1:]
		}
		if err := d.entry(dir, old, now, depth); err != nil {
			return err
		}
	}
	return nil
}

// entry compares what two folders hold under one name.
func (d *differ) entry(dir string, old, now entry, depth int) error {
	if old.hash == now.hash {
		return nil
	}
	name := path.Join(dir, firstOf(now.name, old.name))
	if old.folder || now.folder {
		if d.enter != nil && !d.enter(name) {
			return nil
		}
		return d.folder(name, old.hash, now.hash, depth+1)
	}
	if d.files++; d.files > sources.MaxFiles {
		return fmt.Errorf("%w: it has more than %d files", errMalformed, sources.MaxFiles)
	}
	if err := d.visit(sources.Change{Path: name, Before: old.hash, After: now.hash}); err != nil {
		return &visitError{err}
	}
	return nil
}

func (d *differ) count(dir string, depth int) error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	if depth > sources.MaxDepth {
		return fmt.Errorf("%w: folder %s is more than %d folders deep", errMalformed, shorten(dir), sources.MaxDepth)
	}
	if d.folders++; d.folders > sources.MaxFiles {
		return fmt.Errorf("%w: it has more than %d folders", errMalformed, sources.MaxFiles)
	}
	return nil
}

// compareHeads tells which list has the smaller first entry: below zero the
// first, above zero the second, zero both.
func compareHeads(a, b []entry) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return compareEntries(a[0], b[0])
}

func list(s treeStore, folder sources.Hash) ([]entry, error) {
	if folder.IsZero() {
		return nil, nil
	}
	return s.entries(folder)
}

func inFolder(dir string, err error) error {
	if dir == "" {
		return err
	}
	return fmt.Errorf("folder %s: %w", shorten(dir), err)
}

func shorten(dir string) string {
	if len(dir) > maxName {
		return web.Clean(dir[:maxName]) + "..."
	}
	return web.Clean(dir)
}

// entries makes objects a treeStore.
func (o *objects) entries(folder sources.Hash) ([]entry, error) {
	return readTree(o, plumbing.Hash(folder))
}

// content makes objects a treeStore.
func (o *objects) content(blob sources.Hash, limit int64) ([]byte, error) {
	return o.get(plumbing.Hash(blob), plumbing.BlobObject, limit)
}

// complete checks that everything below a tree is here that is not below
// before, a tree known to be complete: a server may leave out what it likes.
func complete(ctx context.Context, o *objects, before, after plumbing.Hash) error {
	c := completeness{ctx: ctx, objects: o, seen: map[plumbing.Hash]bool{}}
	return c.folder(before, after, 0)
}

type completeness struct {
	ctx     context.Context
	objects *objects
	seen    map[plumbing.Hash]bool
}

// maxTreeDepth bounds how deep folders of a repository may be, looked at or not.
const maxTreeDepth = 1024

func (c *completeness) folder(before, after plumbing.Hash, depth int) error {
	if before == after || c.seen[after] {
		return nil
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	if depth > maxTreeDepth {
		return fmt.Errorf("%w: folders are more than %d deep", errMalformed, maxTreeDepth)
	}
	c.seen[after] = true
	known := map[string]entry{}
	if !before.IsZero() {
		olds, err := readTree(c.objects, before)
		if err != nil {
			return err
		}
		for _, e := range olds {
			known[e.name] = e
		}
	}
	news, err := readTree(c.objects, after)
	if err != nil {
		return err
	}
	for _, e := range news {
		if err := c.entry(known[e.name], e, depth); err != nil {
			return err
		}
	}
	return nil
}

func (c *completeness) entry(old, now entry, depth int) error {
	hash := plumbing.Hash(now.hash)
	if now.hash == old.hash || c.seen[hash] {
		return nil
	}
	if now.folder {
		before := plumbing.ZeroHash
		if old.folder {
			before = plumbing.Hash(old.hash)
		}
		return c.folder(before, hash, depth+1)
	}
	c.seen[hash] = true
	found, err := c.objects.has(hash)
	if err == nil && !found {
		err = fmt.Errorf("%w: %s", errMissing, hash)
	}
	return err
}
