package memory_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/backendtest"
	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/schema"
)

// A clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func workload(deployment, image string) backends.Workload {
	return backends.Workload{
		Deployment: deployment, Replicas: 1,
		Rollout: backends.Rollout{Strategy: schema.Rolling, Timeout: time.Minute, Rollback: true},
		Pod:     backends.PodSpec{Image: image, Restart: schema.RestartUnlessStopped},
	}
}

func apply(t *testing.T, b backends.Backend, w backends.Workload) backends.Progress {
	t.Helper()
	p, err := b.Apply(t.Context(), w, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The states of a container follow the clock alone.
func TestStatesFollowTheClock(t *testing.T) {
	c := newClock()
	e := memory.NewEngine(memory.Options{Now: c.Now, Images: map[string]memory.Image{
		"healthy":  {HealthCheck: true, After: 5 * time.Second},
		"sick":     {HealthCheck: true, After: 5 * time.Second, Unhealthy: true},
		"starting": {HealthCheck: true, Starting: true},
		"crashing": {Exits: true, ExitCode: 1, After: time.Second},
		"job":      {Exits: true},
	}})
	b := e.Open("lab", "memory")
	defer b.Close()
	for _, image := range []string{"healthy", "sick", "starting", "crashing", "job"} {
		w := workload(image, image)
		if image == "job" {
			w.Pod.Restart = schema.RestartNo
		}
		apply(t, b, w)
	}
	steps := []struct {
		after time.Duration
		want  map[string]string
	}{
		{0, map[string]string{"healthy": "running starting", "crashing": "running ", "job": "exited "}},
		{time.Second, map[string]string{"crashing": "restarting ", "healthy": "running starting"}},
		{100 * time.Millisecond, map[string]string{"crashing": "running "}},
		{time.Hour, map[string]string{"healthy": "running healthy", "sick": "running unhealthy", "starting": "running starting"}},
	}
	for _, step := range steps {
		c.advance(step.after)
		for _, p := range e.Containers() {
			want, named := step.want[p.Spec.Image]
			if got := string(p.State) + " " + string(p.Health); named && got != want {
				t.Errorf("%s at %s: %q, want %q", p.Spec.Image, c.Now().Format(time.TimeOnly), got, want)
			}
		}
	}
}

// What is due happens while it is watched, and is told.
func TestTickTellsWatchers(t *testing.T) {
	c := newClock()
	e := memory.NewEngine(memory.Options{Now: c.Now, Images: map[string]memory.Image{
		"app": {HealthCheck: true, After: time.Hour},
	}})
	b := e.Open("lab", "memory")
	defer b.Close()
	apply(t, b, workload("web", "app"))
	events, _ := watch(t, b)
	<-events // the stream stands
	c.advance(time.Hour)
	e.Tick()
	if got := <-events; got.Deployment != "web" || got.What != "container healthy" || got.Ours {
		t.Errorf("event %+v", got)
	}
	if p := apply(t, b, workload("web", "app")); p.Phase != backends.PhaseReady {
		t.Errorf("phase %s: %s", p.Phase, p.Reason)
	}
}

// watch watches until the stream breaks or the test ends.
func watch(t *testing.T, b backends.Backend) (events chan backends.Event, ended chan error) {
	events, ended = make(chan backends.Event, 100), make(chan error, 1)
	go func() { ended <- b.Watch(t.Context(), func(e backends.Event) { events <- e }) }()
	return events, ended
}

func TestCutConnection(t *testing.T) {
	e := memory.NewEngine(memory.Options{})
	b := e.Open("lab", "memory")
	defer b.Close()
	w := workload("web", "app")
	apply(t, b, w)
	events, ended := watch(t, b)
	<-events

	e.Cut()
	_, pods := b.Pods(t.Context())
	_, applied := b.Apply(t.Context(), w, nil)
	for _, err := range []error{pods, applied, b.Remove(t.Context(), "web", nil)} {
		if err == nil || schema.KindOf(err) != schema.Transient {
			t.Errorf("error %v, want a transient one", err)
		}
	}
	e.Restore()
	if err := <-ended; schema.KindOf(err) != schema.Transient {
		t.Errorf("the stream ended with %v", err)
	}
	if p := apply(t, b, w); p.Phase != backends.PhaseReady || len(e.Containers()) != 1 {
		t.Errorf("phase %s: %s", p.Phase, p.Reason)
	}
}

func TestClosedBackend(t *testing.T) {
	e := memory.NewEngine(memory.Options{})
	b := e.Open("lab", "memory")
	events, ended := watch(t, b)
	<-events
	for range 2 {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-ended; schema.KindOf(err) != schema.Terminal {
		t.Errorf("the stream ended with %v", err)
	}
	if _, err := b.Pods(t.Context()); schema.KindOf(err) != schema.Terminal {
		t.Errorf("error %v, want a terminal one", err)
	}
}

// A GPU is given to one pod at a time; recreate hands it on.
func TestGPUsAreExclusive(t *testing.T) {
	e := memory.NewEngine(memory.Options{Capacity: backends.Capacity{GPUs: []backends.GPU{
		{ID: "nvidia0", Vendor: schema.NVIDIA}, {ID: "amd0", Vendor: schema.AMD},
	}}})
	b := e.Open("lab", "memory")
	defer b.Close()
	w := workload("web", "app")
	w.Pod.GPUs, w.Pod.GPUVendor = 1, schema.NVIDIA
	w.Rollout.Strategy = schema.Recreate
	apply(t, b, w)

	second := w
	second.Deployment = "second"
	if _, err := b.Apply(t.Context(), second, nil); schema.KindOf(err) != schema.Waiting {
		t.Errorf("error %v, want a waiting one", err)
	}
	second.Pod.GPUVendor = ""
	apply(t, b, second)

	w.Pod.Image = "app:2"
	backendtest.Converge(t, b, w, backends.PhaseReady, time.Minute)
	held := map[string]string{}
	for _, p := range e.Containers() {
		held[p.Deployment+" "+p.Image] = p.GPUs[0]
	}
	if len(held) != 2 || held["web app:2"] != "nvidia0" || held["second app"] != "amd0" {
		t.Errorf("held: %v", held)
	}
}

func TestPortIsTakenOnce(t *testing.T) {
	e := memory.NewEngine(memory.Options{})
	b := e.Open("lab", "memory")
	defer b.Close()
	w := workload("web", "app")
	w.Pod.Ports = []schema.Port{{Host: 8080, Container: 80, Protocol: schema.TCP}, {Container: 81, Protocol: schema.TCP}}
	first := apply(t, b, w).Pods[0]
	if len(first.Endpoints) != 2 || first.Endpoints[0].Port != 8080 || first.Endpoints[1].Port == 0 {
		t.Errorf("endpoints %+v", first.Endpoints)
	}
	w.Deployment = "second"
	for range 2 {
		if _, err := b.Apply(t.Context(), w, nil); schema.KindOf(err) != schema.Waiting {
			t.Errorf("error %v, want a waiting one", err)
		}
	}
	if err := b.Remove(t.Context(), "web", nil); err != nil {
		t.Fatal(err)
	}
	if p := apply(t, b, w); p.Phase != backends.PhaseReady || len(e.Containers()) != 1 {
		t.Errorf("phase %s: %s", p.Phase, p.Reason)
	}
}

func TestPull(t *testing.T) {
	pulls := 0
	var trouble error
	pull := func(ctx context.Context) error { pulls++; return errors.Join(trouble, ctx.Err()) }
	e := memory.NewEngine(memory.Options{Images: map[string]memory.Image{"app": {Pull: pull}}})
	b := e.Open("lab", "memory")
	defer b.Close()
	w := workload("web", "app")

	w.Pod.Pull = schema.PullNever
	if _, err := b.Apply(t.Context(), w, nil); schema.KindOf(err) != schema.Invalid || pulls != 0 {
		t.Errorf("pull never: %v after %d pulls", err, pulls)
	}
	w.Pod.Pull = schema.PullMissing
	trouble = errors.New("the registry does not answer")
	if _, err := b.Apply(t.Context(), w, nil); schema.KindOf(err) != schema.Transient || b.Writes() != 0 {
		t.Errorf("pull fails: %v", err)
	}
	trouble, pulls = nil, 0
	apply(t, b, w)
	w.Replicas = 2
	apply(t, b, w)
	if pulls != 1 {
		t.Errorf("%d pulls of a missing image, want 1", pulls)
	}
	w.Pod.Pull = schema.PullAlways
	w.Deployment = "other"
	apply(t, b, w)
	if pulls < 2 {
		t.Error("not pulled always")
	}
}

// An image that appears is found the next time.
func TestImageAppears(t *testing.T) {
	e := memory.NewEngine(memory.Options{Images: map[string]memory.Image{}})
	b := e.Open("lab", "memory")
	defer b.Close()
	if _, err := b.Apply(t.Context(), workload("web", "app"), nil); schema.KindOf(err) != schema.Invalid {
		t.Errorf("error %v, want an invalid one", err)
	}
	e.SetImage("app", memory.Image{})
	if p := apply(t, b, workload("web", "app")); p.Phase != backends.PhaseReady {
		t.Errorf("phase %s: %s", p.Phase, p.Reason)
	}
}

func TestCrashIsTheEnginesToRepair(t *testing.T) {
	c := newClock()
	e := memory.NewEngine(memory.Options{Now: c.Now})
	b := e.Open("lab", "memory")
	defer b.Close()
	w := workload("web", "app")
	id := apply(t, b, w).Pods[0].ID
	writes := b.Writes()
	if !e.Crash(id, 2) || e.Crash(id, 2) {
		t.Error("it can crash once")
	}
	if p := apply(t, b, w).Pods[0]; p.State != backends.PodRestarting || p.ExitCode != 2 || b.Writes() != writes {
		t.Errorf("crashed: %+v after %d writes", p, b.Writes()-writes)
	}
	c.advance(time.Second)
	if p := apply(t, b, w); p.Phase != backends.PhaseReady || p.Pods[0].Restarts != 1 {
		t.Errorf("phase %s: %+v", p.Phase, p.Pods)
	}
	if e.Kill("nobody") || e.Stop("nobody") || e.Pause("nobody") || e.Delete("nobody") {
		t.Error("there is nobody")
	}
}
