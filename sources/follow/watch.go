package follow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settleTime is how long further events are gathered after one was told.
	settleTime = 10 * time.Millisecond
	// maxFolders bounds how many folders of refs are watched in one repository.
	// What moves in the others is seen at the next poll.
	maxFolders = 512
	// checkTime is how often it is made sure that the watched folder is still
	// the one at its path.
	checkTime = 15 * time.Second

	rewatchBase = time.Second
	rewatchMax  = time.Minute
)

var errReplaced = errors.New("the repository was removed or replaced")

// watchRefs calls changed whenever a ref of a local repository may have moved,
// until ctx ends. Where no events are to be had, the polls remain.
func watchRefs(ctx context.Context, dir string, log *slog.Logger, changed func()) {
	for wait := rewatchBase; ; wait = min(2*wait, rewatchMax) {
		err := watchOnce(ctx, dir, func() {
			wait = rewatchBase
			changed()
		})
		if ctx.Err() != nil {
			return
		}
		level := slog.LevelDebug
		if wait == 2*rewatchBase { // once, and not at once: a repository may just be on its way
			level = slog.LevelInfo
		}
		log.Log(ctx, level, "no file events; the repository is polled", "error", err)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// watchOnce watches until ctx ends or the events do.
func watchOnce(ctx context.Context, dir string, changed func()) error {
	w, err := newRefWatch(dir)
	if err != nil {
		return err
	}
	defer w.events.Close()
	return w.run(ctx, changed)
}

// A refWatch watches the refs of one repository.
type refWatch struct {
	events *fsnotify.Watcher
	git    string      // the git directory: it has HEAD
	common string      // where refs are; the same, except in a linked worktree
	is     os.FileInfo // what git was when the watch began
	count  int
}

func newRefWatch(dir string) (*refWatch, error) {
	git, common, err := gitDirs(dir)
	if err != nil {
		return nil, err
	}
	is, err := os.Stat(git)
	if err != nil {
		return nil, err
	}
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	w := &refWatch{events: events, git: git, common: common, is: is}
	for _, folder := range []string{git, common, filepath.Join(common, "refs")} {
		if err := events.Add(folder); err != nil {
			_ = events.Close()
			return nil, err
		}
	}
	w.addBelow(filepath.Join(common, "refs", "heads"))
	w.addBelow(filepath.Join(common, "refs", "tags"))
	return w, nil
}

// addBelow watches a folder and those in it. What cannot be watched is seen at
// the next poll.
func (w *refWatch) addBelow(dir string) {
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		if w.count++; w.count > maxFolders {
			return filepath.SkipAll
		}
		_ = w.events.Add(name)
		return nil
	})
}

// run calls changed at once for the first event, and once more for those that
// come right after it.
func (w *refWatch) run(ctx context.Context, changed func()) error {
	changed() // what moved before the watch began
	check := time.NewTicker(checkTime)
	defer check.Stop()
	settle := time.NewTimer(0)
	defer settle.Stop()
	settling, more := true, false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-check.C:
			if now, err := os.Stat(w.git); err != nil || !os.SameFile(now, w.is) {
				return errReplaced
			}
		case <-settle.C:
			if settling = more; more {
				more = false
				changed()
				settle.Reset(settleTime)
			}
		case event, ok := <-w.events.Events:
			if !ok {
				return errReplaced
			}
			relevant, err := w.relevant(event)
			if err != nil {
				return err
			}
			switch {
			case !relevant:
			case settling:
				more = true
			default:
				changed()
				settling = true
				settle.Reset(settleTime)
			}
		case err := <-w.events.Errors: // events were lost
			changed()
			return err
		}
	}
}

// relevant tells whether an event may mean that a ref moved.
func (w *refWatch) relevant(event fsnotify.Event) (bool, error) {
	if event.Name == w.git || event.Name == w.common {
		if event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename) {
			return false, errReplaced
		}
		return false, nil
	}
	if event.Op == fsnotify.Chmod || strings.HasSuffix(event.Name, ".lock") {
		return false, nil
	}
	folder, name := filepath.Split(event.Name)
	switch filepath.Clean(folder) {
	case w.git, w.common:
		return name == "HEAD" || name == "packed-refs", nil
	}
	if event.Has(fsnotify.Create) && w.ofInterest(event.Name) {
		w.addBelow(event.Name)
	}
	return true, nil
}

// ofInterest tells whether a folder below refs holds branches or tags: what was
// fetched from elsewhere moves nothing here.
func (w *refWatch) ofInterest(name string) bool {
	for _, kind := range []string{"heads", "tags"} {
		if within(name, filepath.Join(w.common, "refs", kind)) {
			return true
		}
	}
	return false
}

// gitDirs returns the git directory of a repository, bare or not, and where its
// refs are: a linked worktree shares those of its main repository.
func gitDirs(dir string) (git, common string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return "", "", err
	}
	git = filepath.Join(dir, ".git")
	switch info, err := os.Stat(git); {
	case errors.Is(err, fs.ErrNotExist):
		git = dir // bare
	case err != nil:
		return "", "", err
	case !info.IsDir():
		target, err := pointer(git, "gitdir: ")
		if err != nil {
			return "", "", err
		}
		git = absolute(target, dir)
	}
	if _, err := os.Stat(filepath.Join(git, "HEAD")); err != nil {
		return "", "", fmt.Errorf("%s is no git repository: %w", dir, err)
	}
	common = git
	if target, err := pointer(filepath.Join(git, "commondir"), ""); err == nil {
		common = absolute(target, git)
	}
	return git, common, nil
}

// pointer reads a small file that names a folder.
func pointer(name, prefix string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text := make([]byte, 4096)
	n, _ := f.Read(text)
	target, ok := strings.CutPrefix(strings.TrimRight(string(text[:n]), "\r\n"), prefix)
	if !ok || target == "" {
		return "", fmt.Errorf("%s names no folder", name)
	}
	return target, nil
}

func absolute(target, base string) string {
	if !filepath.IsAbs(target) {
		target = filepath.Join(base, target)
	}
	return filepath.Clean(target)
}
