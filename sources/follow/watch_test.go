package follow

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/berthdev/berth/internal/dockertest"
)

// runGit runs the git binary in a folder, without the machine's configuration.
func runGit(t *testing.T, dir string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		dockertest.Unavailable(t, "git is not installed")
	}
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// soon fails the test if nothing comes.
func soon(t *testing.T, events <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-events:
	case <-time.After(20 * time.Second):
		t.Fatalf("no event after %s", what)
	}
}

// drain waits until no event came for a while.
func drain(events <-chan struct{}) {
	for {
		select {
		case <-events:
		case <-time.After(10 * settleTime):
			return
		}
	}
}

// events gives what a watcher calls for, until the test ends.
func events(t *testing.T, watch func(ctx context.Context, changed func())) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := make(chan struct{}, 1024)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watch(ctx, func() { out <- struct{}{} })
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return out
}

func watching(t *testing.T, dir string) <-chan struct{} {
	return events(t, func(ctx context.Context, changed func()) {
		watchRefs(ctx, dir, slog.New(slog.DiscardHandler), changed)
	})
}

func TestWatchRefs(t *testing.T) {
	dir := t.TempDir()
	work := filepath.Join(dir, "work")
	bare := filepath.Join(dir, "bare.git")
	linked := filepath.Join(dir, "linked")
	runGit(t, dir, "init", "-q", "-b", "main", work)
	runGit(t, work, "commit", "-q", "--allow-empty", "-m", "first")
	runGit(t, dir, "clone", "-q", "--bare", work, bare)
	runGit(t, work, "worktree", "add", "-q", "-b", "linked", linked)
	runGit(t, work, "remote", "add", "bare", bare)

	for _, at := range []struct {
		name, dir string
	}{{"a working copy", work}, {"a bare repository", bare}, {"a linked worktree", linked}} {
		t.Run(at.name, func(t *testing.T) {
			branch := "topic/" + filepath.Base(at.dir) + "/" + "one"
			seen := watching(t, at.dir)
			soon(t, seen, "the start")
			drain(seen)
			steps := []struct {
				name string
				run  func()
			}{
				{"a commit", func() {
					runGit(t, linked, "commit", "-q", "--allow-empty", "-m", "next")
					runGit(t, linked, "push", "-q", "bare", "linked")
				}},
				{"a branch in a new folder", func() {
					runGit(t, work, "branch", branch)
					runGit(t, work, "push", "-q", "bare", branch)
				}},
				{"a commit to it", func() {
					runGit(t, work, "update-ref", "refs/heads/"+branch, "refs/heads/linked")
					runGit(t, work, "push", "-q", "-f", "bare", branch)
				}},
				{"a tag", func() {
					runGit(t, work, "tag", filepath.Base(at.dir))
					runGit(t, work, "push", "-q", "bare", "--tags")
				}},
				{"packed refs", func() { runGit(t, at.dir, "pack-refs", "--all") }},
				{"another HEAD", func() { runGit(t, at.dir, "symbolic-ref", "HEAD", "refs/heads/"+branch) }},
			}
			for _, step := range steps {
				step.run()
				soon(t, seen, step.name)
				drain(seen)
			}
			if at.dir == bare {
				return
			}
			if err := os.WriteFile(filepath.Join(at.dir, "file"), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			runGit(t, at.dir, "add", "file") // the index is no ref
			select {
			case <-seen:
				t.Error("an event without any ref moved")
			case <-time.After(10 * settleTime):
			}
		})
	}
}

func TestWatchRefsOutlivesTheRepository(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	seen := watching(t, dir) // there is nothing yet
	runGit(t, filepath.Dir(dir), "init", "-q", "-b", "main", dir)
	soon(t, seen, "the repository was made")
	drain(seen)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	drain(seen)
	runGit(t, filepath.Dir(dir), "init", "-q", "-b", "main", dir)
	soon(t, seen, "the repository was made again")
	drain(seen)
	runGit(t, dir, "commit", "-q", "--allow-empty", "-m", "first")
	soon(t, seen, "a commit")
}

func TestABurstOfRefsIsFewEvents(t *testing.T) {
	dir := t.TempDir()
	runGit(t, dir, "init", "-q", "-b", "main", ".")
	seen := watching(t, dir)
	soon(t, seen, "the start")
	drain(seen)
	started := time.Now()
	for i := range 200 {
		name := filepath.Join(dir, ".git", "refs", "heads", "x"+time.Duration(i).String())
		if err := os.WriteFile(name, []byte("0000\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	most := int(time.Since(started)/settleTime) + 3
	time.Sleep(5 * settleTime)
	if n := len(seen); n == 0 || n > most {
		t.Errorf("%d events, want at most %d", n, most)
	}
}

func TestWatchFile(t *testing.T) {
	write := func(t *testing.T, name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	start := func(t *testing.T, name string) <-chan struct{} {
		ready := make(chan struct{})
		seen := events(t, func(ctx context.Context, changed func()) {
			close(ready)
			if err := WatchFile(ctx, name, changed); err != nil {
				t.Error(err)
			}
		})
		<-ready
		// It has begun when it tells of a change.
		for i := 0; ; i++ {
			write(t, name, "begin "+time.Duration(i).String())
			select {
			case <-seen:
				drain(seen)
				return seen
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	t.Run("written in place", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "berth.yaml")
		write(t, name, "one")
		seen := start(t, name)
		write(t, name, "two")
		soon(t, seen, "a change")
		drain(seen)
		write(t, name, "two") // nothing changed
		select {
		case <-seen:
			t.Error("an event without a change")
		case <-time.After(10 * fileSettleTime):
		}
	})
	t.Run("replaced by an editor", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "berth.yaml")
		write(t, name, "one")
		seen := start(t, name)
		for _, text := range []string{"two", "three"} {
			do(t, os.Rename(name, name+"~"))
			write(t, name+".new", text)
			do(t, os.Rename(name+".new", name))
			soon(t, seen, "a rename")
			drain(seen)
		}
		do(t, os.Remove(name))
		time.Sleep(5 * fileSettleTime)
		if len(seen) > 0 {
			t.Error("an event while there is no file")
		}
		write(t, name, "four")
		soon(t, seen, "it came back")
	})
	t.Run("swapped by Kubernetes", func(t *testing.T) {
		dir := t.TempDir()
		swap := func(version string) {
			do(t, os.Mkdir(filepath.Join(dir, ".."+version), 0o700))
			write(t, filepath.Join(dir, ".."+version, "berth.yaml"), version)
			do(t, os.Symlink(".."+version, filepath.Join(dir, "..tmp")))
			do(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
		}
		swap("one")
		name := filepath.Join(dir, "berth.yaml")
		do(t, os.Symlink("..data/berth.yaml", name))
		seen := start(t, name)
		for _, version := range []string{"two", "three"} {
			swap(version)
			soon(t, seen, "a swap")
			drain(seen)
		}
		write(t, name, "four") // in the folder that the link leads to
		soon(t, seen, "a change where the link leads to")
	})
	t.Run("no folder", func(t *testing.T) {
		if err := WatchFile(t.Context(), filepath.Join(t.TempDir(), "no", "berth.yaml"), func() {}); err == nil {
			t.Error("no error")
		}
	})
}
