package planner

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// rules are what a candidate must fulfil, in the order in which they are told.
// Each says why the candidate is out (empty: it is not), and whether that may
// pass without a change to the input.
var rules = [...]func(*planning, *subject, *candidate) (why string, passing bool){
	ruleNamed, ruleListed, ruleSelectors, ruleAllowed, ruleEnds, ruleOnePort, ruleSize, ruleRoom, ruleGPUs, rulePorts,
}

// ruleNamed: the deployment may name a flavour and a backend.
func ruleNamed(g *planning, s *subject, c *candidate) (string, bool) {
	if f := s.doc.Flavour; f != "" && f != c.flavour.Name {
		return "the deployment names flavour " + f, false
	}
	if b := s.doc.Backend; b != "" && b != g.in.Backends[c.backend].Name {
		return "the deployment names backend " + b, false
	}
	return "", false
}

// ruleListed: nothing is known of a backend that was never listed; where pods
// are, they stay.
func ruleListed(g *planning, s *subject, c *candidate) (string, bool) {
	if b := &g.in.Backends[c.backend]; !b.Known && c.backend != s.home {
		return b.unavailable(), true
	}
	return "", false
}

// ruleSelectors: every required selector matches.
func ruleSelectors(g *planning, s *subject, c *candidate) (string, bool) {
	if c.fit.missing != nil && g.in.Backends[c.backend].Known {
		return "it has not: " + Describe(*c.fit.missing), false
	}
	return "", false
}

// ruleAllowed: what reaches out of the container is allowed by the server's
// configuration.
func ruleAllowed(g *planning, _ *subject, c *candidate) (string, bool) {
	b := &g.in.Backends[c.backend]
	allow := &b.Capacity.Allow
	refuse := func(what, how string) (string, bool) {
		return fmt.Sprintf("%s is not allowed there: the server's configuration of backend %s decides (allow.%s)", what, b.Name, how), false
	}
	if c.ask.Privileged && !allow.Privileged {
		return refuse("privileged mode", "privileged")
	}
	switch c.ask.Network {
	case "", backends.NetworkNone:
	case backends.NetworkHost:
		if !allow.HostNetwork {
			return refuse("the host's network", "hostNetwork")
		}
	default:
		return fmt.Sprintf("there is no network %q: write host, none, or nothing", c.ask.Network), false
	}
	for _, v := range c.ask.Volumes {
		if from := mountedFrom(v); from != "" && !allowedPath(from, allow.HostPaths) {
			return refuse("mounting "+from, "hostPaths")
		}
	}
	if caps := c.ask.Capabilities; caps != nil {
		for _, name := range caps.Add {
			if !allowedCapability(name, allow.Capabilities) {
				return refuse("capability "+capability(name), "capabilities")
			}
		}
	}
	return "", false
}

// mountedFrom returns the path of the host that a volume mounts; empty: none. A
// name that looks like a path is taken for one.
func mountedFrom(v schema.Volume) string {
	if v.Host == "" && strings.ContainsAny(v.Name, `/\`) {
		return v.Name
	}
	return v.Host
}

// allowedPath tells whether a path of the host lies in one of the folders. It
// is compared as text: a symlink on the host is the host's own.
func allowedPath(p string, folders []string) bool {
	if !path.IsAbs(p) || slices.Contains(strings.Split(p, "/"), "..") {
		return false
	}
	p = path.Clean(p)
	return slices.ContainsFunc(folders, func(folder string) bool {
		if !path.IsAbs(folder) {
			return false
		}
		folder = path.Clean(folder)
		return folder == "/" || p == folder || strings.HasPrefix(p, folder+"/")
	})
}

// capability returns a capability's name in capitals, without CAP_.
func capability(name string) string {
	return strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(name)), "CAP_")
}

func allowedCapability(name string, allowed []string) bool {
	name = capability(name)
	return dockerDefault(name) || slices.ContainsFunc(allowed, func(a string) bool {
		a = capability(a)
		return a == name || a == "ALL"
	})
}

// dockerDefault tells whether Docker gives a container the capability unasked.
func dockerDefault(name string) bool {
	switch name {
	case "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
		"NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT":
		return true
	default:
		return false
	}
}

// ruleEnds: an engine that keeps pods itself starts again whatever ends, and
// gives every pod a network.
func ruleEnds(g *planning, _ *subject, c *candidate) (string, bool) {
	b := &g.in.Backends[c.backend]
	switch r := c.ask.Restart; {
	case !b.Capacity.Orchestrates:
		return "", false
	case r == schema.RestartNo, r == schema.RestartOnFailure:
		return fmt.Sprintf("restart: %s cannot be had there: %s starts again whatever ends", r, b.Type), false
	case c.ask.Network == backends.NetworkNone:
		return fmt.Sprintf("network: none cannot be had there: %s gives every pod a network", b.Type), false
	}
	return "", false
}

// ruleOnePort: a host port is given once, so several replicas on one host cannot
// name it.
func ruleOnePort(g *planning, _ *subject, c *candidate) (string, bool) {
	if b := &g.in.Backends[c.backend]; b.Capacity.OneHost && c.ask.replicas > 1 && len(c.ask.fixed) > 0 {
		return fmt.Sprintf("%d replicas cannot share port %d of one host: write the container's port alone, or run one replica",
			c.ask.replicas, c.ask.fixed[0].port), false
	}
	return "", false
}

// ruleSize: the backend is large enough, if it were empty.
func ruleSize(g *planning, s *subject, c *candidate) (string, bool) {
	b := &g.in.Backends[c.backend]
	if s.runsAs(c) || !b.Known {
		return "", false
	}
	need, has := c.usage(c.ask.replicas), open(&b.Capacity, c.ask.gpus)
	switch {
	case b.Capacity.CPU > 0 && has.CPU == 0:
		return "all of it is kept for pods with GPUs", false
	case has.CPU > 0 && need.cpu > has.CPU:
		return fmt.Sprintf("needs %s CPUs, it has %s", need.cpu, has.CPU), false
	case has.Memory > 0 && need.memory > has.Memory:
		return fmt.Sprintf("needs %s memory, it has %s", need.memory, has.Memory.Short()), false
	case c.ask.gpus > 0 && c.ask.replicas > 0 && c.fit.suitable < c.ask.gpus*c.ask.replicas:
		return fmt.Sprintf("needs %s, it has %d", gpus(c), c.fit.suitable), false
	}
	return "", false
}

// open returns what a backend has for a pod with so many GPUs: hosts that are kept for
// pods with GPUs are closed to others.
func open(c *backends.Capacity, gpus int) *backends.Capacity {
	if gpus > 0 || c.KeptCPU == 0 && c.KeptMemory == 0 {
		return c
	}
	less := *c
	less.CPU, less.Memory = max(0, c.CPU-c.KeptCPU), max(0, c.Memory-c.KeptMemory)
	return &less
}

// ruleRoom: there is room for what the pods state beyond what they hold already.
func ruleRoom(g *planning, s *subject, c *candidate) (string, bool) {
	all := &g.in.Backends[c.backend].Capacity
	if s.runsAs(c) {
		return "", false
	}
	has := open(all, c.ask.gpus)
	need, held, used := c.usage(c.ask.replicas), s.held(c.backend), &g.ledger.used[c.backend]
	freeCPU, freeMemory := all.CPU-used.cpu, all.Memory-used.memory
	if c.ask.gpus == 0 {
		freeCPU, freeMemory = min(freeCPU, has.CPU-used.openCPU), min(freeMemory, has.Memory-used.openMemory)
	}
	if free := max(0, freeCPU); has.CPU > 0 && need.cpu > held.cpu && need.cpu > free {
		return fmt.Sprintf("needs %s CPUs, %s of %s are free", need.cpu, free, has.CPU), true
	}
	if free := max(0, freeMemory); has.Memory > 0 && need.memory > held.memory && need.memory > free {
		return fmt.Sprintf("needs %s memory, %s of %s is free", need.memory, free.Short(), has.Memory.Short()), true
	}
	return "", false
}

// ruleGPUs: there are as many free GPUs, beyond those that its pods hold already.
func ruleGPUs(g *planning, s *subject, c *candidate) (string, bool) {
	need := c.ask.gpus * c.ask.replicas
	if s.runsAs(c) || need == 0 || !g.in.Backends[c.backend].Known {
		return "", false
	}
	if free := g.freeGPUs(c); need > free && need > s.held(c.backend).gpus.of(vendorIndex(c.fit.vendor)) {
		return fmt.Sprintf("needs %s, %d of %d are free", gpus(c), max(0, free), c.fit.suitable), true
	}
	return "", false
}

// gpus says how many GPUs a candidate needs.
func gpus(c *candidate) string {
	vendor := ""
	if c.fit.vendor != "" {
		vendor = string(c.fit.vendor) + " "
	}
	if n := c.ask.gpus * c.ask.replicas; n != 1 {
		return fmt.Sprintf("%d %sGPUs", n, vendor)
	}
	return "1 " + vendor + "GPU"
}

// freeGPUs counts the GPUs that a candidate's pods can have at most.
func (g *planning) freeGPUs(c *candidate) int {
	used := g.ledger.used[c.backend].gpus.of(vendorIndex(c.fit.vendor))
	return min(c.fit.suitable, c.fit.total-used)
}

// rulePorts: no other deployment has a host port that this one names.
func rulePorts(g *planning, s *subject, c *candidate) (string, bool) {
	if s.runsAs(c) || c.ask.replicas == 0 || !g.in.Backends[c.backend].Capacity.OneHost {
		return "", false
	}
	for _, p := range c.ask.fixed {
		if other := g.ledger.holderOf(c.backend, p); other != "" && !s.has(c.backend, p) {
			return fmt.Sprintf("port %d is taken by %s", p.port, other), true
		}
	}
	return "", false
}

// runsAs tells whether the deployment's pods are just what this candidate would
// be: then they have what they need.
func (s *subject) runsAs(c *candidate) bool {
	return s.settled && c.backend == s.home && c.flavour.Name == s.from.Flavour
}

// held returns what the deployment's pods hold of a backend.
func (s *subject) held(backend int) usage {
	for i := range s.record.claims {
		if c := &s.record.claims[i]; c.backend == backend {
			return c.held
		}
	}
	return usage{}
}

// has tells whether the deployment's pods have the host port already.
func (s *subject) has(backend int, port hostPort) bool {
	for i := range s.record.claims {
		if c := &s.record.claims[i]; c.backend == backend {
			return slices.ContainsFunc(c.ports, func(p hostPort) bool { return p.port == port.port && p.protocol == port.protocol })
		}
	}
	return false
}
