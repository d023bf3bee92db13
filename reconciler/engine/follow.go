package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// A follower gathers the names of what changed while its reader is busy: there
// are never more of them than deployments.
type follower struct {
	mu    sync.Mutex // held for as long as it takes to note the names
	names map[string]bool
	wake  chan struct{} // one slot
}

// Follow calls each at once without names, so that nothing is missed between a
// first look at the view and this call, and then with the names of the deployments
// about which anything changed in the view since the last call, sorted, until ctx
// ends or each fails. There are none where only the outcome of the commit, what is
// known of the apps, or a backend became another. Changes that come while each runs
// are told together. The engine never waits for it.
func (e *Engine) Follow(ctx context.Context, each func(deployments []string) error) error {
	f := &follower{names: map[string]bool{}, wake: make(chan struct{}, 1)}
	e.followers.Store(f, nil)
	defer e.followers.Delete(f)
	for {
		if err := each(f.take()); err != nil {
			return err
		}
		select {
		case <-f.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take returns what was gathered since it was called last, sorted.
func (f *follower) take() []string {
	f.mu.Lock()
	names := f.names
	f.names = map[string]bool{}
	f.mu.Unlock()
	return slices.Sorted(maps.Keys(names))
}

// tellFollowers tells of deployments about which something changed in the view.
func (e *Engine) tellFollowers(names map[string]bool) {
	e.followers.Range(func(key, _ any) bool {
		f := key.(*follower)
		f.mu.Lock()
		maps.Copy(f.names, names)
		f.mu.Unlock()
		select {
		case f.wake <- struct{}{}:
		default:
		}
		return true
	})
}
