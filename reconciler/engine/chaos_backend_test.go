package engine_test

import (
	"context"
	"errors"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// A farBackend is reached with a delay, in both directions: answers are late, or
// lost when the caller does not wait for them.
type farBackend struct {
	backends.Backend
	chaos *chaos
}

// travel takes a while, and tells whether the context lasted.
func (b *farBackend) travel(ctx context.Context, what string) error {
	d := b.chaos.delay(b.Name() + " " + what)
	select {
	case <-ctx.Done():
		return &schema.Error{Op: "reach", Resource: "backend " + b.Name(), Kind: schema.Transient, Err: ctx.Err()}
	case <-time.After(d):
		return nil
	}
}

func (b *farBackend) Capacity(ctx context.Context) (backends.Capacity, error) {
	b.chaos.ask("", 1)
	defer b.chaos.ask("", -1)
	if err := b.travel(ctx, "capacity"); err != nil {
		return backends.Capacity{}, err
	}
	return b.Backend.Capacity(ctx)
}

func (b *farBackend) Pods(ctx context.Context) ([]backends.Pod, error) {
	b.chaos.ask("", 1)
	defer b.chaos.ask("", -1)
	pods, err := b.Backend.Pods(ctx)
	return pods, errors.Join(err, b.travel(ctx, "pods"))
}

func (b *farBackend) Apply(ctx context.Context, w backends.Workload, report func(backends.Step)) (backends.Progress, error) {
	b.chaos.ask(w.Deployment, 1)
	defer b.chaos.ask(w.Deployment, -1)
	if err := b.travel(ctx, "apply "+w.Deployment); err != nil {
		return backends.Progress{}, err
	}
	p, err := b.Backend.Apply(ctx, w, b.counted(report))
	b.chaos.checkDoubles()
	if lost := b.travel(ctx, "applied "+w.Deployment); lost != nil {
		return backends.Progress{}, lost
	}
	return p, err
}

func (b *farBackend) Remove(ctx context.Context, deployment string, report func(backends.Step)) error {
	if err := b.travel(ctx, "remove "+deployment); err != nil {
		return err
	}
	err := b.Backend.Remove(ctx, deployment, b.counted(report))
	return errors.Join(err, b.travel(ctx, "removed "+deployment))
}

func (b *farBackend) Forget(ctx context.Context, deployment string, report func(backends.Step)) error {
	if err := b.travel(ctx, "forget "+deployment); err != nil {
		return err
	}
	err := b.Backend.Forget(ctx, deployment, b.counted(report))
	return errors.Join(err, b.travel(ctx, "forgotten "+deployment))
}

func (b *farBackend) counted(report func(backends.Step)) func(backends.Step) {
	return func(s backends.Step) {
		if s.Done && s.Verb != "pull" {
			b.chaos.mu.Lock()
			b.chaos.writes[s.Deployment]++
			b.chaos.mu.Unlock()
		}
		report(s)
	}
}

func (c *chaos) ask(deployment string, n int) (waiting int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[deployment] += n
	return c.asked[deployment]
}
