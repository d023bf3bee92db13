package docker

import (
	"context"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"

	"github.com/berthdev/berth/backends"
)

// act does something to a container, with its events marked as our own.
func (b *Backend) act(ctx context.Context, o observed, op string, f func(context.Context) error, expected ...events.Action) error {
	defer b.cache.forget(o.ID)
	defer b.acts.begin(o.ID, expected...)()
	return b.call(ctx, makeTimeout+o.grace, op, o.Name, f)
}

// stop stops the container gracefully: its own stop timeout counts.
func (b *Backend) stop(ctx context.Context, o observed) error {
	switch o.state {
	case container.StateExited, container.StateCreated, container.StateDead:
		return nil
	case container.StatePaused: // the engine does not stop what is paused
		if err := b.unpause(ctx, o); err != nil {
			return err
		}
	}
	err := b.act(ctx, o, "stop pod", func(ctx context.Context) error {
		return b.api().ContainerStop(ctx, o.ID, container.StopOptions{})
	}, events.ActionDie, events.ActionOOM)
	return unlessGone(err)
}

func (b *Backend) unpause(ctx context.Context, o observed) error {
	err := b.act(ctx, o, "unpause pod", func(ctx context.Context) error {
		return b.api().ContainerUnpause(ctx, o.ID)
	}, events.ActionUnPause)
	if err != nil && strings.Contains(err.Error(), "is not paused") {
		return nil
	}
	return unlessGone(err)
}

// remove stops the container gracefully and removes it, with the volumes that
// have no name.
func (b *Backend) remove(ctx context.Context, o observed) error {
	if err := b.stop(ctx, o); err != nil {
		return err
	}
	err := b.act(ctx, o, "remove pod", func(ctx context.Context) error {
		return b.api().ContainerRemove(ctx, o.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	}, events.ActionDie, events.ActionDestroy)
	if cerrdefs.IsConflict(err) && strings.Contains(err.Error(), "already in progress") {
		return nil
	}
	return unlessGone(err)
}

func (b *Backend) rename(ctx context.Context, o observed, name string) error {
	err := b.act(ctx, o, "rename pod", func(ctx context.Context) error {
		return b.api().ContainerRename(ctx, o.ID, name)
	}, events.ActionRename)
	return unlessGone(err)
}

// unlessGone drops the error that a container or volume is gone: it is then as it
// should be. The engine also does not find other things, which do matter.
func unlessGone(err error) error {
	if cerrdefs.IsNotFound(err) && strings.Contains(strings.ToLower(err.Error()), "no such") {
		return nil
	}
	return err
}

// givenUp tells whether a pod was given up but still runs, because whoever gave it
// up did not come to stop it.
func givenUp(o observed) bool {
	if o.State != backends.PodFailed {
		return false
	}
	return o.state == container.StateRunning || o.state == container.StateRestarting || o.state == container.StatePaused
}
