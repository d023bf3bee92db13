package docker

import (
	"context"
	"encoding/base32"
	"errors"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	dockerimage "github.com/docker/docker/api/types/image"
)

// An image has no labels that Berth could write. So an image that Berth pulled
// gets another name, its mark, which says for which instance and as what it was
// pulled. Marks are made only where images are to be pruned; what was pulled
// before stays. An image whose reference moved on to another one keeps a mark
// that names no reference.
const (
	markDomain   = "berth.local/"
	markPulled   = "pulled"
	markReplaced = "replaced-" // and the image's ID
	mostMark     = 255         // what a name may have
)

var markEncoding = base32.HexEncoding.WithPadding(base32.NoPadding)

func (b *Backend) markPrefix() string { return markDomain + b.instance + "/" }

// markOf returns the mark of an image that was pulled as ref.
func (b *Backend) markOf(ref string) (mark string, ok bool) {
	name := b.markPrefix() + strings.ToLower(markEncoding.EncodeToString([]byte(ref)))
	return name + ":" + markPulled, len(name) <= mostMark
}

// readMark reads a mark.
func (b *Backend) readMark(id, mark string) (marked, bool) {
	rest, ours := strings.CutPrefix(mark, b.markPrefix())
	name, tag, _ := strings.Cut(rest, ":")
	data, err := markEncoding.DecodeString(strings.ToUpper(name))
	replaced := strings.HasPrefix(tag, markReplaced)
	return marked{id: id, mark: mark, ref: string(data), replaced: replaced}, ours && err == nil && (replaced || tag == markPulled)
}

// mark marks the image that was pulled as ref. before is the ID that ref had
// before the pull: if it is the same and has no mark, the image is not Berth's.
func (b *Backend) mark(ctx context.Context, ref, before string) error {
	mark, ok := b.markOf(ref)
	if !ok {
		b.log.Debug("the image's name is too long to be remembered for pruning", "image", ref)
		return nil
	}
	now, err := b.inspectImage(ctx, ref)
	if err != nil {
		return err
	}
	old, err := b.inspectImage(ctx, mark)
	switch {
	case err == nil && old.ID == now.ID:
		return nil
	case err == nil:
		name, _, _ := strings.Cut(mark, ":")
		if err := b.tag(ctx, old.ID, name+":"+markReplaced+strings.TrimPrefix(old.ID, "sha256:")); err != nil {
			return err
		}
	case !cerrdefs.IsNotFound(err):
		return err
	case before == now.ID:
		return nil
	}
	return b.tag(ctx, now.ID, mark)
}

func (b *Backend) tag(ctx context.Context, id, name string) error {
	return b.call(ctx, callTimeout, "mark", "image "+short(strings.TrimPrefix(id, "sha256:")), func(ctx context.Context) error {
		return b.api().ImageTag(ctx, id, name)
	})
}

// PruneImages implements [backends.ImagePruner].
func (b *Backend) PruneImages(ctx context.Context, keep func(image string) bool) error {
	if !b.cfg.PruneImages {
		return nil
	}
	// Whoever needs an image now goes first: there is always a next time.
	if !b.images.inUse.TryLock() {
		return nil
	}
	defer b.images.inUse.Unlock()
	return b.pruneImages(ctx, keep)
}

// A marked image is one that Berth pulled.
type marked struct {
	id, mark string
	ref      string // what it was pulled as
	replaced bool   // ref is another image now
}

func (b *Backend) marked(ctx context.Context) ([]marked, error) {
	var rows []dockerimage.Summary
	err := b.call(ctx, callTimeout, "list", "images", func(ctx context.Context) (err error) {
		rows, err = b.api().ImageList(ctx, dockerimage.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", b.markPrefix()+"*"))})
		return err
	})
	var found []marked
	for _, row := range rows {
		for _, tag := range row.RepoTags {
			if m, ok := b.readMark(row.ID, tag); ok {
				found = append(found, m)
			}
		}
	}
	slices.SortFunc(found, func(x, y marked) int { return strings.Compare(x.mark, y.mark) })
	return found, err
}

func (b *Backend) pruneImages(ctx context.Context, keep func(image string) bool) error {
	found, err := b.marked(ctx)
	if err != nil || len(found) == 0 {
		return err
	}
	used, err := b.usedImages(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range found {
		if !used[m.id] && (m.replaced || !keep(m.ref)) {
			errs = append(errs, b.removeImage(ctx, m))
		}
	}
	return errors.Join(errs...)
}

// usedImages returns the IDs of the images that any container on the engine uses.
func (b *Backend) usedImages(ctx context.Context) (map[string]bool, error) {
	used := map[string]bool{}
	err := b.call(ctx, callTimeout, "list", "containers", func(ctx context.Context) error {
		rows, err := b.api().ContainerList(ctx, container.ListOptions{All: true})
		for _, row := range rows {
			used[row.ImageID] = true
		}
		return err
	})
	return used, err
}

// removeImage removes what Berth's pull brought: the reference, if it still means
// that image, and at last the mark. The image goes with its last name; names that
// others gave it keep it.
func (b *Backend) removeImage(ctx context.Context, m marked) error {
	names, err := b.broughtNames(ctx, m)
	if err != nil {
		return err
	}
	for _, name := range append(names, m.mark) {
		if err := b.untag(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// untag removes a name of an image, and the image with its last name.
func (b *Backend) untag(ctx context.Context, name string) error {
	err := b.call(ctx, callTimeout, "remove", "image "+name, func(ctx context.Context) error {
		_, err := b.api().ImageRemove(ctx, name, dockerimage.RemoveOptions{PruneChildren: true})
		return err
	})
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// broughtNames returns the names that a pull gave to an image and that it still
// has. An image whose tag moved on has only its digest there, which nobody else
// uses unless the image has another tag.
func (b *Backend) broughtNames(ctx context.Context, m marked) ([]string, error) {
	if !m.replaced {
		now, err := b.inspectImage(ctx, m.ref)
		if err != nil && !cerrdefs.IsNotFound(err) {
			return nil, err
		}
		if err == nil && now.ID == m.id {
			return []string{m.ref}, nil
		}
	}
	found, err := b.inspectImage(ctx, m.id)
	if cerrdefs.IsNotFound(err) {
		return nil, nil
	}
	if err != nil || slices.ContainsFunc(found.RepoTags, func(tag string) bool { return !strings.HasPrefix(tag, markDomain) }) {
		return nil, err
	}
	named, err := reference.ParseNormalizedNamed(m.ref)
	if err != nil {
		return nil, nil // a mark that somebody else made
	}
	return slices.DeleteFunc(found.RepoDigests, func(text string) bool {
		digest, err := reference.ParseNormalizedNamed(text)
		return err != nil || digest.Name() != named.Name()
	}), nil
}
