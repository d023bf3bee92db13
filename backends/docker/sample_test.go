package docker

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/berthdev/berth/schema"
)

func TestMemoryOf(t *testing.T) {
	for name, test := range map[string]struct {
		stats container.MemoryStats
		want  uint64
	}{
		"cgroups 1":        {container.MemoryStats{Usage: 100, Stats: map[string]uint64{"total_inactive_file": 60, "inactive_file": 10}}, 40},
		"cgroups 2":        {container.MemoryStats{Usage: 100, Stats: map[string]uint64{"inactive_file": 60}}, 40},
		"nothing told":     {container.MemoryStats{Usage: 100}, 100},
		"more than is":     {container.MemoryStats{Usage: 100, Stats: map[string]uint64{"inactive_file": 101}}, 100},
		"it does not run":  {container.MemoryStats{}, 0},
		"no cache of ours": {container.MemoryStats{Usage: 100, Stats: map[string]uint64{"cache": 60}}, 100},
	} {
		if got := memoryOf(test.stats); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

func TestCPUBetween(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	before := sample{at: begun, cpu: time.Minute}
	for name, test := range map[string]struct {
		after sample
		want  schema.CPU
	}{
		"idle":           {sample{at: begun.Add(time.Second), cpu: time.Minute}, 0},
		"half a CPU":     {sample{at: begun.Add(2 * time.Second), cpu: time.Minute + time.Second}, 500},
		"three CPUs":     {sample{at: begun.Add(time.Second), cpu: time.Minute + 3*time.Second}, 3000},
		"started anew":   {sample{at: begun.Add(time.Second), cpu: time.Second}, 0},
		"not measured":   {before, 0},
		"clock set back": {sample{at: begun.Add(-time.Hour), cpu: time.Minute + time.Second}, 0},
	} {
		if got := cpuBetween(before, test.after); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

// What an engine says is not believed blindly.
func TestSampleOf(t *testing.T) {
	if s := sampleOf(container.StatsResponse{}); s != (sample{}) {
		t.Errorf("a container that does not run: %+v", s)
	}
	huge := container.StatsResponse{Read: time.Now()}
	huge.CPUStats.CPUUsage.TotalUsage, huge.MemoryStats.Usage = 1<<64-1, 1<<64-1
	if s := sampleOf(huge); s.cpu < 0 || s.memory < 0 {
		t.Errorf("more than there can be: %+v", s)
	}
}
