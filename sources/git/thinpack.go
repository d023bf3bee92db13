package git

import (
	"bufio"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

const (
	packCountAt = 8  // where the number of objects stands in a pack
	packSumSize = 20 // bytes of the checksum at its end
)

// completePack adds to a checked pack those bases of its deltas that are here
// and not in it, so that it can be indexed and read by itself.
func completePack(ctx context.Context, f *os.File, here *objects, contents packContents) error {
	added := uint32(0)
	for base := range sorted(contents.bases) {
		if err := ctx.Err(); err != nil {
			return err
		}
		found, err := here.has(base)
		if err != nil {
			return err
		}
		if !found {
			continue // it may be in the pack itself
		}
		if added == 0 {
			if _, err := f.Seek(-packSumSize, io.SeekEnd); err != nil {
				return err
			}
		}
		if err := appendObject(f, here, base); err != nil {
			return err
		}
		added++
	}
	if added == 0 {
		return nil
	}
	count := binary.BigEndian.AppendUint32(nil, contents.count+added)
	if _, err := f.WriteAt(count, packCountAt); err != nil {
		return err
	}
	return appendSum(f)
}

// sorted yields the hashes of a set in order, so that the same fetch makes the
// same pack.
func sorted(set map[plumbing.Hash]bool) func(func(plumbing.Hash) bool) {
	list := make([]plumbing.Hash, 0, len(set))
	for h := range set {
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b plumbing.Hash) int { return slices.Compare(a[:], b[:]) })
	return slices.Values(list)
}

// appendObject writes an object as it stands in a pack: type and size, seven
// bits in a byte after the first, then the content deflated.
func appendObject(w io.Writer, here *objects, hash plumbing.Hash) error {
	t, data, err := here.any(hash, maxObjectSize)
	if err != nil {
		return err
	}
	size := len(data)
	head := []byte{byte(t)<<4 | byte(size&0x0f)}
	for size >>= 4; size > 0; size >>= 7 {
		head[len(head)-1] |= 0x80
		head = append(head, byte(size&0x7f))
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	z := zlib.NewWriter(w)
	if _, err := z.Write(data); err != nil {
		return err
	}
	return z.Close()
}

// appendSum ends a pack with the checksum of all before.
func appendSum(f *os.File) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum := sha1.New() // the format's own checksum
	if _, err := io.Copy(sum, bufio.NewReader(f)); err != nil {
		return err
	}
	if _, err := f.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("end of pack: %w", err)
	}
	return nil
}
