package docker

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/system"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// about is what the engine told of itself when it was last asked.
type about struct {
	mu    sync.Mutex
	info  *system.Info
	ahead time.Duration // of our clock is the engine's, where they differ
}

// sameClock is how far two clocks may be apart that count as one: an answer takes time.
const sameClock = 2 * time.Second

// ask asks the engine about itself.
func (b *Backend) ask(ctx context.Context) (*system.Info, error) {
	var info system.Info
	began := time.Now()
	err := b.call(ctx, callTimeout, "ask", "Docker Engine "+b.endpoint.name, func(ctx context.Context) (err error) {
		info, err = b.api().Info(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	b.about.mu.Lock()
	defer b.about.mu.Unlock()
	if b.about.info == nil {
		b.warn(&info)
	}
	b.about.info = &info
	b.compareClocks(moment(info.SystemTime), began, time.Now())
	return &info, nil
}

// compareClocks notes how far the engine's clock is ahead: it told the time between
// two of ours. The caller holds about.mu.
func (b *Backend) compareClocks(told, began, ended time.Time) {
	if told.IsZero() {
		return
	}
	ahead := told.Sub(began.Add(ended.Sub(began) / 2)).Round(time.Second)
	if (ahead - b.about.ahead).Abs() <= sameClock+ended.Sub(began)/2 {
		return
	}
	if ahead.Abs() <= sameClock {
		ahead = 0
	}
	b.about.ahead = ahead
	b.log.Warn("the clock of the engine is not ours: its times are told by ours", "ahead", ahead.String(),
		"hint", "have both machines set their clocks by NTP")
}

// here returns a moment that the engine told as our clock has it.
func (b *Backend) here(told time.Time) time.Time {
	b.about.mu.Lock()
	defer b.about.mu.Unlock()
	if told.IsZero() {
		return told
	}
	return told.Add(-b.about.ahead)
}

// info returns what the engine told last, and asks it only if it never did.
func (b *Backend) info(ctx context.Context) (*system.Info, error) {
	b.about.mu.Lock()
	info := b.about.info
	b.about.mu.Unlock()
	if info != nil {
		return info, nil
	}
	return b.ask(ctx)
}

// warn tells once what the engine cannot hold pods to.
func (b *Backend) warn(info *system.Info) {
	if !info.MemoryLimit {
		b.log.Warn("the engine cannot limit memory: memory of pods is counted, not enforced")
	}
	if !info.CPUCfsQuota {
		b.log.Warn("the engine cannot limit CPU time: CPUs of pods are counted, not enforced")
	}
}

// Capacity implements [backends.Backend].
func (b *Backend) Capacity(ctx context.Context) (backends.Capacity, error) {
	info, err := b.ask(ctx)
	if err != nil {
		return backends.Capacity{}, err
	}
	return capacity(info, b.api().ClientVersion(), b.cfg), nil
}

// capacity merges what is configured over what the engine tells.
func capacity(info *system.Info, api string, cfg schema.BackendConfig) backends.Capacity {
	offer := cfg.Capacity
	c := backends.Capacity{
		CPU:       schema.CPU(info.NCPU) * 1000,
		Memory:    schema.Bytes(info.MemTotal),
		Arch:      goArch(info.Architecture),
		OS:        info.OSType,
		Labels:    engineLabels(info.Labels),
		Services:  offer.Services,
		Resources: offer.Resources,
		OneHost:   true,
		Allow:     cfg.Allow,
		Engine:    fmt.Sprintf("Docker %s, API %s", info.ServerVersion, api),
	}
	if offer.CPU != nil {
		c.CPU = *offer.CPU
	}
	if offer.Memory != nil {
		c.Memory = *offer.Memory
	}
	maps.Copy(c.Labels, offer.Labels)
	if c.GPUs = configuredGPUs(offer.GPUs); len(offer.GPUs) == 0 {
		c.GPUs = engineGPUs(info)
	}
	return c
}

// goArch returns the name that Go gives to the kernel's name of a processor.
func goArch(machine string) string {
	switch machine {
	case "x86_64", "x86-64":
		return "amd64"
	case "aarch64", "arm64v8":
		return "arm64"
	case "i386", "i486", "i586", "i686":
		return "386"
	case "armv6l", "armv7l", "armhf":
		return "arm"
	}
	return machine
}

// engineLabels reads the engine's own labels, written as KEY=VALUE or KEY.
func engineLabels(lines []string) map[string]string {
	labels := make(map[string]string, len(lines))
	for _, line := range lines {
		key, value, _ := strings.Cut(line, "=")
		labels[key] = value
	}
	return labels
}
