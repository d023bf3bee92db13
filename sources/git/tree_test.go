package git

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

// A memoryStore is a treeStore for tests. It counts the folders that are read.
type memoryStore struct {
	folders map[sources.Hash][]entry
	read    int
}

func (m *memoryStore) entries(folder sources.Hash) ([]entry, error) {
	m.read++
	entries, ok := m.folders[folder]
	if !ok {
		return nil, errMissing
	}
	return entries, nil
}

func (m *memoryStore) content(sources.Hash, int64) ([]byte, error) { return nil, errMissing }

// memoryTree makes a tree of paths and contents.
func memoryTree(files map[string]string) *tree {
	m := &memoryStore{folders: map[sources.Hash][]entry{}}
	return &tree{store: m, root: m.add(files)}
}

func (m *memoryStore) add(files map[string]string) sources.Hash {
	below := map[string]map[string]string{}
	var entries []entry
	for name, content := range files {
		dir, rest, ok := strings.Cut(name, "/")
		if !ok {
			entries = append(entries, entry{name: name, hash: hashObject("blob", []byte(content))})
			continue
		}
		if below[dir] == nil {
			below[dir] = map[string]string{}
		}
		below[dir][rest] = content
	}
	for dir, files := range below {
		entries = append(entries, entry{name: dir, folder: true, hash: m.add(files)})
	}
	slices.SortFunc(entries, compareEntries)
	hash := hashEntries(entries)
	m.folders[hash] = entries
	return hash
}

// A diff reports exactly what a comparison of all files reports, in the order
// of paths.
func TestDiffProperties(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "a.b", "a-b", "a0", "b", "b.yaml", "c/d", "a/b"})
	trees := rapid.MapOfN(rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(name, 1, 3).Draw(t, "path"), "/")
	}), rapid.SampledFrom([]string{"1", "2", "3"}), 0, 12)
	rapid.Check(t, func(t *rapid.T) {
		before, after := trees.Draw(t, "before"), trees.Draw(t, "after")
		dropNested(before)
		dropNested(after)
		var got []string
		a, b := memoryTree(before), memoryTree(after)
		err := b.Diff(context.Background(), a, nil, func(c sources.Change) error {
			got = append(got, fmt.Sprint(c.Path, !c.Before.IsZero(), !c.After.IsZero()))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		all := maps.Clone(before)
		maps.Copy(all, after)
		for _, path := range slices.Sorted(maps.Keys(all)) {
			old, was := before[path]
			now, is := after[path]
			if was != is || old != now {
				want = append(want, fmt.Sprint(path, was, is))
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("diff is %q, want %q", got, want)
		}
	})
}

// dropNested removes files that are folders too, which no file system has.
func dropNested(files map[string]string) {
	for a := range files {
		for b := range files {
			if strings.HasPrefix(b, a+"/") {
				delete(files, a)
			}
		}
	}
}

func TestDiffReadsOnlyWhatChanged(t *testing.T) {
	many := map[string]string{}
	for i := range 10_000 {
		many[fmt.Sprintf("dir%d/file%d", i/100, i)] = "x"
	}
	before := memoryTree(many)
	many["dir50/file5000"] = "y"
	after := memoryTree(many)
	old, now := before.store.(*memoryStore), after.store.(*memoryStore)
	var got []string
	must(t, after.Diff(context.Background(), before, nil, func(c sources.Change) error {
		got = append(got, c.Path)
		return nil
	}))
	if !slices.Equal(got, []string{"dir50/file5000"}) || old.read != 2 || now.read != 2 {
		t.Errorf("changes %q with %d and %d folders read", got, old.read, now.read)
	}
}

func TestDiffEntersOnlyWhereAllowed(t *testing.T) {
	after := memoryTree(map[string]string{"a/x": "1", "b/x": "1", "b/c/x": "1", "x": "1"})
	var got, asked []string
	must(t, after.Diff(context.Background(), nil, func(dir string) bool {
		asked = append(asked, dir)
		return dir != "a" && dir != "b/c"
	}, func(c sources.Change) error {
		got = append(got, c.Path)
		return nil
	}))
	if !slices.Equal(got, []string{"b/x", "x"}) || !slices.Equal(asked, []string{"a", "b", "b/c"}) {
		t.Errorf("got %q, asked %q", got, asked)
	}
}

func TestDiffErrors(t *testing.T) {
	ctx := context.Background()
	nothing := func(sources.Change) error { return nil }
	after := memoryTree(map[string]string{"a": "1"})
	own := errors.New("own error")
	if err := after.Diff(ctx, nil, nil, func(sources.Change) error { return own }); !errors.Is(err, own) {
		t.Errorf("error of visit becomes %v", err)
	}
	deep := memoryTree(map[string]string{strings.Repeat("d/", sources.MaxDepth+1) + "x": "1"})
	wantError(t, deep.Diff(ctx, nil, nil, nothing), schema.Invalid, "64 folders deep")
	wantError(t, after.Diff(ctx, foreignTree{}, nil, nothing), schema.Transient, "foreignTree")
	lost := &tree{store: &memoryStore{}, root: sources.Hash{1}}
	wantError(t, after.Diff(ctx, lost, nil, nothing), schema.Transient, "missing")
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := after.Diff(ended, nil, nil, nothing); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	must(t, after.Diff(ended, after, nil, nothing))
}

type foreignTree struct{ sources.Tree }

// A few objects can stand for any number of folders and files.
func TestDiffTreeBomb(t *testing.T) {
	for name, leaf := range map[string][]entry{
		"of files":   {{name: "file", hash: sources.Hash{9}}},
		"of folders": nil,
	} {
		t.Run(name, func(t *testing.T) {
			m := &memoryStore{folders: map[sources.Hash][]entry{}}
			m.folders[sources.Hash{0, 1}] = leaf
			for level := byte(1); level < 20; level++ {
				var entries []entry
				for i := range 10 {
					entries = append(entries, entry{name: fmt.Sprint(i), folder: true, hash: sources.Hash{level - 1, 1}})
				}
				m.folders[sources.Hash{level, 1}] = entries
			}
			bomb := &tree{store: m, root: sources.Hash{19, 1}}
			err := bomb.Diff(context.Background(), nil, nil, func(sources.Change) error { return nil })
			wantError(t, err, schema.Invalid, "more than 100000")
		})
	}
}

func treeObject(entries ...string) string {
	var b strings.Builder
	for i := 0; i < len(entries); i += 2 {
		b.WriteString(entries[i] + " " + entries[i+1] + "\x00" + strings.Repeat("\x07", 20))
	}
	return b.String()
}

func TestParseTree(t *testing.T) {
	got, err := parseTree(treeObject(
		"100644", " spaced name", "100644", "-dash", "100644", ".", "40000", "..", "40000", ".GIT", "40000", ".git", "100644", `C:\x`,
		"100644", "a", "100755", "a.sh", "40000", "a", "100644", "b/c", "120000", "link", "100644", "new\nline", "160000", "submodule", "100644", "\xff"))
	must(t, err)
	var names []string
	for _, e := range got {
		names = append(names, fmt.Sprint(e.name, e.folder))
	}
	if want := []string{" spaced namefalse", "-dashfalse", "afalse", "a.shfalse", "atrue"}; !slices.Equal(names, want) {
		t.Errorf("entries are %q, want %q", names, want)
	}
	for name, data := range map[string]string{
		"no name":      "100644 \x00" + strings.Repeat("x", 20),
		"short hash":   "100644 a\x00xx",
		"no mode":      "a",
		"long mode":    "1000000000644 a\x00" + strings.Repeat("x", 20),
		"out of order": treeObject("100644", "b", "100644", "a"),
		"twice":        treeObject("100644", "a", "100644", "a"),
		"folder first": treeObject("40000", "a", "100644", "a.b"),
	} {
		if _, err := parseTree(data); !errors.Is(err, errMalformed) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func FuzzParseTree(f *testing.F) {
	f.Add(treeObject("100644", "a", "40000", "b"))
	f.Add(treeObject("40000", "a", "100644", "a.b"))
	f.Add("100644 a\x00short")
	f.Fuzz(func(t *testing.T, data string) {
		entries, err := parseTree(data)
		if err != nil {
			return
		}
		for i, e := range entries {
			if !acceptable(e.name) || e.hash.IsZero() || strings.ContainsAny(e.name, "/\\\x00\n") {
				t.Errorf("entry %q", e.name)
			}
			if i > 0 && compareEntries(entries[i-1], e) >= 0 {
				t.Errorf("%q is before %q", entries[i-1].name, e.name)
			}
		}
	})
}
