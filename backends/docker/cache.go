package docker

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/berthdev/berth/backends"
)

// details is what only an inspection of a container tells, and a listing does not.
type details struct {
	state      string          // the engine's word, as in the listing
	health     backends.Health // as in the listing
	createdAt  time.Time
	startedAt  time.Time
	exitCode   int
	restarts   int
	reason     string
	trouble    string
	ports      []container.Port    // as in the listing
	pinned     []backends.Endpoint // on the host's network: the ports as declared
	memory     int64
	nanoCPUs   int64
	restart    container.RestartPolicyMode
	grace      time.Duration // how long it may take to stop
	networks   []string
	deployment string
	image      string // what it was made of, as whoever made it wrote that
}

// A cache keeps details, so that a listing of many containers does not inspect
// each of them again. An entry holds as long as the listing agrees with it and no
// event came for its container; so it is used only while the events are watched.
type cache struct {
	mu      sync.Mutex
	watches int               // streams of events that stand
	flushes uint64            // how often everything was forgotten
	version map[string]uint64 // by container: how often it was forgotten
	entries map[string]details
	ends    map[string]int // by container: the exit code with which it ended last
}

func newCache() *cache {
	return &cache{version: map[string]uint64{}, entries: map[string]details{}, ends: map[string]int{}}
}

// A ticket tells when an inspection began, so that what was forgotten in the
// meantime is not remembered.
type ticket struct{ flushes, version uint64 }

// get returns the details, if they are known and agree with the listing's row.
func (c *cache) get(row container.Summary) (details, ticket, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.entries[row.ID]
	ok = ok && c.watches > 0 && d.state == row.State && d.health == healthOf(row.Status)
	return d, ticket{c.flushes, c.version[row.ID]}, ok
}

func (c *cache) put(id string, t ticket, d details) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watches > 0 && t == (ticket{c.flushes, c.version[id]}) {
		c.entries[id] = d
	}
}

// forget is called for every event and after every act of our own.
func (c *cache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version[id]++
	delete(c.entries, id)
}

// running returns the deployment of a container that runs, as far as is known.
func (c *cache) running(id string) (deployment string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.entries[id]
	return d.deployment, ok && d.state == container.StateRunning
}

// keepOnly drops what is known of containers that are gone.
func (c *cache) keepOnly(rows []container.Summary) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.version) <= 2*len(rows)+16 {
		return
	}
	clear(c.entries)
	clear(c.version)
	maps.DeleteFunc(c.ends, func(id string, _ int) bool {
		return !slices.ContainsFunc(rows, func(row container.Summary) bool { return row.ID == id })
	})
	c.flushes++
}

// ended notes how a container has ended: once it runs again, its engine does not
// tell any more.
func (c *cache) ended(id string, exitCode int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends[id] = exitCode
}

// lastEnd returns the exit code with which a container ended last that its engine
// started again; 0: it is not known, or it never ended.
func (c *cache) lastEnd(o observed) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.restarts == 0 {
		return 0
	}
	return c.ends[o.ID]
}

// watched notes that a stream of events stands, or that it ended.
func (c *cache) watched(begins bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if begins {
		c.watches++
		return
	}
	c.watches--
	clear(c.entries) // events may be missed from now on
	c.flushes++
}

// healthOf reads the health from the status that a listing gives, as
// "Up 2 minutes (healthy)".
func healthOf(status string) backends.Health {
	switch {
	case strings.HasSuffix(status, "(healthy)"):
		return backends.HealthHealthy
	case strings.HasSuffix(status, "(unhealthy)"):
		return backends.HealthUnhealthy
	case strings.HasSuffix(status, "(health: starting)"):
		return backends.HealthStarting
	}
	return backends.HealthNone
}
