package git

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/gofrs/flock"

	"github.com/berthdev/berth/schema"
)

// A Dir is a data folder for mirrors. One process owns it at a time. What it
// holds can be fetched again.
type Dir struct {
	path string
	lock *flock.Flock

	mu   sync.Mutex
	open map[string]bool // folders of mirrors in use
}

const (
	lockFile     = "lock"
	mirrorFolder = "mirrors"
)

// OpenDir makes the folder if need be and takes it for this process. While
// another process has it, the error is terminal and names that process.
func OpenDir(path string) (*Dir, error) {
	wrap := func(hint string, err error) error {
		return &schema.Error{Op: "open data folder", Resource: path, Kind: schema.Terminal, Hint: hint, Err: err}
	}
	if err := os.MkdirAll(filepath.Join(path, mirrorFolder), 0o700); err != nil {
		return nil, wrap("dataDir must be a folder that can be written", err)
	}
	name := filepath.Join(path, lockFile)
	lock := flock.New(name, flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err != nil {
		return nil, wrap("dataDir must be a folder that can be written", err)
	}
	if !got {
		return nil, wrap("stop it, or give this one a dataDir of its own", fmt.Errorf("it is in use by %s", holder(name)))
	}
	if err := os.WriteFile(name, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return nil, wrap("", errors.Join(err, lock.Close()))
	}
	return &Dir{path: path, lock: lock, open: map[string]bool{}}, nil
}

// holder tells who has the lock, as far as the lock file says.
func holder(name string) string {
	data, err := ReadSecret(name)
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || convErr != nil {
		return "another process"
	}
	return fmt.Sprintf("process %d", pid)
}

// Close gives the folder free. Sources opened from it must be closed first.
func (d *Dir) Close() error { return d.lock.Close() }

// Sweep removes the mirrors that no open source uses, of repositories that are
// no longer followed.
func (d *Dir) Sweep() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	root := filepath.Join(d.path, mirrorFolder)
	folders, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	var errs []error
	for _, folder := range folders {
		if !d.open[folder.Name()] {
			errs = append(errs, os.RemoveAll(filepath.Join(root, folder.Name())))
		}
	}
	return errors.Join(errs...)
}

// take reserves the folder of a mirror. A second source for the same repository
// and ref gets a folder of its own.
func (d *Dir) take(loc Location, ref string, history bool) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	base := mirrorName(loc, ref, history)
	name := base
	for i := 2; d.open[name]; i++ {
		name = base + "-" + strconv.Itoa(i)
	}
	d.open[name] = true
	return filepath.Join(d.path, mirrorFolder, name)
}

func (d *Dir) giveBack(folder string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, filepath.Base(folder))
}

// mirrorName is readable at its beginning and unique at its end. Nothing secret
// goes into it.
func mirrorName(loc Location, ref string, history bool) string {
	const readable = 60
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
			return r
		}
		return '_'
	}, loc.Host+"_"+loc.repoPath())
	name = strings.Trim(name[:min(len(name), readable)], ".")
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%t", loc, ref, history))
	return name + "-" + hex.EncodeToString(sum[:6])
}
