package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/web"
)

// A local is a repository of this machine, read where it is. Nothing is ever
// written into it.
type local struct {
	loc  Location
	spec refSpec

	mu      sync.Mutex // at runs beside update
	layout  layout
	objects *objects // nil: not found yet
}

// A layout says where the parts of a repository are. They are apart in a linked
// worktree, which has a HEAD of its own.
type layout struct {
	gitDir    string // holds HEAD
	commonDir string // holds objects and refs
}

// git renames a ref into place, but go-git writes it in place: for a moment the
// file is empty. Then it is looked at again.
const (
	refPatience = 2 * time.Second
	refPause    = 2 * time.Millisecond
)

// errRefAppeared says that a ref was not there by its name and a moment later
// was among all: it was being written.
var errRefAppeared = errors.New("the ref is being written")

func beingWritten(err error) bool {
	return errors.Is(err, dotgit.ErrEmptyRefFile) || errors.Is(err, errRefAppeared)
}

func (l *local) secrets() []string { return nil }

func (l *local) close() {}

func (l *local) proposals() string { return "" }

func (l *local) readable() bool { return l.known() != nil }

func (l *local) stored(context.Context) (*sources.Snapshot, error) { return nil, nil }

func (l *local) contains(ctx context.Context, newer, older string) (bool, error) {
	o := l.known()
	if o == nil {
		return false, nil
	}
	return isAncestor(ctx, o, newer, older)
}

func (l *local) history(ctx context.Context, commit string, n int) ([]sources.Commit, error) {
	o := l.known()
	if o == nil {
		return nil, nil
	}
	return history(ctx, o, commit, n)
}

func (l *local) mergeBase(ctx context.Context, a, b string) (string, error) {
	o := l.known()
	if o == nil {
		return "", nil
	}
	base, _, err := mergeBase(ctx, o, a, b)
	return base, err
}

func (l *local) update(ctx context.Context, current *sources.Snapshot) (*sources.Snapshot, error) {
	refs, o, err := l.open()
	if err != nil {
		if current != nil { // it was there: it may come back
			return nil, fail(schema.Transient, "the repository was moved or its file system is away", err)
		}
		return nil, fail(schema.Terminal, "name a git repository: a folder with .git, or a bare one", err)
	}
	t, err := resolveRef(ctx, refs, o, l.spec)
	if err != nil {
		return nil, err
	}
	if current != nil && current.Commit == t.commit.String() && current.Name == t.name {
		o.release()
		return current, nil
	}
	return snapshot(o, l.loc, l.spec.raw, t)
}

func (l *local) at(ctx context.Context, ref string) (*sources.Snapshot, error) {
	spec, err := parseRef(ref)
	if err != nil {
		return nil, err
	}
	refs, o, err := l.open()
	if err != nil {
		return nil, fail(schema.Transient, "the repository was moved or its file system is away", err)
	}
	t, err := resolveRef(ctx, refs, o, spec)
	if err != nil {
		return nil, err
	}
	return snapshot(o, l.loc, ref, t)
}

func (l *local) here(_ context.Context, commit string) (*sources.Snapshot, error) {
	o := l.known()
	if o == nil || !plumbing.IsHash(commit) {
		return nil, nil
	}
	t := target{commit: plumbing.NewHash(commit)}
	if found, err := o.has(t.commit); err != nil || !found {
		return nil, err
	}
	return snapshot(o, l.loc, commit, t)
}

// open finds the repository, which may have been replaced by another one.
func (l *local) open() (*filesystem.Storage, *objects, error) {
	found, err := findLayout(l.loc.Path)
	if err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.objects == nil || l.layout != found {
		l.layout = found
		l.objects = &objects{folder: found.commonDir, live: true}
	}
	return found.refs(), l.objects, nil
}

// known returns the objects of the repository that was last found; nil: none was.
func (l *local) known() *objects {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.objects
}

// findLayout finds the parts of the repository at a path, which is a folder
// with .git in it or a bare repository.
func findLayout(p string) (layout, error) {
	abs, err := filepath.Abs(p)
	if err != nil {
		return layout{}, err
	}
	dotGit := filepath.Join(abs, ".git")
	info, err := os.Stat(dotGit)
	switch {
	case err == nil && info.IsDir():
		abs = dotGit
	case err == nil:
		if abs, err = readPointer(dotGit, "gitdir: "); err != nil {
			return layout{}, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return layout{}, err
	}
	found := layout{gitDir: abs, commonDir: abs}
	if common, err := readPointer(filepath.Join(abs, "commondir"), ""); err == nil {
		found.commonDir = common
	}
	for _, part := range []string{filepath.Join(found.gitDir, headName), filepath.Join(found.commonDir, "objects")} {
		if _, err := os.Stat(part); err != nil {
			return layout{}, fmt.Errorf("%s is no git repository", p)
		}
	}
	return found, nil
}

// readPointer reads a file that holds the path of a folder.
func readPointer(name, prefix string) (string, error) {
	data, err := readBounded(name)
	if err != nil {
		return "", err
	}
	target, ok := strings.CutPrefix(strings.TrimSpace(string(data)), prefix)
	if !ok || target == "" || len(target) > maxURL {
		return "", fmt.Errorf("%s points nowhere", name)
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(name), target)
	}
	return filepath.Clean(target), nil
}

func (l layout) refs() *filesystem.Storage {
	fsys := osfs.New(l.gitDir)
	if l.commonDir != l.gitDir {
		fsys = dotgit.NewRepositoryFilesystem(fsys, osfs.New(l.commonDir))
	}
	return filesystem.NewStorage(fsys, nil)
}

// checkFormat refuses repositories whose format go-git cannot read, with a
// reason better than "not found".
func checkFormat(refs *filesystem.Storage) error {
	config, err := refs.Config()
	if err != nil {
		return fail(schema.Transient, "", fmt.Errorf("config: %w", err))
	}
	extensions := config.Raw.Section("extensions")
	if format := extensions.Option("objectformat"); format != "" && format != "sha1" {
		return errSHA256
	}
	if format := extensions.Option("refstorage"); format != "" && format != "files" {
		return fail(schema.Terminal, "convert it with git refs migrate --ref-format=files", fmt.Errorf("refs stored as %s are not supported", web.Clean(format)))
	}
	return nil
}

// resolveRef finds what a ref points to.
func resolveRef(ctx context.Context, refs *filesystem.Storage, o *objects, spec refSpec) (target, error) {
	if err := checkFormat(refs); err != nil {
		return target{}, err
	}
	t, err := resolveRefNow(refs, o, spec)
	for begun := time.Now(); beingWritten(err) && time.Since(begun) < refPatience && ctx.Err() == nil; {
		time.Sleep(refPause)
		t, err = resolveRefNow(refs, o, spec)
	}
	return t, err
}

func resolveRefNow(refs *filesystem.Storage, o *objects, spec refSpec) (target, error) {
	res := &resolver{spec: spec}
	if spec.commit.IsZero() {
		if err := listRefs(refs, res); err != nil {
			return target{}, err
		}
	}
	t, err := res.result()
	if err != nil {
		return target{}, err
	}
	if t.commit, err = peel(o, t.commit); err != nil {
		if !spec.commit.IsZero() && errors.Is(err, errMissing) {
			return target{}, noCommit(spec)
		}
		return target{}, err
	}
	return t, nil
}

// listRefs shows the resolver the refs that it may want: a few by name, or all
// when a range or a hint needs them.
func listRefs(refs *filesystem.Storage, res *resolver) error {
	var missed []string
	for _, name := range candidates(res.spec.name) {
		final, hash, err := follow(refs, plumbing.ReferenceName(name))
		if err != nil {
			return err
		}
		if !hash.IsZero() {
			if name == headName {
				res.headName = final
			}
			res.add(hash, []byte(name))
			return nil
		}
		missed = append(missed, final)
	}
	all, err := refs.IterReferences()
	if err != nil {
		return err
	}
	return all.ForEach(func(ref *plumbing.Reference) error {
		if slices.Contains(missed, string(ref.Name())) {
			return errRefAppeared
		}
		if ref.Type() == plumbing.HashReference && ref.Name() != plumbing.HEAD {
			res.add(ref.Hash(), []byte(ref.Name()))
		}
		return nil
	})
}

// candidates are the full names that a ref may have, the first first.
func candidates(name string) []string {
	switch {
	case name == "":
		return nil
	case name == headName:
		return []string{name}
	case strings.HasPrefix(name, "refs/"):
		return []string{name, branchPrefix + name, tagPrefix + name}
	default:
		return []string{branchPrefix + name, tagPrefix + name}
	}
}

// follow reads a ref, through refs that point to others, to the final one; a zero
// hash when that is not there.
func follow(refs *filesystem.Storage, name plumbing.ReferenceName) (final string, hash plumbing.Hash, err error) {
	for range maxSymbolic {
		ref, err := refs.Reference(name)
		if errors.Is(err, plumbing.ErrReferenceNotFound) || errors.Is(err, dotgit.ErrReferenceNameEscape) || errors.Is(err, dotgit.ErrIsDir) {
			return string(name), plumbing.ZeroHash, nil
		}
		if err != nil {
			return "", plumbing.ZeroHash, err
		}
		if ref.Type() == plumbing.HashReference {
			if name == plumbing.HEAD {
				name = "" // detached
			}
			return string(name), ref.Hash(), nil
		}
		name = ref.Target()
	}
	return "", plumbing.ZeroHash, fmt.Errorf("refs point to refs without end at %s", web.Clean(string(name)))
}
