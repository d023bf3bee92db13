package kubernetes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

func node(name string, changes ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
		"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", "kubernetes.io/hostname": name,
	}}}
	n.Status.Allocatable = corev1.ResourceList{"cpu": resource.MustParse("3500m"), "memory": resource.MustParse("8Gi")}
	for _, change := range changes {
		change(n)
	}
	return n
}

func offers(name corev1.ResourceName, count string) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Status.Allocatable[name] = resource.MustParse(count) }
}

func labelled(labels map[string]string) func(*corev1.Node) {
	return func(n *corev1.Node) {
		for key, value := range labels {
			n.Labels[key] = value
		}
	}
}

func tainted(key string, effect corev1.TaintEffect) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Effect: effect}) }
}

func TestCapacity(t *testing.T) {
	s := lab()
	s.cfg.Allow.Privileged = true
	got := s.capacity([]*corev1.Node{
		node("b", labelled(map[string]string{"zone": "b", "shared": "yes", "disk": "ssd"}), labelled(discovered("12.4", "8.6", "24576", "ampere", true)), offers(resourceNVIDIA, "2")),
		node("a", labelled(map[string]string{"zone": "a", "shared": "yes", "amd.com/gpu.vram": "64G"}), offers(resourceAMD, "1")),
	}, "v1.36.3")
	want := backends.Capacity{
		CPU: 7000, Memory: 16 << 30, Arch: "amd64", OS: "linux", Orchestrates: true, Allow: s.cfg.Allow,
		GPUs: []backends.GPU{
			{ID: "a/amd-0", Vendor: schema.AMD, Memory: 64 << 30},
			{ID: "b/nvidia-0", Vendor: schema.NVIDIA, Version: "12.4", Capability: "8.6", Architecture: "ampere", Memory: 24 << 30},
			{ID: "b/nvidia-1", Vendor: schema.NVIDIA, Version: "12.4", Capability: "8.6", Architecture: "ampere", Memory: 24 << 30},
		},
		Labels: map[string]string{"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", "shared": "yes"},
		Engine: "Kubernetes 1.36.3, 2 of 2 nodes",
	}
	hosts := got.HostLabels
	got.HostLabels = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for key, values := range map[string][]string{"zone": {"a", "b"}, "disk": {"ssd"}, "kubernetes.io/hostname": {"a", "b"}} {
		if diff := cmp.Diff(values, hosts[key]); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
	}
}

// What only pods with GPUs may use is told apart.
func TestCapacityKeptForGPUs(t *testing.T) {
	nodes := []*corev1.Node{
		node("small"), node("gpu", tainted("nvidia.com/gpu", corev1.TaintEffectNoExecute), offers(resourceNVIDIA, "8"), offers("cpu", "64"), offers("memory", "256Gi")),
		node("soft", tainted("amd.com/gpu", corev1.TaintEffectPreferNoSchedule)),
	}
	s := lab()
	if c := s.capacity(nodes, ""); c.CPU != 71000 || c.KeptCPU != 64000 || c.Memory != 272<<30 || c.KeptMemory != 256<<30 || len(c.GPUs) != 8 {
		t.Errorf("%+v", c)
	}
	s.cfg.Tolerations = []string{"nvidia.com/gpu"}
	if c := s.capacity(nodes, ""); c.KeptCPU != 0 || c.KeptMemory != 0 {
		t.Errorf("tolerated by all: %+v", c)
	}
	s = lab()
	s.cfg.Capacity.CPU = ptr(schema.CPU(1000))
	if c := s.capacity(nodes, ""); c.KeptCPU != 0 || c.KeptMemory != 256<<30 {
		t.Errorf("configured: %+v", c)
	}
}

// Which nodes count.
func TestCapacityNodes(t *testing.T) {
	for name, test := range map[string]struct {
		node *corev1.Node
		want bool
	}{
		"open":                {node("n"), true},
		"cordoned":            {node("n", func(n *corev1.Node) { n.Spec.Unschedulable = true }), false},
		"tainted":             {node("n", tainted("example.org/other", corev1.TaintEffectNoSchedule)), false},
		"drained":             {node("n", tainted("example.org/other", corev1.TaintEffectNoExecute)), false},
		"to be avoided":       {node("n", tainted("example.org/other", corev1.TaintEffectPreferNoSchedule)), true},
		"tolerated":           {node("n", tainted("example.org/lab", corev1.TaintEffectNoSchedule)), true},
		"kept for GPUs":       {node("n", tainted("nvidia.com/gpu", corev1.TaintEffectNoSchedule)), true},
		"unwell":              {node("n", tainted("node.kubernetes.io/not-ready", corev1.TaintEffectNoExecute)), true},
		"for the control":     {node("n", tainted("node-role.kubernetes.io/control-plane", corev1.TaintEffectNoSchedule)), false},
		"unwell and not ours": {node("n", tainted("node.kubernetes.io/not-ready", corev1.TaintEffectNoExecute), tainted("x", corev1.TaintEffectNoSchedule)), false},
	} {
		s := lab()
		s.cfg.Tolerations = []string{"example.org/lab"}
		if got := s.capacity([]*corev1.Node{test.node}, "").CPU > 0; got != test.want {
			t.Errorf("%s: it counts: %t", name, got)
		}
	}
}

func TestCapacityConfigured(t *testing.T) {
	s := lab()
	s.cfg.Capacity = schema.Offer{
		CPU: ptr(schema.CPU(1000)), Memory: ptr(schema.Bytes(2e9)), Labels: map[string]string{"zone": "all", "room": "7"},
		Services: []string{"store"}, Resources: map[string]string{"microscope": "yes"},
		GPUs: []schema.GPU{{Vendor: schema.AMD, Count: 2, Version: "6.0", Memory: ptr(schema.Bytes(16e9))}, {Vendor: schema.NVIDIA, IDs: []string{"x"}}},
	}
	got := s.capacity([]*corev1.Node{node("a", labelled(map[string]string{"zone": "a"}), offers(resourceNVIDIA, "4"))}, "")
	if got.CPU != 1000 || got.Memory != 2e9 || got.Labels["zone"] != "all" || got.Labels["room"] != "7" || len(got.Services) != 1 || got.Resources["microscope"] != "yes" {
		t.Errorf("%+v", got)
	}
	want := []backends.GPU{
		{ID: "cluster/amd-0", Vendor: schema.AMD, Version: "6.0", Memory: 16e9}, {ID: "cluster/amd-1", Vendor: schema.AMD, Version: "6.0", Memory: 16e9},
		{ID: "x", Vendor: schema.NVIDIA},
	}
	if diff := cmp.Diff(want, got.GPUs); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What nodes tell is anybody's text.
func TestCapacityHostile(t *testing.T) {
	n := node("n", labelled(map[string]string{
		nvidiaMemory: "-5", nvidiaCapabilityMajor: "x", nvidiaVersions[0][0]: "99999999999999999999", nvidiaVersions[1][0]: "12", "amd.com/gpu.vram": "many",
	}), offers(resourceNVIDIA, "1000000000"), offers(resourceAMD, "1"))
	got := lab().capacity([]*corev1.Node{n, node("empty", func(n *corev1.Node) { n.Labels, n.Status.Allocatable = nil, nil })}, "")
	if len(got.GPUs) != maxGPUs+1 || got.GPUs[0].Version != "12.0" || got.GPUs[0].Memory != 0 || got.GPUs[0].Capability != "" || got.GPUs[maxGPUs].Memory != 0 {
		t.Errorf("%d GPUs, the first %+v", len(got.GPUs), got.GPUs[0])
	}
	if c := lab().capacity(nil, ""); c.CPU != 0 || !c.Orchestrates || c.Labels == nil {
		t.Errorf("no nodes: %+v", c)
	}
}
