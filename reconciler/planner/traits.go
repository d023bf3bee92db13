package planner

import "github.com/berthdev/berth/schema"

// traits are what a flavour needs by its selectors, whoever deploys it. They are
// worked out once for all deployments of the flavour.
type traits struct {
	gpu      gpuRequest // what the required selectors ask of a GPU
	gpus     int        // how many GPUs they ask for
	specific int        // how much they ask: GPUs first
	on       []fit      // by backend
}

// A fit tells what a flavour's selectors meet on a backend.
type fit struct {
	missing  *schema.Selector // the first required one that does not match; nil: all match
	weights  int              // of the others that match
	vendor   schema.GPUVendor // whose GPUs a pod gets
	suitable int              // GPUs of this vendor that have what is asked
	total    int              // GPUs that are of this vendor, or may be
}

// traits returns the traits of a flavour.
func (g *planning) traits(f *schema.Flavour) *traits {
	if t := g.known[f]; t != nil {
		return t
	}
	t := &traits{on: make([]fit, len(g.in.Backends))}
	for i := range f.Selectors {
		s := &f.Selectors[i]
		switch {
		case s.Required && s.GPU():
			t.require(gpuAsked(*s))
		case s.Required:
			t.specific++
		}
	}
	for b := range t.on {
		t.on[b] = t.meet(f, &g.in.Backends[b])
	}
	g.known[f] = t
	return t
}

// gpuWorth is how much more specific a GPU makes a flavour than another selector.
const gpuWorth = 1000

func (t *traits) require(r gpuRequest) {
	t.specific += gpuWorth
	t.gpus = max(t.gpus, r.Count)
	if t.gpu.Count == 0 || t.gpu.vendor == "" {
		t.gpu = r
	}
}

// meet compares a flavour's selectors with what a backend has. Where they do not
// say whose GPU is needed, it is one of the vendor that the backend has most of:
// by what the backend has, not by what is free, so that the answer stays.
func (t *traits) meet(f *schema.Flavour, b *Backend) fit {
	var at fit
	has := open(&b.Capacity, t.gpus)
	for i := range f.Selectors {
		s := &f.Selectors[i]
		ok := match(*s, has) != NotMatched
		switch {
		case s.Required && !ok && at.missing == nil:
			at.missing = s
		case !s.Required && ok:
			at.weights += s.Weight
		}
	}
	var count gpuCount
	at.vendor = t.gpu.vendor
	for _, gpu := range b.Capacity.GPUs {
		v := vendorIndex(gpu.Vendor)
		count[v]++
		if t.gpu.vendor == "" && (at.vendor == "" || count[v] > count[vendorIndex(at.vendor)]) {
			at.vendor = gpu.Vendor
		}
	}
	at.total = count.of(vendorIndex(at.vendor))
	for i := range b.Capacity.GPUs {
		gpu := &b.Capacity.GPUs[i]
		if same(string(at.vendor), string(gpu.Vendor)) != NotMatched && t.gpu.match(gpu) != NotMatched {
			at.suitable++
		}
	}
	return at
}
