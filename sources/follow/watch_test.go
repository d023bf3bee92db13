package follow

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"

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
	case <-time.After(time.Minute):
		t.Fatalf("no event after %s", what)
	}
}

// drain waits until no event came for a while. On a slow machine one may come later
// yet: what must not happen is not told by events.
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
		})
	}
}

// What git writes beside refs tells nothing: of all that happens up to a mark.
func TestTheIndexIsNoRef(t *testing.T) {
	dir := t.TempDir()
	work, linked := filepath.Join(dir, "work"), filepath.Join(dir, "linked")
	runGit(t, dir, "init", "-q", "-b", "main", work)
	runGit(t, work, "commit", "-q", "--allow-empty", "-m", "first")
	runGit(t, work, "worktree", "add", "-q", "-b", "linked", linked)
	for _, at := range []string{work, linked} {
		w, err := newRefWatch(at)
		if err != nil {
			t.Fatal(err)
		}
		defer w.events.Close()
		if err := os.WriteFile(filepath.Join(at, "file"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		runGit(t, at, "add", "file")
		mark := filepath.Join(w.git, "mark")
		if err := os.WriteFile(mark, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		seen := 0
		for event := range w.events.Events {
			if event.Name == mark {
				break
			}
			seen++
			if relevant, err := w.relevant(event); relevant || err != nil {
				t.Errorf("%s counts: %v", event, err)
			}
		}
		if seen == 0 {
			t.Errorf("nothing was written in %s", w.git)
		}
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

// Events that come close together are told few times, the last of them too.
func TestABurstOfRefsIsFewEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		w := &refWatch{git: dir, common: dir, events: &fsnotify.Watcher{Events: make(chan fsnotify.Event), Errors: make(chan error)}}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		var told []time.Time
		go func() { ended <- w.run(ctx, func() { told = append(told, time.Now()) }) }()
		time.Sleep(settleTime)
		synctest.Wait()
		before := len(told)
		var last time.Time
		for range 200 { // of two times settleTime
			last = time.Now()
			w.events.Events <- fsnotify.Event{Name: filepath.Join(dir, "refs", "heads", "x"), Op: fsnotify.Write}
			time.Sleep(settleTime / 100)
		}
		time.Sleep(5 * settleTime)
		synctest.Wait()
		if n := len(told) - before; n == 0 || n > 4 || told[len(told)-1].Before(last) {
			t.Errorf("the last of 200 events came at %s; told at %s", last, told[before:])
		}
		cancel()
		<-ended
	})
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
	t.Run("what is no change", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "berth.yaml")
		write(t, name, "one")
		events, err := fsnotify.NewWatcher()
		do(t, err)
		defer events.Close()
		w := &fileWatch{path: name, events: events}
		for _, step := range []struct {
			what string
			run  func()
			told bool
		}{
			{"it is there", func() {}, true},
			{"nothing", func() {}, false},
			{"it is written again", func() { write(t, name, "one") }, false},
			{"it is gone", func() { do(t, os.Remove(name)) }, false},
			{"it came back as it was", func() { write(t, name, "one") }, false},
			{"it came back", func() { write(t, name, "two") }, true},
		} {
			step.run()
			told := false
			if w.check(func() { told = true }); told != step.told {
				t.Errorf("%s: told %t", step.what, told)
			}
		}
	})
	t.Run("no folder", func(t *testing.T) {
		if err := WatchFile(t.Context(), filepath.Join(t.TempDir(), "no", "berth.yaml"), func() {}); err == nil {
			t.Error("no error")
		}
	})
}
