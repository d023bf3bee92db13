package git

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/web"
)

// Folder follows a folder that is no repository: its files as they are now, with
// the hashes that git would give them. Snapshots have no commit. Symlinks and
// whatever else is no file are passed over, and so is .git. It is for commands
// that look at files at hand, not for serving.
func Folder(name string) (sources.Source, error) {
	info, err := os.Stat(name)
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		err = path.Err // the folder is named beside it
	case !info.IsDir():
		err = errors.New("it is no folder")
	}
	if err != nil {
		return nil, &schema.Error{Op: "open folder", Resource: web.Clean(name), Kind: schema.Terminal, Hint: "check the path", Err: err}
	}
	loc := Location{Kind: KindPath, Path: name}
	return newFollower(Options{Timeout: defaultTimeout}, loc, &folder{loc: loc}), nil
}

// A folder is a plain folder as a repository.
type folder struct{ loc Location }

func (f *folder) secrets() []string { return nil }

func (f *folder) close() {}

func (f *folder) stored(context.Context) (*sources.Snapshot, error) { return nil, nil }

func (f *folder) contains(context.Context, string, string) (bool, error) { return false, nil }

func (f *folder) history(context.Context, string, int) ([]sources.Commit, error) { return nil, nil }

func (f *folder) at(context.Context, string) (*sources.Snapshot, error) {
	return nil, fail(schema.Terminal, "name a git repository", errors.New("a folder that is no repository has no refs"))
}

func (f *folder) here(context.Context, string) (*sources.Snapshot, error) { return nil, nil }

func (f *folder) mergeBase(context.Context, string, string) (string, error) { return "", nil }

func (f *folder) proposals() string { return "" }

func (f *folder) readable() bool { return true }

func (f *folder) update(ctx context.Context, current *sources.Snapshot) (*sources.Snapshot, error) {
	root, err := os.OpenRoot(f.loc.Path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	s := &fileStore{base: f.loc.Path, folders: map[sources.Hash][]entry{}, files: map[sources.Hash]string{}}
	hash, err := s.scan(ctx, root, ".", 0)
	if err != nil {
		return nil, err
	}
	if current != nil && current.Tree.Hash() == hash {
		return current, nil
	}
	return &sources.Snapshot{URL: f.loc.String(), Tree: &tree{store: s, root: hash}}, nil
}

// A fileStore is a treeStore over working files. It remembers hashes, not
// contents.
type fileStore struct {
	base    string
	folders map[sources.Hash][]entry
	files   map[sources.Hash]string // path of a file by its hash
	count   int
}

// scan hashes a folder and all below it.
func (s *fileStore) scan(ctx context.Context, root *os.Root, dir string, depth int) (sources.Hash, error) {
	if depth > sources.MaxDepth {
		return sources.Hash{}, fmt.Errorf("%w: folder %s is more than %d folders deep", errMalformed, shorten(dir), sources.MaxDepth)
	}
	found, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return sources.Hash{}, err
	}
	var entries []entry
	for _, d := range found {
		if err := ctx.Err(); err != nil {
			return sources.Hash{}, err
		}
		if !acceptable(d.Name()) || !d.IsDir() && !d.Type().IsRegular() {
			continue
		}
		if s.count++; s.count > sources.MaxFiles {
			return sources.Hash{}, fmt.Errorf("%w: it has more than %d files", errMalformed, sources.MaxFiles)
		}
		e := entry{name: d.Name(), folder: d.IsDir()}
		name := path.Join(dir, d.Name())
		if e.folder {
			e.hash, err = s.scan(ctx, root, name, depth+1)
		} else {
			e.hash, err = s.hashFile(root, name)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since
		}
		if err != nil {
			return sources.Hash{}, err
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, compareEntries)
	hash := hashEntries(entries)
	s.folders[hash] = entries
	return hash, nil
}

// hashFile computes the hash of a file as git does. A file that is too large to
// be a document is not read: its size and time stand for its content.
func (s *fileStore) hashFile(root *os.Root, name string) (sources.Hash, error) {
	data, info, err := readFile(root, name, sources.MaxFileSize)
	if errors.Is(err, errTooLarge) {
		data = fmt.Appendf(nil, "%s\x00%d\x00%d", name, info.Size(), info.ModTime().UnixNano())
		err = nil
	}
	if err != nil {
		return sources.Hash{}, err
	}
	hash := hashObject("blob", data)
	s.files[hash] = name
	return hash, nil
}

// readFile reads a regular file, which may change meanwhile.
func readFile(root *os.Root, name string, limit int64) ([]byte, fs.FileInfo, error) {
	before, err := root.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, nil, fs.ErrNotExist
	}
	if before.Size() > limit {
		return nil, before, fmt.Errorf("%d bytes are %w: more than %d", before.Size(), errTooLarge, limit)
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !os.SameFile(before, info) {
		return nil, nil, fs.ErrNotExist
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("the file is %w: more than %d bytes", errTooLarge, limit)
	}
	return data, before, err
}

func hashEntries(entries []entry) sources.Hash {
	var data []byte
	for _, e := range entries {
		mode := modeFile
		if e.folder {
			mode = modeFolder
		}
		data = fmt.Appendf(data, "%s %s\x00%s", mode, e.name, e.hash[:])
	}
	return hashObject("tree", data)
}

func hashObject(kind string, data []byte) sources.Hash {
	h := sha1.New() // git's names of objects; collisions among files at hand harm nobody
	fmt.Fprintf(h, "%s %d\x00", kind, len(data))
	h.Write(data)
	return sources.Hash(h.Sum(nil))
}

func (s *fileStore) entries(folder sources.Hash) ([]entry, error) {
	entries, ok := s.folders[folder]
	if !ok {
		return nil, errMissing
	}
	return entries, nil
}

// content reads a file and makes sure that it is still what was hashed.
func (s *fileStore) content(blob sources.Hash, limit int64) ([]byte, error) {
	name, ok := s.files[blob]
	if !ok {
		return nil, errMissing
	}
	root, err := os.OpenRoot(s.base)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	data, _, err := readFile(root, name, min(limit, sources.MaxFileSize))
	if err == nil && hashObject("blob", data) != blob {
		err = fmt.Errorf("%s has changed since", web.Clean(name))
	}
	return data, err
}
