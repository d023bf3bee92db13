package follow

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

// A fakeRepo is a repository in memory, and every source that is open of it.
type fakeRepo struct {
	url string

	mu       sync.Mutex
	history  []*sources.Snapshot
	head     *sources.Snapshot
	previous map[string]string            // commit to its parent
	refs     map[string]*sources.Snapshot // beside the one that is followed, by full name
	fetched  map[string]bool              // the commits of refs that At has returned
	lookups  int                          // that At has made
	shallow  bool                         // it knows no merge base
	heads    string                       // the fingerprint of proposals, which each Update takes
	stored   *sources.Snapshot
	failure  error         // of Update
	hang     bool          // Update waits until its context ends
	answer   chan struct{} // Update waits for it; nil: it does not
	panics   bool
	readFail error          // of Read
	readFrom int            // the Read, counted from now, from which on it fails
	updates  []time.Time    // when each began
	reads    map[string]int // by path
	open     int
}

func newFakeRepo(url string) *fakeRepo {
	return &fakeRepo{url: url, previous: map[string]string{}, refs: map[string]*sources.Snapshot{}, fetched: map[string]bool{}, reads: map[string]int{}}
}

// push commits changes to the files of the head: an empty text removes a file.
func (r *fakeRepo) push(message string, changes map[string]string) *sources.Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head = r.commit(r.head, message, changes)
	return r.head
}

// propose makes another ref, which builds on a commit.
func (r *fakeRepo) propose(ref string, start *sources.Snapshot, changes map[string]string) *sources.Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refs[ref] = r.commit(start, ref, changes)
	return r.refs[ref]
}

func (r *fakeRepo) commit(start *sources.Snapshot, message string, changes map[string]string) *sources.Snapshot {
	files := map[string]string{}
	parent := ""
	if start != nil {
		maps.Copy(files, start.Tree.(*fakeTree).files)
		parent = start.Commit
	}
	for name, text := range changes {
		if files[name] = text; text == "" {
			delete(files, name)
		}
	}
	commit := fmt.Sprintf("%x", sha1.Sum(fmt.Append(nil, r.url, len(r.history), message)))
	made := &sources.Snapshot{
		URL: r.url, Name: "refs/heads/main", Commit: commit, Message: message, Tree: newFakeTree(r, files),
	}
	r.history = append(r.history, made)
	r.previous[commit] = parent
	return made
}

// set changes how the repository behaves.
func (r *fakeRepo) set(change func(*fakeRepo)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

func (r *fakeRepo) asked() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.updates)
}

// readCount returns how many files were read.
func (r *fakeRepo) readCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, times := range r.reads {
		n += times
	}
	return n
}

func (r *fakeRepo) opened() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

type fakeSource struct {
	repo  *fakeRepo
	heads *string       // that the last Update took; guarded by the repository's mu
	turn  chan struct{} // held by the Update or Stored that is running
}

func (r *fakeRepo) source() sources.Source {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open++
	return fakeSource{r, new(string), make(chan struct{}, 1)}
}

func (s fakeSource) Update(ctx context.Context) (*sources.Snapshot, error) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	r := s.repo
	r.mu.Lock()
	r.updates = append(r.updates, time.Now())
	hang, answer, panics := r.hang, r.answer, r.panics
	r.mu.Unlock()
	if panics {
		panic("a hostile pack")
	}
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if answer != nil {
		select {
		case <-answer:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	*s.heads = r.heads
	if r.failure != nil {
		return nil, r.failure
	}
	if r.head == nil {
		return nil, &schema.Error{Op: "fetch", Resource: r.url, Kind: schema.Terminal, Err: errors.New("the ref does not exist")}
	}
	return r.head, nil
}

func (s fakeSource) Stored(context.Context) (*sources.Snapshot, error) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.repo.mu.Lock()
	defer s.repo.mu.Unlock()
	return s.repo.stored, nil
}

func (s fakeSource) Contains(_ context.Context, newer, older string) (bool, error) {
	s.repo.mu.Lock()
	defer s.repo.mu.Unlock()
	for commit := newer; commit != ""; commit = s.repo.previous[commit] {
		if commit == older {
			return true, nil
		}
	}
	return false, nil
}

func (s fakeSource) History(_ context.Context, commit string, n int) (found []sources.Commit, err error) {
	s.repo.mu.Lock()
	defer s.repo.mu.Unlock()
	for ; commit != "" && len(found) < n; commit = s.repo.previous[commit] {
		at := slices.IndexFunc(s.repo.history, func(c *sources.Snapshot) bool { return c.Commit == commit })
		if at < 0 {
			break
		}
		found = append(found, sources.Commit{Hash: commit, Message: s.repo.history[at].Message})
	}
	return found, nil
}

func (s fakeSource) At(ctx context.Context, ref string) (*sources.Snapshot, error) {
	s.repo.mu.Lock()
	answer, panics := s.repo.answer, s.repo.panics
	s.repo.mu.Unlock()
	if panics {
		panic("a hostile pack")
	}
	if answer != nil {
		select {
		case <-answer:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.repo.mu.Lock()
	defer s.repo.mu.Unlock()
	s.repo.lookups++
	if found := s.repo.refs[ref]; found != nil {
		s.repo.fetched[found.Commit] = true
		return found, nil
	}
	for _, c := range s.repo.history {
		if c.Commit == ref {
			return c, nil
		}
	}
	return nil, &schema.Error{Op: "fetch", Resource: s.repo.url, Kind: schema.Terminal, Err: errors.New("the ref does not exist")}
}

func (s fakeSource) Here(_ context.Context, commit string) (*sources.Snapshot, error) {
	s.repo.mu.Lock()
	defer s.repo.mu.Unlock()
	for _, c := range s.repo.refs {
		if c.Commit == commit && s.repo.fetched[commit] {
			return c, nil
		}
	}
	return nil, nil
}

func (s fakeSource) MergeBase(ctx context.Context, a, b string) (string, error) {
	for ; b != "" && !s.repo.shallow; b = s.repo.previous[b] {
		if found, err := s.Contains(ctx, a, b); found || err != nil {
			return b, err
		}
	}
	return "", nil
}

func (s fakeSource) Proposals() string {
	s.repo.mu.Lock()
	defer s.repo.mu.Unlock()
	return *s.heads
}

func (s fakeSource) Close() error {
	s.repo.mu.Lock()
	defer s.repo.mu.Unlock()
	s.repo.open--
	return nil
}

// A fakeTree is files.
type fakeTree struct {
	repo  *fakeRepo
	files map[string]string       // text by path
	blobs map[string]sources.Hash // by path
	names map[sources.Hash]string // one path for each blob
}

func newFakeTree(r *fakeRepo, files map[string]string) *fakeTree {
	t := &fakeTree{repo: r, files: files, blobs: map[string]sources.Hash{}, names: map[sources.Hash]string{}}
	for name, text := range files {
		t.blobs[name] = sha1.Sum([]byte(text))
		t.names[t.blobs[name]] = name
	}
	return t
}

func (t *fakeTree) Hash() sources.Hash { return sha1.Sum(fmt.Append(nil, t.blobs)) }

func (t *fakeTree) Diff(ctx context.Context, before sources.Tree, enter func(string) bool, visit func(sources.Change) error) error {
	old := map[string]sources.Hash{}
	if before != nil {
		old = before.(*fakeTree).blobs
	}
	names := maps.Clone(old)
	maps.Copy(names, t.blobs)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c := sources.Change{Path: name, Before: old[name], After: t.blobs[name]}
		if c.Before == c.After || !entered(name, enter) {
			continue
		}
		if err := visit(c); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// entered tells whether every folder above a file is entered.
func entered(name string, enter func(string) bool) bool {
	dir := path.Dir(name)
	if dir == "." {
		return true
	}
	for i, c := range dir + "/" {
		if c == '/' && !enter(dir[:i]) {
			return false
		}
	}
	return true
}

func (t *fakeTree) Read(ctx context.Context, blob sources.Hash, limit int64) ([]byte, error) {
	t.repo.mu.Lock()
	defer t.repo.mu.Unlock()
	name, ok := t.names[blob]
	if !ok {
		return nil, fmt.Errorf("no blob %s", blob)
	}
	text := t.files[name]
	t.repo.reads[name]++
	if t.repo.readFail != nil {
		if t.repo.readFrom--; t.repo.readFrom < 0 {
			return nil, t.repo.readFail
		}
	}
	if int64(len(text)) > limit || strings.Contains(text, "pretend to be huge") {
		return nil, &schema.Error{Op: "read file", Resource: name, Kind: schema.Invalid, Err: errors.New("too large")}
	}
	return []byte(text), nil
}
