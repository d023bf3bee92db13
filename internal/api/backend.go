package api

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/planner"
)

// backend resolves Backend.
type backend struct {
	w *world
	b *planner.Backend
}

func (b backend) ID() id          { return id(b.b.Name) }
func (b backend) Name() string    { return b.b.Name }
func (b backend) Type() string    { return enum(b.b.Type) }
func (b backend) Priority() int32 { return count(b.b.Priority) }
func (b backend) Answers() bool   { return b.b.Known && b.b.Problem == "" }
func (b backend) Engine() string  { return b.b.Capacity.Engine }
func (b backend) Given() given    { return b.w.index.givenOf(b.b.Name) }

func (b backend) Problem() string {
	if b.b.Problem == "" && !b.b.Known {
		return "it was not asked yet"
	}
	return b.w.meter.takeText(b.b.Problem)
}

// Capacity is known once the engine was asked.
func (b backend) Capacity() *capacity {
	if !b.b.Known {
		return nil
	}
	return one(b.w, capacity(b))
}

func (b backend) Pods(args struct {
	Filter *podFilter
	paging
}) (*connection[pod], error) {
	var found []*backends.Pod
	all := b.w.index.allPods()
	if err := b.w.meter.spend(len(all)); err != nil {
		return nil, err
	}
	for _, p := range all {
		if p.Backend == b.b.Name {
			found = append(found, p)
		}
	}
	return b.w.listPods(found, args.Filter, nil, nil, args.paging)
}

func (b backend) Deployments(args struct {
	Filter *deploymentFilter
	paging
}) (*connection[deployment], error) {
	return b.w.listDeployments(b.w.index.ofBackend(b.b.Name), args.Filter, nil, nil, args.paging)
}

// capacity resolves Capacity.
type capacity struct {
	w *world
	b *planner.Backend
}

func (c capacity) CPU() float64      { return cpus(c.b.Capacity.CPU) }
func (c capacity) Memory() byteCount { return byteCount(c.b.Capacity.Memory) }
func (c capacity) Arch() string      { return c.b.Capacity.Arch }
func (c capacity) OS() string        { return c.b.Capacity.OS }

func (c capacity) GPUs() []gpu {
	c.w.meter.takeObjects(len(c.b.Capacity.GPUs))
	out := make([]gpu, len(c.b.Capacity.GPUs))
	for i := range out {
		out[i] = gpu{c.w, c.b.Name, &c.b.Capacity.GPUs[i]}
	}
	return out
}

func (c capacity) Labels() []label {
	out := make([]label, 0, len(c.b.Capacity.Labels))
	for _, key := range slices.Sorted(maps.Keys(c.b.Capacity.Labels)) {
		out = append(out, label{key, c.b.Capacity.Labels[key]})
	}
	c.w.meter.takeObjects(len(out))
	return out
}

// label resolves Label.
type label struct{ Key, Value string }

// gpu resolves GPU.
type gpu struct {
	w       *world
	backend string
	g       *backends.GPU
}

func (g gpu) Name() string         { return g.g.ID }
func (g gpu) Vendor() string       { return string(g.g.Vendor) }
func (g gpu) Version() string      { return g.g.Version }
func (g gpu) Capability() string   { return g.g.Capability }
func (g gpu) Architecture() string { return g.g.Architecture }
func (g gpu) Memory() *byteCount   { return orNone(g.g.Memory, toBytes) }

func (g gpu) Pod() *pod {
	all := g.w.index.allPods()
	g.w.meter.takeWork(len(all))
	for _, p := range all {
		if p.Backend == g.backend && slices.Contains(p.GPUs, g.g.ID) {
			return one(g.w, pod{g.w, p})
		}
	}
	return nil
}

// listedBackends are listed by name.
var listedBackends = noun[backend]{
	name: "backend", usual: "NAME",
	orders: map[string]order[backend]{
		"NAME": func(a, b backend) int { return strings.Compare(a.b.Name, b.b.Name) },
		"PRIORITY": func(a, b backend) int {
			return cmp.Or(cmp.Compare(a.b.Priority, b.b.Priority), strings.Compare(a.b.Name, b.b.Name))
		},
	},
	mark: func(b backend) []string { return []string{b.b.Name, markInt(b.b.Priority)} },
	probe: func(w *world, left []string) (backend, bool) {
		m := marks{left: left}
		b := backend{w, &planner.Backend{Name: m.text(), Priority: m.int()}}
		return b, m.ok()
	},
}

type backendFilter struct {
	Name, Type *[]string
	Answers    *[]bool
	Not        *backendFilter
}

func (f *backendFilter) filter(depth int) (filter[backend], error) {
	if f == nil {
		return filter[backend]{}, nil
	}
	var c conditions[backend]
	c.text("name", f.Name, backend.Name)
	c.enum("type", f.Type, backend.Type)
	c.flag("answers", f.Answers, backend.Answers)
	if f.Not != nil {
		c.not(depth, f.Not.filter)
	}
	return c.filter()
}

func (w *world) listBackends(f *backendFilter, words *string, by *orderBy, p paging) (*connection[backend], error) {
	keep, err := f.filter(0)
	if err != nil {
		return nil, err
	}
	if keep, err = search(keep, words, func(b backend) []string {
		return []string{b.b.Name, string(b.b.Type), b.b.Capacity.Engine, b.b.Problem}
	}); err != nil {
		return nil, err
	}
	const configured = "" // the order in which they stand
	of := all(w.view.Backends, configured, func(b planner.Backend) backend { return backend{w, &b} })
	return listedBackends.page(w, of, keep, by, p)
}
