package docker

import (
	"context"

	"github.com/berthdev/berth/backends"
)

// Logs implements [backends.Backend].
func (b *Backend) Logs(ctx context.Context, pod string, o backends.LogOptions, each func(backends.LogLine) error) error {
	return nil
}

// Usage implements [backends.Backend].
func (b *Backend) Usage(ctx context.Context) ([]backends.Usage, error) { return nil, nil }
