package kubernetes

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// capacity returns what the nodes offer together, with the configuration over it.
// Nodes that take no pods of Berth are left out: those that are cordoned, and
// those with taints that pods do not put up with. A node that is unwell counts: it
// is hoped to come back, and what runs is not moved for it.
//
// A label that all nodes share is the backend's; of the others, each value that a
// node has is told, and the scheduler finds the node.
func (s settings) capacity(nodes []*corev1.Node, version string) backends.Capacity {
	offer := s.cfg.Capacity
	c := backends.Capacity{
		Services: offer.Services, Resources: offer.Resources, Allow: s.cfg.Allow, Orchestrates: true,
	}
	var open []*corev1.Node
	for _, n := range nodes {
		if s.takesPods(n) {
			open = append(open, n)
		}
	}
	slices.SortFunc(open, func(a, b *corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	for _, n := range open {
		cpu, memory := schema.CPU(n.Status.Allocatable.Cpu().MilliValue()), schema.Bytes(n.Status.Allocatable.Memory().Value())
		c.CPU, c.Memory = c.CPU+cpu, c.Memory+memory
		if s.keptForGPUs(n) {
			c.KeptCPU, c.KeptMemory = c.KeptCPU+cpu, c.KeptMemory+memory
		}
		c.GPUs = append(c.GPUs, nodeGPUs(n)...)
	}
	c.Arch = shared(open, corev1.LabelArchStable)
	c.OS = shared(open, corev1.LabelOSStable)
	c.Labels, c.HostLabels = nodeLabels(open)
	maps.Copy(c.Labels, offer.Labels)
	if offer.CPU != nil {
		c.CPU, c.KeptCPU = *offer.CPU, 0
	}
	if offer.Memory != nil {
		c.Memory, c.KeptMemory = *offer.Memory, 0
	}
	if len(offer.GPUs) > 0 {
		c.GPUs = configuredGPUs(offer.GPUs)
	}
	c.Engine = fmt.Sprintf("Kubernetes %s, %d of %d nodes", strings.TrimPrefix(version, "v"), len(open), len(nodes))
	return c
}

// takesPods tells whether pods may be placed on a node, be it only those with GPUs.
func (s settings) takesPods(n *corev1.Node) bool {
	return !n.Spec.Unschedulable && !slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return s.repels(t) && !ofGPUs(t) })
}

// keptForGPUs tells whether a node takes only pods that hold its GPUs.
func (s settings) keptForGPUs(n *corev1.Node) bool {
	return slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return s.repels(t) && ofGPUs(t) })
}

// repels tells whether a taint keeps pods off that state nothing. One that Kubernetes
// itself sets on a node that is unwell is passed over.
func (s settings) repels(t corev1.Taint) bool {
	return t.Effect != corev1.TaintEffectPreferNoSchedule && !strings.HasPrefix(t.Key, "node.kubernetes.io/") && !slices.Contains(s.cfg.Tolerations, t.Key)
}

// ofGPUs tells whether a taint keeps a node for pods with GPUs.
func ofGPUs(t corev1.Taint) bool {
	return slices.ContainsFunc(gpuResources, func(r vendorResource) bool { return string(r.name) == t.Key })
}

// shared returns the value of a label that all nodes have; the first one's where
// they differ, for nodes of several architectures run what their images are made for.
func shared(nodes []*corev1.Node, label string) string {
	for _, n := range nodes {
		if v := n.Labels[label]; v != "" {
			return v
		}
	}
	return ""
}

// nodeLabels returns the labels that all nodes share, and the values of the others.
func nodeLabels(nodes []*corev1.Node) (all map[string]string, some map[string][]string) {
	all = map[string]string{}
	values := map[string][]string{}
	count := map[string]int{}
	for _, n := range nodes {
		for key, value := range n.Labels {
			values[key] = append(values[key], value)
			count[key]++
		}
	}
	for key, list := range values {
		list = sortedSet(list)
		if len(list) == 1 && count[key] == len(nodes) {
			all[key] = list[0]
			continue
		}
		if some == nil {
			some = map[string][]string{}
		}
		some[key] = list
	}
	return all, some
}

// nodeGPUs returns the GPUs that a node's device plugins offer, with what feature
// discovery tells of them. Which of them a pod got is not told: they are counted.
func nodeGPUs(n *corev1.Node) []backends.GPU {
	var gpus []backends.GPU
	for _, r := range gpuResources {
		count := n.Status.Allocatable[r.name]
		about := backends.GPU{Vendor: r.vendor}
		switch r.vendor {
		case schema.NVIDIA:
			about.Version = pair(n.Labels, nvidiaVersions...)
			about.Capability = pair(n.Labels, [2]string{nvidiaCapabilityMajor, nvidiaCapabilityMinor})
			about.Architecture = n.Labels[nvidiaFamily]
			if mebi, err := strconv.ParseInt(n.Labels[nvidiaMemory], 10, 32); err == nil && mebi > 0 {
				about.Memory = schema.Bytes(mebi) << 20
			}
		case schema.AMD:
			about.Memory = vram(n.Labels["amd.com/gpu.vram"])
		}
		for i := range min(count.Value(), maxGPUs) {
			about.ID = gpuID(n.Name, r.vendor, int(i))
			gpus = append(gpus, about)
		}
	}
	return gpus
}

// maxGPUs bounds what a node may claim to have.
const maxGPUs = 1000

// gpuID names one of a node's GPUs of a vendor by counting.
func gpuID(node string, vendor schema.GPUVendor, i int) string {
	return fmt.Sprintf("%s/%s-%d", node, vendor, i)
}

// pair reads a version of which two labels tell the numbers, by the first pair of
// labels that does.
func pair(labels map[string]string, keys ...[2]string) string {
	for _, k := range keys {
		major, err := strconv.ParseUint(labels[k[0]], 10, 31)
		if err != nil {
			continue
		}
		minor, _ := strconv.ParseUint(labels[k[1]], 10, 31)
		return fmt.Sprintf("%d.%d", major, minor)
	}
	return ""
}

// vram reads an amount of memory as AMD's labeller writes it: 64G is 64 GiB.
func vram(text string) schema.Bytes {
	if text == "" {
		return 0
	}
	q, err := resource.ParseQuantity(strings.TrimSuffix(text, "i") + "i")
	if err != nil || q.Value() < 0 {
		return 0
	}
	return schema.Bytes(q.Value())
}

// configuredGPUs returns the GPUs that the configuration names.
func configuredGPUs(offers []schema.GPU) []backends.GPU {
	var gpus []backends.GPU
	for _, o := range offers {
		g := backends.GPU{
			Vendor: o.Vendor, Version: string(o.Version), Capability: string(o.Capability),
			Architecture: o.Architecture, Cores: o.Cores, Frequency: o.Frequency,
		}
		if o.Memory != nil {
			g.Memory = *o.Memory
		}
		for i := range max(1, o.Count, len(o.IDs)) {
			g.ID = gpuID("cluster", o.Vendor, i)
			if i < len(o.IDs) {
				g.ID = o.IDs[i]
			}
			gpus = append(gpus, g)
		}
	}
	return gpus
}
