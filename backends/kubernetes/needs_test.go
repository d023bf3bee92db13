package kubernetes

import (
	"slices"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// takes tells whether a node with such labels takes a pod of the specification,
// as the scheduler would.
func takes(t testing.TB, s settings, p backends.PodSpec, labels map[string]string) bool {
	t.Helper()
	for key, value := range s.nodeSelector(p) {
		if labels[key] != value {
			return false
		}
	}
	a := s.affinity(p)
	if a == nil {
		return true
	}
	terms := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	return slices.ContainsFunc(terms, func(term corev1.NodeSelectorTerm) bool {
		return !slices.ContainsFunc(term.MatchExpressions, func(r corev1.NodeSelectorRequirement) bool { return !fulfils(t, labels, r) })
	})
}

func fulfils(t testing.TB, labels map[string]string, r corev1.NodeSelectorRequirement) bool {
	t.Helper()
	value, ok := labels[r.Key]
	switch r.Operator {
	case corev1.NodeSelectorOpExists:
		return ok
	case corev1.NodeSelectorOpDoesNotExist:
		return !ok
	case corev1.NodeSelectorOpIn:
		return ok && slices.Contains(r.Values, value)
	case corev1.NodeSelectorOpGt:
		n, err := strconv.ParseInt(value, 10, 64)
		least, bad := strconv.ParseInt(r.Values[0], 10, 64)
		if bad != nil {
			t.Errorf("%v", r)
		}
		return ok && err == nil && n > least
	}
	t.Errorf("operator %s", r.Operator)
	return false
}

// discovered are the labels that feature discovery gives a node.
func discovered(version, capability, memory, family string, newer bool) map[string]string {
	major, minor := split2(version)
	a, b := split2(capability)
	labels := map[string]string{
		nvidiaMemory: memory, nvidiaFamily: family, nvidiaCapabilityMajor: a, nvidiaCapabilityMinor: b,
		nvidiaVersions[1][0]: major, nvidiaVersions[1][1]: minor,
	}
	if newer {
		labels[nvidiaVersions[0][0]], labels[nvidiaVersions[0][1]] = major, minor
	}
	return labels
}

func split2(version string) (major, minor string) {
	a, b := twoNumbers(version)
	return strconv.FormatInt(a, 10), strconv.FormatInt(b, 10)
}

func gpuPod(needs ...schema.Selector) backends.PodSpec {
	return backends.PodSpec{GPUs: 1, GPUVendor: schema.NVIDIA, Needs: needs}
}

func TestAffinity(t *testing.T) {
	cuda := func(set func(*schema.Selector)) schema.Selector {
		s := schema.Selector{Kind: schema.SelectCUDA, Required: true}
		set(&s)
		return s
	}
	version := func(v string) schema.Selector { return cuda(func(s *schema.Selector) { s.Version = v }) }
	capability := func(v string) schema.Selector { return cuda(func(s *schema.Selector) { s.Capability = v }) }
	label := func(key, value string) schema.Selector {
		return schema.Selector{Kind: schema.SelectLabel, Required: true, Key: key, Value: value}
	}
	node := discovered("11.4", "8.6", "24576", "ampere", true)
	zoned := map[string]string{"zone": "b", "kubernetes.io/arch": "arm64", "kubernetes.io/os": "linux"}
	for _, test := range []struct {
		name   string
		pod    backends.PodSpec
		labels map[string]string
		want   bool
	}{
		{"asks nothing", backends.PodSpec{}, nil, true},
		{"a GPU of which nothing is told", gpuPod(version("11.2")), nil, true},
		{"the version", gpuPod(version("11.4")), node, true},
		{"a version below", gpuPod(version("11.2")), node, true},
		{"a version above", gpuPod(version("11.5")), node, false},
		{"a minor of two digits", gpuPod(version("11.10")), node, false},
		{"a major above", gpuPod(version("12")), node, false},
		{"a major below", gpuPod(version("10.9")), node, true},
		{"the major", gpuPod(version("11")), node, true},
		{"three numbers", gpuPod(version("11.4.1")), node, true},
		{"the older labels", gpuPod(version("11.2")), discovered("11.4", "8.6", "24576", "ampere", false), true},
		{"the older labels, above", gpuPod(version("11.5")), discovered("11.4", "8.6", "24576", "ampere", false), false},
		{"two asked, the later counts", gpuPod(version("11.2"), version("11.9")), node, false},
		{"the documented form", gpuPod(schema.Selector{Kind: schema.SelectResource, Name: "gpu", Value: "cuda-12", Required: true}), node, false},
		{"the documented form, below", gpuPod(schema.Selector{Kind: schema.SelectResource, Name: "gpu", Value: "cuda-11", Required: true}), node, true},
		{"capability", gpuPod(capability("8.6")), node, true},
		{"capability above", gpuPod(capability("8.9")), node, false},
		{"capability below", gpuPod(capability("7.9")), node, true},
		{"memory", gpuPod(cuda(func(s *schema.Selector) { s.Memory = 24 << 30 })), node, true},
		{"memory above", gpuPod(cuda(func(s *schema.Selector) { s.Memory = 24<<30 + 1 })), node, false},
		{"architecture", gpuPod(cuda(func(s *schema.Selector) { s.Architecture = "Ampere" })), node, true},
		{"another architecture", gpuPod(cuda(func(s *schema.Selector) { s.Architecture = "hopper" })), node, false},
		{"all at once", gpuPod(version("11.2"), capability("8.0"), cuda(func(s *schema.Selector) { s.Memory = 8e9 })), node, true},
		{"all but one", gpuPod(version("11.2"), capability("9.0"), cuda(func(s *schema.Selector) { s.Memory = 8e9 })), node, false},
		{"another vendor's", backends.PodSpec{GPUs: 1, GPUVendor: schema.AMD, Needs: []schema.Selector{version("99")}}, node, true},
		{"no GPU after all", backends.PodSpec{Needs: []schema.Selector{version("99")}}, node, true},
		{"a label", backends.PodSpec{Needs: []schema.Selector{label("zone", "b")}}, zoned, true},
		{"a label of another value", backends.PodSpec{Needs: []schema.Selector{label("zone", "c")}}, zoned, false},
		{"a label of any value", backends.PodSpec{Needs: []schema.Selector{label("zone", "")}}, zoned, true},
		{"a label that is not there", backends.PodSpec{Needs: []schema.Selector{label("disk", "")}}, zoned, false},
		{"the short name of the architecture", backends.PodSpec{Needs: []schema.Selector{label("arch", "aarch64")}}, zoned, true},
		{"another architecture of the processor", backends.PodSpec{Needs: []schema.Selector{label("arch", "x86_64")}}, zoned, false},
		{"the system", backends.PodSpec{Needs: []schema.Selector{label("os", "linux")}}, zoned, true},
		{"a label of the whole backend", backends.PodSpec{Needs: []schema.Selector{label("room", "7"), label("shelf", "")}}, nil, true},
	} {
		s := lab()
		s.cfg.Capacity.Labels = map[string]string{"room": "7", "shelf": "2"}
		if got := takes(t, s, test.pod, test.labels); got != test.want {
			t.Errorf("%s: a node with %v takes it: %t", test.name, test.labels, got)
		}
	}
}

// For every version that a node may tell, it takes what the planner says that it
// has: at least as late a version.
func TestVersionsCompare(t *testing.T) {
	all := []string{"9.0", "10.2", "11.0", "11.2", "11.8", "11.10", "12.0", "12.4"}
	for i, asked := range all {
		for j, told := range all {
			pod := gpuPod(schema.Selector{Kind: schema.SelectCUDA, Required: true, Version: asked})
			if got := takes(t, lab(), pod, discovered(told, "8.0", "8000", "x", j%2 == 0)); got != (j >= i) {
				t.Errorf("%s asked, %s told: %t", asked, told, got)
			}
		}
	}
}

func TestTolerations(t *testing.T) {
	s := lab()
	s.cfg.Tolerations = []string{"example.org/lab"}
	for vendor, key := range map[schema.GPUVendor]string{schema.NVIDIA: "nvidia.com/gpu", schema.AMD: "amd.com/gpu", schema.Intel: "gpu.intel.com/i915", "": "nvidia.com/gpu"} {
		got := s.tolerations(backends.PodSpec{GPUs: 2, GPUVendor: vendor})
		if len(got) != 2 || got[0].Key != key || got[1].Key != "example.org/lab" || got[1].Effect != "" {
			t.Errorf("%s: %+v", vendor, got)
		}
		r := resources(backends.PodSpec{GPUs: 2, GPUVendor: vendor})
		if n := r.Limits[corev1.ResourceName(key)]; n.Value() != 2 {
			t.Errorf("%s: %+v", vendor, r)
		}
	}
	if got := s.tolerations(backends.PodSpec{}); len(got) != 1 {
		t.Errorf("without GPUs: %+v", got)
	}
}

// What the deployment states itself counts more than what its flavour needs.
func TestNeedsAreSetAside(t *testing.T) {
	needs := []schema.Selector{{Kind: schema.SelectCPU, Count: 4, Memory: 2e9}, {Kind: schema.SelectRAM, Memory: 8e9}}
	for _, test := range []struct {
		pod          backends.PodSpec
		cpu, memory  string
		limitsMemory bool
	}{
		{backends.PodSpec{Needs: needs}, "4", "8G", false},
		{backends.PodSpec{Needs: needs, CPU: 500}, "500m", "8G", false},
		{backends.PodSpec{Needs: needs, Memory: 1 << 30}, "4", "1Gi", true},
		{backends.PodSpec{}, "0", "0", false},
	} {
		r := withNeeds(resources(test.pod), test.pod)
		if r.Requests.Cpu().String() != test.cpu || r.Requests.Memory().String() != test.memory || (!r.Limits.Memory().IsZero()) != test.limitsMemory {
			t.Errorf("%+v: %+v", test.pod, r)
		}
	}
}
