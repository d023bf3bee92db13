package backends_test

import (
	"context"
	"strings"
	"testing"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// looked is a backend that may only be looked at: any other method panics.
type looked struct {
	backends.Backend
	seen []string
}

func (l *looked) Name() string { return "lab" }

func (l *looked) Close() error { l.seen = append(l.seen, "close"); return nil }

func (l *looked) Capacity(context.Context) (backends.Capacity, error) {
	l.seen = append(l.seen, "capacity")
	return backends.Capacity{}, nil
}

func (l *looked) Pods(context.Context) ([]backends.Pod, error) {
	l.seen = append(l.seen, "pods")
	return nil, nil
}

func (l *looked) Owned(context.Context) ([]backends.Object, error) {
	l.seen = append(l.seen, "owned")
	return nil, nil
}

func (l *looked) Watch(context.Context, func(backends.Event)) error {
	l.seen = append(l.seen, "watch")
	return nil
}

func (l *looked) Logs(context.Context, string, backends.LogOptions, func(backends.LogLine) error) error {
	l.seen = append(l.seen, "logs")
	return nil
}

func (l *looked) Usage(context.Context) ([]backends.Usage, error) {
	l.seen = append(l.seen, "usage")
	return nil, nil
}

func (l *looked) PruneImages(context.Context, func(string) bool) error { panic("written") }

func TestReadOnlyRefusesWrites(t *testing.T) {
	ctx := context.Background()
	b := backends.ReadOnly(&looked{})
	_, applied := b.Apply(ctx, backends.Workload{Deployment: "web"}, nil)
	for op, err := range map[string]error{
		"apply":     applied,
		"remove":    b.Remove(ctx, "web", nil),
		"forget":    b.Forget(ctx, "web", nil),
		"uninstall": b.Uninstall(ctx, true, nil),
	} {
		if err == nil || schema.KindOf(err) != schema.Terminal || !strings.Contains(err.Error(), "read-only") {
			t.Errorf("%s: %v", op, err)
		}
	}
	if _, can := b.(backends.ImagePruner); can {
		t.Error("it can remove images")
	}
}

func TestReadOnlyPassesReads(t *testing.T) {
	ctx := context.Background()
	l := &looked{}
	b := backends.ReadOnly(l)
	_, capacity := b.Capacity(ctx)
	_, pods := b.Pods(ctx)
	_, owned := b.Owned(ctx)
	_, usage := b.Usage(ctx)
	logs := b.Logs(ctx, "web-0", backends.LogOptions{}, nil)
	for _, err := range []error{capacity, pods, owned, usage, logs, b.Watch(ctx, nil), b.Close()} {
		if err != nil {
			t.Error(err)
		}
	}
	if got, want := strings.Join(l.seen, " "), "capacity pods owned usage logs watch close"; got != want || b.Name() != "lab" {
		t.Errorf("saw %q, want %q", got, want)
	}
}
