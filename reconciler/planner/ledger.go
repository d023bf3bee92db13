package planner

import (
	"slices"
	"strconv"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/sorted"
)

// A ledger holds what all deployments together take of each backend. CPU and
// memory are summed where they are stated, and never given beyond a backend's
// capacity; GPUs and fixed host ports are given to one deployment at a time.
type ledger struct {
	used  []usage // by backend
	ports sorted.Map[[]holder]
	edits map[string]*[]holder // of ports, while a plan is made
}

// usage is an amount of a backend's capacity.
type usage struct {
	cpu    schema.CPU
	memory schema.Bytes
	gpus   gpuCount
	pods   int

	openCPU    schema.CPU   // of cpu, what pods without GPUs take
	openMemory schema.Bytes // of memory, likewise
}

// gpuCount counts GPUs by vendor; those of an unknown one stand first.
type gpuCount [4]int

func vendorIndex(v schema.GPUVendor) int {
	switch v {
	case schema.NVIDIA:
		return 1
	case schema.AMD:
		return 2
	case schema.Intel:
		return 3
	default:
		return 0
	}
}

// of counts the GPUs that may be of a vendor.
func (c gpuCount) of(vendor int) int {
	if vendor == 0 {
		return c[0]
	}
	return c[vendor] + c[0]
}

func (u *usage) add(o usage, sign int) {
	u.cpu += o.cpu * schema.CPU(sign)
	u.memory += o.memory * schema.Bytes(sign)
	u.pods += o.pods * sign
	u.openCPU += o.openCPU * schema.CPU(sign)
	u.openMemory += o.openMemory * schema.Bytes(sign)
	for v := range u.gpus {
		u.gpus[v] += o.gpus[v] * sign
	}
}

// A claim is what one deployment takes of one backend.
type claim struct {
	backend int
	held    usage      // by its pods, as observed
	planned usage      // by what the plan gives it
	ports   []hostPort // by either
	had     []hostPort // of these, by its pods
}

// takes returns what the claim takes: what is planned is held already, as far as
// anything is held.
func (c *claim) takes() usage {
	t := usage{
		cpu:    max(c.held.cpu, c.planned.cpu),
		memory: max(c.held.memory, c.planned.memory),
		pods:   max(c.held.pods, c.planned.pods),
		gpus:   c.held.gpus,

		openCPU:    max(c.held.openCPU, c.planned.openCPU),
		openMemory: max(c.held.openMemory, c.planned.openMemory),
	}
	for v, n := range c.planned.gpus {
		if n > 0 {
			t.gpus[v] += max(0, n-c.held.gpus.of(v))
		}
	}
	return t
}

// A hostPort is a port of a host that is in use.
type hostPort struct {
	ip       string // empty: on every address
	port     uint16
	protocol schema.Protocol
}

func (p hostPort) key(backend int) string {
	return strconv.Itoa(backend) + "/" + strconv.Itoa(int(p.port)) + "/" + string(p.protocol)
}

func (p hostPort) clashes(ip string) bool { return anyAddress(p.ip) || anyAddress(ip) || p.ip == ip }

func anyAddress(ip string) bool { return ip == "" || ip == "0.0.0.0" || ip == "::" }

// A holder is a deployment that has a host port, on one address or all.
type holder struct {
	deployment string
	hostPort
}

// edited returns a ledger that can be changed without changing l.
func (l *ledger) edited() ledger {
	return ledger{used: slices.Clone(l.used), ports: l.ports, edits: map[string]*[]holder{}}
}

// settled returns the ledger after its edits.
func (l *ledger) settled() ledger { return ledger{used: l.used, ports: l.ports.With(l.edits)} }

// add books a deployment's claims; drop takes them back.
func (l *ledger) add(deployment string, claims []claim) {
	for i := range claims {
		c := &claims[i]
		l.used[c.backend].add(c.takes(), 1)
		for _, p := range c.ports {
			key := p.key(c.backend)
			list := append(slices.Clone(l.holders(key)), holder{deployment, p})
			l.edits[key] = &list
		}
	}
}

func (l *ledger) drop(deployment string, claims []claim) {
	for i := range claims {
		c := &claims[i]
		l.used[c.backend].add(c.takes(), -1)
		for _, p := range c.ports {
			key := p.key(c.backend)
			list := slices.DeleteFunc(slices.Clone(l.holders(key)), func(h holder) bool { return h.deployment == deployment })
			l.edits[key] = &list
			if len(list) == 0 {
				l.edits[key] = nil
			}
		}
	}
}

// unplan takes back what a deployment's claims take beyond what its pods hold.
func (l *ledger) unplan(deployment string, claims []claim) {
	for i := range claims {
		c := &claims[i]
		if c.planned == (usage{}) {
			continue
		}
		l.used[c.backend].add(c.takes(), -1)
		l.used[c.backend].add(c.held, 1)
		if len(c.ports) > 0 {
			l.unplanPorts(deployment, c)
		}
	}
}

// unplanPorts takes back the host ports that a claim's pods do not have.
func (l *ledger) unplanPorts(deployment string, c *claim) {
	for _, p := range c.ports {
		key := p.key(c.backend)
		list := slices.DeleteFunc(slices.Clone(l.holders(key)), func(h holder) bool { return h.deployment == deployment })
		for _, had := range c.had {
			if had.key(c.backend) == key {
				list = append(list, holder{deployment, had})
			}
		}
		l.edits[key] = &list
	}
}

func (l *ledger) holders(key string) []holder {
	list, ok := l.edits[key]
	if !ok {
		list = l.ports.Get(key)
	}
	if list == nil {
		return nil
	}
	return *list
}

// holderOf returns the deployment that has a host port of a backend already, the
// first by name; empty: none has.
func (l *ledger) holderOf(backend int, port hostPort) string {
	first := ""
	for _, h := range l.holders(port.key(backend)) {
		if h.clashes(port.ip) && (first == "" || h.deployment < first) {
			first = h.deployment
		}
	}
	return first
}

// observed returns what a pod holds. One that a rollout gave up will not run
// again, so it holds nothing; nor does one that is not there.
func observed(p *backends.Pod, capacity *backends.Capacity) usage {
	if p.State == backends.PodFailed || p.State == backends.PodAbsent {
		return usage{}
	}
	u := usage{cpu: p.CPU, memory: p.Memory, pods: 1}
	if len(p.GPUs) == 0 {
		u.openCPU, u.openMemory = u.cpu, u.memory
	}
	for _, id := range p.GPUs {
		v := slices.IndexFunc(capacity.GPUs, func(g backends.GPU) bool { return g.ID == id })
		if v < 0 {
			u.gpus[0]++
		} else {
			u.gpus[vendorIndex(capacity.GPUs[v].Vendor)]++
		}
	}
	return u
}
