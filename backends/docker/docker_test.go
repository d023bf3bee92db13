package docker_test

import (
	"context"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	"go.uber.org/goleak"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/backendtest"
	"github.com/berthdev/berth/backends/docker"
	"github.com/berthdev/berth/internal/dockertest"
	"github.com/berthdev/berth/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	engine := dockertest.Engine(t)
	image := dockertest.Image(t, engine)
	good := backends.PodSpec{Image: image, Ports: []schema.Port{{Container: dockertest.AppPort, Protocol: schema.TCP}}}
	with := func(change func(*backends.PodSpec)) backends.PodSpec {
		spec := good
		change(&spec)
		return spec
	}
	second, once := schema.Duration(time.Second), 1
	writes := newCounters()
	backendtest.Run(t, backendtest.Harness{
		Open: func(t testing.TB, instance string) backends.Backend {
			b := open(t, instance, schema.BackendConfig{Host: writes.proxy(t, instance)}, docker.Options{})
			writes.of(b, instance)
			return b
		},
		Writes: writes.count,
		Good:   good, Port: dockertest.AppPort, HTTP: true,
		Exits:    with(func(s *backends.PodSpec) { s.Args = []string{"-say", "exiting", "-exit", "3"} }),
		Says:     "exiting",
		ExitCode: 3,
		Sick: with(func(s *backends.PodSpec) {
			s.Args = []string{"-unwell"}
			s.Healthcheck = &schema.Healthcheck{Command: []string{"/app", "healthcheck"}, Interval: &second, Timeout: &second, Retries: &once}
		}),
		BadCommand: with(func(s *backends.PodSpec) { s.Command = []string{"/nothing"} }),
		NoImage:    with(func(s *backends.PodSpec) { s.Image, s.Pull = "berth.test/missing:1", schema.PullNever }),
		HostPort:   dockertest.FreePort,
		Tamper: map[string]func(testing.TB, backends.Pod){
			"kill": tamper(func(ctx context.Context, id string) error { return engine.ContainerKill(ctx, id, "KILL") }),
			"stop": tamper(func(ctx context.Context, id string) error {
				return engine.ContainerStop(ctx, id, container.StopOptions{})
			}),
			"pause":  tamper(engine.ContainerPause),
			"remove": tamper(remover(engine)),
		},
		Write: backendtest.Print, Crash: backendtest.Crash, Memory: true,
		Timeout: 6 * time.Second, Patience: 3 * time.Minute,
	})
}

// open opens a backend named "docker" of an instance.
func open(t testing.TB, instance string, cfg schema.BackendConfig, opts docker.Options) *docker.Backend {
	t.Helper()
	cfg.Name, cfg.Type = "docker", schema.BackendDocker
	b, err := docker.New(context.Background(), cfg, instance, opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tamper(f func(ctx context.Context, id string) error) func(testing.TB, backends.Pod) {
	return func(t testing.TB, p backends.Pod) {
		if err := f(context.Background(), p.ID); err != nil {
			t.Error(err)
		}
	}
}

func remover(engine *client.Client) func(context.Context, string) error {
	return func(ctx context.Context, id string) error {
		return engine.ContainerRemove(ctx, id, container.RemoveOptions{Force: true})
	}
}
