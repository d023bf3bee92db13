package docker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	dockernet "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"github.com/berthdev/berth/backends"
)

// Remove implements [backends.Backend].
//
// A volume that is not kept can only go after the containers that use it, and
// only they tell that it is not kept. So one more container is made first, which
// uses nothing and never runs, and goes last: whoever is killed in between finds it.
func (b *Backend) Remove(ctx context.Context, deployment string, report func(backends.Step)) error {
	if report == nil {
		report = func(backends.Step) {}
	}
	if deployment == "" {
		return nil // it stands for the whole instance elsewhere
	}
	found, err := b.find(ctx, deployment)
	if err != nil || len(found) == 0 {
		return err
	}
	newest := slices.MaxFunc(found, func(x, y observed) int { return x.CreatedAt.Compare(y.CreatedAt) })
	if len(newest.notKept) == 0 {
		return b.removeAll(ctx, found, goes, report)
	}
	keeper, err := b.keeper(ctx, found, newest)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(found, func(o observed) bool { return o.ID == keeper.ID })
	if err := b.removeAll(ctx, others, goes, report); err != nil {
		return err
	}
	for _, name := range newest.notKept {
		if err := b.removeVolume(ctx, volumeName(b.instance, deployment, name), deployment, report); err != nil {
			return err
		}
	}
	if keeper.ID == "" {
		return nil
	}
	return b.remove(ctx, keeper)
}

// keeperOrdinal is the ordinal of such a container: no replica's.
const keeperOrdinal = -1

// keeper returns the container that remembers, while its deployment is removed,
// what the given pod knows of volumes. For a deployment that is declared again
// in the meantime it is a replica too many.
// Without an image nothing can be made: then there is none.
func (b *Backend) keeper(ctx context.Context, found []observed, of observed) (observed, error) {
	name := podName(b.instance, of.Deployment, keeperOrdinal, of.SpecHash)
	for _, o := range found {
		if o.Ordinal == keeperOrdinal && (o.ID == of.ID || o.Name == name) {
			return o, nil
		}
	}
	labels := podLabels(b.instance, backends.Workload{Deployment: of.Deployment}, keeperOrdinal, "", nil)
	labels[labelNotKept] = strings.Join(of.notKept, ",")
	labels[labelSpecHash], labels[labelInputHash] = "", ""
	o := observed{Pod: backends.Pod{Name: name}}
	err := b.call(ctx, makeTimeout, "remove", "deployment "+of.Deployment, func(ctx context.Context) error {
		defer b.acts.begin(name, events.ActionCreate)()
		made, err := b.api().ContainerCreate(ctx, &container.Config{Image: of.imageID, Cmd: []string{"none"}, Labels: labels},
			&container.HostConfig{NetworkMode: networkNone}, nil, nil, name)
		o.ID, o.state = made.ID, container.StateCreated
		return err
	})
	if cerrdefs.IsNotFound(err) {
		return observed{}, nil
	}
	return o, err
}

// goes says why pods are removed.
const goes = "its deployment is removed"

// removeAll stops and removes containers, several at the same time.
func (b *Backend) removeAll(ctx context.Context, pods []observed, why string, report func(backends.Step)) error {
	var reporting sync.Mutex
	errs := make([]error, len(pods))
	each(len(pods), func(i int) {
		o := pods[i]
		step := backends.Step{Deployment: o.Deployment, Pod: o.Name, Verb: "remove", Detail: why}
		errs[i] = tell(func(s backends.Step) {
			reporting.Lock()
			defer reporting.Unlock()
			report(s)
		}, step, func() error { return b.remove(ctx, o) })
	})
	return errors.Join(errs...)
}

// each calls f for 0 to n-1, several at the same time.
func each(n int, f func(int)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	wg.Wait()
}

func (b *Backend) removeVolume(ctx context.Context, name, deployment string, report func(backends.Step)) error {
	step := backends.Step{Deployment: deployment, Verb: "remove", Detail: "volume " + name}
	return tell(report, step, func() error {
		return unlessGone(b.call(ctx, callTimeout, "remove", "volume "+name, func(ctx context.Context) error {
			return b.api().VolumeRemove(ctx, name, false)
		}))
	})
}

// Owned implements [backends.Backend]. Images are those that Berth remembers to
// have pulled.
func (b *Backend) Owned(ctx context.Context) ([]backends.Object, error) {
	var objects []backends.Object
	found, err := b.find(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, o := range found {
		objects = append(objects, backends.Object{Kind: "container", Name: o.Name, Deployment: o.Deployment})
	}
	networks, err := b.ownNetworks(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range networks {
		objects = append(objects, backends.Object{Kind: "network", Name: n.Name})
	}
	volumes, err := b.ownVolumes(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range volumes {
		objects = append(objects, backends.Object{Kind: "volume", Name: v.Name, Deployment: v.Labels[labelDeployment]})
	}
	images, err := b.marked(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range images {
		name := m.ref
		if m.replaced {
			name = m.id
		}
		objects = append(objects, backends.Object{Kind: "image", Name: name})
	}
	return objects, nil
}

func (b *Backend) ownNetworks(ctx context.Context) (found []dockernet.Summary, err error) {
	err = b.call(ctx, callTimeout, "list", "networks", func(ctx context.Context) error {
		found, err = b.api().NetworkList(ctx, dockernet.ListOptions{Filters: b.owned()})
		return err
	})
	return found, err
}

func (b *Backend) ownVolumes(ctx context.Context) ([]*volume.Volume, error) {
	var found volume.ListResponse
	err := b.call(ctx, callTimeout, "list", "volumes", func(ctx context.Context) (err error) {
		found, err = b.api().VolumeList(ctx, volume.ListOptions{Filters: b.owned()})
		return err
	})
	return found.Volumes, err
}

// Uninstall implements [backends.Backend].
func (b *Backend) Uninstall(ctx context.Context, volumes bool, report func(backends.Step)) error {
	if report == nil {
		report = func(backends.Step) {}
	}
	found, err := b.find(ctx, "")
	if err != nil {
		return err
	}
	if err := b.removeAll(ctx, found, goes, report); err != nil {
		return err
	}
	networks, err := b.ownNetworks(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, n := range networks {
		errs = append(errs, tell(report, backends.Step{Verb: "remove", Detail: "network " + n.Name}, func() error {
			return b.call(ctx, callTimeout, "remove", "network "+n.Name, func(ctx context.Context) error {
				err := b.api().NetworkRemove(ctx, n.ID)
				if cerrdefs.IsNotFound(err) {
					return nil
				}
				return err
			})
		}))
	}
	b.net.forget()
	if volumes {
		owned, err := b.ownVolumes(ctx)
		errs = append(errs, err)
		for _, v := range owned {
			errs = append(errs, b.removeVolume(ctx, v.Name, v.Labels[labelDeployment], report))
		}
	}
	errs = append(errs, b.uninstallImages(ctx))
	return errors.Join(errs...)
}

// uninstallImages removes the images that Berth pulled and that no container of
// others uses. Those keep their image, and only the mark goes.
func (b *Backend) uninstallImages(ctx context.Context) error {
	if err := b.pruneImages(ctx, func(string) bool { return false }); err != nil {
		return err
	}
	left, err := b.marked(ctx)
	if err != nil {
		return err
	}
	for _, m := range left {
		if err := b.untag(ctx, m.mark); err != nil && !cerrdefs.IsConflict(err) {
			return err
		}
	}
	return nil
}
