package memory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/rollout"
	"github.com/berthdev/berth/schema"
)

// A Backend is an [Engine] as one instance sees it.
type Backend struct {
	engine   *Engine
	instance string
	name     string
	closed   chan struct{}
	close    sync.Once
	writes   atomic.Int64
}

var _ backends.Backend = (*Backend)(nil)

// Name implements [backends.Backend].
func (b *Backend) Name() string { return b.name }

// Writes returns how many changes the backend has made, pulls included.
func (b *Backend) Writes() int { return int(b.writes.Load()) }

// Close implements [backends.Backend]. It breaks what is watched.
func (b *Backend) Close() error {
	b.close.Do(func() { close(b.closed) })
	return nil
}

// check returns why nothing can be done now, if so. The engine's mutex is held.
func (b *Backend) check(ctx context.Context, op string) error {
	fail := func(kind schema.ErrorKind, err error) error {
		return &schema.Error{Op: op, Resource: "backend " + b.name, Kind: kind, Err: err}
	}
	select {
	case <-b.closed:
		return fail(schema.Terminal, errors.New("the backend is closed"))
	default:
	}
	switch {
	case ctx.Err() != nil:
		return fail(schema.Transient, ctx.Err())
	case b.engine.down:
		return fail(schema.Transient, errors.New("the engine does not answer"))
	default:
		return nil
	}
}

// Capacity implements [backends.Backend].
func (b *Backend) Capacity(ctx context.Context) (backends.Capacity, error) {
	e := b.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := b.check(ctx, "ask for the capacity"); err != nil {
		return backends.Capacity{}, err
	}
	c := e.capacity
	c.GPUs, c.Labels, c.Resources = slices.Clone(c.GPUs), maps.Clone(c.Labels), maps.Clone(c.Resources)
	return c, nil
}

// Pods implements [backends.Backend].
func (b *Backend) Pods(ctx context.Context) ([]backends.Pod, error) {
	return b.pods(ctx, func(*container) bool { return true })
}

func (b *Backend) pods(ctx context.Context, want func(*container) bool) ([]backends.Pod, error) {
	e := b.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := b.check(ctx, "list pods"); err != nil {
		return nil, err
	}
	e.settle()
	var pods []backends.Pod
	for _, c := range e.containers {
		if c.instance == b.instance && want(c) {
			p := c.pod()
			p.Backend = b.name
			pods = append(pods, p)
		}
	}
	return pods, nil
}

// Apply implements [backends.Backend].
func (b *Backend) Apply(ctx context.Context, w backends.Workload, report func(backends.Step)) (backends.Progress, error) {
	return rollout.Apply(ctx, w, steps{b, report}, b.engine.now)
}

// Remove implements [backends.Backend].
func (b *Backend) Remove(ctx context.Context, deployment string, report func(backends.Step)) error {
	e := b.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := b.check(ctx, "remove"); err != nil {
		return err
	}
	b.removeContainers(report, func(c *container) bool { return c.Deployment == deployment })
	b.removeVolumes(report, func(v volume) bool { return v.deployment == deployment && !v.keep })
	return nil
}

// Forget implements [backends.Backend].
func (b *Backend) Forget(ctx context.Context, deployment string, report func(backends.Step)) error {
	e := b.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := b.check(ctx, "forget failed pods"); err != nil {
		return err
	}
	b.removeContainers(report, func(c *container) bool {
		return c.Deployment == deployment && c.State == backends.PodFailed
	})
	return nil
}

// Usage implements [backends.Backend].
func (b *Backend) Usage(ctx context.Context) ([]backends.Usage, error) {
	e := b.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := b.check(ctx, "ask for usage"); err != nil {
		return nil, err
	}
	e.settle()
	var out []backends.Usage
	for _, c := range e.containers {
		if c.instance == b.instance && c.State == backends.PodRunning {
			out = append(out, backends.Usage{Pod: c.Name, Deployment: c.Deployment, CPU: c.image.UsedCPU, Memory: c.image.UsedMemory})
		}
	}
	return out, nil
}

// Owned implements [backends.Backend].
func (b *Backend) Owned(ctx context.Context) ([]backends.Object, error) {
	e := b.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := b.check(ctx, "list objects"); err != nil {
		return nil, err
	}
	var out []backends.Object
	for _, c := range e.containers {
		if c.instance == b.instance {
			out = append(out, backends.Object{Kind: "container", Name: c.Name, Deployment: c.Deployment})
		}
	}
	if e.networks[b.instance] {
		out = append(out, backends.Object{Kind: "network", Name: b.instance})
	}
	for name, v := range e.volumes {
		if v.instance == b.instance {
			out = append(out, backends.Object{Kind: "volume", Name: name, Deployment: v.deployment})
		}
	}
	slices.SortFunc(out, func(x, y backends.Object) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name))
	})
	return out, nil
}

// Uninstall implements [backends.Backend].
func (b *Backend) Uninstall(ctx context.Context, volumes bool, report func(backends.Step)) error {
	e := b.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := b.check(ctx, "uninstall"); err != nil {
		return err
	}
	b.removeContainers(report, func(*container) bool { return true })
	if volumes {
		b.removeVolumes(report, func(volume) bool { return true })
	}
	if e.networks[b.instance] {
		delete(e.networks, b.instance)
		b.writes.Add(1)
		tell(report, backends.Step{Verb: "remove", Detail: "network " + b.instance, Done: true})
	}
	return nil
}

func (b *Backend) removeContainers(report func(backends.Step), which func(*container) bool) {
	for _, c := range slices.Clone(b.engine.containers) {
		if c.instance == b.instance && which(c) {
			b.engine.drop(c)
			b.wrote(c, "removed", report, "remove")
		}
	}
}

func (b *Backend) removeVolumes(report func(backends.Step), which func(volume) bool) {
	for name, v := range b.engine.volumes {
		if v.instance == b.instance && which(v) {
			delete(b.engine.volumes, name)
			b.writes.Add(1)
			tell(report, backends.Step{Deployment: v.deployment, Verb: "remove", Detail: "volume " + name, Done: true})
		}
	}
}

// wrote counts, emits and reports what was done to a container.
func (b *Backend) wrote(c *container, what string, report func(backends.Step), verb string) {
	b.writes.Add(1)
	b.engine.emit(c, what, true)
	tell(report, backends.Step{Deployment: c.Deployment, Pod: c.Name, Verb: verb, Done: true})
}

func tell(report func(backends.Step), s backends.Step) {
	if report != nil {
		report(s)
	}
}

// volumeName is the engine's name of a deployment's volume.
func (b *Backend) volumeName(deployment, name string) string {
	return fmt.Sprintf("%s-%s-%s", b.instance, deployment, name)
}
