package follow

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

const (
	fileSettleTime = 20 * time.Millisecond // an editor writes in several steps
	filePollTime   = 10 * time.Second      // for file systems that tell no events
)

// WatchFile calls changed whenever the content of a file is another one, until
// ctx ends; then it returns nil. It follows the name, not the file: editors
// write a new file and rename it, and Kubernetes swaps a symbolic link above it.
// While there is no file, nothing is called. The error tells that there are no
// file events on this machine.
func WatchFile(ctx context.Context, path string, changed func()) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return watchFailed(path, err)
	}
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return watchFailed(path, err)
	}
	defer events.Close()
	w := &fileWatch{path: path, events: events}
	if err := events.Add(filepath.Dir(path)); err != nil {
		return watchFailed(path, err)
	}
	w.followLinks()
	w.content, _ = fingerprint(path)
	return w.run(ctx, changed)
}

func watchFailed(path string, err error) error {
	return &schema.Error{
		Op: "watch", Resource: path, Kind: schema.Terminal, Err: err,
		Hint: "changes of it take effect at the next start",
	}
}

type fileWatch struct {
	path    string
	target  string // the folder that the file is really in, if it is another
	events  *fsnotify.Watcher
	content [sha256.Size]byte // as it was last told
}

func (w *fileWatch) run(ctx context.Context, changed func()) error {
	poll := time.NewTicker(filePollTime)
	defer poll.Stop()
	var settle <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.events.Events:
			if settle == nil {
				settle = time.After(fileSettleTime)
			}
		case <-w.events.Errors: // events were lost
			settle = time.After(fileSettleTime)
		case <-poll.C:
			w.check(changed)
		case <-settle:
			settle = nil
			w.check(changed)
		}
	}
}

// check tells if the content is another one.
func (w *fileWatch) check(changed func()) {
	w.followLinks()
	content, ok := fingerprint(w.path)
	if ok && content != w.content {
		w.content = content
		changed()
	}
}

// followLinks watches the folder that symbolic links lead to.
func (w *fileWatch) followLinks() {
	real, err := filepath.EvalSymlinks(w.path)
	if err != nil {
		return
	}
	folder := filepath.Dir(real)
	if folder == w.target {
		return
	}
	if w.target != "" && w.target != filepath.Dir(w.path) {
		_ = w.events.Remove(w.target) // it may be gone already
	}
	w.target = folder
	if folder != filepath.Dir(w.path) {
		_ = w.events.Add(folder) // what cannot be watched is polled
	}
}

// fingerprint is the hash of a file's content, as far as Berth would read it.
func fingerprint(path string) (sum [sha256.Size]byte, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return sum, false
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, io.LimitReader(f, sources.MaxFileSize)); err != nil {
		return sum, false
	}
	return [sha256.Size]byte(hash.Sum(nil)), true
}
