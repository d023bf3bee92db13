// Package memory is a container engine in memory, for tests of all that stands
// above engines. An [Engine] holds the containers and outlives its backends, as a
// real engine outlives Berth: closing a backend and opening another is a restart
// of Berth. Its containers do what their [Image] says, by the engine's clock; a
// test kills and removes them behind Berth's back, and cuts the connection.
//
// It behaves as a Docker Engine does where Berth can tell: crashed containers are
// started again after a pause that doubles, killed ones are not; a name or a
// fixed port is taken once.
package memory

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// Options set up an [Engine].
type Options struct {
	// Capacity is what backends tell; where CPU, Memory, Arch or OS is not set, a
	// machine of 8 CPUs and 32 GB. Its GPUs are given to pods exclusively.
	Capacity backends.Capacity
	// Images are all images that there are. Nil: any image is there and runs well.
	Images map[string]Image
	// Now is the engine's clock; nil: time.Now. Whoever moves a clock of his own
	// calls [Engine.Tick] then.
	Now func() time.Time
}

// An Engine is a container engine in memory. All methods are safe for concurrent use.
type Engine struct {
	capacity backends.Capacity
	now      func() time.Time

	mu         sync.Mutex
	images     map[string]Image
	anyImage   bool         // what images does not name runs well
	containers []*container // in the order of their making
	networks   map[string]bool
	volumes    map[string]volume
	pulled     map[string]bool
	watchers   map[*watcher]bool
	down       bool
	made       map[string]int // how many containers had that name
}

// A volume is a named volume of a deployment.
type volume struct {
	instance, deployment string
	keep                 bool
}

// NewEngine returns an engine without containers.
func NewEngine(o Options) *Engine {
	o.Capacity.CPU = cmp.Or(o.Capacity.CPU, 8000)
	o.Capacity.Memory = cmp.Or(o.Capacity.Memory, 32e9)
	o.Capacity.Arch = cmp.Or(o.Capacity.Arch, "amd64")
	o.Capacity.OS = cmp.Or(o.Capacity.OS, "linux")
	o.Capacity.Engine = cmp.Or(o.Capacity.Engine, "memory")
	o.Capacity.OneHost = true
	anyImage := o.Images == nil
	if anyImage {
		o.Images = map[string]Image{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Engine{
		capacity: o.Capacity, images: maps.Clone(o.Images), anyImage: anyImage, now: o.Now,
		networks: map[string]bool{}, volumes: map[string]volume{}, pulled: map[string]bool{}, watchers: map[*watcher]bool{},
		made: map[string]int{},
	}
}

// Open returns a backend of that name for an instance.
func (e *Engine) Open(instance, name string) *Backend {
	return &Backend{engine: e, instance: instance, name: name, closed: make(chan struct{})}
}

// SetImage adds an image, or changes what containers do that are made from now on.
func (e *Engine) SetImage(name string, image Image) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.images[name] = image
}

// A Container is what the engine knows of a pod.
type Container struct {
	backends.Pod
	Instance string
	Spec     backends.PodSpec
}

// Containers lists the containers of all instances, in the order of their making.
func (e *Engine) Containers() []Container {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settle()
	out := make([]Container, len(e.containers))
	for i, c := range e.containers {
		out[i] = Container{Pod: c.pod(), Instance: c.instance, Spec: c.spec}
	}
	return out
}

// Kill ends the container with exit code 137. As with a real engine, it is not
// started again by itself. It tells whether there is one of that ID that runs.
func (e *Engine) Kill(id string) bool {
	return e.tamper(id, func(c *container) bool { return c.end(137) }, "killed")
}

// Stop ends the container with exit code 0, as one that stops gracefully.
func (e *Engine) Stop(id string) bool {
	return e.tamper(id, func(c *container) bool { return c.end(0) }, "stopped")
}

// Pause pauses the container.
func (e *Engine) Pause(id string) bool {
	return e.tamper(id, func(c *container) bool {
		if c.State != backends.PodRunning {
			return false
		}
		c.State = backends.PodPaused
		return true
	}, "paused")
}

// Crash ends the container as if by itself: it is started again as its restart
// policy says.
func (e *Engine) Crash(id string, exitCode int) bool {
	return e.tamper(id, func(c *container) bool {
		if c.State != backends.PodRunning {
			return false
		}
		c.crash(e.now(), exitCode)
		return true
	}, "crashed")
}

// Delete removes the container.
func (e *Engine) Delete(id string) bool {
	return e.tamper(id, func(c *container) bool { e.drop(c); return true }, "removed")
}

// Write has the container write lines to its standard output; the last one needs
// no end. It tells whether there is one of that ID that runs.
func (e *Engine) Write(id, text string) bool { return e.write(id, false, text) }

// WriteError has the container write lines to its standard error.
func (e *Engine) WriteError(id, text string) bool { return e.write(id, true, text) }

func (e *Engine) write(id string, stderr bool, text string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settle()
	c := e.find(id)
	if c == nil || c.State != backends.PodRunning {
		return false
	}
	c.write(e.now(), stderr, text)
	for w := range e.watchers {
		if w.pod == c {
			w.wake()
		}
	}
	return true
}

func (e *Engine) tamper(id string, change func(*container) bool, what string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settle()
	c := e.find(id)
	if c == nil || !change(c) {
		return false
	}
	e.emit(c, what, false)
	return true
}

// Cut cuts the connection: every call fails, every watch breaks.
func (e *Engine) Cut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = true
	for w := range e.watchers {
		w.broken = true
		w.wake()
	}
}

// Restore lets backends reach the engine again.
func (e *Engine) Restore() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = false
}

// Tick tells that the clock was moved: what is due by then happens.
func (e *Engine) Tick() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.settle()
	for w := range e.watchers {
		w.wake()
	}
}

// settle makes the changes that are due by now.
func (e *Engine) settle() {
	now := e.now()
	for c := e.due(); c != nil && !c.next.After(now); c = e.due() {
		e.emit(c, c.change(), false)
	}
}

// due returns the container that changes next by itself, if any does.
func (e *Engine) due() *container {
	var first *container
	for _, c := range e.containers {
		if !c.next.IsZero() && c.State != backends.PodPaused && (first == nil || c.next.Before(first.next)) {
			first = c
		}
	}
	return first
}

func (e *Engine) find(id string) *container {
	for _, c := range e.containers {
		if c.ID == id {
			return c
		}
	}
	return nil
}

func (e *Engine) drop(c *container) {
	c.gone = true
	e.containers = slices.DeleteFunc(e.containers, func(other *container) bool { return other == c })
}

// freeGPUs returns the IDs of n free GPUs of the vendor, or false. Those of pods
// for which except tells true count as free.
func (e *Engine) freeGPUs(n int, vendor schema.GPUVendor, except func(*container) bool) ([]string, bool) {
	held := map[string]bool{}
	for _, c := range e.containers {
		if c.State == backends.PodFailed || except(c) {
			continue
		}
		for _, id := range c.GPUs {
			held[id] = true
		}
	}
	var free []string
	for _, g := range e.capacity.GPUs {
		if len(free) < n && !held[g.ID] && (vendor == "" || vendor == g.Vendor) {
			free = append(free, g.ID)
		}
	}
	return free, len(free) == n
}
