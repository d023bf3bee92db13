package kubernetes

import (
	"context"
	"maps"
	"slices"

	"github.com/berthdev/berth/backends"
)

// Pods implements [backends.Backend].
func (b *Backend) Pods(ctx context.Context) ([]backends.Pod, error) {
	s, err := b.session(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.caughtUp(ctx, ""); err != nil {
		return nil, err
	}
	var out []backends.Pod
	for _, name := range s.names() {
		views := s.views(name)
		for _, namespace := range slices.Sorted(maps.Keys(views)) {
			out = append(out, b.observed(views[namespace].observation)...)
		}
	}
	return out, nil
}

// observed returns the pods of a deployment in one namespace. Of one that is being
// removed, all are.
func (b *Backend) observed(o observation) []backends.Pod {
	if o.Deployment != nil && o.Deployment.DeletionTimestamp == nil {
		return b.pods(o)
	}
	o.Deployment = nil
	pods := b.pods(o)
	for i := range pods {
		pods[i].State = backends.PodGoing
	}
	return pods
}
