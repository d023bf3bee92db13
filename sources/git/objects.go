package git

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"github.com/berthdev/berth/schema"
)

const (
	objectCache    = 4 << 20 // bytes of delta bases that are kept between reads
	maxAlternates  = 16
	reloadAttempts = 5
)

// objects reads the objects of one repository folder. It is safe for concurrent
// use. In a live folder another process may push, repack or prune at any time:
// there, what is not found is looked for again in what the folder holds by then.
type objects struct {
	folder string // that holds objects/
	live   bool

	mu     sync.Mutex
	stores []*filesystem.ObjectStorage // nil: to be opened
	fault  error                       // why a read failed; the last one
}

// get reads one object of a type, checks its hash, and refuses one that is
// larger than limit bytes.
func (o *objects) get(hash plumbing.Hash, want plumbing.ObjectType, limit int64) ([]byte, error) {
	got, data, err := o.any(hash, limit)
	if err == nil && got != want {
		return nil, fmt.Errorf("%w: %s is a %s, no %s", errMalformed, hash, got, want)
	}
	return data, err
}

// any reads one object of whatever type.
func (o *objects) any(hash plumbing.Hash, limit int64) (t plumbing.ObjectType, data []byte, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for begun, n := time.Now(), 1; ; n++ {
		if t, data, err = o.read(hash, limit); err == nil || errors.Is(err, errTooLarge) {
			return t, data, err
		}
		again := o.again(n, begun, err)
		o.stores = nil // look again
		if !again {
			o.fault = err
			return t, nil, err
		}
	}
}

// again tells whether an object is looked for once more, after n times. What seems
// damaged in a live folder may be on its way into another pack: that is waited for.
func (o *objects) again(n int, begun time.Time, err error) bool {
	switch {
	case !o.live:
		return false
	case n < reloadAttempts:
		return true
	case errors.Is(err, errDamaged) && time.Since(begun) < refPatience:
		time.Sleep(refPause)
		return true
	}
	return false
}

func (o *objects) read(hash plumbing.Hash, limit int64) (t plumbing.ObjectType, data []byte, err error) {
	defer rescue(&err)
	store, size, err := o.find(hash)
	if err != nil {
		return t, nil, err
	}
	if size > limit {
		return t, nil, fmt.Errorf("%d bytes are %w: more than %d", size, errTooLarge, limit)
	}
	obj, err := store.EncodedObject(plumbing.AnyObject, hash)
	if err != nil {
		return t, nil, fmt.Errorf("%w object %s: %w", errDamaged, hash, err)
	}
	r, err := obj.Reader()
	if err != nil {
		return t, nil, fmt.Errorf("%w object %s: %w", errDamaged, hash, err)
	}
	defer r.Close()
	data = make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return t, nil, fmt.Errorf("%w object %s: %w", errDamaged, hash, err)
	}
	if plumbing.ComputeHash(obj.Type(), data) != hash {
		return t, nil, fmt.Errorf("%w object %s: its content is another's", errDamaged, hash)
	}
	return obj.Type(), data, nil
}

// find tells which store has an object, and its size.
func (o *objects) find(hash plumbing.Hash) (*filesystem.ObjectStorage, int64, error) {
	if err := o.load(); err != nil {
		return nil, 0, err
	}
	for _, store := range o.stores {
		size, err := store.EncodedObjectSize(hash)
		if err == nil {
			return store, size, nil
		}
		if !errors.Is(err, plumbing.ErrObjectNotFound) {
			return nil, 0, fmt.Errorf("%w object %s: %w", errDamaged, hash, err)
		}
	}
	return nil, 0, fmt.Errorf("%w: %s", errMissing, hash)
}

// has tells whether an object is there, without reading it.
func (o *objects) has(hash plumbing.Hash) (found bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for begun, n := time.Now(), 1; ; n++ {
		if found, err = o.look(hash); found {
			return true, nil
		}
		if !o.again(n, begun, err) {
			return false, err
		}
		o.stores = nil // look again
	}
}

func (o *objects) look(hash plumbing.Hash) (found bool, err error) {
	defer rescue(&err)
	if err := o.load(); err != nil {
		return false, err
	}
	for _, store := range o.stores {
		if err := store.HasEncodedObject(hash); err == nil {
			return true, nil
		} else if !errors.Is(err, plumbing.ErrObjectNotFound) {
			return false, fmt.Errorf("%w object %s: %w", errDamaged, hash, err)
		}
	}
	return false, nil
}

// release forgets indexes and caches; they are read again when they are needed.
// It also makes packs visible that were added since.
func (o *objects) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stores = nil
}

// takeFault returns why a read has failed since the last call; nil if none has.
func (o *objects) takeFault() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	fault := o.fault
	o.fault = nil
	return fault
}

// blame notes a fault that was found elsewhere and may come from here.
func (o *objects) blame(fault error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault = fault
}

// load opens the folder's objects and those it borrows from other folders.
func (o *objects) load() (err error) {
	if o.stores != nil {
		return nil
	}
	folders, err := withAlternates(filepath.Join(o.folder, "objects"))
	if err != nil {
		return err
	}
	shared := cache.NewObjectLRU(objectCache)
	for _, folder := range folders {
		if err := checkIndexes(folder); err != nil {
			return err
		}
	}
	for _, folder := range folders {
		store := filesystem.NewStorage(osfs.New(filepath.Dir(folder)), shared)
		o.stores = append(o.stores, &store.ObjectStorage)
	}
	return nil
}

// withAlternates lists an objects folder and the folders that it borrows from.
func withAlternates(folder string) ([]string, error) {
	folders := []string{folder}
	for i := 0; i < len(folders); i++ {
		borrowed, err := readAlternates(folders[i])
		if err != nil {
			return nil, err
		}
		for _, b := range borrowed {
			if !slices.Contains(folders, b) && filepath.Base(b) == "objects" {
				folders = append(folders, b)
			}
		}
		if len(folders) > maxAlternates {
			return nil, fail(schema.Terminal, "", fmt.Errorf("the repository borrows from more than %d others", maxAlternates))
		}
	}
	return folders, nil
}

func readAlternates(folder string) ([]string, error) {
	f, err := os.Open(filepath.Join(folder, "info", "alternates"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var found []string
	lines := bufio.NewScanner(io.LimitReader(f, maxAlternates*maxURL))
	for lines.Scan() {
		p := lines.Text()
		if p == "" || p[0] == '#' {
			continue
		}
		if !filepath.IsAbs(p) {
			p = filepath.Join(folder, p)
		}
		found = append(found, filepath.Clean(p))
	}
	return found, lines.Err()
}
