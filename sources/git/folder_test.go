package git

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	put := func(name, content string) {
		t.Helper()
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	put("a.yaml", "1")
	put("dir/b.yaml", "2")
	put("dir.d/c.yaml", "3")
	put(".git/config", "secret")
	put("large.bin", string(make([]byte, sources.MaxFileSize+1)))
	must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "passwd")))
	must(t, os.Symlink("/etc", filepath.Join(dir, "etc")))
	src, err := Folder(dir)
	must(t, err)
	defer src.Close()
	one := update(t, src)
	if one.Commit != "" || one.URL != dir {
		t.Errorf("snapshot is %+v", one)
	}
	wantChanges(t, nil, one, "+a.yaml", "+dir.d/c.yaml", "+dir/b.yaml", "+large.bin")
	if update(t, src) != one {
		t.Error("another snapshot")
	}
	hashes := map[string]sources.Hash{}
	must(t, one.Tree.Diff(context.Background(), nil, nil, func(c sources.Change) error {
		hashes[c.Path] = c.After
		return nil
	}))
	if got, want := hashes["a.yaml"].String(), "56a6051ca2b02b04ef92d5150c9ef600403cb1de"; got != want {
		t.Errorf("hash of a.yaml is %s, git says %s", got, want)
	}
	_, err = one.Tree.Read(context.Background(), hashes["large.bin"], 1<<40)
	wantError(t, err, schema.Invalid, "too large")
	_, err = one.Tree.Read(context.Background(), hashes["a.yaml"], 0)
	wantError(t, err, schema.Invalid, "too large")

	put("dir/b.yaml", "changed")
	must(t, os.Remove(filepath.Join(dir, "a.yaml")))
	_, err = one.Tree.Read(context.Background(), hashes["dir/b.yaml"], 100)
	wantError(t, err, schema.Transient, "changed since")
	two := update(t, src)
	wantChanges(t, one, two, "-a.yaml", "~dir/b.yaml")

	if _, err := Folder(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there")
	} else {
		wantError(t, err, schema.Terminal, "check the path")
	}
}

// A folder and a repository with the same files are the same to a diff.
func TestFolderAgainstRepository(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1", "b/c.yaml", "2")
	repo := update(t, open(t, Options{URL: r.bare}))
	r.write("b/c.yaml", "edited", "new.yaml", "3")
	src, err := Folder(r.dir)
	must(t, err)
	defer src.Close()
	wantChanges(t, repo, update(t, src), "~b/c.yaml", "+new.yaml")
}
