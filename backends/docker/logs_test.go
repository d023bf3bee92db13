package docker_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/docker"
	"github.com/berthdev/berth/internal/dockertest"
	"github.com/berthdev/berth/schema"
)

// runForeign runs a container of the test app that Berth did not make, with the
// label of the instance.
func runForeign(t *testing.T, cli *client.Client, instance string, config container.Config, host *container.HostConfig) string {
	t.Helper()
	config.Image = dockertest.Image(t, cli)
	config.Labels = map[string]string{"berth.dev/instance": instance}
	name := instance + "-foreign"
	made, err := cli.ContainerCreate(t.Context(), &config, host, nil, nil, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := cli.ContainerStart(t.Context(), made.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	return name
}

// texts reads a log that ends by itself.
func texts(t *testing.T, b backends.Backend, pod string) (lines []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = b.Logs(ctx, pod, backends.LogOptions{Follow: true, Tail: -1}, func(l backends.LogLine) error {
		lines = append(lines, l.Text)
		return nil
	})
	return lines, err
}

// A container with a terminal has a raw stream, in which long lines have the time
// in their midst.
func TestLogOfTerminal(t *testing.T) {
	cli := dockertest.Engine(t)
	instance := dockertest.Instance(t, cli)
	b := open(t, instance, schema.BackendConfig{}, docker.Options{})
	defer b.Close()
	long := strings.Repeat("long ", 20_000)
	pod := runForeign(t, cli, instance, container.Config{Tty: true, Cmd: []string{"-say", "first\n" + long, "-exit", "0"}}, nil)
	lines, err := texts(t, b, pod)
	if want := []string{"first", long[:backends.MaxLogLine], long[backends.MaxLogLine:]}; err != nil || !slices.Equal(lines, want) {
		t.Errorf("log %.300q, %v", lines, err)
	}
}

// A log that the engine only sends away cannot be read, and a person is told so.
func TestLogNotReadable(t *testing.T) {
	cli := dockertest.Engine(t)
	instance := dockertest.Instance(t, cli)
	b := open(t, instance, schema.BackendConfig{}, docker.Options{})
	defer b.Close()
	pod := runForeign(t, cli, instance, container.Config{}, &container.HostConfig{LogConfig: container.LogConfig{Type: "none"}})
	_, err := texts(t, b, pod)
	var known *schema.Error
	if !errors.As(err, &known) || known.Kind != schema.Terminal || !strings.Contains(known.Hint, "json-file") {
		t.Errorf("log: %v", err)
	}
}

// A stream that the engine breaks off is gone on with, where it was.
func TestLogGoesOn(t *testing.T) {
	cli := dockertest.Engine(t)
	instance := dockertest.Instance(t, cli)
	p := newProxy(t)
	b := open(t, instance, schema.BackendConfig{Host: p.host}, docker.Options{})
	defer b.Close()
	pod := runForeign(t, cli, instance, container.Config{Cmd: []string{"-say", "one\ntwo"}}, nil)
	var asked atomic.Int32
	p.set(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/logs") {
			return false
		}
		if asked.Add(1) > 1 {
			return false
		}
		// One whole message, and the beginning of another.
		_, _ = w.Write([]byte("\x01\x00\x00\x00\x00\x00\x00\x23" + "2026-01-02T03:04:05.000000000Z zero\x01\x00")) // the client has gone if this fails
		return true
	})
	var lines []string
	enough := errors.New("enough")
	err := b.Logs(t.Context(), pod, backends.LogOptions{Follow: true, Tail: -1}, func(l backends.LogLine) error {
		if lines = append(lines, l.Text); l.Text == "two" {
			return enough
		}
		return nil
	})
	if want := []string{"zero", "one", "two"}; !errors.Is(err, enough) || !slices.Equal(lines, want) {
		t.Errorf("log %q, %v, want %q", lines, err, want)
	}
	asked.Store(0)
	err = b.Logs(t.Context(), pod, backends.LogOptions{Tail: -1}, func(backends.LogLine) error { return nil })
	if schema.KindOf(err) != schema.Transient || err == nil {
		t.Errorf("half a log is told as a whole one: %v", err)
	}
}

// The tail of nothing, followed, is what is written from then on, by whichever run
// of a container that the engine starts again and again.
func TestLogFromNow(t *testing.T) {
	cli := dockertest.Engine(t)
	instance := dockertest.Instance(t, cli)
	b := open(t, instance, schema.BackendConfig{}, docker.Options{})
	defer b.Close()
	pod := runForeign(t, cli, instance, container.Config{Cmd: []string{"-say", "hello", "-exit", "1"}},
		&container.HostConfig{RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyAlways}})
	enough := errors.New("enough")
	stop := func(backends.LogLine) error { return enough }
	if err := b.Logs(t.Context(), pod, backends.LogOptions{Follow: true, Tail: -1}, stop); !errors.Is(err, enough) {
		t.Fatal(err)
	}
	if err := b.Logs(t.Context(), pod, backends.LogOptions{}, stop); err != nil {
		t.Errorf("what is not followed: %v", err)
	}
	begun := time.Now() // the engine runs on this machine
	err := b.Logs(t.Context(), pod, backends.LogOptions{Follow: true}, func(l backends.LogLine) error {
		if l.Time.Before(begun) || l.Text != "hello" {
			t.Errorf("told %+v", l)
		}
		return enough
	})
	if !errors.Is(err, enough) {
		t.Error(err)
	}
}
