package backends_test

import (
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
)

// TestReady: what has crashed is doubted for longer each time, for a minute at most.
func TestReady(t *testing.T) {
	start := time.Unix(1000, 0)
	for name, c := range map[string]struct {
		pod  backends.Pod
		wait time.Duration // from its start until it is ready; negative: for ever
	}{
		"new":                     {backends.Pod{State: backends.PodRunning, MinReady: 3 * time.Second}, 3 * time.Second},
		"crashed once":            {backends.Pod{State: backends.PodRunning, MinReady: 3 * time.Second, Restarts: 1}, 6 * time.Second},
		"crashed thrice":          {backends.Pod{State: backends.PodRunning, MinReady: 3 * time.Second, Restarts: 3}, 24 * time.Second},
		"crashes":                 {backends.Pod{State: backends.PodRunning, MinReady: 3 * time.Second, Restarts: 1 << 30}, time.Minute},
		"long anyway":             {backends.Pod{State: backends.PodRunning, MinReady: time.Hour, Restarts: 5}, time.Hour},
		"its health is the proof": {backends.Pod{State: backends.PodRunning, Health: backends.HealthHealthy, Restarts: 5}, 0},
		"not healthy":             {backends.Pod{State: backends.PodRunning, Health: backends.HealthUnhealthy}, -1},
		"ended":                   {backends.Pod{State: backends.PodExited, MinReady: 3 * time.Second}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			c.pod.StartedAt = start
			if c.wait < 0 {
				if ready, at := c.pod.Ready(start.Add(time.Hour)); ready || !at.IsZero() {
					t.Errorf("ready %t, at %s", ready, at)
				}
				return
			}
			if ready, at := c.pod.Ready(start.Add(c.wait - 1)); ready || c.wait > 0 && !at.Equal(start.Add(c.wait)) {
				t.Errorf("before: ready %t, at %s", ready, at.Sub(start))
			}
			if ready, _ := c.pod.Ready(start.Add(c.wait)); !ready {
				t.Error("then: not ready")
			}
		})
	}
}
