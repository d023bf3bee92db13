package docker

import (
	"context"
	"slices"

	"github.com/berthdev/berth/backends"
)

// Forget implements [backends.Backend].
func (b *Backend) Forget(ctx context.Context, deployment string, report func(backends.Step)) error {
	if report == nil {
		report = func(backends.Step) {}
	}
	if deployment == "" {
		return nil // it stands for the whole instance elsewhere
	}
	found, err := b.find(ctx, deployment)
	if err != nil {
		return err
	}
	failed := slices.DeleteFunc(found, func(o observed) bool { return o.State != backends.PodFailed })
	return b.removeAll(ctx, failed, "its failed rollout is forgotten", report)
}
