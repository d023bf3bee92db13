package memory

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/rollout"
	"github.com/berthdev/berth/schema"
)

// stopCode is the exit code of a container that is stopped: by SIGTERM.
const stopCode = 143

// steps takes the steps of one Apply. It implements [rollout.Engine].
type steps struct {
	*Backend
	report func(backends.Step)
}

func (s steps) Pods(ctx context.Context, deployment string) ([]backends.Pod, error) {
	return s.pods(ctx, func(c *container) bool { return c.Deployment == deployment })
}

func (s steps) Take(ctx context.Context, w backends.Workload, step rollout.Step) error {
	var image Image
	creates := step.Verb == rollout.Create || step.Verb == rollout.Make
	if creates {
		var err error
		if image, err = s.pull(ctx, w); err != nil {
			return err
		}
	}
	e := s.engine
	if step.Verb == rollout.Remove {
		if err := e.linger(ctx, step.Pod); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := s.check(ctx, string(step.Verb)); err != nil {
		return err
	}
	e.settle()
	if creates {
		return s.create(w, step, image)
	}
	c := e.find(step.Pod)
	if c == nil {
		return nil // it is gone
	}
	return s.change(c, step)
}

// linger waits for as long as the pod takes to end.
func (e *Engine) linger(ctx context.Context, pod string) error {
	e.mu.Lock()
	wait := time.Duration(0)
	if c := e.find(pod); c != nil && c.active() {
		wait = c.image.Lingers
	}
	e.mu.Unlock()
	if wait == 0 {
		return nil
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return &schema.Error{Op: "remove pod", Resource: pod, Kind: schema.Transient, Err: ctx.Err()}
	}
}

// change takes a step that concerns an existing pod.
func (s steps) change(c *container, step rollout.Step) error {
	switch step.Verb {
	case rollout.Start:
		return s.start(c)
	case rollout.Stop:
		if c.end(stopCode); c.image.Graceful {
			c.ExitCode = 0
		}
		s.wrote(c, "stopped", s.report, "stop")
	case rollout.GiveUp:
		c.end(c.ExitCode)
		c.State, c.Reason, c.next = backends.PodFailed, step.Reason, time.Time{}
		c.Name = fmt.Sprintf("%s-failed-%s", c.Name, c.ID)
		s.wrote(c, "given up", s.report, "rename")
	case rollout.Remove:
		s.engine.drop(c)
		s.wrote(c, "removed", s.report, "remove")
	case rollout.Unpause:
		if c.State == backends.PodPaused {
			c.State = backends.PodRunning
			s.wrote(c, "unpaused", s.report, "start")
		}
	}
	return nil
}

// pull has the image, and returns what it does.
func (s steps) pull(ctx context.Context, w backends.Workload) (Image, error) {
	e, name := s.engine, w.Pod.Image
	fail := func(kind schema.ErrorKind, hint string, err error) error {
		return &schema.Error{Op: "pull image", Resource: name, Kind: kind, Hint: hint, Err: err}
	}
	e.mu.Lock()
	image, found := e.images[name]
	found = found || e.anyImage
	pulled := e.pulled[name]
	err := s.check(ctx, "pull image")
	e.mu.Unlock()
	switch {
	case err != nil:
		return Image{}, err
	case !found:
		return Image{}, fail(schema.Invalid, "check its name and tag", errors.New("there is no such image"))
	case image.Pull == nil, pulled && w.Pod.Pull != schema.PullAlways:
		return image, nil
	case w.Pod.Pull == schema.PullNever:
		return Image{}, fail(schema.Invalid, "its pull policy is never", errors.New("the image is not on the engine"))
	}
	told := backends.Step{Deployment: w.Deployment, Verb: "pull", Detail: name}
	tell(s.report, told)
	if err := image.Pull(ctx); err != nil {
		return Image{}, fail(schema.Transient, "", err)
	}
	told.Done = true
	tell(s.report, told)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pulled[name] = true
	s.writes.Add(1)
	return image, nil
}

// create makes the pod of an ordinal, and starts it if the step says so.
func (s steps) create(w backends.Workload, step rollout.Step, image Image) error {
	e := s.engine
	name := fmt.Sprintf("%s-%s-%d-%.8s", s.instance, w.Deployment, step.Ordinal, strings.TrimPrefix(w.SpecHash(), "1:"))
	c := e.named(name)
	if c == nil {
		// What this pod replaces ends before it starts: its GPUs are free by then.
		gpus, enough := e.freeGPUs(w.Pod.GPUs, w.Pod.GPUVendor, func(other *container) bool {
			return step.Verb == rollout.Make && other.instance == s.instance && other.Deployment == w.Deployment &&
				other.SpecHash != w.SpecHash()
		})
		if !enough {
			return &schema.Error{Op: "create pod", Resource: name, Kind: schema.Waiting, Err: errors.New("no GPU is free")}
		}
		c = s.make(w, step.Ordinal, name, image, gpus)
	}
	if step.Verb == rollout.Make {
		return nil
	}
	return s.start(c)
}

func (s steps) make(w backends.Workload, ordinal int, name string, image Image, gpus []string) *container {
	e := s.engine
	if !e.networks[s.instance] {
		e.networks[s.instance] = true
		s.writes.Add(1)
	}
	for _, v := range w.Pod.Volumes {
		if id := s.volumeName(w.Deployment, v.Name); v.Name != "" && e.volumes[id] == (volume{}) {
			e.volumes[id] = volume{s.instance, w.Deployment, v.Keep == nil || *v.Keep}
			s.writes.Add(1)
		}
	}
	e.made[name]++
	c := &container{instance: s.instance, spec: w.Pod, image: image, Pod: backends.Pod{
		ID: containerID(name, e.made[name]), Name: name, Deployment: w.Deployment, Ordinal: ordinal,
		App: w.App, Release: w.Release, Flavour: w.Flavour, Source: w.Source, Commit: w.Commit,
		SpecHash: w.SpecHash(), InputHash: w.InputHash(), MinReady: w.Rollout.MinReady, Restart: w.Pod.Restart,
		Image: w.Pod.Image, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(w.Pod.Image))),
		CPU: w.Pod.CPU, Memory: w.Pod.Memory, GPUs: gpus, State: backends.PodCreated, CreatedAt: e.now(),
	}}
	e.containers = append(e.containers, c)
	s.wrote(c, "created", s.report, "create")
	return c
}

// containerID returns the ID of the nth container of that name: what is made at
// the same time as others has the same ID in each run of a test.
func containerID(name string, n int) string {
	return fmt.Sprintf("%.4x", sha256.Sum256(fmt.Append(nil, name, n)))
}

func (s steps) start(c *container) error {
	fail := func(kind schema.ErrorKind, reason string) error {
		return &schema.Error{Op: "start pod", Resource: c.Name, Kind: kind, Err: errors.New(reason)}
	}
	if c.active() {
		return nil
	}
	if c.image.StartError != "" {
		c.Reason = c.image.StartError
		return fail(schema.Invalid, c.Reason)
	}
	endpoints, taken := s.publish(c)
	if taken != 0 {
		c.Trouble = fmt.Sprintf("port %d is taken", taken)
		return fail(schema.Waiting, c.Trouble)
	}
	c.Endpoints, c.Restarts, c.Trouble = endpoints, 0, ""
	c.run(s.engine.now())
	s.wrote(c, "started", s.report, "start")
	return nil
}

// publish returns where the container answers, or a port that is taken.
func (s steps) publish(c *container) (endpoints []backends.Endpoint, taken uint16) {
	used := map[backends.Endpoint]bool{}
	for _, other := range s.engine.containers {
		if other.active() {
			for _, at := range other.Endpoints {
				used[backends.Endpoint{Port: at.Port, Protocol: at.Protocol}] = true
			}
		}
	}
	free := uint16(32768)
	for _, p := range c.spec.Ports {
		at := backends.Endpoint{Port: p.Host, Protocol: p.Protocol}
		for at.Port == 0 || p.Host == 0 && used[at] {
			at.Port = free
			free++
		}
		if used[at] {
			return nil, at.Port
		}
		used[at] = true
		at.Host, at.Container = "127.0.0.1", p.Container
		endpoints = append(endpoints, at)
	}
	return endpoints, 0
}

func (e *Engine) named(name string) *container {
	for _, c := range e.containers {
		if c.Name == name {
			return c
		}
	}
	return nil
}
