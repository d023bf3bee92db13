package api

import (
	"cmp"
	"net"
	"net/url"
	"strconv"
	"strings"

	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// pod resolves Pod.
type pod struct {
	w *world
	p *backends.Pod
}

func (p pod) ID() id                  { return id(p.p.Backend + "/" + p.p.Name) }
func (p pod) Name() string            { return p.p.Name }
func (p pod) EngineID() string        { return p.p.ID }
func (p pod) DeploymentName() string  { return p.p.Deployment }
func (p pod) Deployment() *deployment { return p.w.deployment(p.p.Deployment) }
func (p pod) Ordinal() int32          { return count(p.p.Ordinal) }
func (p pod) AppIdentifier() string   { return p.p.App }
func (p pod) Version() string         { return p.p.Release }
func (p pod) FlavourName() string     { return p.p.Flavour }
func (p pod) Release() *release       { return p.w.release(p.p.App, p.p.Release) }
func (p pod) Flavour() *flavour       { return p.w.flavour(p.p.App, p.p.Release, p.p.Flavour) }
func (p pod) BackendName() string     { return p.p.Backend }
func (p pod) Backend() *backend       { return p.w.backend(p.p.Backend) }
func (p pod) State() string           { return enum(p.p.State) }
func (p pod) Health() string          { return cmp.Or(enum(p.p.Health), "NONE") }
func (p pod) Reason() string          { return p.w.meter.takeText(p.p.Reason) }
func (p pod) Restarts() int32         { return count(p.p.Restarts) }
func (p pod) Image() string           { return p.w.meter.takeText(p.p.Image) }
func (p pod) Digest() string          { return p.w.meter.takeText(p.p.Digest) }
func (p pod) CPU() *float64           { return orNone(p.p.CPU, cpus) }
func (p pod) GPUs() []string          { return p.w.texts(p.p.GPUs) }
func (p pod) File() string            { return p.w.meter.takeText(p.p.Source) }
func (p pod) Commit() *commit         { return p.w.commit(p.p.Commit) }
func (p pod) CreatedAt() graphql.Time { return moment(p.p.CreatedAt) }

func (p pod) StartedAt() *graphql.Time { return momentOrNone(p.p.StartedAt) }
func (p pod) Memory() *byteCount       { return orNone(p.p.Memory, toBytes) }

func (p pod) Ready() bool {
	ready, _ := p.p.Ready(p.w.now)
	return ready
}

// ExitCode is told of a pod that ended.
func (p pod) ExitCode() *int32 {
	switch p.p.State {
	case backends.PodExited, backends.PodFailed, backends.PodRestarting:
		code := count(p.p.ExitCode)
		return &code
	}
	return nil
}

func (p pod) Endpoints() []endpoint {
	p.w.meter.takeObjects(len(p.p.Endpoints))
	out := make([]endpoint, len(p.p.Endpoints))
	for i, e := range p.p.Endpoints {
		out[i] = endpoint{
			Host: e.Host, Port: count(e.Port), ContainerPort: count(e.Container), Protocol: string(e.Protocol),
			Address: net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))),
		}
	}
	return out
}

// Logs is the path of its log.
func (p pod) Logs() string {
	return "/logs?" + url.Values{"backend": {p.p.Backend}, "pod": {p.p.Name}}.Encode()
}

// endpoint resolves Endpoint.
type endpoint struct {
	Host                string
	Port, ContainerPort int32
	Protocol, Address   string
}

func cpus(c schema.CPU) float64        { return float64(c) / 1000 }
func toBytes(b schema.Bytes) byteCount { return byteCount(b) }
func comparePodNames(a, b pod) int {
	return cmp.Or(strings.Compare(a.p.Name, b.p.Name), strings.Compare(a.p.Backend, b.p.Backend))
}
func podOrder[V cmp.Ordered](of func(*backends.Pod) V) order[pod] {
	return func(a, b pod) int { return cmp.Or(cmp.Compare(of(a.p), of(b.p)), comparePodNames(a, b)) }
}

// pods are listed by deployment.
var pods = noun[pod]{
	name: "pod", usual: "DEPLOYMENT",
	orders: map[string]order[pod]{
		"NAME":       comparePodNames,
		"DEPLOYMENT": func(a, b pod) int { return comparePods(a.p, b.p) },
		"STATE":      podOrder(func(p *backends.Pod) string { return string(p.State) }),
		"RESTARTS":   podOrder(func(p *backends.Pod) int { return p.Restarts }),
		"BACKEND":    podOrder(func(p *backends.Pod) string { return p.Backend }),
		"CREATED":    func(a, b pod) int { return cmp.Or(a.p.CreatedAt.Compare(b.p.CreatedAt), comparePodNames(a, b)) },
		"STARTED":    func(a, b pod) int { return cmp.Or(a.p.StartedAt.Compare(b.p.StartedAt), comparePodNames(a, b)) },
	},
	mark: func(p pod) []string {
		return []string{
			p.p.Name, p.p.Backend, p.p.Deployment, markInt(p.p.Ordinal), string(p.p.State), markInt(p.p.Restarts),
			markTime(p.p.CreatedAt), markTime(p.p.StartedAt),
		}
	},
	probe: func(w *world, left []string) (pod, bool) {
		m := marks{left: left}
		p := &backends.Pod{Name: m.text(), Backend: m.text(), Deployment: m.text(), Ordinal: m.int(), State: backends.PodState(m.text())}
		p.Restarts, p.CreatedAt, p.StartedAt = m.int(), m.time(), m.time()
		return pod{w, p}, m.ok()
	},
}

// comparePods orders pods by deployment, and those of one by ordinal and name.
func comparePods(a, b *backends.Pod) int {
	return cmp.Or(
		strings.Compare(a.Deployment, b.Deployment), cmp.Compare(a.Ordinal, b.Ordinal),
		strings.Compare(a.Name, b.Name), strings.Compare(a.Backend, b.Backend),
	)
}

type podFilter struct {
	Name, Deployment, App, Version, Flavour, Backend, User, State, Health, Commit *[]string
	Ready                                                                         *[]bool
	Not                                                                           *podFilter
}

func (f *podFilter) filter(depth int) (filter[pod], error) {
	if f == nil {
		return filter[pod]{}, nil
	}
	var c conditions[pod]
	c.text("name", f.Name, pod.Name)
	c.text("deployment", f.Deployment, pod.DeploymentName)
	c.text("app", f.App, pod.AppIdentifier)
	c.text("version", f.Version, pod.Version)
	c.text("flavour", f.Flavour, pod.FlavourName)
	c.text("backend", f.Backend, pod.BackendName)
	c.text("user", f.User, pod.user)
	c.enum("state", f.State, pod.State)
	c.enum("health", f.Health, pod.Health)
	c.flag("ready", f.Ready, pod.Ready)
	c.text("commit", f.Commit, func(p pod) string { return p.p.Commit })
	if f.Not != nil {
		c.not(depth, f.Not.filter)
	}
	return c.filter()
}

// user is on whose behalf the deployment runs.
func (p pod) user() string {
	if doc := p.w.declared(p.p.Deployment); doc != nil {
		return doc.User
	}
	return ""
}

// listPods lists pods that stand in the order of deployments.
func (w *world) listPods(of []*backends.Pod, f *podFilter, words *string, by *orderBy, p paging) (*connection[pod], error) {
	keep, err := f.filter(0)
	if err != nil {
		return nil, err
	}
	if keep, err = search(keep, words, func(p pod) []string {
		return []string{p.p.Name, p.p.Deployment, p.p.App, p.p.Release, p.p.Flavour, p.p.Backend, p.p.Image, p.p.Reason}
	}); err != nil {
		return nil, err
	}
	return pods.page(w, all(of, "DEPLOYMENT", func(p *backends.Pod) pod { return pod{w, p} }), keep, by, p)
}
