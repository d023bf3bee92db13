package git

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

// tangled pushes a history with merges, by several authors.
func tangled(t *testing.T) *repo {
	r := newRepo(t)
	commit := func(author, message string) {
		r.git("commit", "-q", "--allow-empty", "--author", author+" <someone@example.org>", "-m", message)
	}
	r.commit("first")
	for i := range 3 {
		side := fmt.Sprint("side-", i)
		commit("Grace", fmt.Sprintf("main %d\n\nwith a body", i))
		r.git("checkout", "-q", "-b", side)
		commit("Alan", side)
		r.git("checkout", "-q", "main")
		commit("Edsger W.", "between")
		r.git("merge", "-q", "--no-ff", "-m", "merge "+side, side)
	}
	r.git("push", "-q", "origin", "main")
	return r
}

// gitHistory is what git itself tells of a history.
func gitHistory(t *testing.T, dir, commit string) []string {
	t.Helper()
	out := runGit(t, dir, "log", "--first-parent", "--format=%H|%an|%cI|%s", commit)
	return strings.Split(strings.ReplaceAll(out, "+00:00", "Z"), "\n")
}

func historyOf(t *testing.T, src sources.Source, commit string, n int) []string {
	t.Helper()
	found, err := src.History(context.Background(), commit, n)
	must(t, err)
	var out []string
	for _, c := range found {
		out = append(out, strings.Join([]string{c.Hash, c.Author, c.Time.Format(time.RFC3339), c.Message}, "|"))
	}
	return out
}

func TestHistoryIsWhatGitTells(t *testing.T) {
	r := tangled(t)
	s := newServer(t, r)
	worktree := filepath.Join(t.TempDir(), "linked")
	r.git("worktree", "add", "-q", "--detach", worktree, "HEAD")
	for name, opts := range map[string]Options{
		"mirror":          {Dir: openDir(t), URL: s.repoURL(), History: true},
		"bare":            {URL: r.bare},
		"linked worktree": {URL: worktree},
	} {
		t.Run(name, func(t *testing.T) {
			src := open(t, opts)
			if got := historyOf(t, src, r.git("rev-parse", "HEAD"), 5); len(got) > 0 {
				t.Errorf("before anything was read: %q", got)
			}
			head := update(t, src)
			want := gitHistory(t, r.dir, head.Commit)
			if len(want) < 10 {
				t.Fatalf("git tells of %d commits", len(want))
			}
			if got := historyOf(t, src, head.Commit, 100); !slices.Equal(got, want) {
				t.Errorf("history is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if got := historyOf(t, src, head.Commit, 3); !slices.Equal(got, want[:3]) {
				t.Errorf("three commits are %q", got)
			}
			side := r.git("rev-parse", "side-1")
			if got, want := historyOf(t, src, side, 100), gitHistory(t, r.dir, side); !slices.Equal(got, want) {
				t.Errorf("from a side branch: %q", got)
			}
			for _, none := range []string{"", "main", head.Commit[:7], strings.Repeat("0", 40), strings.Repeat("a", 40)} {
				if got := historyOf(t, src, none, 100); len(got) > 0 {
					t.Errorf("history of %q is %q", none, got)
				}
			}
			for _, n := range []int{0, -1} {
				if got := historyOf(t, src, head.Commit, n); len(got) > 0 {
					t.Errorf("%d commits are %q", n, got)
				}
			}
			if want := strings.Split(want[0], "|")[1]; head.Author != want {
				t.Errorf("author of the snapshot is %q, want %q", head.Author, want)
			}
			if update(t, src) != head {
				t.Error("asking for what is not there made the repository be read again")
			}
		})
	}
}

func TestHistoryEndsWhereItIsShallow(t *testing.T) {
	r := tangled(t)
	s := newServer(t, r)
	shallow := filepath.Join(t.TempDir(), "shallow.git")
	runGit(t, r.dir, "clone", "-q", "--bare", "--depth", "3", "file://"+r.bare, shallow)
	for name, test := range map[string]struct {
		opts Options
		want int
	}{
		"mirror without history": {Options{Dir: openDir(t), URL: s.repoURL()}, 1},
		"shallow clone":          {Options{URL: shallow}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			src := open(t, test.opts)
			head := update(t, src)
			if got, want := historyOf(t, src, head.Commit, 100), gitHistory(t, r.dir, head.Commit)[:test.want]; !slices.Equal(got, want) {
				t.Errorf("history is %q, want %q", got, want)
			}
		})
	}
}

func TestHistoryIsBounded(t *testing.T) {
	r := newRepo(t)
	var stream strings.Builder
	for i := range sources.MaxHistory + 5 {
		fmt.Fprintf(&stream, "commit refs/heads/main\ncommitter Ada <ada@example.org> %d +0000\ndata 1\nx\n", 1_700_000_000+i)
	}
	runGitWith(t, r.bare, stream.String(), "fast-import", "--quiet")
	src := open(t, Options{URL: r.bare})
	head := update(t, src).Commit
	want := gitHistory(t, r.bare, head)[:sources.MaxHistory]
	if got := historyOf(t, src, head, 1<<30); !slices.Equal(got, want) {
		t.Errorf("%d commits, want the first %d", len(got), len(want))
	}
}

func TestHistoryOfDamagedObjects(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	second := r.push("second", "a.yaml", "2")
	src := open(t, Options{URL: r.bare})
	update(t, src)
	object := filepath.Join(r.bare, "objects", first[:2], first[2:])
	must(t, os.Chmod(object, 0o600))
	must(t, os.WriteFile(object, []byte("garbage"), 0o600))
	if found, err := src.History(context.Background(), second, 100); err == nil {
		t.Errorf("history is %v", found)
	} else {
		wantError(t, err, schema.Transient, "damaged", first)
	}
}

// The mirror is read again when its history turns out to be damaged.
func TestHistoryOfADamagedMirrorIsMended(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "some content that is long enough")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), History: true})
	update(t, src)
	scramble(t, onePack(t, currentFolder(src), "pack"), 12, -20)
	src.(*follower).repo.(*remote).mirror.current.objects.release()
	if found, err := src.History(context.Background(), first, 100); err == nil {
		t.Errorf("history is %v", found)
	}
	update(t, src)
	if got := historyOf(t, src, first, 100); len(got) != 1 {
		t.Errorf("history is %q", got)
	}
}

func TestHistoryOfHostileCommits(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	tree := r.git("rev-parse", "HEAD^{tree}")
	blob := r.git("rev-parse", "HEAD:a.yaml")
	src := open(t, Options{URL: r.bare})
	update(t, src)
	const when = " 1700000000 +0000"
	for name, test := range map[string]struct {
		text string
		want string // author|year|message; empty: an error
	}{
		"an escape":          {"author \x1b[31mAda <a@b>" + when + "\ncommitter A <a@b>" + when + "\n\n\x1b]0;title\x07x\n", "[31mAda|2023|]0;titlex"},
		"a long name":        {"author " + strings.Repeat("é", 5000) + " <a@b>" + when + "\ncommitter A <a@b>" + when + "\n\nx", strings.Repeat("é", 120) + "…|2023|x"},
		"a long message":     {"author A <a@b>" + when + "\ncommitter A <a@b>" + when + "\n\n" + strings.Repeat("x", 1<<20), "A|2023|" + strings.Repeat("x", 120) + "…"},
		"no UTF-8":           {"author caf\xe9 <a@b>" + when + "\ncommitter A <a@b>" + when + "\nencoding ISO-8859-1\n\ncaf\xe9", "caf\uFFFD|2023|caf\uFFFD"},
		"two addresses":      {"author Ada <a@b> <c@d>" + when + "\ncommitter A <a@b>" + when + "\n\nx", "Ada|2023|x"},
		"no name":            {"author <a@b>" + when + "\ncommitter A <a@b>" + when + "\n\nx", "|2023|x"},
		"no brackets":        {"author ada@example.org\ncommitter ada\n\nx", "|1|x"},
		"a time out of time": {"author A <a@b>" + when + "\ncommitter A <a@b> 9223372036854775807 +0000\n\nx", "A|1|x"},
		"a negative time":    {"author A <a@b>" + when + "\ncommitter A <a@b> -99999999999999 +0000\n\nx", "A|1|x"},
		"nothing more":       {"", "|1|"},
		"a parent no commit": {"parent " + blob + "\nauthor A <a@b>" + when + "\ncommitter A <a@b>" + when + "\n\nx", ""},
		"a parent not here":  {"parent " + strings.Repeat("b", 40) + "\nauthor A <a@b>" + when + "\ncommitter A <a@b>" + when + "\n\nx", "A|2023|x"},
	} {
		t.Run(name, func(t *testing.T) {
			commit := runGitWith(t, r.bare, "tree "+tree+"\n"+test.text, "hash-object", "-t", "commit", "-w", "--literally", "--stdin")
			found, err := src.History(context.Background(), commit, 100)
			if test.want == "" {
				wantError(t, err, schema.Invalid, blob)
				return
			}
			must(t, err)
			if len(found) != 1 || found[0].Hash != commit {
				t.Fatalf("history is %+v", found)
			}
			if got := fmt.Sprintf("%s|%d|%s", found[0].Author, found[0].Time.Year(), found[0].Message); got != test.want {
				t.Errorf("commit is %q, want %q", got, test.want)
			}
		})
	}
}

func TestHistoryEndsWithItsContext(t *testing.T) {
	r := newRepo(t)
	commit := r.push("first", "a.yaml", "1")
	src := open(t, Options{URL: r.bare})
	update(t, src)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if found, err := src.History(ctx, commit, 100); err == nil {
		t.Errorf("history is %v", found)
	}
	must(t, src.Close())
	_, err := src.History(context.Background(), commit, 100)
	wantError(t, err, schema.Terminal, "closed")
}

func TestWhatIsHereIsReadWhileTheServerHangs(t *testing.T) {
	r := newRepo(t)
	first := r.push("first")
	second := r.push("second")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), History: true})
	_, err := src.Update(context.Background())
	must(t, err)
	asked := make(chan struct{}, 1)
	s.setHandle(func(_ http.ResponseWriter, req *http.Request) bool {
		asked <- struct{}{}
		<-req.Context().Done()
		return true
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := src.Update(ctx)
		ended <- err
	}()
	<-asked
	look, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	if found, err := src.Contains(look, second, first); err != nil || !found {
		t.Errorf("contains: %v, %v", found, err)
	}
	if found, err := src.History(look, second, 2); err != nil || len(found) != 2 {
		t.Errorf("history: %v, %v", found, err)
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("the update ended well")
	}
}
