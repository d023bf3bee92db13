package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/berthdev/berth/backends"
	backend "github.com/berthdev/berth/backends/docker"
	imagetar "github.com/berthdev/berth/internal/image"
	"github.com/berthdev/berth/schema"
)

// A demoEngine does to a container engine what a person would do at its command
// line: load an image, remove something behind Berth's back, ask the app.
type demoEngine interface {
	// config is the backend that the demo's instance has.
	config() schema.BackendConfig
	// images makes an image of this executable there for each release, if the engine
	// takes one from here, and returns the name that they share.
	images(ctx context.Context, instance string, releases ...string) (name, seen string, err error)
	// thing is what stands for a deployment there, for people.
	thing() string
	// things lists the names of what stands for the instance's deployments, by ID.
	things(ctx context.Context, instance string) (map[string]string, error)
	// remove removes one of them.
	remove(ctx context.Context, id, name string) error
	// ask returns where a deployment's pod answers, and what.
	ask(ctx context.Context, deployment string, p backends.Pod) (at, text string, err error)
	// close removes the images that it made.
	close(ctx context.Context) error
}

// openDemoEngine finds the engine of a type, and says what it found.
func openDemoEngine(ctx context.Context, t schema.BackendType) (demoEngine, string, error) {
	if t == schema.BackendKubernetes {
		return openDemoCluster(ctx)
	}
	return openDemoDocker(ctx)
}

// demoDocker is this machine's Docker Engine.
type demoDocker struct {
	client *client.Client
	made   []string // images
}

func openDemoDocker(ctx context.Context) (demoEngine, string, error) {
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, "", err
	}
	version, err := docker.ServerVersion(ctx)
	if err != nil {
		docker.Close()
		return nil, "", noEngine(docker.DaemonHost(), err)
	}
	return &demoDocker{client: docker}, fmt.Sprintf("Docker Engine %s, API %s", version.Version, version.APIVersion), nil
}

// noEngine says why there is no engine for the demo: none runs, or this user may not
// use the one that does.
func noEngine(host string, err error) error {
	e := &schema.Error{
		Op: "reach the Docker Engine at", Resource: host, Kind: schema.Terminal, Err: errors.New("it does not answer"),
		Hint: "start Docker, run 'make engine' on a Debian machine, or set DOCKER_HOST",
	}
	if strings.Contains(err.Error(), "permission denied") {
		e.Err, e.Hint = errors.New("permission denied"), backend.NoRights
	}
	return e
}

func (e *demoDocker) config() schema.BackendConfig {
	return schema.BackendConfig{Name: "docker", Type: schema.BackendDocker}
}

func (e *demoDocker) images(ctx context.Context, instance string, releases ...string) (name, seen string, err error) {
	name = "berth.invalid/" + instance
	path, err := os.Executable()
	if err != nil {
		return "", "", err
	}
	if err := staticExecutable(path); err != nil {
		return "", "", err
	}
	for _, release := range releases {
		tag := name + ":" + release
		e.made = append(e.made, tag)
		if err := e.load(ctx, path, tag); err != nil {
			return "", "", err
		}
	}
	return name, strings.Join(e.made, " and "), nil
}

// load loads an image of an executable.
func (e *demoDocker) load(ctx context.Context, path, tag string) error {
	reader, writer := io.Pipe()
	go func() {
		_, err := imagetar.Write(writer, imagetar.Spec{
			Name: tag, Executable: path, Path: "/berth", Entrypoint: []string{"/berth"},
		})
		writer.CloseWithError(err)
	}()
	resp, err := e.client.ImageLoad(ctx, reader, client.ImageLoadWithQuiet(true))
	reader.CloseWithError(err)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// staticExecutable tells whether the file runs in an image that holds nothing else.
func staticExecutable(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("the demo makes an image of this executable, which must be for Linux: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return &schema.Error{Op: "make an image of", Resource: path, Kind: schema.Terminal,
				Err: errors.New("it is not a static executable"), Hint: "build it with CGO_ENABLED=0, as 'make build' does"}
		}
	}
	return nil
}

func (e *demoDocker) thing() string { return "container" }

// things lists containers, running or not.
func (e *demoDocker) things(ctx context.Context, instance string) (map[string]string, error) {
	list, err := e.client.ContainerList(ctx, container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", "berth.dev/instance="+instance)),
	})
	out := map[string]string{}
	for _, c := range list {
		out[c.ID] = strings.TrimPrefix(strings.Join(c.Names, ","), "/")
	}
	return out, err
}

// remove removes a container as "docker rm -f" does.
func (e *demoDocker) remove(ctx context.Context, id, _ string) error {
	return e.client.ContainerRemove(ctx, id, container.RemoveOptions{Force: true})
}

func (e *demoDocker) ask(ctx context.Context, _ string, p backends.Pod) (at, text string, err error) {
	if len(p.Endpoints) == 0 {
		return "", "", errors.New("its port is not known yet")
	}
	at = fmt.Sprintf("http://%s:%d", p.Endpoints[0].Host, p.Endpoints[0].Port)
	text, err = fetchText(ctx, at)
	return at, text, err
}

func (e *demoDocker) close(ctx context.Context) error {
	var failed error
	for _, tag := range e.made {
		if _, err := e.client.ImageRemove(ctx, tag, image.RemoveOptions{}); err != nil && !errdefs.IsNotFound(err) {
			failed = errors.Join(failed, err)
		}
	}
	return errors.Join(failed, e.client.Close())
}

// maxDemoText is how much is read of what the app answers.
const maxDemoText = 4096

// fetchText gets a page of the demo's app.
func fetchText(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Close = true // each call asks whoever answers there now
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDemoText))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return strings.TrimSpace(string(body)), err
}
