package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// An Image says what containers made of it do. The zero value runs well.
type Image struct {
	// Pull is called when the image is pulled; nil: it is there already.
	Pull func(ctx context.Context) error
	// StartError is why a container cannot be started; empty: it can.
	StartError string
	// Exits tells that a container ends by itself, After its start, with ExitCode.
	Exits    bool
	ExitCode int
	// Graceful tells that a container ends with code 0 when it is stopped.
	Graceful bool
	// HealthCheck tells that the image has a health check of its own. With one, its
	// own or the pod's, a container is healthy After its start, or Unhealthy then,
	// or Starting forever.
	HealthCheck bool
	Unhealthy   bool
	Starting    bool
	After       time.Duration
	// Lingers is how long a container that runs takes to end when it is removed for
	// its successor.
	Lingers time.Duration
	// Output is what a container writes each time that it starts.
	Output string
	// UsedCPU and UsedMemory are what a container uses while it runs.
	UsedCPU    schema.CPU
	UsedMemory schema.Bytes
}

// The engine's pauses before it starts a crashed container again.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = time.Minute
)

type container struct {
	backends.Pod
	instance string
	spec     backends.PodSpec
	image    Image
	next     time.Time // when its state changes by itself; zero: never
	log      []backends.LogLine
	gone     bool // it was removed
}

// pod returns a copy that shares nothing with the container.
func (c *container) pod() backends.Pod {
	p := c.Pod
	p.GPUs, p.Endpoints = slices.Clone(p.GPUs), slices.Clone(p.Endpoints)
	return p
}

func (c *container) active() bool {
	return c.State == backends.PodRunning || c.State == backends.PodRestarting || c.State == backends.PodPaused
}

// goesOn tells whether the container runs or will run without Berth giving it another try.
func (c *container) goesOn() bool {
	return !c.gone && (c.active() || c.State == backends.PodCreated)
}

// write adds lines to the container's log.
func (c *container) write(t time.Time, stderr bool, text string) {
	lines := backends.LineCutter{Stderr: stderr, Each: func(l backends.LogLine) error {
		c.log = append(c.log, l)
		return nil
	}}
	_ = lines.Write(t, []byte(text)) // as Each never fails
	_ = lines.End()                  // nor does this
}

// run starts the container at t.
func (c *container) run(t time.Time) {
	c.write(t, false, c.image.Output)
	c.State, c.ExitCode, c.Reason, c.StartedAt, c.next = backends.PodRunning, 0, "", t, time.Time{}
	c.Health = backends.HealthNone
	h := c.spec.Healthcheck
	if (h != nil && len(h.Command) > 0 || c.image.HealthCheck) && (h == nil || !h.Disable) {
		c.Health = backends.HealthStarting
	}
	if c.image.Exits || c.Health != backends.HealthNone && !c.image.Starting {
		c.next = t.Add(c.image.After)
	}
}

// end ends the container for good, and tells whether it ran.
func (c *container) end(exitCode int) bool {
	if !c.active() {
		return false
	}
	c.State, c.ExitCode, c.next = backends.PodExited, exitCode, time.Time{}
	return true
}

// crash ends the container by itself at t.
func (c *container) crash(t time.Time, exitCode int) {
	c.end(exitCode)
	switch {
	case c.Restart == schema.RestartNo, c.Restart == schema.RestartOnFailure && exitCode == 0:
		return
	}
	c.State = backends.PodRestarting
	c.next = t.Add(min(firstPause<<min(c.Restarts, 16), lastPause))
	c.Restarts++
}

// change makes the change that is due, and tells what it was.
func (c *container) change() string {
	at := c.next
	c.next = time.Time{}
	switch {
	case c.State == backends.PodRestarting:
		c.run(at)
		return "restarted"
	case c.image.Exits:
		c.crash(at, c.image.ExitCode)
		return fmt.Sprintf("exited with code %d", c.image.ExitCode)
	case c.image.Unhealthy:
		c.Health = backends.HealthUnhealthy
	default:
		c.Health = backends.HealthHealthy
	}
	return string(c.Health)
}
