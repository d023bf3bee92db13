package engine_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

// A pruningBackend notes which of two images it was told to keep, each time.
type pruningBackend struct {
	backends.Backend
	mu     sync.Mutex
	pruned [][]string
}

func (b *pruningBackend) PruneImages(_ context.Context, keep func(string) bool) error {
	kept := slices.DeleteFunc([]string{"hello:0.1.0", "hello:0.2.0"}, func(image string) bool { return !keep(image) })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pruned = append(b.pruned, kept)
	return nil
}

// times returns how often images were pruned since it was called last, and what
// was kept then.
func (b *pruningBackend) times() (n int, kept []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n = len(b.pruned); n > 0 {
		kept = b.pruned[n-1]
	}
	b.pruned = nil
	return n, kept
}

// pruning runs a test with one backend that prunes images.
func pruning(t *testing.T, test func(r *rig, b *pruningBackend)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		b := &pruningBackend{}
		r.start(func(o *engine.Options) {
			b.Backend = o.Backends[0].Backend
			o.Backends[0].Backend, o.Backends[0].Config.PruneImages = b, true
		})
		test(r, b)
		r.stop()
	})
}

func TestNoImageIsRemovedForWhatCannotBeRead(t *testing.T) {
	bad := schema.Publication{Problems: schema.Problems{{Message: "did not find expected key"}}}
	tests := map[string]func(r *rig){
		"no desired state": func(r *rig) { r.sources.set(func() { r.sources.desired.State = nil }) },
		"a stale one":      func(r *rig) { r.sources.set(func() { r.sources.desired.Stale = "the remote is away" }) },
		"one that went back": func(r *rig) {
			r.sources.set(func() { r.sources.desired.Rewound = "it went back" })
		},
		"a repo that was never read": func(r *rig) { r.change(catalog.Change{Repo: catalog.Repo{Name: "new"}}) },
		"a repo with a problem": func(r *rig) {
			r.change(catalog.Change{Repo: catalog.Repo{Name: "apps", Commit: "c", Problem: "the remote is away"}})
		},
		"a file with errors": func(r *rig) {
			r.change(catalog.Change{Repo: catalog.Repo{Name: "apps", Commit: "d"}, Files: []catalog.File{{Path: "manifest.yaml", Publication: bad}}})
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			pruning(t, func(r *rig, b *pruningBackend) {
				r.publish("0.2.0")
				r.declare()
				time.Sleep(20 * time.Minute)
				if n, kept := b.times(); n == 0 || !slices.Equal(kept, []string{"hello:0.2.0"}) {
					t.Fatalf("pruned %d times, kept %v", n, kept)
				}
				change(r)
				synctest.Wait()
				time.Sleep(20 * time.Minute)
				if n, kept := b.times(); n > 0 {
					t.Errorf("pruned %d times, kept %v", n, kept)
				}
			})
		})
	}
}

func TestListsDoNotPutOffPruning(t *testing.T) {
	pruning(t, func(r *rig, b *pruningBackend) {
		r.publish("0.1.0", "0.2.0")
		r.declare(hello("one"))
		for range 60 {
			if err := r.engine.Reconcile(r.t.Context(), "", ""); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if n, kept := b.times(); n < 5 || len(kept) != 2 {
			t.Errorf("pruned %d times in an hour, kept %v", n, kept)
		}
	})
}

// change changes the catalog.
func (r *rig) change(c catalog.Change) {
	r.sources.set(func() { r.sources.catalog, _ = r.sources.catalog.With(c) })
	r.engine.Changed(engine.Change{Everything: true})
}
