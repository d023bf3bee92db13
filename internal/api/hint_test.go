package api

import (
	"strings"
	"testing"

	"github.com/berthdev/berth/sources/desired"
)

// TestHints asks for the next thing to do where documents went and broke.
func TestHints(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.feed.set(func() {
			r.feed.state, _ = r.feed.state.With(commitHash(2), desired.FileChange{Path: "lab.yaml", Removed: true}, desired.FileChange{Path: "broken.yaml", Removed: true})
		})
		r.changed(r.feed.Catalog())
		for _, name := range []string{"db", "fiji", "stardist-anna", "stardist-john"} {
			d := r.api.look(r.t.Context()).deployment(name)
			if d == nil || d.Declared() || d.State() != "HELD" || !strings.Contains(d.Hint(), "Berth-Confirm: removal") || d.AppIdentifier() == "" {
				r.t.Errorf("%s: %+v", name, d)
			}
		}
		if d := r.api.look(r.t.Context()).deployment("napari"); d != nil {
			r.t.Errorf("napari never ran, and is declared no more: %+v", d)
		}
	})
}
