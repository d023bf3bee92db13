package docker

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/system"

	"github.com/berthdev/berth/backends"
)

// settle finishes what was begun and puts right what was changed behind Berth's
// back, before the next steps are looked for. It tells whether it touched anything.
func (a *applier) settle(ctx context.Context, found []observed) (touched bool, err error) {
	var errs []error
	info, err := a.info(ctx)
	if err != nil {
		return false, err
	}
	spec := a.w.SpecHash()
	for _, o := range found {
		switch {
		case givenUp(o):
			errs = append(errs, a.tell(o.Name, "stop", "it was given up", func() error { return a.stop(ctx, o) }))
		case o.state == container.StateDead:
			errs = append(errs, a.tell(o.Name, "remove", "the engine could not remove it before", func() error { return a.Backend.remove(ctx, o) }))
		case o.SpecHash == spec && o.State != backends.PodFailed && o.State != backends.PodGoing:
			changed, err := a.restore(ctx, o, info)
			errs = append(errs, err)
			if !changed {
				continue
			}
		default:
			continue
		}
		touched = true
	}
	return touched, errors.Join(errs...)
}

// restore brings a pod's limits, restart policy and network back to what its
// workload says.
func (a *applier) restore(ctx context.Context, o observed, info *system.Info) (changed bool, err error) {
	var errs []error
	if update, drifted := drift(a.w.Pod, o.details, info); drifted {
		changed = true
		errs = append(errs, a.tell(o.Name, "update", "its settings were changed", func() error {
			return a.act(ctx, o, "update pod", func(ctx context.Context) error {
				_, err := a.api().ContainerUpdate(ctx, o.ID, update)
				return err
			}, events.ActionUpdate)
		}))
	}
	name := networkName(a.instance)
	if a.w.Pod.Network == "" && o.state == container.StateRunning && !slices.Contains(o.networks, name) {
		changed = true
		errs = append(errs, a.tell(o.Name, "connect", "it was disconnected from its network", func() error {
			return a.withNetwork(ctx, func() error {
				return a.act(ctx, o, "connect pod", func(ctx context.Context) error {
					return a.api().NetworkConnect(ctx, name, o.ID, membership(o.Deployment))
				})
			})
		}))
	}
	return changed, errors.Join(errs...)
}

// drift returns what must be updated for the container to be as its workload says.
// The engine takes no limit back: all that the machine has stands for none.
func drift(p backends.PodSpec, d details, info *system.Info) (container.UpdateConfig, bool) {
	var u container.UpdateConfig
	want := limits(p, info)
	drifted := false
	if machine := info.MemTotal; want.Memory != d.memory && (want.Memory > 0 || d.memory < machine) {
		drifted = true
		u.Memory = want.Memory
		if u.Memory == 0 {
			u.Memory = machine
		}
		if info.SwapLimit {
			u.MemorySwap = 2 * u.Memory // what the engine chooses by itself
		}
	}
	if machine := int64(info.NCPU) * 1e9; want.NanoCPUs != d.nanoCPUs && (want.NanoCPUs > 0 || d.nanoCPUs < machine) {
		drifted = true
		u.NanoCPUs = want.NanoCPUs
		if u.NanoCPUs == 0 {
			u.NanoCPUs = machine
		}
	}
	if policy := restartPolicy(p.Restart); policy != cmp.Or(d.restart, container.RestartPolicyDisabled) {
		drifted = true
		u.RestartPolicy = container.RestartPolicy{Name: policy}
	}
	return u, drifted
}
