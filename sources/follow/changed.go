package follow

import (
	"context"
	"slices"

	"github.com/berthdev/berth/sources"
)

// ChangedBy returns the deployments that a commit of the desired state declares
// otherwise than the commit before it, by first parent, sorted: those that it
// brought, changed or removed. It tells of the commit in force only; of others,
// and as far as the history does not reach, there are none.
func (h *Hub) ChangedBy(ctx context.Context, commit string) (names []string, err error) {
	err = h.desired.beside(ctx, func(ctx context.Context, source sources.Source) error {
		now, err := h.inForce()
		if err != nil || now.Head.Commit != commit {
			return err
		}
		history, err := source.History(ctx, commit, 2)
		if err != nil || len(history) == 0 {
			return err
		}
		if len(history) == 1 {
			for name := range now.State.Deployments() {
				names = append(names, name)
			}
			slices.Sort(names)
			return nil
		}
		before, err := source.At(ctx, history[1].Hash)
		if err != nil {
			return err
		}
		changes, _, err := h.readDocuments(ctx, h.documents, now.Head, before)
		if err != nil {
			return err
		}
		former, diff := now.State.With(before.Commit, changes...)
		names = slices.DeleteFunc(diff.Deployments, func(name string) bool {
			was, _ := former.Deployment(name)
			is, _ := now.State.Deployment(name)
			return was != nil && was.Same(is)
		})
		return nil
	})
	return names, err
}
