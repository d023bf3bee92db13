package planner

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// The defaults of what neither flavour nor deployment says.
const (
	defaultStopGrace = 10 * time.Second
	defaultTimeout   = 2 * time.Minute
	defaultMinReady  = 3 * time.Second // without a health check
)

// An ask is what a deployment's pods ask of a backend when they run a flavour:
// the flavour's container with what the deployment overrides merged.
type ask struct {
	schema.Container
	runAs    string
	cpu      schema.CPU // of one pod; 0: not stated
	memory   schema.Bytes
	gpus     int        // of one pod
	fixed    []hostPort // the host ports that it names
	replicas int
}

// merged is an ask that was made for a flavour.
type merged struct {
	flavour *schema.Flavour
	ask     *ask
}

// ask returns what the deployment's pods ask of a backend when they run a flavour.
func (g *planning) ask(s *subject, f *schema.Flavour) *ask {
	if s.merged.flavour != f {
		s.merged = merged{f, merge(f, s.doc, g.traits(f).gpus)}
	}
	return s.merged.ask
}

// merge lays what the deployment sets over the flavour: env by key, everything
// else as a whole.
func merge(f *schema.Flavour, d *schema.Deployment, gpus int) *ask {
	a := &ask{Container: f.Container, runAs: cmp.Or(d.RunAs, f.User), replicas: d.ReplicaCount(), gpus: gpus}
	c, o := &a.Container, &d.Container
	c.Command = override(c.Command, o.Command)
	c.Args = override(c.Args, o.Args)
	c.Ports = override(c.Ports, o.Ports)
	c.Volumes = override(c.Volumes, o.Volumes)
	c.Workdir = cmp.Or(o.Workdir, c.Workdir)
	c.Resources = cmp.Or(o.Resources, c.Resources)
	c.Healthcheck = cmp.Or(o.Healthcheck, c.Healthcheck)
	c.StopGracePeriod = cmp.Or(o.StopGracePeriod, c.StopGracePeriod)
	c.Restart = cmp.Or(o.Restart, c.Restart, schema.RestartUnlessStopped)
	c.Pull = cmp.Or(o.Pull, c.Pull, schema.PullMissing)
	c.Capabilities = cmp.Or(o.Capabilities, c.Capabilities)
	c.Privileged = o.Privileged || c.Privileged
	c.Network = cmp.Or(o.Network, c.Network)
	a.count()
	for _, p := range c.Ports {
		if p.Host != 0 {
			a.fixed = append(a.fixed, hostPort{p.HostIP, p.Host, cmp.Or(p.Protocol, schema.TCP)})
		}
	}
	return a
}

func override[T any](base, over []T) []T {
	if over != nil {
		return over
	}
	return base
}

// count fills in the resources. A flavour with a required selector for a GPU
// gets one, or as many as the selector counts, unless gpus says otherwise; the
// default is given to merge.
func (a *ask) count() {
	r := a.Resources
	if r == nil {
		r = &schema.Resources{}
	}
	if r.CPU != nil {
		a.cpu = *r.CPU
	}
	if r.Memory != nil {
		a.memory = *r.Memory
	}
	if r.GPUs != nil {
		a.gpus = *r.GPUs
	}
	a.gpus = min(max(0, a.gpus), mostGPUs)
}

// What is more than any backend has, and can be added up without overflow.
const (
	mostGPUs   = 1 << 20
	mostMemory = 1 << 50
)

// usage is what n pods take.
func (c *candidate) usage(n int) usage {
	u := usage{cpu: c.ask.cpu * schema.CPU(n), memory: min(c.ask.memory, mostMemory) * schema.Bytes(n), pods: n}
	u.gpus[vendorIndex(c.fit.vendor)] = c.ask.gpus * n
	if c.ask.gpus == 0 {
		u.openCPU, u.openMemory = u.cpu, u.memory
	}
	return u
}

// wanted is a workload that was made for a candidate, and its hash.
type wanted struct {
	flavour  *schema.Flavour
	backend  int
	workload *backends.Workload
	hash     string
}

// want makes the workload that the deployment gets on a candidate.
func (g *planning) want(s *subject, c *candidate) *wanted {
	if s.wanted.flavour == c.flavour && s.wanted.backend == c.backend && s.wanted.workload != nil {
		return &s.wanted
	}
	b := &g.in.Backends[c.backend]
	w := &backends.Workload{
		Deployment: s.name, App: s.doc.App, Release: s.release.Version, Flavour: c.flavour.Name, Backend: b.Name,
		User: s.doc.User, Scopes: slices.Compact(slices.Sorted(slices.Values(s.doc.Scopes))),
		Source: s.doc.Position.File, Commit: g.in.Desired.Commit,
		Replicas: c.ask.replicas,
		Rollout:  rollout(s.doc, c.ask, b),
	}
	w.Pod = podSpec(c.ask, c.flavour)
	if b.Capacity.Orchestrates {
		w.Pod.Needs = needs(c.flavour.Selectors)
	}
	if c.ask.gpus > 0 {
		w.Pod.GPUVendor = c.fit.vendor
	}
	w.Pod.Env = environment(c.flavour, s.doc, w)
	s.wanted = wanted{c.flavour, c.backend, w, ""}
	return &s.wanted
}

// specHash returns the hash of what a pod is made of.
func (w *wanted) specHash() string {
	if w.hash == "" {
		w.hash = w.workload.SpecHash()
	}
	return w.hash
}

func podSpec(a *ask, f *schema.Flavour) backends.PodSpec {
	return backends.PodSpec{
		Image: f.Image, Command: a.Command, Args: a.Args, Ports: a.Ports, Volumes: a.Volumes,
		Workdir: a.Workdir, User: a.runAs, CPU: a.cpu, Memory: a.memory, GPUs: a.gpus,
		Healthcheck: a.Healthcheck, StopGracePeriod: orDefault(a.StopGracePeriod, defaultStopGrace),
		Restart: a.Restart, Pull: a.Pull, Capabilities: a.Capabilities, Privileged: a.Privileged, Network: a.Network,
	}
}

// needs returns what a host must have, as far as it tells one from another: the
// selectors that are required and that ask for hardware or a label.
func needs(selectors []schema.Selector) []schema.Selector {
	var out []schema.Selector
	for _, s := range selectors {
		hardware := s.GPU() || s.Kind == schema.SelectCPU || s.Kind == schema.SelectRAM || s.Kind == schema.SelectLabel
		if s.Required && hardware {
			s.Weight = 0 // it says nothing of what is required, and must not change the hash
			out = append(out, s)
		}
	}
	return out
}

// environment is the flavour's env, under the deployment's, under what every pod
// is told by Berth.
func environment(f *schema.Flavour, d *schema.Deployment, w *backends.Workload) map[string]string {
	env := make(map[string]string, len(f.Env)+len(d.Env)+5)
	maps.Copy(env, f.Env)
	maps.Copy(env, d.Env)
	env["BERTH_DEPLOYMENT"] = w.Deployment
	env["BERTH_USER"] = w.User
	env["BERTH_SCOPES"] = strings.Join(w.Scopes, ",")
	env["BERTH_RELEASE"] = w.Release
	env["BERTH_FLAVOUR"] = w.Flavour
	return env
}

// rollout fills in the defaults of how pods are replaced.
func rollout(d *schema.Deployment, a *ask, b *Backend) backends.Rollout {
	minReady := defaultMinReady
	if a.Healthcheck != nil && !a.Healthcheck.Disable {
		minReady = 0
	}
	r := backends.Rollout{
		Strategy: schema.Rolling,
		Timeout:  orDefault(d.Rollout.Timeout, defaultTimeout),
		MinReady: orDefault(d.Rollout.MinReady, minReady),
		Rollback: d.Rollout.Rollback == nil || *d.Rollout.Rollback,
	}
	if d.Rollout.Strategy == schema.Recreate || neverTwo(d, a, b) != "" {
		r.Strategy = schema.Recreate
	}
	return r
}

// neverTwo says why an old and a new pod cannot be there at once; empty: they
// can. It tells by the input alone, not by what is free at the moment, so that
// the answer stays. A rolling replacement of a pod with a GPU needs one more
// GPU, which is sought only if it is asked for.
func neverTwo(d *schema.Deployment, a *ask, b *Backend) string {
	switch {
	case len(a.fixed) > 0 && b.Capacity.OneHost:
		return "port " + strconv.Itoa(int(a.fixed[0].port)) + " cannot be held twice"
	case a.Network == backends.NetworkHost && b.Capacity.OneHost:
		return "the host's network cannot be used twice"
	case b.Capacity.OneHost && d.Rollout.Strategy != schema.Rolling && slices.ContainsFunc(a.Volumes, writable):
		return "a volume is written by one pod at a time"
	case a.gpus > 0 && d.Rollout.Strategy != schema.Rolling:
		return "GPUs are given to one pod at a time"
	default:
		return ""
	}
}

// writable tells whether pods share a volume that they write to, as databases do
// that do not expect another one there.
func writable(v schema.Volume) bool { return v.Name != "" && !v.ReadOnly }

func orDefault(d *schema.Duration, otherwise time.Duration) time.Duration {
	if d == nil {
		return otherwise
	}
	return time.Duration(*d)
}
