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

	imagetar "github.com/berthdev/berth/internal/image"
	"github.com/berthdev/berth/schema"
)

// demoEngine does to the Docker Engine what a person would do at its command
// line: load an image, remove a container behind Berth's back.
type demoEngine struct {
	client *client.Client
}

func newDemoEngine(ctx context.Context) (*demoEngine, string, error) {
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, "", err
	}
	version, err := docker.ServerVersion(ctx)
	if err != nil {
		docker.Close()
		return nil, "", &schema.Error{
			Op: "reach the Docker Engine at", Resource: docker.DaemonHost(), Kind: schema.Terminal, Err: errors.New("it does not answer"),
			Hint: "start Docker, run 'make engine' on a Debian machine, or set DOCKER_HOST",
		}
	}
	return &demoEngine{client: docker}, fmt.Sprintf("Docker Engine %s, API %s", version.Version, version.APIVersion), nil
}

// loadSelf makes an image of this executable for each tag and loads it.
func (e *demoEngine) loadSelf(ctx context.Context, tags ...string) error {
	path, err := os.Executable()
	if err != nil {
		return err
	}
	if err := staticExecutable(path); err != nil {
		return err
	}
	for _, tag := range tags {
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
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
	}
	return nil
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

// containers lists the names of the instance's containers, running or not, by ID.
func (e *demoEngine) containers(ctx context.Context, instance string) (map[string]string, error) {
	list, err := e.client.ContainerList(ctx, container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", "berth.dev/instance="+instance)),
	})
	out := map[string]string{}
	for _, c := range list {
		out[c.ID] = strings.TrimPrefix(strings.Join(c.Names, ","), "/")
	}
	return out, err
}

// removeContainer removes a container as "docker rm -f" does.
func (e *demoEngine) removeContainer(ctx context.Context, id string) error {
	return e.client.ContainerRemove(ctx, id, container.RemoveOptions{Force: true})
}

func (e *demoEngine) removeImages(ctx context.Context, tags ...string) error {
	var failed error
	for _, tag := range tags {
		if _, err := e.client.ImageRemove(ctx, tag, image.RemoveOptions{}); err != nil && !errdefs.IsNotFound(err) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

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
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return strings.TrimSpace(string(body)), err
}
