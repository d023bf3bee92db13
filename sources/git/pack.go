package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"

	"github.com/berthdev/berth/schema"
)

// Bounds on a pack besides its size.
const (
	maxPackObjects = 4_000_000
	maxObjectSize  = 256 << 20 // bytes of one object, deltas applied
)

// storePack reads a pack from r, checks, completes and indexes it and puts both
// files into folder, a repository's objects/pack. Nothing is left behind on
// failure. It returns the size of the pack on disk in bytes; an empty pack is
// stored as nothing.
//
// The pack may be thin: made of differences to objects that the server knows to
// be in here. They are added, because a pack on disk stands for itself.
func storePack(ctx context.Context, folder string, here *objects, r io.Reader, limit int64) (size int64, err error) {
	f, err := os.CreateTemp(folder, "tmp_pack_")
	if err != nil {
		return 0, err
	}
	defer func() {
		f.Close()
		_ = os.Remove(f.Name()) // gone already when all went well
	}()
	size, err = io.Copy(f, io.LimitReader(r, limit+1))
	if err != nil {
		return 0, err
	}
	if size > limit {
		return 0, fail(schema.Terminal, "a smaller repository is needed: large files do not belong into it", fmt.Errorf("the pack is %w: more than %d bytes", errTooLarge, limit))
	}
	contents, err := checkPack(ctx, f)
	if err != nil || contents.count == 0 {
		return size, err
	}
	if err := completePack(ctx, f, here, contents); err != nil {
		return 0, err
	}
	index, name, err := indexPack(ctx, f)
	if err != nil {
		return 0, err
	}
	// Whoever finds the pack expects its index.
	base := filepath.Join(folder, "pack-"+name.String())
	if err := writeAtomic(base+".idx", index); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(f.Name(), base+".pack")
}

// packContents is what is known of a pack before its objects have names.
type packContents struct {
	count uint32
	bases map[plumbing.Hash]bool // objects that deltas name as their base
}

// checkPack reads through a pack before anything trusts the numbers in it:
// every object must be as long as its header says and no longer than allowed,
// as many as announced, and the checksum right.
func checkPack(ctx context.Context, f io.ReadSeeker) (contents packContents, err error) {
	defer rescue(&err)
	contents.bases = map[plumbing.Hash]bool{}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return contents, err
	}
	s := packfile.NewScanner(&boundReader{ctx: ctx, ReadSeeker: f})
	_, contents.count, err = s.Header()
	if err != nil {
		return contents, packError(err)
	}
	if contents.count > maxPackObjects {
		return contents, fail(schema.Terminal, "", fmt.Errorf("the pack is %w: more than %d objects", errTooLarge, maxPackObjects))
	}
	for range contents.count {
		h, err := s.NextObjectHeader()
		if err != nil {
			return contents, packError(err)
		}
		if h.Type == plumbing.REFDeltaObject {
			contents.bases[h.Reference] = true
		}
		if err := checkObject(s, h); err != nil {
			return contents, err
		}
	}
	if _, err := s.Checksum(); err != nil {
		return contents, packError(err)
	}
	return contents, nil
}

func checkObject(s *packfile.Scanner, h *packfile.ObjectHeader) error {
	var head prefix
	length := h.Length
	const reserved = plumbing.ObjectType(5)
	if !h.Type.Valid() || h.Type == reserved {
		return packError(fmt.Errorf("object type %d", h.Type))
	}
	if length < 0 || length > maxObjectSize {
		return objectTooLarge()
	}
	n, _, err := s.NextObject(&head)
	if err != nil {
		return packError(err)
	}
	if n != length {
		return packError(io.ErrUnexpectedEOF)
	}
	if !h.Type.IsDelta() {
		return nil
	}
	base, rest := deltaSize(head.data)
	result, _ := deltaSize(rest)
	if base > maxObjectSize || result > maxObjectSize {
		return objectTooLarge()
	}
	return nil
}

func objectTooLarge() error {
	return fail(schema.Terminal, "files of that size do not belong into the repository", fmt.Errorf("an object in the pack is %w: more than %d MiB", errTooLarge, maxObjectSize>>20))
}

func packError(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w pack: %w", errDamaged, err)
}

// deltaSize reads one of the two sizes that a delta begins with, seven bits in a
// byte, the lowest first. What is too large to be true is maximal.
func deltaSize(b []byte) (size uint64, rest []byte) {
	for i, c := range b {
		if i > 8 {
			break
		}
		size |= uint64(c&0x7f) << (7 * i)
		if c&0x80 == 0 {
			return size, b[i+1:]
		}
	}
	return 1<<64 - 1, nil
}

// A prefix keeps the first bytes that are written: both sizes of a delta.
type prefix struct{ data []byte }

// Write keeps what fits.
func (p *prefix) Write(b []byte) (int, error) {
	const kept = 20
	p.data = append(p.data, b[:min(len(b), kept-len(p.data))]...)
	return len(b), nil
}

// indexPack computes the index of a pack that has been checked.
func indexPack(ctx context.Context, f io.ReadSeeker) (index func(io.Writer) error, name plumbing.Hash, err error) {
	defer rescue(&err)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, name, err
	}
	w := new(idxfile.Writer)
	parser, err := packfile.NewParser(packfile.NewScanner(&boundReader{ctx: ctx, ReadSeeker: f}), w)
	if err != nil {
		return nil, name, err
	}
	if name, err = parser.Parse(); err != nil {
		return nil, name, packError(err)
	}
	idx, err := w.Index()
	if err != nil {
		return nil, name, err
	}
	return func(out io.Writer) error {
		_, err := idxfile.NewEncoder(out).Encode(idx)
		return err
	}, name, nil
}

// A boundReader stops reading when its time is over; the parser of packs knows
// no context.
type boundReader struct {
	ctx context.Context
	io.ReadSeeker
}

// Read reads while the context lives.
func (r *boundReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.ReadSeeker.Read(b)
}

// writeAtomic puts a file in place whole or not at all.
func writeAtomic(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "tmp_")
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
