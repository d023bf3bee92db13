package memory

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// A reader reads the log of a pod.
type reader struct {
	*watcher
	from int // the line that comes next
}

// Logs implements [backends.Backend].
func (b *Backend) Logs(ctx context.Context, pod string, o backends.LogOptions, each func(backends.LogLine) error) error {
	r, err := b.open(ctx, pod, o)
	if err != nil {
		return err
	}
	defer b.engine.leave(r.watcher)
	for {
		lines, goesOn, due, err := b.read(ctx, r)
		if err != nil {
			return err
		}
		for _, line := range lines {
			if line.Time.Before(o.Since) {
				continue
			}
			if err := each(line); err != nil {
				return err
			}
		}
		if !o.Follow || !goesOn {
			return nil
		}
		b.wait(ctx, r.watcher, due)
	}
}

// open finds the pod, and the line of its log that is to be read first.
func (b *Backend) open(ctx context.Context, pod string, o backends.LogOptions) (*reader, error) {
	e := b.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := b.check(ctx, "read log"); err != nil {
		return nil, err
	}
	e.settle()
	c := e.named(pod)
	if c == nil || c.instance != b.instance {
		return nil, &schema.Error{
			Op: "read log", Resource: "pod " + pod, Kind: schema.Invalid,
			Hint: "list the pods: they get another name with each release", Err: errors.New("there is no such pod"),
		}
	}
	r := &reader{watcher: &watcher{pod: c, woken: make(chan struct{}, 1)}}
	if o.Tail >= 0 {
		r.from = max(0, len(c.log)-o.Tail)
	}
	e.watchers[r.watcher] = true
	return r, nil
}

// read takes the lines that came, and tells whether more may come, and in what
// time something changes by itself.
func (b *Backend) read(ctx context.Context, r *reader) (lines []backends.LogLine, goesOn bool, due time.Duration, err error) {
	e := b.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if due, err = b.look(ctx, r.watcher, "read log"); err != nil {
		return nil, false, 0, err
	}
	lines = slices.Clone(r.pod.log[r.from:])
	r.from += len(lines)
	return lines, r.pod.goesOn(), due, nil
}
