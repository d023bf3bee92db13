package docker

import (
	"context"
	"encoding/json"
	"io"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"golang.org/x/sync/errgroup"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

const (
	// usageSpan is the time over which the use of CPU is told, at least.
	usageSpan = time.Second
	// samplesAtOnce bounds the calls. They are many, as some engines answer each
	// only when they next measure, which they do every second.
	samplesAtOnce = 64
	// mostSample bounds an answer.
	mostSample = 1 << 20
)

// A sample is what a container used up to a moment.
type sample struct {
	at     time.Time     // by the engine's clock; zero: it does not run
	cpu    time.Duration // since it was started
	memory schema.Bytes
}

// Usage implements [backends.Backend]. All pods are measured twice with one pause,
// so that it takes as long for many as for one.
func (b *Backend) Usage(ctx context.Context) ([]backends.Usage, error) {
	args := b.owned()
	args.Add("status", container.StateRunning)
	rows, err := b.rows(ctx, args)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	before, err := b.samples(ctx, rows)
	if err != nil {
		return nil, err
	}
	if err := sleep(ctx, usageSpan); err != nil {
		return nil, classify("measure", "pods", err)
	}
	after, err := b.samples(ctx, rows)
	if err != nil {
		return nil, err
	}
	var out []backends.Usage
	for i, row := range rows {
		if before[i].at.IsZero() || after[i].at.IsZero() {
			continue // it ended
		}
		out = append(out, backends.Usage{
			Pod: nameOf(row), Deployment: row.Labels[labelDeployment], CPU: cpuBetween(before[i], after[i]), Memory: after[i].memory,
		})
	}
	return out, nil
}

// samples measures the containers. One that cannot be measured keeps no other from
// it: only if none can be, the first reason is the error.
func (b *Backend) samples(ctx context.Context, rows []container.Summary) ([]sample, error) {
	out, errs := make([]sample, len(rows)), make([]error, len(rows))
	var group errgroup.Group
	group.SetLimit(samplesAtOnce)
	for i, row := range rows {
		group.Go(func() error {
			out[i], errs[i] = b.sample(ctx, row.ID)
			return nil
		})
	}
	_ = group.Wait() // errs has the errors
	var first error
	for i, err := range errs {
		switch {
		case ctx.Err() != nil:
			return nil, classify("measure", "pods", ctx.Err())
		case err == nil:
			if !out[i].at.IsZero() {
				return out, nil
			}
		case first == nil:
			first = err
		}
	}
	return out, first
}

// sample measures a container. One that ended or was removed has used nothing.
func (b *Backend) sample(ctx context.Context, id string) (s sample, err error) {
	err = b.call(ctx, callTimeout, "measure", "container "+short(id), func(ctx context.Context) error {
		answer, err := b.api().ContainerStatsOneShot(ctx, id)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		var stats container.StatsResponse
		if err := json.NewDecoder(io.LimitReader(answer.Body, mostSample)).Decode(&stats); err != nil {
			return err
		}
		s = sampleOf(stats)
		return nil
	})
	if cerrdefs.IsNotFound(err) || cerrdefs.IsConflict(err) {
		return sample{}, nil
	}
	return s, err
}

func sampleOf(stats container.StatsResponse) sample {
	if stats.Read.Year() <= 1 {
		return sample{}
	}
	return sample{
		at:     stats.Read,
		cpu:    time.Duration(min(stats.CPUStats.CPUUsage.TotalUsage, 1<<62)),
		memory: schema.Bytes(min(memoryOf(stats.MemoryStats), 1<<62)),
	}
}

// memoryOf returns the memory that a container uses without its cache of files
// that were not read for long, as "docker stats" does. The field is another in the
// first version of cgroups, where the one of the second does not count children.
func memoryOf(m container.MemoryStats) uint64 {
	cache, first := m.Stats["total_inactive_file"]
	if !first {
		cache = m.Stats["inactive_file"]
	}
	if cache >= m.Usage {
		return m.Usage
	}
	return m.Usage - cache
}

// cpuBetween returns the CPUs used between two samples: nothing if the container
// was started anew in between.
func cpuBetween(before, after sample) schema.CPU {
	span := after.at.Sub(before.at)
	if span <= 0 || after.cpu < before.cpu {
		return 0
	}
	return schema.CPU(float64(after.cpu-before.cpu) / float64(span) * 1000)
}
