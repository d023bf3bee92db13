package merge_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/berthdev/berth/internal/dockertest"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/git"
	"github.com/berthdev/berth/sources/merge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A lab is a repository in which trees are made up.
type lab struct {
	t    *testing.T
	bare string
	src  sources.Source
	made int
}

func newLab(t *testing.T) *lab {
	if _, err := exec.LookPath("git"); err != nil {
		dockertest.Unavailable(t, "git is not installed")
	}
	l := &lab{t: t, bare: filepath.Join(t.TempDir(), "repo.git")}
	if out, _, err := l.git("", "init", "-q", "--bare", l.bare); err != nil {
		t.Fatal(out, err)
	}
	src, err := git.Open(git.Options{URL: l.bare})
	if err != nil {
		t.Fatal(err)
	}
	l.src = src
	t.Cleanup(func() { src.Close() })
	return l
}

func (l *lab) git(stdin string, args ...string) (stdout, stderr string, err error) {
	cmd := exec.Command("git", args...)
	if len(args) > 0 && args[0] != "init" {
		cmd.Dir = l.bare
	}
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_COUNT=2",
		"GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*", "GIT_CONFIG_KEY_1=merge.renames", "GIT_CONFIG_VALUE_1=false",
		"GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org",
	}
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &complaint
	err = cmd.Run()
	return out.String(), complaint.String(), err
}

// A files is the text of files by path.
type files map[string]string

// commits makes a first commit, and two that come after it.
func (l *lab) commits(all [3]files) (trees [3]sources.Tree, names [3]string) {
	l.t.Helper()
	var stream strings.Builder
	for i, some := range all {
		l.made++
		names[i] = fmt.Sprintf("refs/heads/c%d", l.made)
		fmt.Fprintf(&stream, "commit %s\nmark :%d\ncommitter Ada <ada@example.org> 1700000000 +0000\ndata 1\nx\n", names[i], i+1)
		if i > 0 {
			stream.WriteString("from :1\ndeleteall\n")
		}
		for _, name := range slices.Sorted(maps.Keys(some)) {
			fmt.Fprintf(&stream, "M 644 inline %s\ndata %d\n%s\n", name, len(some[name]), some[name])
		}
	}
	if _, complaint, err := l.git(stream.String(), "fast-import", "--quiet"); err != nil {
		l.t.Fatal(complaint, err)
	}
	for i, name := range names {
		snap, err := l.src.At(context.Background(), name)
		if err != nil {
			l.t.Fatal(err)
		}
		trees[i] = snap.Tree
	}
	return trees, names
}

func list(t interface{ Fatal(...any) }, tree, before sources.Tree) map[string]sources.Change {
	found := map[string]sources.Change{}
	last := ""
	if err := tree.Diff(context.Background(), before, nil, func(c sources.Change) error {
		if c.Path <= last {
			t.Fatal("out of order: ", last, c.Path)
		}
		last = c.Path
		found[c.Path] = c
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return found
}

// read returns the text of all files.
func read(t interface{ Fatal(...any) }, tree sources.Tree) files {
	found := files{}
	for name, c := range list(t, tree, nil) {
		data, err := tree.Read(context.Background(), c.After, 1000)
		if err != nil {
			t.Fatal(err)
		}
		found[name] = string(data)
	}
	return found
}

// draw draws what three trees hold, of the paths, each with one of a few texts.
func draw(t *rapid.T, paths []string) (all [3]files) {
	for i := range all {
		all[i] = files{}
		for _, name := range paths {
			if i > 0 && rapid.IntRange(0, 2).Draw(t, "change") > 0 {
				if text, ok := all[0][name]; ok {
					all[i][name] = text
				}
			} else if n := rapid.IntRange(0, 2).Draw(t, "text"); n > 0 {
				all[i][name] = fmt.Sprintf("%s %d\n", name, n)
			}
		}
		for name := range all[i] { // of a file and a folder of one name, the folder
			for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
				delete(all[i], dir)
			}
		}
	}
	return all
}

// gitMerge asks git for the merge: its files and the paths that conflict.
func (l *lab) gitMerge(base, head string) (files, []string) {
	out, complaint, err := l.git("", "merge-tree", "--write-tree", "--name-only", "--no-messages", base, head)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		l.t.Fatal(complaint, err)
	}
	lines := strings.Fields(out)
	conflicts := lines[1:]
	merged := files{}
	out, complaint, err = l.git("", "ls-tree", "-r", "-z", "--format=%(path) %(objectname)", lines[0])
	if err != nil {
		l.t.Fatal(complaint, err)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if name, hash, ok := strings.Cut(line, " "); ok {
			merged[name] = hash
		}
	}
	slices.Sort(conflicts)
	return merged, slices.Compact(conflicts)
}

// Wherever no file stands where another has a folder, the merge is git's: the
// same conflicts, the same files apart from them, and base's where they are.
func TestMergeIsGits(t *testing.T) {
	l := newLab(t)
	rapid.Check(t, func(rt *rapid.T) {
		all := draw(rt, []string{"a.yaml", "a/x", "a/y", "a/z/x", "b", "b.yaml", "c/d/e", "c/d/f"})
		trees, names := l.commits(all)
		merged, conflicts, err := merge.Merge(context.Background(), trees[1], trees[2], trees[0], nil)
		if err != nil {
			rt.Fatal(err)
		}
		want, wantConflicts := l.gitMerge(names[1], names[2])
		if !slices.Equal(conflicts, wantConflicts) {
			rt.Fatalf("conflicts are %q, git's %q", conflicts, wantConflicts)
		}
		base := list(rt, trees[1], nil)
		for _, name := range conflicts {
			if delete(want, name); base[name].After != (sources.Hash{}) {
				want[name] = base[name].After.String()
			}
		}
		got := files{}
		for name, c := range list(rt, merged, nil) {
			got[name] = c.After.String()
		}
		if d := cmp.Diff(want, got); d != "" {
			rt.Fatalf("merged (- want, + got):\n%s", d)
		}
		checkTree(rt, merged, trees)
	})
}

// checkTree checks what holds for any merged tree: its files can be read, and
// comparing it with another tree tells what comparing all files would.
func checkTree(t *rapid.T, merged sources.Tree, trees [3]sources.Tree) {
	text := read(t, merged)
	empty, _, err := merge.Merge(context.Background(), trees[0], trees[2], trees[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, before := range []sources.Tree{trees[0], trees[1], trees[2], empty, merged} {
		want, got := map[string]bool{}, map[string]bool{}
		old := read(t, before)
		for name := range text {
			want[name] = text[name] != old[name]
		}
		for name := range old {
			want[name] = text[name] != old[name]
		}
		maps.DeleteFunc(want, func(_ string, differs bool) bool { return !differs })
		for name, c := range list(t, merged, before) {
			got[name] = true
			if c.Before.IsZero() != (old[name] == "") || c.After.IsZero() != (text[name] == "") {
				t.Fatalf("%s is %+v", name, c)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("differences (- want, + got):\n%s", d)
		}
	}
}

// Where files and folders get into each other's way, there is a conflict when
// git has one, no file stands where another has a folder, and what conflicts is
// as base has it.
func TestMergeWithFilesWhereFoldersAre(t *testing.T) {
	l := newLab(t)
	rapid.Check(t, func(rt *rapid.T) {
		all := draw(rt, []string{"a", "a/x", "a/x/y", "a/z", "b"})
		trees, names := l.commits(all)
		merged, conflicts, err := merge.Merge(context.Background(), trees[1], trees[2], trees[0], nil)
		if err != nil {
			rt.Fatal(err)
		}
		_, wantConflicts := l.gitMerge(names[1], names[2])
		if (len(conflicts) > 0) != (len(wantConflicts) > 0) {
			rt.Fatalf("conflicts are %q, git's %q", conflicts, wantConflicts)
		}
		got := read(rt, merged)
		for name := range got {
			for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
				if got[dir] != "" {
					rt.Fatalf("%s and %s", dir, name)
				}
			}
		}
		for _, name := range conflicts {
			if got[name] != all[1][name] {
				rt.Fatalf("%s conflicts and is %q, not %q", name, got[name], all[1][name])
			}
		}
		checkTree(rt, merged, trees)
	})
}

func TestMergeOfNothing(t *testing.T) {
	l := newLab(t)
	trees, _ := l.commits([3]files{{"a": "1"}, {"a": "2", "b": "1"}, {"a": "1"}})
	merged, conflicts, err := merge.Merge(context.Background(), trees[1], trees[2], trees[0], nil)
	if err != nil || len(conflicts) > 0 || merged.Hash() != trees[1].Hash() {
		t.Errorf("merged is %v, %q, %v", merged.Hash(), conflicts, err)
	}
}

func TestMergeHash(t *testing.T) {
	l := newLab(t)
	trees, _ := l.commits([3]files{{"a": "1"}, {"a": "1", "b": "1"}, {"a": "2"}})
	do := func(base, head, ancestor int) sources.Hash {
		merged, _, err := merge.Merge(context.Background(), trees[base], trees[head], trees[ancestor], nil)
		if err != nil {
			t.Fatal(err)
		}
		return merged.Hash()
	}
	if first, again := do(1, 2, 0), do(1, 2, 0); first != again {
		t.Error("equal inputs, but another hash")
	}
	if do(1, 2, 0) == do(2, 1, 0) || do(1, 2, 0) == trees[1].Hash() {
		t.Error("other inputs, but the same hash")
	}
}

// Only the folders that are entered are merged, and compared.
func TestMergeEnters(t *testing.T) {
	l := newLab(t)
	trees, _ := l.commits([3]files{{"a/x": "1", "b/x": "1"}, {"a/x": "1", "b/x": "2"}, {"a/x": "2", "b/x": "3", "a/sub/y": "1"}})
	enter := func(dir string) bool { return dir == "a" || dir == "a/sub" }
	merged, conflicts, err := merge.Merge(context.Background(), trees[1], trees[2], trees[0], enter)
	if err != nil || len(conflicts) > 0 {
		t.Fatal(conflicts, err)
	}
	if d := cmp.Diff(files{"a/x": "2", "a/sub/y": "1", "b/x": "2"}, read(t, merged)); d != "" {
		t.Error(d)
	}
	var found []string
	err = merged.Diff(context.Background(), trees[1], func(dir string) bool { return dir == "a" }, func(c sources.Change) error {
		found = append(found, c.Path)
		return nil
	})
	if err != nil || !slices.Equal(found, []string{"a/x"}) {
		t.Errorf("differences are %q, %v", found, err)
	}
	stop := errors.New("enough")
	if err := merged.Diff(context.Background(), nil, nil, func(sources.Change) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error is %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := merge.Merge(ctx, trees[1], trees[2], trees[0], nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
