package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// A generation is one bare repository of a mirror. A mirror that grew too many
// packs or got damaged is fetched into a new generation; the former one stays
// until the next, so that snapshots given out can still be read.
//
// It is laid out as git does it, so that git can look into it: objects/pack,
// shallow, and FETCH_HEAD, which is written last and makes it valid.
type generation struct {
	folder  string
	objects *objects
	head    target
	shallow []plumbing.Hash
	packs   int
	size    int64 // bytes of all packs
	first   int64 // bytes of the first pack
}

const (
	fetchHead   = "FETCH_HEAD"
	shallowFile = "shallow"
	maxPacks    = 50 // more make every look-up slow
	maxGrowth   = 8  // times the first pack
	minGrowth   = 64 << 20
	maxState    = 1 << 20 // bytes of FETCH_HEAD or shallow
)

func packFolder(folder string) string { return filepath.Join(folder, "objects", "pack") }

// newGeneration makes an empty repository.
func newGeneration(folder string) (*generation, error) {
	for _, sub := range []string{"objects/pack", "objects/info", "refs/heads"} {
		if err := os.MkdirAll(filepath.Join(folder, sub), 0o700); err != nil {
			return nil, err
		}
	}
	for name, text := range map[string]string{
		"HEAD":   "ref: refs/heads/main\n",
		"config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return &generation{folder: folder, objects: &objects{folder: folder}}, nil
}

// openGeneration opens what a former process left and checks that it is whole.
func openGeneration(ctx context.Context, folder string) (*generation, error) {
	g := &generation{folder: folder, objects: &objects{folder: folder}}
	data, err := readBounded(filepath.Join(folder, fetchHead))
	if err != nil {
		return nil, err
	}
	hex, name, ok := strings.Cut(strings.TrimSuffix(string(data), "\n"), "\t\t")
	if !ok || !decodeHash(&g.head.commit, []byte(hex)) || name != "" && checkRefName(name) != nil {
		return nil, fmt.Errorf("%w %s", errDamaged, fetchHead)
	}
	g.head.name = name
	if g.shallow, err = readShallow(filepath.Join(folder, shallowFile)); err != nil {
		return nil, err
	}
	return g, g.check(ctx)
}

// check finds out whether the files of the mirror are whole. Flipped bits
// inside a pack show only when the object is read.
func (g *generation) check(ctx context.Context) error {
	if err := g.measure(); err != nil {
		return err
	}
	g.objects.release()
	return verify(ctx, g.objects, plumbing.ZeroHash, g.head.commit)
}

// verify checks that a commit and all that belongs to it is here; what belongs
// to base is known to be.
func verify(ctx context.Context, o *objects, base, head plumbing.Hash) error {
	before := plumbing.ZeroHash
	if !base.IsZero() {
		commit, err := readCommit(o, base)
		if err != nil {
			return err
		}
		before = commit.TreeHash
	}
	commit, err := readCommit(o, head)
	if err != nil {
		return err
	}
	return complete(ctx, o, before, commit.TreeHash)
}

// measure counts the packs and finds truncated ones: a pack ends with its own
// checksum, which is also in its index.
func (g *generation) measure() error {
	names, err := packFiles(packFolder(g.folder), ".pack")
	if err != nil {
		return err
	}
	g.packs, g.size = len(names), 0
	for _, name := range names {
		size, err := checkEnds(name)
		if err != nil {
			return err
		}
		g.size += size
		g.first = max(g.first, size)
	}
	return nil
}

// checkEnds compares the checksum at the end of a pack with its index's.
func checkEnds(pack string) (int64, error) {
	sum, size, err := readEnd(pack, 20)
	if err != nil {
		return 0, err
	}
	index, _, err := readEnd(strings.TrimSuffix(pack, ".pack")+".idx", 40)
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(sum, index[:20]) {
		return 0, fmt.Errorf("%w pack %s", errDamaged, filepath.Base(pack))
	}
	return size, nil
}

func readEnd(name string, n int64) ([]byte, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	end := make([]byte, n)
	if info.Size() < n {
		return nil, 0, fmt.Errorf("%w file %s", errDamaged, filepath.Base(name))
	}
	_, err = f.ReadAt(end, info.Size()-n)
	return end, info.Size(), err
}

// receive stores a pack.
func (g *generation) receive(ctx context.Context, r io.Reader, limit int64) error {
	size, err := storePack(ctx, packFolder(g.folder), g.objects, r, limit)
	if err != nil {
		return err
	}
	g.packs++
	g.size += size
	g.first = max(g.first, size)
	g.objects.release()
	return nil
}

// commit makes t what the mirror holds, after its objects are there.
func (g *generation) commit(t target, shallow []plumbing.Hash) error {
	merged := mergeHashes(g.shallow, shallow)
	if len(merged) > len(g.shallow) {
		if err := writeAtomic(filepath.Join(g.folder, shallowFile), func(w io.Writer) error {
			for _, h := range merged {
				if _, err := fmt.Fprintln(w, h); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	err := writeAtomic(filepath.Join(g.folder, fetchHead), func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s\t\t%s\n", t.commit, t.name)
		return err
	})
	if err != nil {
		return err
	}
	g.head, g.shallow = t, merged
	return nil
}

// grown tells whether it is time to begin anew.
func (g *generation) grown() bool {
	return g.packs >= maxPacks || g.size > maxGrowth*g.first+minGrowth
}

func mergeHashes(a, b []plumbing.Hash) []plumbing.Hash {
	seen := make(map[plumbing.Hash]bool, len(a)+len(b))
	var merged []plumbing.Hash
	for _, h := range append(a[:len(a):len(a)], b...) {
		if !seen[h] {
			seen[h] = true
			merged = append(merged, h)
		}
	}
	return merged
}

func readShallow(name string) ([]plumbing.Hash, error) {
	data, err := readBounded(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var hashes []plumbing.Hash
	for line := range strings.Lines(string(data)) {
		var h plumbing.Hash
		if !decodeHash(&h, []byte(strings.TrimSuffix(line, "\n"))) {
			return nil, fmt.Errorf("%w %s", errDamaged, shallowFile)
		}
		hashes = append(hashes, h)
	}
	return hashes, nil
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxState))
}

// A mirror is the generations of one repository.
type mirror struct {
	folder  string
	current *generation // nil: nothing fetched yet
	former  *generation
	last    int // highest number of a generation
}

// openMirror finds the newest whole generation and removes all else. Damage is
// the error that made it pass over a generation; it is no reason to stop.
func openMirror(ctx context.Context, folder string) (m *mirror, damage error, err error) {
	m = &mirror{folder: folder}
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	var numbers []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	sort.Sort(sort.Reverse(sort.IntSlice(numbers)))
	for _, n := range numbers {
		m.last = max(m.last, n)
		name := filepath.Join(folder, strconv.Itoa(n))
		if m.current == nil {
			g, err := openGeneration(ctx, name)
			if err == nil {
				m.current = g
				removeLeftovers(name)
				continue
			}
			if ctx.Err() != nil {
				return nil, nil, ctx.Err()
			}
			if !errors.Is(err, fs.ErrNotExist) || fileExists(filepath.Join(name, fetchHead)) {
				damage = err // without FETCH_HEAD it was never finished
			}
		}
		if err := os.RemoveAll(name); err != nil {
			return nil, damage, err
		}
	}
	return m, damage, nil
}

// removeLeftovers removes what a killed process did not finish, and what was
// looked at beside: whoever needs it fetches it again.
func removeLeftovers(folder string) {
	_ = os.RemoveAll(filepath.Join(folder, asideFolder))
	for _, dir := range []string{folder, packFolder(folder)} {
		found, _ := os.ReadDir(dir)
		for _, file := range found {
			if strings.HasPrefix(file.Name(), "tmp_") {
				_ = os.Remove(filepath.Join(dir, file.Name()))
			}
		}
	}
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// begin makes an empty generation next to the current one.
func (m *mirror) begin() (*generation, error) {
	m.last++
	return newGeneration(filepath.Join(m.folder, strconv.Itoa(m.last)))
}

// replace makes g the current generation. The one before the former goes.
func (m *mirror) replace(g *generation) {
	if m.former != nil {
		_ = os.RemoveAll(m.former.folder)
	}
	m.former, m.current = m.current, g
	if m.former != nil {
		m.former.objects.release()
	}
}
