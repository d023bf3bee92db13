package kubernetes

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// The resources by which device plugins offer GPUs. Nodes that have them are
// often tainted with the same key.
const (
	resourceNVIDIA corev1.ResourceName = "nvidia.com/gpu"
	resourceAMD    corev1.ResourceName = "amd.com/gpu"
	resourceIntel  corev1.ResourceName = "gpu.intel.com/i915"
)

type vendorResource struct {
	vendor schema.GPUVendor
	name   corev1.ResourceName
}

// gpuResources are the resources by vendor, in a fixed order.
var gpuResources = []vendorResource{{schema.NVIDIA, resourceNVIDIA}, {schema.AMD, resourceAMD}, {schema.Intel, resourceIntel}}

// gpuResource returns the resource of a vendor; NVIDIA's if none is known.
func gpuResource(v schema.GPUVendor) corev1.ResourceName {
	for _, r := range gpuResources {
		if r.vendor == v {
			return r.name
		}
	}
	return resourceNVIDIA
}

// The labels that NVIDIA's feature discovery gives nodes. The runtime version is
// the newest CUDA version that the driver supports; cuda.driver tells the driver's
// own. Its labels have an older name, which discovery still sets, and a newer one.
const (
	nvidiaMemory          = "nvidia.com/gpu.memory" // in MiB
	nvidiaFamily          = "nvidia.com/gpu.family" // as "ampere"
	nvidiaCapabilityMajor = "nvidia.com/gpu.compute.major"
	nvidiaCapabilityMinor = "nvidia.com/gpu.compute.minor"
)

// nvidiaVersions are the labels of the CUDA version: the major's, and the minor's.
var nvidiaVersions = [][2]string{
	{"nvidia.com/cuda.runtime-version.major", "nvidia.com/cuda.runtime-version.minor"},
	{"nvidia.com/cuda.runtime.major", "nvidia.com/cuda.runtime.minor"},
}

// withNeeds adds to the resources what the flavour needs of a host at least, where
// the deployment states nothing itself. It is set aside, but no limit.
func withNeeds(r corev1.ResourceRequirements, p backends.PodSpec) corev1.ResourceRequirements {
	var cpus int
	var memory schema.Bytes
	for _, n := range p.Needs {
		if n.Kind == schema.SelectCPU {
			cpus = max(cpus, n.Count)
		}
		if n.Kind == schema.SelectCPU || n.Kind == schema.SelectRAM {
			memory = max(memory, n.Memory)
		}
	}
	if r.Requests == nil && (p.CPU == 0 && cpus > 0 || p.Memory == 0 && memory > 0) {
		r.Requests = corev1.ResourceList{}
	}
	if p.CPU == 0 && cpus > 0 {
		r.Requests[corev1.ResourceCPU] = *resource.NewQuantity(int64(cpus), resource.DecimalSI)
	}
	if p.Memory == 0 && memory > 0 {
		r.Requests[corev1.ResourceMemory] = amount(memory)
	}
	return r
}

// tolerations let pods onto nodes that are kept for them: those with the GPUs that
// they hold, and those whose taints the configuration puts up with.
func (s settings) tolerations(p backends.PodSpec) []corev1.Toleration {
	var out []corev1.Toleration
	if p.GPUs > 0 {
		out = append(out, corev1.Toleration{Key: string(gpuResource(p.GPUVendor)), Operator: corev1.TolerationOpExists})
	}
	for _, key := range s.cfg.Tolerations {
		out = append(out, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists})
	}
	return out
}

// A term is what one node must have; alternatives are terms of which it must
// fulfil one.
type (
	term         = []corev1.NodeSelectorRequirement
	alternatives = []term
)

// nodeSelector returns the labels that the flavour needs of a node, with their
// values. A label that the configuration gives the whole backend is asked of no node.
func (s settings) nodeSelector(p backends.PodSpec) map[string]string {
	var out map[string]string
	for _, n := range p.Needs {
		if _, ours := s.cfg.Capacity.Labels[n.Key]; n.Kind != schema.SelectLabel || n.Value == "" || ours {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		key, value := nodeLabel(n)
		out[key] = value
	}
	return out
}

// affinity says which nodes have what else the flavour needs: labels of any value,
// and GPUs of which the vendor's feature discovery tells. What no label of a node
// tells of its GPUs, it is taken to have, as everywhere in Berth.
func (s settings) affinity(p backends.PodSpec) *corev1.Affinity {
	var all term
	for _, n := range p.Needs {
		if _, ours := s.cfg.Capacity.Labels[n.Key]; n.Kind == schema.SelectLabel && n.Value == "" && !ours {
			key, _ := nodeLabel(n)
			all = append(all, exists(key))
		}
	}
	terms := alternatives{all}
	if p.GPUs > 0 && gpuResource(p.GPUVendor) == resourceNVIDIA {
		terms = both(terms, nvidia(p.Needs))
	}
	terms = slices.DeleteFunc(terms, func(t term) bool { return len(t) == 0 })
	if len(terms) == 0 {
		return nil
	}
	required := &corev1.NodeSelector{}
	for _, t := range terms {
		required.NodeSelectorTerms = append(required.NodeSelectorTerms, corev1.NodeSelectorTerm{MatchExpressions: t})
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: required}}
}

// nodeLabel returns the label of a node that a selector means. The short names of
// architecture and system are Berth's own.
func nodeLabel(n schema.Selector) (key, value string) {
	switch n.Key {
	case "arch", "kubernetes.io/arch", "beta.kubernetes.io/arch":
		return corev1.LabelArchStable, goArch(n.Value)
	case "os", "beta.kubernetes.io/os":
		return corev1.LabelOSStable, n.Value
	default:
		return n.Key, n.Value
	}
}

// goArch returns Go's name of a CPU architecture, which is Kubernetes' too.
func goArch(name string) string {
	switch name {
	case "x86_64", "x86-64", "x64":
		return "amd64"
	case "aarch64", "arm64/v8":
		return "arm64"
	default:
		return name
	}
}

// nvidia returns what a node must tell of its NVIDIA GPUs, or that its GPUs are
// not told of at all.
func nvidia(needs []schema.Selector) alternatives {
	var version, capability, family string
	var memory schema.Bytes
	for _, n := range needs {
		if n.Kind == schema.SelectResource && n.GPU() {
			_, n.Version, _ = strings.Cut(n.Value, "-") // cuda-11
		} else if n.Kind != schema.SelectCUDA {
			continue
		}
		version, capability = later(version, n.Version), later(capability, n.Capability)
		memory, family = max(memory, n.Memory), cmp.Or(family, strings.ToLower(n.Architecture))
	}
	terms := alternatives{nil}
	if memory > 0 {
		const mebi = 1 << 20
		terms = both(terms, alternatives{{above(nvidiaMemory, (int64(memory)+mebi-1)/mebi-1)}})
	}
	if family != "" {
		terms = both(terms, alternatives{{in(nvidiaFamily, family)}})
	}
	if capability != "" {
		terms = both(terms, atLeast(capability, nvidiaCapabilityMajor, nvidiaCapabilityMinor))
	}
	if version != "" {
		var any alternatives
		for _, keys := range nvidiaVersions {
			any = append(any, atLeast(version, keys[0], keys[1])...)
		}
		terms = both(terms, any)
	}
	if len(terms) == 1 && len(terms[0]) == 0 {
		return terms
	}
	return append(terms, term{{Key: nvidiaMemory, Operator: corev1.NodeSelectorOpDoesNotExist}})
}

// both returns the terms that fulfil one of a and one of b.
func both(a, b alternatives) alternatives {
	var out alternatives
	for _, x := range a {
		for _, y := range b {
			out = append(out, slices.Concat(x, y))
		}
	}
	return out
}

// atLeast asks for a version whose two numbers stand in labels.
func atLeast(version, major, minor string) alternatives {
	a, b := twoNumbers(version)
	if b == 0 {
		return alternatives{{above(major, a-1)}}
	}
	return alternatives{{above(major, a)}, {in(major, strconv.FormatInt(a, 10)), above(minor, b-1)}}
}

// later returns the later of two versions; empty ones come first.
func later(a, b string) string {
	if a == "" || b == "" {
		return cmp.Or(a, b)
	}
	a1, a2 := twoNumbers(a)
	b1, b2 := twoNumbers(b)
	if cmp.Or(cmp.Compare(a1, b1), cmp.Compare(a2, b2)) < 0 {
		return b
	}
	return a
}

// twoNumbers reads the first two numbers of a version as 11.2.
func twoNumbers(version string) (major, minor int64) {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	major, _ = strconv.ParseInt(first, 10, 32)
	minor, _ = strconv.ParseInt(second, 10, 32)
	return max(0, major), max(0, minor)
}

func above(key string, n int64) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpGt, Values: []string{strconv.FormatInt(n, 10)}}
}

func in(key, value string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}
}

func exists(key string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpExists}
}
