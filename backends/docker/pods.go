package docker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/go-connections/nat"
	"golang.org/x/sync/errgroup"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// Pods implements [backends.Backend].
func (b *Backend) Pods(ctx context.Context) ([]backends.Pod, error) {
	found, err := b.find(ctx, "")
	if err != nil {
		return nil, err
	}
	pods := make([]backends.Pod, len(found))
	for i, f := range found {
		pods[i] = f.Pod
	}
	return pods, nil
}

// An observed pod is a pod with what the engine knows of its container besides.
type observed struct {
	backends.Pod
	details
	imageID string
	notKept []string // the volumes that go with the deployment
}

// find lists the containers of a deployment or, if it is empty, of the instance.
func (b *Backend) find(ctx context.Context, deployment string) ([]observed, error) {
	rows, err := b.list(ctx, deployment)
	if err != nil {
		return nil, err
	}
	if deployment == "" {
		b.cache.keepOnly(rows)
	}
	found := make([]observed, len(rows))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, row := range rows {
		known, ticket, ok := b.cache.get(row)
		if ok {
			found[i] = b.observe(row, known)
			continue
		}
		group.Go(func() error {
			known, err := b.inspect(ctx, row.ID)
			if cerrdefs.IsNotFound(err) {
				return nil // it went away in between
			}
			if err != nil {
				return err
			}
			b.cache.put(row.ID, ticket, known)
			row.State, row.Ports = known.state, known.ports // they may have changed since
			found[i] = b.observe(row, known)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(o observed) bool { return o.ID == "" || !o.ours() })
	slices.SortFunc(found, func(x, y observed) int { return byOrdinal(x.Pod, y.Pod) })
	return found, nil
}

// ours tells whether Berth made the container. The labels alone do not: a container
// inherits those of its image, and so does one of an image that was committed from
// a pod. What Berth makes is made of the image that its labels name. Its name does
// not tell, for a person may rename it. The keeper of volumes names no image, and
// never runs.
func (o *observed) ours() bool {
	if o.Deployment == "" {
		return false
	}
	return sameImage(o.Image, o.image) || o.Ordinal == keeperOrdinal && o.Image == "" && o.SpecHash == "" && o.state == container.StateCreated
}

// sameImage tells whether two references are the same; an engine may have written
// out what was left out of one.
func sameImage(a, b string) bool {
	if a == b || a == "" || b == "" {
		return a == b && a != ""
	}
	x, errX := reference.ParseNormalizedNamed(a)
	y, errY := reference.ParseNormalizedNamed(b)
	return errX == nil && errY == nil && reference.TagNameOnly(x).String() == reference.TagNameOnly(y).String()
}

// list returns the listing's rows of a deployment or, if it is empty, of the instance.
func (b *Backend) list(ctx context.Context, deployment string) ([]container.Summary, error) {
	args := b.owned()
	if deployment != "" {
		args.Add("label", labelDeployment+"="+deployment)
	}
	return b.rows(ctx, args)
}

// rows returns the rows of the instance's containers that pass the filters.
func (b *Backend) rows(ctx context.Context, args filters.Args) (rows []container.Summary, err error) {
	err = b.call(ctx, callTimeout, "list", "containers", func(ctx context.Context) error {
		rows, err = b.api().ContainerList(ctx, container.ListOptions{All: true, Filters: args})
		return err
	})
	return slices.DeleteFunc(rows, func(row container.Summary) bool {
		return row.ID == "" || row.Labels[labelInstance] != b.instance // engines have filtered already
	}), err
}

// owned filters by what the instance made.
func (b *Backend) owned() filters.Args {
	return filters.NewArgs(filters.Arg("label", labelInstance+"="+b.instance))
}

// inspect asks for what a listing does not tell.
func (b *Backend) inspect(ctx context.Context, id string) (details, error) {
	c, err := b.examine(ctx, id)
	if err != nil {
		return details{}, err
	}
	return b.detail(c), nil
}

// examine inspects a container. The parts of the answer that everybody uses are there.
func (b *Backend) examine(ctx context.Context, id string) (c container.InspectResponse, err error) {
	err = b.call(ctx, callTimeout, "inspect", "container "+short(id), func(ctx context.Context) (err error) {
		c, err = b.api().ContainerInspect(ctx, id)
		return err
	})
	if err == nil && (c.ContainerJSONBase == nil || c.State == nil || c.HostConfig == nil || c.Config == nil) {
		err = &schema.Error{Op: "inspect", Resource: "container " + short(id), Kind: schema.Transient, Err: fmt.Errorf("the engine's answer is not whole")}
	}
	return c, err
}

func (b *Backend) detail(c container.InspectResponse) details {
	d := details{
		state: c.State.Status, createdAt: moment(c.Created), startedAt: moment(c.State.StartedAt),
		exitCode: c.State.ExitCode, restarts: c.RestartCount,
		memory: c.HostConfig.Memory, nanoCPUs: c.HostConfig.NanoCPUs, restart: c.HostConfig.RestartPolicy.Name,
		deployment: c.Config.Labels[labelDeployment], image: c.Config.Image,
	}
	if c.Config.StopTimeout != nil {
		d.grace = time.Duration(*c.Config.StopTimeout) * time.Second
	}
	// A listing tells the health of running containers only.
	if h := c.State.Health; h != nil && c.State.Running && !c.State.Restarting && !c.State.Paused {
		d.health = health(h.Status)
	}
	if c.HostConfig.NetworkMode == networkHost {
		for port := range c.Config.ExposedPorts {
			n := uint16(port.Int()) // the engine has checked that it is one
			d.pinned = append(d.pinned, backends.Endpoint{Host: b.endpoint.address(b.cfg.Address), Port: n, Container: n, Protocol: schema.Protocol(port.Proto())})
		}
		slices.SortFunc(d.pinned, byPort)
	}
	if c.NetworkSettings != nil {
		d.ports = published(c.NetworkSettings.Ports)
		for name := range c.NetworkSettings.Networks {
			d.networks = append(d.networks, name)
		}
	}
	d.reason = reason(c)
	if d.reason == "" && c.State.Status == container.StateCreated && c.State.Error != "" {
		d.trouble = plain(c.State.Error)
	}
	return d
}

func health(status string) backends.Health {
	switch status {
	case container.Healthy:
		return backends.HealthHealthy
	case container.Unhealthy:
		return backends.HealthUnhealthy
	case container.Starting:
		return backends.HealthStarting
	}
	return backends.HealthNone
}

// reason says in words why a container is not running or not well. A container
// that was made has a reason only if it can never be started. What the health
// check printed is the app's and may be secret: it is left out.
func reason(c container.InspectResponse) string {
	s := c.State
	switch {
	case s.Status == container.StateCreated:
		if hopeless(s.Error) {
			return plain(s.Error)
		}
		return ""
	case s.OOMKilled:
		return "it was killed because it used more memory than it may"
	case s.Error != "":
		return plain(s.Error)
	case unhealthy(c):
		text := fmt.Sprintf("its health check failed %d times in a row", s.Health.FailingStreak)
		if n := len(s.Health.Log); n > 0 && s.Health.Log[n-1] != nil {
			text += fmt.Sprintf(", last with exit code %d", s.Health.Log[n-1].ExitCode)
		}
		return text
	}
	return ""
}

// unhealthy tells whether the engine's health check found the container unhealthy.
// One that ends counts as such too, also if a check fails only because it ends: then
// as many checks in a row have not failed as must.
func unhealthy(c container.InspectResponse) bool {
	retries := 3 // the engine's own
	if c.Config != nil && c.Config.Healthcheck != nil && c.Config.Healthcheck.Retries > 0 {
		retries = c.Config.Healthcheck.Retries
	}
	h := c.State.Health
	return h != nil && h.Status == container.Unhealthy && h.FailingStreak >= retries
}

// observe joins what the listing, the labels and the inspection tell.
func (b *Backend) observe(row container.Summary, d details) observed {
	p := remembered(row.Labels)
	p.Backend, p.ID = b.cfg.Name, row.ID
	p.State, p.Health = state(row), d.health
	p.ExitCode, p.Restarts, p.Reason, p.Trouble = d.exitCode, d.restarts, d.reason, d.trouble
	lastEnd, failed := failedAs(row)
	byBerth := failed && lastEnd != ""
	if byBerth || row.State == container.StateRestarting { // the engine counts a restart that is still to come, too
		p.Restarts = max(p.Restarts-1, 0)
	}
	if byBerth {
		p.ExitCode, _ = strconv.Atoi(lastEnd)
		if p.Reason == "" && p.ExitCode == 0 {
			p.Reason = p.GivenUp()
		}
	}
	p.CreatedAt, p.StartedAt = b.here(d.createdAt), b.here(d.startedAt)
	p.Endpoints = append(b.endpoints(row.Ports), d.pinned...)
	if p.Digest == "" {
		p.Digest = row.ImageID
	}
	p.Name = nameOf(row)
	return observed{Pod: p, details: d, imageID: row.ImageID, notKept: split(row.Labels[labelNotKept])}
}

// nameOf returns the container's name. With links it has several; its own has
// one slash.
func nameOf(row container.Summary) string {
	for _, name := range row.Names {
		if own := strings.TrimPrefix(name, "/"); !strings.Contains(own, "/") {
			return own
		}
	}
	return short(row.ID)
}

// isFailed tells whether a container is a pod that was given up.
func isFailed(row container.Summary) bool {
	_, failed := failedAs(row)
	return failed
}

// failedAs tells whether a container is a pod that was given up, and what its name
// says of how it ended before; empty: it had ended by itself.
func failedAs(row container.Summary) (lastEnd string, failed bool) {
	ordinal := remembered(row.Labels).Ordinal
	name := podName(row.Labels[labelInstance], row.Labels[labelDeployment], ordinal, row.Labels[labelSpecHash]) + failedSuffix
	rest, failed := strings.CutPrefix(nameOf(row), name)
	lastEnd, dot := strings.CutPrefix(rest, ".")
	return lastEnd, failed && (rest == "" || dot)
}

func state(row container.Summary) backends.PodState {
	switch {
	case row.State == container.StateRemoving || row.State == container.StateDead:
		return backends.PodGoing
	case isFailed(row):
		return backends.PodFailed
	}
	switch row.State {
	case container.StateRunning:
		return backends.PodRunning
	case container.StateRestarting:
		return backends.PodRestarting
	case container.StatePaused:
		return backends.PodPaused
	case container.StateCreated:
		return backends.PodCreated
	}
	return backends.PodExited
}

// endpoints returns where the published ports are reached. An engine publishes a
// port once for each family of addresses; where both mean every address, IPv4 does.
func (b *Backend) endpoints(ports []container.Port) []backends.Endpoint {
	type key struct {
		port     uint16
		protocol string
	}
	everywhere := map[key]bool{}
	for _, p := range ports {
		if p.IP == "0.0.0.0" {
			everywhere[key{p.PrivatePort, p.Type}] = true
		}
	}
	var found []backends.Endpoint
	for _, p := range ports {
		if p.PublicPort == 0 || p.IP == "::" && everywhere[key{p.PrivatePort, p.Type}] {
			continue
		}
		host := p.IP
		if host == "" || host == "0.0.0.0" || host == "::" {
			host = b.endpoint.address(b.cfg.Address)
		}
		found = append(found, backends.Endpoint{Host: host, Port: p.PublicPort, Container: p.PrivatePort, Protocol: schema.Protocol(p.Type)})
	}
	slices.SortFunc(found, byPort)
	return slices.Compact(found)
}

// published returns what an inspection tells of published ports as a listing does.
func published(ports nat.PortMap) []container.Port {
	var rows []container.Port
	for inside, bindings := range ports {
		for _, at := range bindings {
			public, err := nat.ParsePort(at.HostPort)
			if err != nil {
				continue // none was given to it
			}
			rows = append(rows, container.Port{
				IP: at.HostIP, PublicPort: uint16(public), PrivatePort: uint16(inside.Int()), Type: inside.Proto(), // both were checked to be ports
			})
		}
	}
	return rows
}

// moment reads a time as the engine writes it; zero for "never".
func moment(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t
}

func short(id string) string { return clipName(id, 12) }

func byPort(a, b backends.Endpoint) int {
	return cmp.Or(
		cmp.Compare(a.Container, b.Container), cmp.Compare(a.Protocol, b.Protocol),
		cmp.Compare(a.Host, b.Host), cmp.Compare(a.Port, b.Port),
	)
}
