package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/rollout"
	"github.com/berthdev/berth/schema"
)

// Apply implements [backends.Backend].
func (b *Backend) Apply(ctx context.Context, w backends.Workload, report func(backends.Step)) (backends.Progress, error) {
	if err := check(w, b.cfg.Allow); err != nil {
		return backends.Progress{}, err
	}
	if report == nil {
		report = func(backends.Step) {}
	}
	a := &applier{Backend: b, w: w, report: report}
	found, err := b.find(ctx, w.Deployment)
	if err != nil {
		return backends.Progress{}, err
	}
	touched, settled := a.settle(ctx, found)
	if !touched {
		a.listed = found
	}
	progress, err := rollout.Apply(ctx, w, a, b.opts.Now)
	return progress, errors.Join(settled, err)
}

// An applier takes the steps of one Apply. It implements [rollout.Engine].
type applier struct {
	*Backend
	w      backends.Workload
	report func(backends.Step)
	listed []observed // what was listed already and still holds; nil: nothing
	known  []observed // what was listed last
	digest string     // what the image resolved to; empty: not made sure of yet
}

// Pods implements [rollout.Engine].
func (a *applier) Pods(ctx context.Context, deployment string) ([]backends.Pod, error) {
	found := a.listed
	if a.listed = nil; found == nil {
		var err error
		if found, err = a.find(ctx, deployment); err != nil {
			return nil, err
		}
	}
	a.known = found
	pods := make([]backends.Pod, len(found))
	for i, f := range found {
		pods[i] = f.Pod
	}
	return pods, nil
}

// Take implements [rollout.Engine].
func (a *applier) Take(ctx context.Context, w backends.Workload, s rollout.Step) error {
	a.listed = nil
	o, ok := a.lookup(s.Pod)
	switch s.Verb {
	case rollout.Create, rollout.Make:
		id, name, err := a.create(ctx, s)
		if err != nil || s.Verb == rollout.Make {
			return err
		}
		return a.start(ctx, id, name, s.Reason)
	case rollout.Start:
		return a.start(ctx, s.Pod, o.Name, s.Reason)
	}
	if !ok {
		return nil
	}
	switch s.Verb {
	case rollout.Unpause:
		return a.unpause(ctx, o)
	case rollout.Stop:
		return a.tell(o.Name, "stop", s.Reason, func() error { return a.stop(ctx, o) })
	case rollout.GiveUp:
		return a.giveUp(ctx, o, s.Reason)
	case rollout.Remove:
		return a.tell(o.Name, "remove", s.Reason, func() error { return a.remove(ctx, o) })
	}
	return fmt.Errorf("docker: step %q is unknown", s.Verb)
}

func (a *applier) lookup(id string) (observed, bool) {
	i := slices.IndexFunc(a.known, func(o observed) bool { return o.ID == id })
	if i < 0 {
		return observed{}, false
	}
	return a.known[i], true
}

// tell reports a step before and after it is taken.
func (a *applier) tell(pod, verb, detail string, f func() error) error {
	return tell(a.report, backends.Step{Deployment: a.w.Deployment, Pod: pod, Verb: verb, Detail: detail}, f)
}

func tell(report func(backends.Step), s backends.Step, f func() error) error {
	report(s)
	err := f()
	if err == nil {
		s.Done = true
		report(s)
	}
	return err
}

// create makes the pod of a replica, and all that it needs before. It returns the
// container that has the pod's name already, if that is the pod.
func (a *applier) create(ctx context.Context, s rollout.Step) (id, name string, err error) {
	name = podName(a.instance, a.w.Deployment, s.Ordinal, a.w.SpecHash())
	info, err := a.info(ctx)
	if err != nil {
		return "", name, err
	}
	release := a.images.use()
	defer release()
	if err := a.ensureImage(ctx); err != nil {
		return "", name, err
	}
	if err := a.ensureVolumes(ctx, a.w.Deployment, a.w.Pod.Volumes); err != nil {
		return "", name, err
	}
	if a.w.Pod.GPUs > 0 {
		a.gpus.Lock()
		defer a.gpus.Unlock()
	}
	gpus, err := a.chooseGPUs(ctx, a.w)
	if err != nil {
		return "", name, err
	}
	ids := make([]string, len(gpus))
	for i, g := range gpus {
		ids[i] = g.ID
	}
	r := translate(a.instance, a.w, podLabels(a.instance, a.w, s.Ordinal, a.digest, ids), gpus, info)
	err = a.tell(name, "create", s.Reason, func() error {
		defer a.acts.begin(name, events.ActionCreate)()
		return a.withNetwork(ctx, func() error {
			return a.call(ctx, makeTimeout, "create pod", name, func(ctx context.Context) (err error) {
				id, err = a.make(ctx, r, name)
				return err
			})
		})
	})
	return id, name, err
}

// make asks the engine for the container, or returns the one that is made already.
func (a *applier) make(ctx context.Context, r recipe, name string) (string, error) {
	made, err := a.api().ContainerCreate(ctx, r.config, r.host, r.net, nil, name)
	if err == nil {
		for _, warning := range made.Warnings {
			a.log.Warn("the engine warns", "pod", name, "warning", plain(warning))
		}
		return made.ID, nil
	}
	if !cerrdefs.IsConflict(err) {
		return "", err
	}
	there, inspectErr := a.api().ContainerInspect(ctx, name)
	if cerrdefs.IsNotFound(inspectErr) {
		return "", err // it went away, or its name is still reserved
	}
	if inspectErr != nil {
		return "", inspectErr
	}
	if !samePod(there.Config, r.config) {
		return "", &schema.Error{
			Op: "create pod", Resource: name, Kind: schema.Waiting,
			Err:  errors.New("a container that Berth did not make has this name"),
			Hint: "rename or remove that container",
		}
	}
	return there.ID, nil
}

// samePod tells whether what is there is the pod that was to be made.
func samePod(there, want *container.Config) bool {
	if there == nil || !sameImage(there.Image, want.Image) {
		return false
	}
	return !slices.ContainsFunc([]string{labelInstance, labelDeployment, labelOrdinal, labelSpecHash}, func(key string) bool {
		return there.Labels[key] != want.Labels[key]
	})
}

// withNetwork makes sure of the pod's network, and does so again if it turns out
// that the network was removed in the meantime.
func (a *applier) withNetwork(ctx context.Context, f func() error) error {
	if a.w.Pod.Network != "" {
		return f()
	}
	for attempt := 0; ; attempt++ {
		if err := a.ensureNetwork(ctx); err != nil {
			return err
		}
		err := f()
		if err == nil || attempt > 0 || !missingNetwork(err) {
			return err
		}
		a.net.forget()
	}
}

func (a *applier) start(ctx context.Context, id, name, why string) error {
	return a.tell(name, "start", why, func() error {
		defer a.cache.forget(id)
		defer a.acts.begin(id, events.ActionStart)()
		return a.withNetwork(ctx, func() error {
			return a.call(ctx, makeTimeout, "start pod", name, func(ctx context.Context) error {
				return a.api().ContainerStart(ctx, id, container.StartOptions{})
			})
		})
	})
}

func (a *applier) unpause(ctx context.Context, o observed) error {
	return a.tell(o.Name, "start", "it was paused", func() error {
		return a.Backend.unpause(ctx, o)
	})
}

// giveUp marks the pod as failed, then stops it. A container that waits to be
// started again by the engine cannot be renamed: it is stopped first, and whoever
// dies in between gives it one more try.
func (a *applier) giveUp(ctx context.Context, o observed, why string) error {
	stop := func() error {
		return a.tell(o.Name, "stop", why, func() error {
			return errors.Join(a.stop(ctx, o), a.retire(ctx, o))
		})
	}
	mark := func(name string) error {
		return a.tell(o.Name, "rename", why, func() error { return a.markFailed(ctx, o, name) })
	}
	if o.state != container.StateRestarting {
		err := mark(a.failedName(o))
		if !cerrdefs.IsNotFound(err) {
			return errors.Join(err, stop())
		}
		// It has just crashed, and its network is gone.
		if o.details, err = a.inspect(ctx, o.ID); err != nil {
			return unlessGone(err)
		}
	}
	name := a.failedName(o)
	return errors.Join(stop(), mark(name))
}

// failedName returns the name of the pod once it is given up.
func (a *applier) failedName(o observed) string {
	name := podName(a.instance, o.Deployment, o.Ordinal, o.SpecHash) + failedSuffix
	switch o.state {
	case container.StateRunning, container.StatePaused:
		name += "." + strconv.Itoa(a.cache.lastEnd(o))
	case container.StateRestarting: // it may run again before it is stopped
		name += "." + strconv.Itoa(o.exitCode)
	}
	return name
}

// retire keeps the engine from starting a stopped container when it starts itself.
// Only its policy on-failure does not heed that the container was stopped.
func (a *applier) retire(ctx context.Context, o observed) error {
	if o.restart != container.RestartPolicyOnFailure {
		return nil
	}
	err := a.act(ctx, o, "update pod", func(ctx context.Context) error {
		_, err := a.api().ContainerUpdate(ctx, o.ID, container.UpdateConfig{RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled}})
		return err
	}, events.ActionUpdate)
	return unlessGone(err)
}

// markFailed gives the pod the name of one that failed. An older pod that failed
// with the same specification is removed.
func (a *applier) markFailed(ctx context.Context, o observed, name string) error {
	for _, old := range a.known {
		if old.State == backends.PodFailed && old.Ordinal == o.Ordinal && old.SpecHash == o.SpecHash && old.ID != o.ID {
			if err := a.remove(ctx, old); err != nil {
				return err
			}
		}
	}
	return a.rename(ctx, o, name)
}
