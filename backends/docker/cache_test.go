package docker

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"

	"github.com/berthdev/berth/backends"
)

func TestCacheForgets(t *testing.T) {
	row := container.Summary{ID: "a", State: "running", Status: "Up 2 minutes (healthy)"}
	known := details{state: "running", health: backends.HealthHealthy, restarts: 7}
	tests := []struct {
		name string
		do   func(c *cache, t ticket) container.Summary
		hit  bool
	}{
		{"nothing happens", func(c *cache, t ticket) container.Summary { c.put("a", t, known); return row }, true},
		{"an event", func(c *cache, t ticket) container.Summary { c.put("a", t, known); c.forget("a"); return row }, false},
		{"an event during the inspection", func(c *cache, t ticket) container.Summary { c.forget("a"); c.put("a", t, known); return row }, false},
		{"the stream breaks", func(c *cache, t ticket) container.Summary { c.put("a", t, known); c.watched(false); return row }, false},
		{"the stream breaks and stands again", func(c *cache, t ticket) container.Summary {
			c.watched(false)
			c.watched(true)
			c.put("a", t, known)
			return row
		}, false},
		{"another state", func(c *cache, t ticket) container.Summary {
			c.put("a", t, known)
			return container.Summary{ID: "a", State: "exited"}
		}, false},
		{"another health", func(c *cache, t ticket) container.Summary {
			c.put("a", t, known)
			return container.Summary{ID: "a", State: "running", Status: "Up 2 minutes (unhealthy)"}
		}, false},
		{"another container", func(c *cache, t ticket) container.Summary { c.put("b", t, known); return row }, false},
		{"the others are gone", func(c *cache, t ticket) container.Summary {
			for i := range 100 {
				c.forget(string(rune('b' + i)))
			}
			c.put("a", t, known)
			c.keepOnly([]container.Summary{row})
			return row
		}, false},
	}
	for _, test := range tests {
		c := newCache()
		c.watched(true)
		_, ticket, hit := c.get(row)
		if hit {
			t.Errorf("%s: known from the start", test.name)
		}
		got, _, hit := c.get(test.do(c, ticket))
		if hit != test.hit || hit && got.restarts != 7 {
			t.Errorf("%s: hit %t, want %t", test.name, hit, test.hit)
		}
	}
}

func TestHealthOf(t *testing.T) {
	for status, want := range map[string]backends.Health{
		"Up 2 minutes": "", "Up 2 minutes (healthy)": backends.HealthHealthy, "Up 1 second (health: starting)": backends.HealthStarting,
		"Up 3 hours (unhealthy)": backends.HealthUnhealthy, "Up 2 minutes (Paused)": "", "Exited (0) 2 seconds ago": "", "": "",
	} {
		if got := healthOf(status); got != want {
			t.Errorf("%q: %q, want %q", status, got, want)
		}
	}
}

func TestActsAreOursForAWhile(t *testing.T) {
	now := time.Unix(0, 0)
	a := newActs(func() time.Time { return now })
	end := a.begin("id", events.ActionDie)
	for _, test := range []struct {
		name      string
		id, pod   string
		action    events.Action
		advance   time.Duration
		want      bool
		endsAfter bool
	}{
		{"under way", "id", "", events.ActionDie, 0, true, false},
		{"by name", "other", "id", events.ActionDie, 0, true, false},
		{"long under way", "id", "", events.ActionDie, time.Hour, true, false},
		{"another action", "id", "", events.ActionStart, 0, false, false},
		{"another container", "x", "y", events.ActionDie, 0, false, true},
		{"just after", "id", "", events.ActionDie, time.Second, true, false},
		{"long after", "id", "", events.ActionDie, time.Minute, false, false},
	} {
		now = now.Add(test.advance)
		if got := a.ours(test.id, test.pod, test.action); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
		if test.endsAfter {
			end()
		}
	}
	for range 1000 {
		a.begin("id")()
		now = now.Add(time.Minute)
	}
	if n := len(a.open); n > 2 {
		t.Errorf("%d acts are remembered", n)
	}
}
