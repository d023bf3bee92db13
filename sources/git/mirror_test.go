package git

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

func TestUpdateFollowsBranch(t *testing.T) {
	for _, history := range []bool{false, true} {
		t.Run(fmt.Sprintf("history=%t", history), func(t *testing.T) {
			r := newRepo(t)
			first := r.push("first\n\nwith a body", "a.yaml", "1", "dir/b.yaml", "2")
			s := newServer(t, r)
			src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Ref: "main", History: history})
			if snap, err := src.Stored(context.Background()); snap != nil || err != nil {
				t.Fatalf("stored before anything was fetched: %v, %v", snap, err)
			}
			one := update(t, src)
			if one.Commit != first || one.Name != "refs/heads/main" || one.Ref != "main" || one.URL != s.repoURL() {
				t.Errorf("snapshot is %+v", one)
			}
			if one.Message != "first\n\nwith a body\n" || one.Time.Format("2006-01-02T15:04:05Z07:00") != "2026-01-02T03:04:05Z" {
				t.Errorf("commit is %q at %s", one.Message, one.Time)
			}
			wantChanges(t, nil, one, "+a.yaml", "+dir/b.yaml")
			if again := update(t, src); again != one {
				t.Error("nothing moved, but there is another snapshot")
			}
			second := r.push("second", "a.yaml", "", "dir/b.yaml", "3", "dir/c.yaml", "4")
			two := update(t, src)
			if two.Commit != second {
				t.Fatalf("commit is %s, want %s", two.Commit, second)
			}
			wantChanges(t, one, two, "-a.yaml", "~dir/b.yaml", "+dir/c.yaml")
			wantFile(t, two, "dir/b.yaml", "3")
			wantFile(t, one, "dir/b.yaml", "2")
			if found, err := src.Contains(context.Background(), second, first); err != nil || !found {
				t.Errorf("contains: %t, %v", found, err)
			}
			if found, err := src.Contains(context.Background(), first, second); err != nil || found {
				t.Errorf("contains the other way: %t, %v", found, err)
			}
			if found, err := src.Contains(context.Background(), second, strings.Repeat("0", 40)); err != nil || found {
				t.Errorf("contains an unknown commit: %t, %v", found, err)
			}
		})
	}
}

func TestNothingMovedIsOneRequest(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	dir := openDir(t)
	src := open(t, Options{Dir: dir, URL: s.repoURL()})
	one := update(t, src)
	before := listing(t, dir.path)
	s.requests.Store(0)
	if update(t, src) != one {
		t.Error("another snapshot")
	}
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
	if after := listing(t, dir.path); after != before {
		t.Errorf("files were written:\n%s\n%s", before, after)
	}
}

// The cost of a poll does not grow with the refs of the repository.
func TestNothingMovedAllocatesNoMoreForMoreRefs(t *testing.T) {
	small, large := allocations(t, 10), allocations(t, 5_000)
	if large > small+50 {
		t.Errorf("%v allocations with 10 refs, %v with 5000", small, large)
	}
}

func allocations(t *testing.T, refs int) float64 {
	var adv []byte
	for i := range refs {
		list := ""
		if i == 0 {
			list = "\x00side-band-64k"
		}
		adv = appendPkt(adv, "%040x refs/heads/branch-%d%s\n", i+1, i, list)
	}
	adv = append(adv, flushPkt...)
	return testing.AllocsPerRun(10, func() {
		res := &resolver{spec: refSpec{name: "branch-7"}}
		if _, err := readRefs(bytes.NewReader(adv), res); err != nil {
			t.Fatal(err)
		}
		if _, err := res.result(); err != nil {
			t.Fatal(err)
		}
	})
}

// listing shows all files below a folder with size and time.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	must(t, filepath.Walk(dir, func(name string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			fmt.Fprintln(&b, name, info.Size(), info.ModTime())
		}
		return err
	}))
	return b.String()
}

func TestShallowFetchTransfersOnlyTheDifference(t *testing.T) {
	r := newRepo(t)
	// Incompressible, so that it shows when it travels again.
	noise := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(noise)
	r.push("first", "noise.bin", string(noise), "a.yaml", "1")
	// A branch from before what the mirror will know, with history of its own.
	r.git("checkout", "-q", "-b", "side")
	more := make([]byte, 1<<20)
	random.Read(more)
	r.commit("on the side", "old.bin", string(more))
	r.commit("on the side again", "old.bin", "", "side.yaml", "1")
	r.git("checkout", "-q", "main")
	r.push("second", "a.yaml", "2")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL()})
	one := update(t, src)

	s.sent.Store(0)
	r.push("third", "a.yaml", "3")
	two := update(t, src)
	wantChanges(t, one, two, "~a.yaml")
	if n := s.sent.Load(); n > 4<<10 {
		t.Errorf("%d bytes for one changed file", n)
	}

	s.sent.Store(0)
	r.git("merge", "-q", "--no-edit", "side")
	r.push("after the merge", "a.yaml", "4")
	three := update(t, src)
	wantChanges(t, two, three, "~a.yaml", "+side.yaml")
	if n := s.sent.Load(); n > 8<<10 {
		t.Errorf("%d bytes for a merge: history behind the mirror came along", n)
	}
}

// moves are what people do to branches.
func TestMirrorSurvivesWhatPeopleDo(t *testing.T) {
	for _, history := range []bool{false, true} {
		t.Run(fmt.Sprintf("history=%t", history), func(t *testing.T) {
			r := newRepo(t)
			first := r.push("first", "a.yaml", "1")
			second := r.push("second", "a.yaml", "2")
			s := newServer(t, r)
			src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Ref: "main", History: history})
			before := update(t, src)

			r.git("reset", "-q", "--hard", first)
			r.git("push", "-q", "-f", "origin", "main")
			rewound := update(t, src)
			if rewound.Commit != first {
				t.Errorf("after a rewind: %s", rewound.Commit)
			}
			wantChanges(t, before, rewound, "~a.yaml")
			if found, _ := src.Contains(context.Background(), second, first); history && !found {
				t.Error("a rewind cannot be told")
			}

			forced := r.push("another second", "a.yaml", "other")
			if snap := update(t, src); snap.Commit != forced {
				t.Errorf("after a forced push: %s", snap.Commit)
			}

			r.git("checkout", "-q", "--orphan", "fresh")
			orphan := r.commit("unrelated", "a.yaml", "fresh")
			r.git("push", "-q", "-f", "origin", "fresh:main")
			last := update(t, src)
			if last.Commit != orphan {
				t.Errorf("after unrelated history: %s", last.Commit)
			}

			runGit(t, r.bare, "update-ref", "-d", "refs/heads/main")
			updateError(t, src, schema.Waiting, "empty")
			r.git("push", "-q", "origin", "fresh:other")
			updateError(t, src, schema.Terminal, "no branch", "branches are: other")
			wantFile(t, last, "a.yaml", "fresh")
			r.git("push", "-q", "origin", "fresh:main")
			if snap := update(t, src); snap != last {
				t.Error("recreated at the same commit, but another snapshot")
			}
		})
	}
}

func TestEmptyRepositoryWaits(t *testing.T) {
	r := newRepo(t)
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL()})
	updateError(t, src, schema.Waiting, "empty", "push a first commit")
	first := r.push("first", "a.yaml", "1")
	if snap := update(t, src); snap.Commit != first {
		t.Errorf("commit is %s", snap.Commit)
	}
}

func TestHeadWithoutCommit(t *testing.T) {
	r := newRepo(t)
	r.commit("first", "a.yaml", "1")
	r.git("push", "-q", "origin", "HEAD:trunk")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL()})
	updateError(t, src, schema.Terminal, "HEAD", "branches are: trunk")
}

func TestStoredAfterRestart(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	path := filepath.Join(t.TempDir(), "data")
	withDir(t, path, func(d *Dir) {
		src := open(t, Options{Dir: d, URL: s.repoURL(), Ref: "main"})
		update(t, src)
		must(t, src.Close())
	})
	s.setHandle(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	withDir(t, path, func(d *Dir) {
		src := open(t, Options{Dir: d, URL: s.repoURL(), Ref: "main"})
		defer src.Close()
		stored, err := src.Stored(context.Background())
		must(t, err)
		if stored.Commit != first || stored.Name != "refs/heads/main" {
			t.Errorf("stored is %+v", stored)
		}
		wantFile(t, stored, "a.yaml", "1")
		updateError(t, src, schema.Transient, "502")
		s.setHandle(nil)
		if snap := update(t, src); snap != stored {
			t.Error("nothing moved since, but another snapshot")
		}
	})
}

func withDir(t *testing.T, path string, do func(*Dir)) {
	t.Helper()
	d, err := OpenDir(path)
	must(t, err)
	defer d.Close()
	do(d)
}

// Each case damages the mirror of a stopped process in one way.
var damages = map[string]func(t *testing.T, gen string){
	"truncated pack": func(t *testing.T, gen string) {
		must(t, os.Truncate(onePack(t, gen, "pack"), 40))
	},
	"empty pack": func(t *testing.T, gen string) {
		must(t, os.Truncate(onePack(t, gen, "pack"), 0))
	},
	"no index": func(t *testing.T, gen string) {
		must(t, os.Remove(onePack(t, gen, "idx")))
	},
	"no pack": func(t *testing.T, gen string) {
		must(t, os.Remove(onePack(t, gen, "pack")))
	},
	"garbage in index": func(t *testing.T, gen string) {
		scramble(t, onePack(t, gen, "idx"), 1000, 100)
	},
	"garbage in FETCH_HEAD": func(t *testing.T, gen string) {
		must(t, os.WriteFile(filepath.Join(gen, fetchHead), []byte("garbage\x00"), 0o600))
	},
	"hostile name in FETCH_HEAD": func(t *testing.T, gen string) {
		must(t, os.WriteFile(filepath.Join(gen, fetchHead), []byte(strings.Repeat("1", 40)+"\t\t../../x\n"), 0o600))
	},
	"empty FETCH_HEAD": func(t *testing.T, gen string) {
		must(t, os.WriteFile(filepath.Join(gen, fetchHead), nil, 0o600))
	},
	"other commit in FETCH_HEAD": func(t *testing.T, gen string) {
		must(t, os.WriteFile(filepath.Join(gen, fetchHead), []byte(strings.Repeat("1", 40)+"\t\trefs/heads/main\n"), 0o600))
	},
	"garbage in shallow": func(t *testing.T, gen string) {
		must(t, os.WriteFile(filepath.Join(gen, shallowFile), []byte("garbage\n"), 0o600))
	},
	"no objects": func(t *testing.T, gen string) {
		must(t, os.RemoveAll(filepath.Join(gen, "objects")))
	},
}

func TestDamagedMirrorIsFetchedAgain(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1", "dir/b.yaml", "2")
	s := newServer(t, r)
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data")
			var gen string
			withDir(t, path, func(d *Dir) {
				src := open(t, Options{Dir: d, URL: s.repoURL()})
				update(t, src)
				gen = currentFolder(src)
				must(t, src.Close())
			})
			damage(t, gen)
			withDir(t, path, func(d *Dir) {
				var log bytes.Buffer
				src := open(t, Options{Dir: d, URL: s.repoURL(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
				defer src.Close()
				if stored, err := src.Stored(context.Background()); stored != nil || err != nil {
					t.Errorf("stored is %v, %v", stored, err)
				}
				snap := update(t, src)
				if snap.Commit != first {
					t.Errorf("commit is %s", snap.Commit)
				}
				wantFile(t, snap, "dir/b.yaml", "2")
				update(t, src)
				if n := strings.Count(log.String(), "level=WARN"); n != 1 {
					t.Errorf("said %d times:\n%s", n, log.String())
				}
			})
		})
	}
}

func TestMirrorDamagedWhileInUse(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, gen string){
		"flipped bits":   func(t *testing.T, gen string) { scramble(t, onePack(t, gen, "pack"), 12, -20) },
		"truncated pack": damages["truncated pack"],
		"no objects":     damages["no objects"],
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t)
			r.push("first", "a.yaml", "some content that is long enough")
			s := newServer(t, r)
			src := open(t, Options{Dir: openDir(t), URL: s.repoURL()})
			one := update(t, src)
			var blob sources.Hash
			must(t, one.Tree.Diff(context.Background(), nil, nil, func(c sources.Change) error {
				blob = c.After
				return nil
			}))
			damage(t, currentFolder(src))
			src.(*follower).repo.(*remote).mirror.current.objects.release()
			_, err := one.Tree.Read(context.Background(), blob, 1000)
			wantError(t, err, schema.Transient)
			two := update(t, src)
			if two == one || two.Commit != one.Commit {
				t.Errorf("snapshot is %v, was %v", two, one)
			}
			wantFile(t, two, "a.yaml", "some content that is long enough")
			wantChanges(t, two, two)
		})
	}
}

func currentFolder(src sources.Source) string {
	return src.(*follower).repo.(*remote).mirror.current.folder
}

func onePack(t *testing.T, gen, ext string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(packFolder(gen), "*."+ext))
	must(t, err)
	if len(names) == 0 {
		t.Fatalf("no %s in %s", ext, gen)
	}
	return names[0]
}

// scramble flips bits from one position to another; negative counts from the end.
func scramble(t *testing.T, name string, from, to int) {
	t.Helper()
	data, err := os.ReadFile(name)
	must(t, err)
	if to <= 0 {
		to += len(data)
	} else {
		to += from
	}
	for i := from; i < min(to, len(data)); i++ {
		data[i] ^= 0xff
	}
	must(t, os.WriteFile(name, data, 0o600))
}

// A fetch that was killed leaves a generation without FETCH_HEAD, or a
// half-written pack; neither is damage worth a word.
func TestLeftoversOfAKilledFetch(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	path := filepath.Join(t.TempDir(), "data")
	var gen string
	withDir(t, path, func(d *Dir) {
		src := open(t, Options{Dir: d, URL: s.repoURL()})
		update(t, src)
		gen = currentFolder(src)
		must(t, src.Close())
	})
	half := filepath.Join(packFolder(gen), "tmp_pack_123")
	must(t, os.WriteFile(half, []byte("PACK"), 0o600))
	unfinished, err := newGeneration(filepath.Join(filepath.Dir(gen), "7"))
	must(t, err)
	withDir(t, path, func(d *Dir) {
		var log bytes.Buffer
		src := open(t, Options{Dir: d, URL: s.repoURL(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer src.Close()
		stored, err := src.Stored(context.Background())
		must(t, err)
		if stored == nil || stored.Commit != first {
			t.Errorf("stored is %v", stored)
		}
		if fileExists(half) || fileExists(unfinished.folder) {
			t.Error("leftovers are still there")
		}
		if log.Len() > 0 {
			t.Errorf("said:\n%s", log.String())
		}
	})
}

func TestTooManyPacksStartANewGeneration(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "0")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL()})
	first := update(t, src)
	folder := currentFolder(src)
	snaps := []*sources.Snapshot{first}
	for i := range maxPacks + 1 {
		r.push("next", "a.yaml", fmt.Sprint("content ", i))
		snaps = append(snaps, update(t, src))
	}
	now := currentFolder(src)
	if now == folder {
		t.Error("still the same generation")
	}
	if packs, _ := filepath.Glob(filepath.Join(packFolder(now), "*.pack")); len(packs) > 3 {
		t.Errorf("%d packs", len(packs))
	}
	for i, snap := range snaps {
		want := "0"
		if i > 0 {
			want = fmt.Sprint("content ", i-1)
		}
		wantFile(t, snap, "a.yaml", want)
	}
	wantChanges(t, first, snaps[len(snaps)-1], "~a.yaml")
}

func TestPackLimit(t *testing.T) {
	r := newRepo(t)
	noise := make([]byte, 200<<10)
	random := rand.NewChaCha8([32]byte{2})
	random.Read(noise)
	r.push("first", "noise.bin", string(noise))
	s := newServer(t, r)
	dir := openDir(t)
	src := open(t, Options{Dir: dir, URL: s.repoURL(), MaxPack: 100 << 10})
	updateError(t, src, schema.Terminal, "too large")
	s.requests.Store(0)
	updateError(t, src, schema.Terminal, "too large")
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d requests to be refused again", n)
	}
	r.push("second", "noise.bin", "", "a.yaml", "1")
	update(t, src)
}

func TestMirrorIsAGitRepository(t *testing.T) {
	r := newRepo(t)
	commit := r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL()})
	update(t, src)
	r.push("second", "a.yaml", "2")
	update(t, src)
	gen := currentFolder(src)
	runGit(t, gen, "fsck", "--full", "--strict")
	if out := runGit(t, gen, "cat-file", "-p", commit+":a.yaml"); out != "1" {
		t.Errorf("git reads %q", out)
	}
	if out := runGit(t, gen, "show", "FETCH_HEAD:a.yaml"); out != "2" {
		t.Errorf("git reads %q", out)
	}
}
