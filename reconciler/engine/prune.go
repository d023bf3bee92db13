package engine

import (
	"cmp"
	"context"

	"github.com/berthdev/berth/backends"
)

// prune removes images that nothing needs any more, where the backend can and may.
// What is needed is told by the catalog: while anything that fills it cannot be
// read, no image is known to be unneeded.
func (w *worker) prune(ctx context.Context) {
	pruner, ok := w.backend.Backend.(backends.ImagePruner)
	if !ok || !w.backend.Config.PruneImages || w.engine.looksOn() {
		return
	}
	needed, doubt := w.engine.neededImages()
	if doubt != "" {
		w.engine.log.Debug("no image is removed", "backend", w.backend.Name(), "reason", doubt)
		return
	}
	if err := pruner.PruneImages(ctx, func(image string) bool { return needed[image] }); err != nil && ctx.Err() == nil {
		w.engine.log.Warn("images could not be removed", "backend", w.backend.Name(), "error", err)
	}
}

// neededImages returns the images of all releases that there are, or why they are
// not known.
func (e *Engine) neededImages() (needed map[string]bool, doubt string) {
	e.mu.Lock()
	v := view{Desired: e.sources.Desired(), catalog: e.sources.Catalog()}
	doubt = cmp.Or(e.unreadable(v), e.rewound(v))
	e.mu.Unlock()
	if v.State == nil {
		return nil, cmp.Or(doubt, "the desired state was not read yet")
	}
	for _, p := range v.State.Errors() {
		doubt = cmp.Or(doubt, "the desired state has errors: "+p.Message) // it may declare repos
	}
	if doubt = cmp.Or(doubt, v.catalog.Unread()); doubt != "" {
		return nil, doubt
	}
	needed = map[string]bool{}
	for _, app := range v.catalog.Apps() {
		for _, release := range app.Releases {
			for _, flavour := range release.Flavours {
				needed[flavour.Image] = true
			}
		}
	}
	return needed, ""
}
