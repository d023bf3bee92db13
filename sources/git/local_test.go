package git

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

func TestLocalRepositories(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	root := filepath.Dir(r.bare)
	linked := filepath.Join(root, "linked")
	r.git("worktree", "add", "-q", "-b", "side", linked)
	shared := filepath.Join(root, "shared.git")
	runGit(t, root, "clone", "-q", "--bare", "--shared", r.bare, shared)
	relative := filepath.Join(root, "relative.git")
	runGit(t, root, "clone", "-q", "--bare", "--shared", r.bare, relative)
	must(t, os.WriteFile(filepath.Join(relative, "objects", "info", "alternates"), []byte("../../repo.git/objects\n"), 0o600))
	separate := filepath.Join(root, "separate")
	runGit(t, root, "clone", "-q", "--separate-git-dir", filepath.Join(root, "elsewhere.git"), r.bare, separate)
	packed := filepath.Join(root, "packed.git")
	runGit(t, root, "clone", "-q", "--bare", "file://"+r.bare, packed)
	runGit(t, packed, "pack-refs", "--all")

	for name, test := range map[string]struct{ url, ref string }{
		"bare":                {r.bare, "refs/heads/main"},
		"file URL":            {"file://" + r.bare, "refs/heads/main"},
		"worktree":            {r.dir, "refs/heads/main"},
		"its .git":            {filepath.Join(r.dir, ".git"), "refs/heads/main"},
		"linked worktree":     {linked, "refs/heads/side"},
		"alternates":          {shared, "refs/heads/main"},
		"relative alternates": {relative, "refs/heads/main"},
		"separate git folder": {separate, "refs/heads/main"},
		"packed":              {packed, "refs/heads/main"},
	} {
		t.Run(name, func(t *testing.T) {
			src := open(t, Options{URL: test.url})
			snap := update(t, src)
			if snap.Commit != first || snap.Name != test.ref || snap.URL != test.url {
				t.Errorf("snapshot is %+v", snap)
			}
			wantFile(t, snap, "a.yaml", "1")
			if update(t, src) != snap {
				t.Error("another snapshot")
			}
			if stored, err := src.Stored(context.Background()); err != nil || stored != snap {
				t.Errorf("stored is %v, %v", stored, err)
			}
		})
	}
}

func TestLocalNothingIsWritten(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	before := listing(t, filepath.Dir(r.bare))
	for _, url := range []string{r.bare, r.dir} {
		src := open(t, Options{URL: url})
		files(t, update(t, src))
		update(t, src)
	}
	if after := listing(t, filepath.Dir(r.bare)); after != before {
		t.Errorf("files were written:\n%s\n%s", before, after)
	}
}

func TestLocalFollowsPushes(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	src := open(t, Options{URL: r.bare, History: true})
	one := update(t, src)
	second := r.push("second", "a.yaml", "2", "dir/b.yaml", "3")
	two := update(t, src)
	wantChanges(t, one, two, "~a.yaml", "+dir/b.yaml")
	if found, err := src.Contains(context.Background(), second, first); err != nil || !found {
		t.Errorf("contains: %t, %v", found, err)
	}
	if found, err := src.Contains(context.Background(), first, second); err != nil || found {
		t.Errorf("contains the other way: %t, %v", found, err)
	}
}

// While one process pushes, packs and prunes, another reads every commit whole.
func TestLocalWhileOthersPushAndRepack(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "content 0", "b.yaml", "same")
	src := open(t, Options{URL: r.bare})
	stop, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for i := 1; i <= 12; i++ {
			r.push("next", "a.yaml", fmt.Sprint("content ", i))
			switch i % 3 {
			case 0:
				runGit(t, r.bare, "repack", "-q", "-a", "-d")
			case 1:
				runGit(t, r.bare, "gc", "-q", "--prune=now")
			}
		}
		close(stop)
	}()
	defer func() { <-done }()
	var last *sources.Snapshot
	for {
		snap := update(t, src)
		if got := files(t, snap); !strings.HasPrefix(got["a.yaml"], "content ") || got["b.yaml"] != "same" {
			t.Fatalf("files are %q", got)
		}
		if last != nil && last != snap {
			wantChanges(t, last, snap, "~a.yaml")
		}
		last = snap
		select {
		case <-stop:
			wantFile(t, update(t, src), "a.yaml", "content 12")
			return
		default:
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1", "b/c.yaml", "2")
	s := newServer(t, r)
	for name, src := range map[string]sources.Source{
		"local":  open(t, Options{URL: r.bare}),
		"remote": open(t, Options{Dir: openDir(t), URL: s.repoURL()}),
	} {
		t.Run(name, func(t *testing.T) {
			var all sync.WaitGroup
			for i := range 8 {
				all.Go(func() {
					for range 3 {
						snap, err := src.Update(context.Background())
						if err != nil {
							t.Error(err)
							return
						}
						if i%2 == 0 {
							files(t, snap)
							_, _ = src.Contains(context.Background(), snap.Commit, snap.Commit)
						}
					}
				})
			}
			r.push("next", "a.yaml", name)
			all.Wait()
			wantFile(t, update(t, src), "a.yaml", name)
		})
	}
}

func TestLocalErrors(t *testing.T) {
	root := t.TempDir()
	empty := filepath.Join(root, "empty.git")
	runGit(t, root, "init", "-q", "--bare", empty)
	modern := filepath.Join(root, "modern.git")
	runGit(t, root, "init", "-q", "--bare", "--object-format=sha256", modern)
	reftable := filepath.Join(root, "reftable.git")
	runGit(t, root, "init", "-q", "--bare", reftable)
	config, err := os.OpenFile(filepath.Join(reftable, "config"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = config.WriteString("[extensions]\n\trefStorage = reftable\n")
	must(t, err)
	must(t, config.Close())
	for name, test := range map[string]struct {
		url  string
		kind schema.ErrorKind
		part string
	}{
		"nothing":  {filepath.Join(root, "none"), schema.Terminal, "no git repository"},
		"a folder": {root, schema.Terminal, "no git repository"},
		"empty":    {empty, schema.Waiting, "push a first commit"},
		"SHA-256":  {modern, schema.Terminal, "SHA-256"},
		"reftable": {reftable, schema.Terminal, "reftable"},
	} {
		t.Run(name, func(t *testing.T) {
			updateError(t, open(t, Options{URL: test.url}), test.kind, test.part)
		})
	}
}

func TestLocalRepositoryGoesAway(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	src := open(t, Options{URL: r.bare})
	one := update(t, src)
	must(t, os.Rename(r.bare, r.bare+".moved"))
	updateError(t, src, schema.Transient, "moved")
	must(t, os.Rename(r.bare+".moved", r.bare))
	if update(t, src) != one {
		t.Error("another snapshot")
	}
}

// A damaged index asks for any amount of memory; it must not get it.
func TestLocalDamagedIndex(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	runGit(t, r.bare, "repack", "-q", "-a", "-d")
	index := onePack(t, r.bare, "idx")
	must(t, os.Chmod(index, 0o600))
	scramble(t, index, 1000, 100)
	updateError(t, open(t, Options{URL: r.bare}), schema.Transient, "damaged")
}

// TestRefWrittenInPlace has another program write a ref as go-git does: again and
// again the file is empty for a moment, also between two looks at it.
func TestRefWrittenInPlace(t *testing.T) {
	dir := t.TempDir()
	runGit(t, dir, "init", "-q", "-b", "main", ".")
	runGit(t, dir, "commit", "-q", "--allow-empty", "-m", "one")
	ref := filepath.Join(dir, ".git", "refs", "heads", "main")
	commit, err := os.ReadFile(ref)
	must(t, err)
	var writer sync.WaitGroup
	stop := make(chan struct{})
	writer.Go(func() {
		for tick := time.Tick(100 * time.Microsecond); ; {
			select {
			case <-stop:
				return
			case <-tick:
				if err := os.WriteFile(ref, commit, 0o644); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	defer writer.Wait()
	defer close(stop)
	for range 50 {
		update(t, open(t, Options{URL: dir}))
	}
}
