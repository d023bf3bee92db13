package docker

import (
	"context"

	"github.com/berthdev/berth/backends"
)

// Logs implements [backends.Backend].
func (b *Backend) Logs(ctx context.Context, pod string, o backends.LogOptions, each func(backends.LogLine) error) error {
	return nil
}
