package git

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

// pull makes the head of a pull request: commits on a branch from a start.
func (r *repo) pull(number int, start string, files ...string) string {
	r.t.Helper()
	r.git("checkout", "-q", "--detach", start)
	head := r.commit(fmt.Sprint("pull ", number), files...)
	r.git("push", "-q", "-f", "origin", fmt.Sprintf("HEAD:refs/pull/%d/head", number))
	r.git("checkout", "-q", "main")
	return head
}

func at(t testing.TB, s sources.Source, ref string) *sources.Snapshot {
	t.Helper()
	snap, err := s.At(context.Background(), ref)
	must(t, err)
	return snap
}

func atError(t testing.TB, s sources.Source, ref string, kind schema.ErrorKind, parts ...string) {
	t.Helper()
	snap, err := s.At(context.Background(), ref)
	if err == nil {
		t.Fatalf("%s is %s", ref, snap.Commit)
	}
	wantError(t, err, kind, parts...)
}

func TestAtAndMergeBase(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1", "dir/b.yaml", "1")
	second := r.push("second", "a.yaml", "2")
	head := r.pull(7, first, "dir/b.yaml", "changed", "c.yaml", "new")
	r.git("push", "-q", "origin", head+":refs/heads/topic/x")
	r.git("tag", "-a", "-m", "annotated", "v1", first)
	r.git("push", "-q", "origin", "v1")
	http, ssh := newServer(t, r), newSSHServer(t)
	login := fixed(Credential{SSHKey: ssh.key, KnownHosts: ssh.knownHosts(t, ssh.host)})
	for name, opts := range map[string]Options{
		"http":  {Dir: openDir(t), URL: http.repoURL(), Ref: "main", History: true},
		"ssh":   {Dir: openDir(t), URL: ssh.url(r.bare), Ref: "main", History: true, Credentials: login},
		"local": {URL: r.bare, Ref: "main"},
	} {
		t.Run(name, func(t *testing.T) {
			src := open(t, opts)
			base := update(t, src)
			for ref, want := range map[string]string{
				"refs/pull/7/head": head, "topic/x": head, "refs/heads/topic/x": head, head: head,
				"v1": first, "main": second, first: first,
			} {
				snap := at(t, src, ref)
				if snap.Commit != want || snap.Ref != ref || snap.URL != base.URL || snap.Author != "Ada" {
					t.Errorf("%s: %+v", ref, snap)
				}
			}
			snap := at(t, src, "refs/pull/7/head")
			if snap.Name != "refs/pull/7/head" || snap.Message != "pull 7\n" {
				t.Errorf("snapshot is %+v", snap)
			}
			wantChanges(t, base, snap, "~a.yaml", "+c.yaml", "~dir/b.yaml")
			wantFile(t, snap, "c.yaml", "new")
			wantMergeBase(t, src, base.Commit, head, first)
			wantMergeBase(t, src, head, base.Commit, first)
			if update(t, src) != base {
				t.Error("what is followed changed")
			}
			for commit, want := range map[string]bool{head: true, first: true, strings.Repeat("a", 40): false, "main": false} {
				if here, err := src.Here(context.Background(), commit); err != nil || (here != nil && here.Commit == commit) != want {
					t.Errorf("of %s there is %v, %v", commit, here, err)
				}
			}
			wantFile(t, snap, "c.yaml", "new")
			atError(t, src, "refs/pull/8/head", schema.Terminal, "no branch, tag or version matches")
			atError(t, src, strings.Repeat("a", 40), schema.Terminal, "no commit", "check the commit hash")
			atError(t, src, "a..b", schema.Invalid)
			must(t, src.Close())
			atError(t, src, "main", schema.Terminal, "closed")
		})
	}
}

// What is looked at beside travels once, and only what is missing of it.
func TestAtFetchesWhatIsMissing(t *testing.T) {
	r := newRepo(t)
	noise := make([]byte, 200<<10)
	rand.NewChaCha8([32]byte{3}).Read(noise)
	first := r.push("first", "noise.bin", string(noise), "a.yaml", "1")
	head := r.pull(7, first, "a.yaml", "2")
	s := newServer(t, r)
	for _, history := range []bool{true, false} {
		src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Ref: "main", History: history})
		atError(t, src, "refs/pull/7/head", schema.Waiting, "not read yet")
		update(t, src)
		if snap, err := src.Here(context.Background(), head); snap != nil || err != nil {
			t.Errorf("history=%t: before it is fetched there is %v, %v", history, snap, err)
		}
		s.sent.Store(0)
		wantFile(t, at(t, src, "refs/pull/7/head"), "a.yaml", "2")
		if n := s.sent.Load(); n > 20<<10 {
			t.Errorf("history=%t: %d bytes travelled", history, n)
		}
		s.requests.Store(0)
		at(t, src, "refs/pull/7/head")
		if n := s.requests.Load(); n != 1 {
			t.Errorf("history=%t: %d requests for what is here", history, n)
		}
		at(t, src, first)
		if n := s.requests.Load(); n != 1 {
			t.Errorf("history=%t: the commit in force was asked for", history)
		}
		snap, err := src.Here(context.Background(), head)
		must(t, err)
		if n := s.requests.Load(); n != 1 || snap == nil || snap.Commit != head {
			t.Errorf("history=%t: what was fetched is %v, after %d requests", history, snap, n)
		}
	}
}

// An app repository is shallow: the head comes alone, and the merge base is known
// only if it is the head itself.
func TestAtWithoutHistory(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	second := r.push("second", "a.yaml", "2")
	head := r.pull(7, first, "b.yaml", "new")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Ref: "main"})
	base := update(t, src)
	snap := at(t, src, "refs/pull/7/head")
	wantChanges(t, base, snap, "~a.yaml", "+b.yaml")
	wantMergeBase(t, src, second, head, "")
	wantMergeBase(t, src, second, second, second)
	next := r.pull(7, head, "b.yaml", "newer")
	if snap := at(t, src, "refs/pull/7/head"); snap.Commit != next {
		t.Errorf("after another push: %s", snap.Commit)
	}
	third := r.push("third", "a.yaml", "3")
	if snap := update(t, src); snap.Commit != third {
		t.Errorf("update: %s", snap.Commit)
	}
	wantFile(t, at(t, src, "refs/pull/7/head"), "a.yaml", "1")
	runGit(t, asideFolders(t, src)[0], "fsck", "--connectivity-only")
}

// asideFolders lists the asides of a mirror.
func asideFolders(t *testing.T, src sources.Source) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(currentFolder(src), asideFolder, "*"))
	must(t, err)
	return found
}

// Thousands of pull requests leave two asides, and the mirror as it was.
func TestAsidesAreBounded(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "0")
	const many = 2*maxPacks + 5
	var stream strings.Builder
	for i := range many {
		fmt.Fprintf(&stream, "commit refs/pull/%d/head\ncommitter Ada <ada@example.org> 1700000000 +0000\ndata 4\npull\nfrom %s\n", i, first)
		fmt.Fprintf(&stream, "M 644 inline a.yaml\ndata %d\npull %d\n", len(fmt.Sprint("pull ", i)), i)
	}
	runGitWith(t, r.bare, stream.String(), "fast-import", "--quiet")
	s := newServer(t, r)
	path := filepath.Join(t.TempDir(), "data")
	withDir(t, path, func(d *Dir) {
		src := open(t, Options{Dir: d, URL: s.repoURL(), Ref: "main", History: true})
		defer src.Close()
		update(t, src)
		var snaps []*sources.Snapshot
		for i := range many {
			snaps = append(snaps, at(t, src, fmt.Sprintf("refs/pull/%d/head", i)))
			wantMergeBase(t, src, snaps[i].Commit, first, first)
		}
		if found := asideFolders(t, src); len(found) != 2 {
			t.Errorf("asides are %q", found)
		}
		if packs, _ := filepath.Glob(filepath.Join(packFolder(currentFolder(src)), "*.pack")); len(packs) != 1 {
			t.Errorf("the mirror has packs %q", packs)
		}
		for i, snap := range snaps[len(snaps)-maxPacks:] {
			wantFile(t, snap, "a.yaml", fmt.Sprint("pull ", len(snaps)-maxPacks+i))
		}
		wantFile(t, at(t, src, snaps[0].Commit), "a.yaml", "pull 0") // it comes again
	})
	withDir(t, path, func(d *Dir) {
		src := open(t, Options{Dir: d, URL: s.repoURL(), Ref: "main", History: true})
		defer src.Close()
		if stored, err := src.Stored(context.Background()); err != nil || stored.Commit != first {
			t.Errorf("stored is %v, %v", stored, err)
		}
		if found := asideFolders(t, src); len(found) > 0 {
			t.Errorf("after a restart there are still %q", found)
		}
		wantFile(t, at(t, src, "refs/pull/3/head"), "a.yaml", "pull 3")
	})
}

// While a server keeps one call waiting, the other goes on, and the other way
// round.
func TestAtAndUpdateDoNotWaitForEachOther(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	head := r.pull(7, first, "a.yaml", "2")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Ref: "main", History: true})
	update(t, src)
	ctx := context.Background()
	both := []func() error{
		func() error { _, err := src.Update(ctx); return err },
		func() error { _, err := src.At(ctx, "refs/pull/7/head"); return err },
	}
	for range 2 {
		arrived, release := make(chan bool), make(chan bool)
		s.setHandle(func(http.ResponseWriter, *http.Request) bool {
			s.setHandle(nil)
			close(arrived)
			<-release
			return false
		})
		slow := make(chan error)
		go func() { slow <- both[0]() }()
		<-arrived
		must(t, both[1]())
		close(release)
		must(t, <-slow)
		slices.Reverse(both)
	}
	second := r.push("second", "a.yaml", "3")
	if snap := update(t, src); snap.Commit != second {
		t.Errorf("update: %s", snap.Commit)
	}
	wantMergeBase(t, src, second, head, first)
	newer := r.pull(8, second, "a.yaml", "4")
	at(t, src, "refs/pull/8/head")
	wantMergeBase(t, src, second, newer, second)
	wantMergeBase(t, src, head, newer, first)
}

func TestAtAfterTheMirrorBeganAnew(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "some content that is long enough")
	r.pull(7, first, "b.yaml", "2")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Ref: "main", History: true})
	update(t, src)
	old := at(t, src, "refs/pull/7/head")
	remote := src.(*follower).repo.(*remote)
	remote.stale = true
	remote.publish()
	atError(t, src, "refs/pull/7/head", schema.Transient, "damaged")
	update(t, src)
	snap := at(t, src, "refs/pull/7/head")
	wantFile(t, snap, "b.yaml", "2")
	wantFile(t, old, "b.yaml", "2")
	wantChanges(t, old, snap)
}

// What is looked at now and then is not kept in memory until then.
func TestAsidesAreReleased(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	r.pull(7, first, "b.yaml", "2")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Ref: "main", History: true})
	update(t, src)
	snap := at(t, src, "refs/pull/7/head")
	o := src.(*follower).repo.(*remote).asides.current.objects
	if wantFile(t, snap, "b.yaml", "2"); o.stores == nil {
		t.Error("nothing is kept between reads")
	}
	if update(t, src); o.stores != nil {
		t.Error("it is still kept after an update")
	}
	wantFile(t, snap, "b.yaml", "2")
}

// A damaged aside is thrown away, and the mirror looks at itself.
func TestDamagedAsideIsFetchedAgain(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "some content that is long enough")
	r.pull(7, first, "b.yaml", "more content that is long enough")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Ref: "main", History: true})
	base := update(t, src)
	at(t, src, "refs/pull/7/head")
	scramble(t, onePack(t, asideFolders(t, src)[0], "pack"), 12, -20)
	src.(*follower).repo.(*remote).asides.current.objects.release()
	_, err := src.At(context.Background(), "refs/pull/7/head")
	wantError(t, err, schema.Transient)
	wantFile(t, at(t, src, "refs/pull/7/head"), "b.yaml", "more content that is long enough")
	wantFile(t, base, "a.yaml", "some content that is long enough")
	wantFile(t, update(t, src), "a.yaml", "some content that is long enough")
}

func TestAtOfHostileHeads(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	noise := make([]byte, 200<<10)
	rand.NewChaCha8([32]byte{4}).Read(noise)
	r.pull(7, first, "noise.bin", string(noise))
	r.git("push", "-q", "origin", r.git("rev-parse", "HEAD:a.yaml")+":refs/pull/8/head")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Ref: "main", History: true, MaxPack: 100 << 10})
	base := update(t, src)
	atError(t, src, "refs/pull/7/head", schema.Terminal, "too large")
	s.requests.Store(0)
	atError(t, src, "refs/pull/7/head", schema.Terminal, "too large")
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d requests to be refused again", n)
	}
	atError(t, src, "refs/pull/8/head", schema.Invalid, "not acceptable")
	r.pull(9, first, "b.yaml", "2")
	wantFile(t, at(t, src, "refs/pull/9/head"), "b.yaml", "2")
	if update(t, src) != base {
		t.Error("what is followed changed")
	}
	leftovers, err := filepath.Glob(filepath.Join(packFolder(asideFolders(t, src)[0]), "tmp_*"))
	must(t, err)
	if len(leftovers) > 0 {
		t.Errorf("left behind: %q", leftovers)
	}
}

func TestRefusedHeadsAreBounded(t *testing.T) {
	var a asides
	for i := range 3 * maxRefused {
		a.refuse(target{name: fmt.Sprint(i)}, errTooLarge)
	}
	a.refuse(target{name: "away"}, os.ErrNotExist)
	if len(a.refused) != maxRefused || a.refused[maxRefused-1].target.name != fmt.Sprint(3*maxRefused-1) {
		t.Errorf("%d are remembered, the last is %+v", len(a.refused), a.refused[len(a.refused)-1])
	}
}

func TestAFolderHasNoRefs(t *testing.T) {
	src, err := Folder(t.TempDir())
	must(t, err)
	defer src.Close()
	atError(t, src, "main", schema.Terminal, "no refs")
	wantMergeBase(t, src, strings.Repeat("a", 40), strings.Repeat("a", 40), "")
}
