package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// pod is a container of the instance.
type pod struct {
	id, deployment, release, state, name string
	port                                 uint16
}

// containers lists the instance's containers, stopped ones included.
func (w *world) containers() []pod {
	w.t.Helper()
	list, err := w.docker.ContainerList(context.Background(), container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", "berth.dev/instance="+w.instance)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var out []pod
	for _, c := range list {
		p := pod{id: c.ID, deployment: c.Labels["berth.dev/deployment"], release: c.Labels["berth.dev/release"], state: c.State, name: strings.Join(c.Names, " ")}
		for _, port := range c.Ports {
			if port.PublicPort != 0 && port.IP != "::" { // IPv6 may have another one
				p.port = port.PublicPort
			}
		}
		out = append(out, p)
	}
	return out
}

// of lists the containers of one deployment.
func (w *world) of(deployment string) []pod {
	w.t.Helper()
	return slices.DeleteFunc(w.containers(), func(p pod) bool { return p.deployment != deployment })
}

// count tells how many containers the instance has, stopped ones included.
func (w *world) count() int { w.t.Helper(); return len(w.containers()) }

// inspect returns all that the engine knows of a container.
func (w *world) inspect(id string) container.InspectResponse {
	w.t.Helper()
	c, err := w.docker.ContainerInspect(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// removeByHand removes a container as "docker rm -f" does.
func (w *world) removeByHand(p pod) {
	w.t.Helper()
	if err := w.docker.ContainerRemove(context.Background(), p.id, container.RemoveOptions{Force: true}); err != nil {
		w.t.Fatal(err)
	}
}

// unchanged checks that the same containers run as before, none started again.
func (w *world) unchanged(before map[string]string) {
	w.t.Helper()
	if after := w.identity(); !maps.Equal(before, after) {
		w.t.Errorf("containers were %v, are %v", before, after)
	}
}

// running returns the running container of a deployment, if there is exactly one.
func (w *world) running(deployment string) (pod, bool) {
	var found []pod
	for _, p := range w.containers() {
		if p.deployment == deployment && p.state == "running" {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		return pod{}, false
	}
	return found[0], true
}

// identity tells containers apart, and a restarted one from one that ran on.
func (w *world) identity() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for _, p := range w.containers() {
		c, err := w.docker.ContainerInspect(context.Background(), p.id)
		if err != nil {
			w.t.Fatal(err)
		}
		out[p.deployment+" "+p.id] = c.State.StartedAt
	}
	return out
}

// answer asks a pod over HTTP.
func answer(p pod) (string, error) {
	c := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(fmt.Sprintf("http://127.0.0.1:%d", p.port))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
