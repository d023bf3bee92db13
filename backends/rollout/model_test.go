package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/rollout"
	"github.com/berthdev/berth/schema"
)

// The model's images. What a container does follows from its image alone.
const (
	well     = "well"      // runs
	checked  = "checked"   // runs, healthy after 5 s
	crashing = "crashing"  // exits with 1 a second after each start
	sick     = "sick"      // unhealthy after 5 s
	slow     = "slow"      // never becomes healthy
	broken   = "broken"    // cannot be started
	missing  = "missing"   // cannot be pulled
	job      = "job"       // exits with 0 after a second, not restarted
	badJob   = "badJob"    // exits with 1 after a second, not restarted
	timeout  = time.Minute // of every rollout here
)

var errDied = errors.New("berth died")

// A model is an engine that knows only containers, with a clock of its own.
type model struct {
	now   time.Time
	pods  []*container
	made  int
	steps []rollout.Step
	check func(backends.Workload, rollout.Step) // told of each step before it is taken
	// dieIn counts steps until Berth dies: at 1 before the next one is taken; at 0 never.
	dieIn int
}

type container struct {
	backends.Pod
	next time.Time // when its state changes by itself; zero: never
}

func newModel() *model {
	return &model{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func workload(image string, replicas int, strategy schema.Strategy) backends.Workload {
	w := backends.Workload{
		Deployment: "web", Replicas: replicas,
		Rollout: backends.Rollout{Strategy: strategy, Timeout: timeout, MinReady: 3 * time.Second, Rollback: true},
		Pod:     backends.PodSpec{Image: image, Restart: schema.RestartUnlessStopped},
	}
	switch image {
	case job, badJob:
		w.Pod.Restart = schema.RestartNo
	case checked, sick, slow:
		w.Rollout.MinReady = 0
	}
	return w
}

func (m *model) apply(w backends.Workload) (backends.Progress, error) {
	return rollout.Apply(context.Background(), w, m, func() time.Time { return m.now })
}

func (m *model) Pods(context.Context, string) ([]backends.Pod, error) {
	out := make([]backends.Pod, len(m.pods))
	for i, c := range m.pods {
		out[i] = c.Pod
	}
	return out, nil
}

func (m *model) Take(ctx context.Context, w backends.Workload, s rollout.Step) error {
	if m.dieIn == 1 {
		return errDied
	}
	m.dieIn = max(m.dieIn-1, 0)
	if m.check != nil {
		m.check(w, s)
	}
	m.steps = append(m.steps, s)
	switch s.Verb {
	case rollout.Create, rollout.Make:
		c, err := m.create(w, s.Ordinal)
		if err != nil || s.Verb == rollout.Make {
			return err
		}
		if m.dieIn == 1 { // between create and start
			return errDied
		}
		return m.start(c)
	case rollout.Start:
		return m.start(m.pod(s.Pod))
	case rollout.Stop:
		m.stop(m.pod(s.Pod), 143)
	case rollout.GiveUp:
		m.stop(m.pod(s.Pod), m.pod(s.Pod).ExitCode)
		m.pod(s.Pod).State = backends.PodFailed
	case rollout.Remove:
		m.remove(s.Pod)
	case rollout.Unpause:
		m.pod(s.Pod).State = backends.PodRunning
	default:
		return fmt.Errorf("unknown verb %q", s.Verb)
	}
	return nil
}

func (m *model) pod(id string) *container {
	for _, c := range m.pods {
		if c.ID == id {
			return c
		}
	}
	return &container{}
}

func (m *model) create(w backends.Workload, ordinal int) (*container, error) {
	if w.Pod.Image == missing {
		return nil, &schema.Error{Op: "pull image", Resource: missing, Kind: schema.Invalid}
	}
	m.made++
	m.now = m.now.Add(time.Millisecond)
	c := &container{Pod: backends.Pod{
		ID: fmt.Sprint("c", m.made), Deployment: w.Deployment, Ordinal: ordinal, Image: w.Pod.Image,
		SpecHash: w.SpecHash(), InputHash: w.InputHash(), MinReady: w.Rollout.MinReady,
		Restart: w.Pod.Restart, State: backends.PodCreated, CreatedAt: m.now,
	}}
	m.pods = append(m.pods, c)
	return c, nil
}

func (m *model) start(c *container) error {
	if c.Image == broken {
		c.Reason = "no such command"
		return &schema.Error{Op: "start pod", Resource: c.ID, Kind: schema.Invalid}
	}
	c.Restarts = 0
	m.run(c)
	return nil
}

func (m *model) run(c *container) {
	c.State, c.ExitCode, c.StartedAt, c.next = backends.PodRunning, 0, m.now, time.Time{}
	switch c.Image {
	case crashing, job, badJob:
		c.next = m.now.Add(time.Second)
	case checked, sick:
		c.Health, c.next = backends.HealthStarting, m.now.Add(5*time.Second)
	case slow:
		c.Health = backends.HealthStarting
	}
}

func (m *model) stop(c *container, code int) {
	if c.State != backends.PodCreated {
		c.State, c.ExitCode = backends.PodExited, code
	}
	c.next = time.Time{}
}

func (m *model) remove(id string) {
	m.pods = slices.DeleteFunc(m.pods, func(c *container) bool { return c.ID == id })
}

// change makes the change that is due for the container.
func (m *model) change(c *container) {
	c.next = time.Time{}
	switch {
	case c.State == backends.PodRestarting:
		m.run(c)
	case c.Image == crashing:
		c.State, c.ExitCode = backends.PodRestarting, 1
		c.next = m.now.Add(min(100*time.Millisecond<<c.Restarts, time.Minute))
		c.Restarts++
	case c.Image == job:
		c.State = backends.PodExited
	case c.Image == badJob:
		c.State, c.ExitCode = backends.PodExited, 1
	case c.Image == checked:
		c.Health = backends.HealthHealthy
	case c.Image == sick:
		c.Health = backends.HealthUnhealthy
	}
}

// due returns the container that changes first, if any does.
func (m *model) due() *container {
	var first *container
	for _, c := range m.pods {
		if !c.next.IsZero() && c.State != backends.PodPaused && (first == nil || c.next.Before(first.next)) {
			first = c
		}
	}
	return first
}

// advance lets time pass up to t.
func (m *model) advance(t time.Time) {
	for c := m.due(); c != nil && !c.next.After(t); c = m.due() {
		if c.next.After(m.now) {
			m.now = c.next
		}
		m.change(c)
	}
	if t.After(m.now) {
		m.now = t
	}
}

// converge applies w on every change and whenever asked to, for five minutes.
func (m *model) converge(w backends.Workload) (p backends.Progress, err error) {
	for end := m.now.Add(5 * timeout); m.now.Before(end); {
		if p, err = m.apply(w); err != nil && p.Again.IsZero() && m.due() == nil {
			return p, err
		}
		t := end
		if c := m.due(); c != nil {
			t = c.next
		}
		if !p.Again.IsZero() && p.Again.Before(t) {
			t = p.Again
		}
		if t.Equal(end) && m.due() == nil {
			break // nothing happens any more
		}
		m.advance(t)
	}
	return p, err
}
