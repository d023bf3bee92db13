package docker

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/api/types/system"
	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

func TestCapacityMergesConfigurationOverEngine(t *testing.T) {
	info := &system.Info{
		NCPU: 8, MemTotal: 16 << 30, Architecture: "x86_64", OSType: "linux", ServerVersion: "28.5.2",
		Labels: []string{"disk=ssd", "room=b12", "quiet"},
	}
	allow := schema.Allow{HostNetwork: true}
	got := capacity(info, "1.51", schema.BackendConfig{Allow: allow, Capacity: schema.Offer{
		CPU: ptr(schema.CPU(4000)), Labels: map[string]string{"room": "c1"}, Services: []string{"s3"}, Resources: map[string]string{"slots": "2"},
	}})
	want := backends.Capacity{
		CPU: 4000, Memory: 16 << 30, Arch: "amd64", OS: "linux", OneHost: true, Allow: allow, Engine: "Docker 28.5.2, API 1.51",
		Labels: map[string]string{"disk": "ssd", "room": "c1", "quiet": ""}, Services: []string{"s3"}, Resources: map[string]string{"slots": "2"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestGoArch(t *testing.T) {
	for machine, want := range map[string]string{"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386", "riscv64": "riscv64"} {
		if got := goArch(machine); got != want {
			t.Errorf("%s: %s, want %s", machine, got, want)
		}
	}
}

func TestGPUs(t *testing.T) {
	ids := func(gpus []backends.GPU) (out []string) {
		for _, g := range gpus {
			out = append(out, string(g.Vendor)+"="+g.ID)
		}
		return out
	}
	cdi := []system.DeviceInfo{
		{Source: "cdi", ID: "nvidia.com/gpu=0"}, {Source: "cdi", ID: "nvidia.com/gpu=all"},
		{Source: "cdi", ID: "nvidia.com/gpu=GPU-1234"}, {Source: "cdi", ID: "nvidia.com/gpu=1"}, {Source: "cdi", ID: "other.com/net=0"},
	}
	generic := []swarm.GenericResource{
		{NamedResourceSpec: &swarm.NamedGenericResource{Kind: "NVIDIA-GPU", Value: "GPU-abc"}},
		{DiscreteResourceSpec: &swarm.DiscreteGenericResource{Kind: "SSD", Value: 3}},
	}
	runtimes := map[string]system.RuntimeWithStatus{"nvidia": {}}
	tests := []struct {
		name  string
		info  system.Info
		offer []schema.GPU
		want  []string
	}{
		{"none", system.Info{}, nil, nil},
		{"runtime only", system.Info{Runtimes: runtimes}, nil, []string{"nvidia=all"}},
		{"generic resources", system.Info{Runtimes: runtimes, GenericResources: generic}, nil, []string{"nvidia=GPU-abc"}},
		{"devices", system.Info{Runtimes: runtimes, GenericResources: generic, DiscoveredDevices: cdi}, nil, []string{"nvidia=nvidia.com/gpu=0", "nvidia=nvidia.com/gpu=1"}},
		{"configured", system.Info{Runtimes: runtimes}, []schema.GPU{{Vendor: schema.NVIDIA, Count: 2}}, []string{"nvidia=0", "nvidia=1"}},
		{"one", system.Info{}, []schema.GPU{{Vendor: schema.AMD}}, []string{"amd=0"}},
		{"by ID", system.Info{}, []schema.GPU{{Vendor: schema.NVIDIA, IDs: []string{"GPU-1", "GPU-2"}}}, []string{"nvidia=GPU-1", "nvidia=GPU-2"}},
		{"two vendors", system.Info{}, []schema.GPU{{Vendor: schema.NVIDIA}, {Vendor: schema.Intel}}, []string{"nvidia=0", "intel=intel:0"}},
	}
	for _, test := range tests {
		got := capacity(&test.info, "", schema.BackendConfig{Capacity: schema.Offer{GPUs: test.offer}})
		if diff := cmp.Diff(test.want, ids(got.GPUs)); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}

func TestGiveGPUs(t *testing.T) {
	nvidia := func(ids ...string) container.Resources {
		return container.Resources{DeviceRequests: []container.DeviceRequest{{Driver: "nvidia", DeviceIDs: ids, Capabilities: [][]string{{"gpu"}}}}}
	}
	devices := func(paths ...string) container.Resources {
		var r container.Resources
		for _, p := range paths {
			r.Devices = append(r.Devices, device(p))
		}
		return r
	}
	tests := []struct {
		name string
		gpus []backends.GPU
		want container.Resources
	}{
		{"none", nil, container.Resources{}},
		{"nvidia", []backends.GPU{{ID: "0", Vendor: schema.NVIDIA}, {ID: "GPU-1", Vendor: schema.NVIDIA}}, nvidia("0", "GPU-1")},
		{"all", []backends.GPU{{ID: allGPUs, Vendor: schema.NVIDIA}}, container.Resources{
			DeviceRequests: []container.DeviceRequest{{Driver: "nvidia", Count: -1, Capabilities: [][]string{{"gpu"}}}},
		}},
		{"cdi", []backends.GPU{{ID: "nvidia.com/gpu=1", Vendor: schema.NVIDIA}}, container.Resources{
			DeviceRequests: []container.DeviceRequest{{Driver: "cdi", DeviceIDs: []string{"nvidia.com/gpu=1"}}},
		}},
		{"amd", []backends.GPU{{ID: "0", Vendor: schema.AMD}, {ID: "1", Vendor: schema.AMD}}, devices("/dev/dri/renderD128", "/dev/kfd", "/dev/dri/renderD129")},
		{"intel", []backends.GPU{{ID: "intel:2", Vendor: schema.Intel}}, devices("/dev/dri/renderD130")},
		{"device", []backends.GPU{{ID: "/dev/dri/card7", Vendor: schema.Intel}}, devices("/dev/dri/card7")},
	}
	for _, test := range tests {
		var host container.HostConfig
		giveGPUs(&host, test.gpus)
		if diff := cmp.Diff(test.want, host.Resources); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
}
