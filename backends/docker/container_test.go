package docker

import (
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/system"
	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// able is an engine that can all.
var able = &system.Info{MemoryLimit: true, SwapLimit: true, CPUCfsQuota: true, LoggingDriver: "json-file", NCPU: 4, MemTotal: 8 << 30}

func ptr[T any](v T) *T { return &v }

func workload(p backends.PodSpec) backends.Workload {
	return backends.Workload{Deployment: "web", App: "org.example.web", Release: "1.0.0", Pod: p, Replicas: 1}
}

func TestTranslate(t *testing.T) {
	w := workload(backends.PodSpec{
		Image: "ghcr.io/x/y:1.2", Command: []string{"serve"}, Args: []string{"-v"},
		Env:     map[string]string{"B": "2", "A": "1=1"},
		Workdir: "/work", User: "1000:1000", CPU: 1500, Memory: 64 << 20, StopGracePeriod: 1500 * time.Millisecond,
		Ports: []schema.Port{
			{Container: 80, Protocol: schema.TCP},
			{HostIP: "127.0.0.1", Host: 8080, Container: 80, Protocol: schema.TCP},
			{Host: 53, Container: 53, Protocol: schema.UDP},
		},
		Volumes: []schema.Volume{
			{Name: "data", Path: "/data"},
			{Host: "/srv/data/../data", Path: "/srv", ReadOnly: true},
			{Tmpfs: true, Path: "/tmp", Size: ptr(schema.Bytes(1 << 20))},
		},
		Healthcheck: &schema.Healthcheck{Command: []string{"ping"}, Interval: ptr(schema.Duration(time.Second)), Retries: ptr(2)},
	})
	r := translate("lab", w, map[string]string{"l": "v"}, nil, able)
	if diff := cmp.Diff([]string{"A=1=1", "B=2"}, r.config.Env); diff != "" {
		t.Error(diff)
	}
	if r.config.Image != "ghcr.io/x/y:1.2" || r.config.Entrypoint[0] != "serve" || r.config.Cmd[0] != "-v" || r.config.User != "1000:1000" || r.config.WorkingDir != "/work" {
		t.Errorf("config %+v", r.config)
	}
	if *r.config.StopTimeout != 2 {
		t.Errorf("stop timeout %d, want 2: whole seconds, rounded up", *r.config.StopTimeout)
	}
	if h := r.config.Healthcheck; h.Test[0] != "CMD" || h.Test[1] != "ping" || h.Interval != time.Second || h.Retries != 2 {
		t.Errorf("health check %+v", h)
	}
	if got := r.host.PortBindings["80/tcp"]; len(got) != 2 || got[0].HostPort != "" || got[1].HostIP != "127.0.0.1" || got[1].HostPort != "8080" {
		t.Errorf("port 80: %+v", got)
	}
	if got := r.host.PortBindings["53/udp"]; len(got) != 1 || got[0].HostPort != "53" {
		t.Errorf("port 53: %+v", got)
	}
	if m := r.host.Mounts; m[0].Source != "berth-lab.web.data" || m[1].Source != "/srv/data" || !m[1].ReadOnly || m[2].TmpfsOptions.SizeBytes != 1<<20 {
		t.Errorf("mounts %+v", m)
	}
	if r.host.NanoCPUs != 1.5e9 || r.host.Memory != 64<<20 {
		t.Errorf("limits %d, %d", r.host.NanoCPUs, r.host.Memory)
	}
	if r.host.RestartPolicy.Name != container.RestartPolicyUnlessStopped || r.host.LogConfig.Config["max-size"] != "10m" {
		t.Errorf("restart %+v, log %+v", r.host.RestartPolicy, r.host.LogConfig)
	}
	if diff := cmp.Diff([]string{"MKNOD", "NET_RAW"}, []string(r.host.CapDrop)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"no-new-privileges"}, r.host.SecurityOpt); diff != "" {
		t.Error(diff)
	}
	if e := r.net.EndpointsConfig["berth-lab"]; e == nil || e.Aliases[0] != "web" || r.host.NetworkMode != "berth-lab" {
		t.Errorf("network %+v", r.net)
	}
}

func TestTranslateLeavesOutWhatTheEngineCannot(t *testing.T) {
	w := workload(backends.PodSpec{Image: "a", CPU: 1000, Memory: 1 << 30, Network: "host", Ports: []schema.Port{{Container: 80}}})
	r := translate("lab", w, nil, nil, &system.Info{LoggingDriver: "journald"})
	if r.host.NanoCPUs != 0 || r.host.Memory != 0 || r.host.LogConfig.Type != "" {
		t.Errorf("host config %+v", r.host)
	}
	if r.net != nil || r.host.NetworkMode != "host" || len(r.host.PortBindings) != 0 || len(r.config.ExposedPorts) != 1 {
		t.Errorf("network %+v, ports %+v", r.net, r.host.PortBindings)
	}
	if r.config.StopTimeout != nil || r.config.Healthcheck != nil {
		t.Error("what is not set is not left to the engine and the image")
	}
}

func TestHealthcheckDisabled(t *testing.T) {
	if got := healthcheck(&schema.Healthcheck{Disable: true}); got.Test[0] != "NONE" {
		t.Errorf("%+v", got)
	}
	if got := healthcheck(&schema.Healthcheck{Retries: ptr(5)}); len(got.Test) != 0 || got.Retries != 5 {
		t.Errorf("the image's own command must stay: %+v", got)
	}
}

func TestRestartPolicy(t *testing.T) {
	for policy, want := range map[schema.RestartPolicy]container.RestartPolicyMode{
		"": "unless-stopped", schema.RestartAlways: "unless-stopped", schema.RestartUnlessStopped: "unless-stopped",
		schema.RestartOnFailure: "on-failure", schema.RestartNo: "no",
	} {
		if got := restartPolicy(policy); got != want {
			t.Errorf("%q: %q, want %q", policy, got, want)
		}
	}
}

func TestCapabilities(t *testing.T) {
	tests := []struct {
		change    *schema.Capabilities
		add, drop []string
	}{
		{nil, nil, []string{"MKNOD", "NET_RAW"}},
		{&schema.Capabilities{Add: []string{"cap_net_raw"}}, []string{"NET_RAW"}, []string{"MKNOD"}},
		{&schema.Capabilities{Add: []string{"ALL"}}, []string{"ALL"}, nil},
		{&schema.Capabilities{Drop: []string{"all"}, Add: []string{"CHOWN"}}, []string{"CHOWN"}, []string{"ALL"}},
		{&schema.Capabilities{Drop: []string{"NET_RAW", "KILL"}}, nil, []string{"KILL", "MKNOD", "NET_RAW"}},
	}
	for _, test := range tests {
		add, drop := backends.CapabilitySets(test.change)
		if diff := cmp.Diff([][]string{test.add, test.drop}, [][]string{add, drop}); diff != "" {
			t.Errorf("%+v: %s", test.change, diff)
		}
	}
}

func TestCheck(t *testing.T) {
	allow := schema.Allow{HostPaths: []string{"/srv/data/"}, Capabilities: []string{"CAP_SYS_PTRACE"}}
	host := func(path string) backends.PodSpec {
		return backends.PodSpec{Volumes: []schema.Volume{{Host: path, Path: "/x"}}}
	}
	add := func(c string) backends.PodSpec {
		return backends.PodSpec{Capabilities: &schema.Capabilities{Add: []string{c}}}
	}
	tests := []struct {
		name  string
		spec  backends.PodSpec
		allow schema.Allow
		ok    bool
	}{
		{"nothing", backends.PodSpec{}, schema.Allow{}, true},
		{"allowed folder", host("/srv/data"), allow, true},
		{"below it", host("/srv/data/a/b"), allow, true},
		{"beside it", host("/srv/database"), allow, false},
		{"above it", host("/srv"), allow, false},
		{"out of it", host("/srv/data/../../etc"), allow, false},
		{"relative", host("srv/data"), allow, false},
		{"everything allowed", host("/etc"), schema.Allow{HostPaths: []string{"/"}}, true},
		{"folder, nothing allowed", host("/srv/data"), schema.Allow{}, false},
		{"empty allowance", host("/"), schema.Allow{HostPaths: []string{""}}, false},
		{"privileged", backends.PodSpec{Privileged: true}, allow, false},
		{"privileged allowed", backends.PodSpec{Privileged: true}, schema.Allow{Privileged: true}, true},
		{"host network", backends.PodSpec{Network: "host"}, allow, false},
		{"host network allowed", backends.PodSpec{Network: "host"}, schema.Allow{HostNetwork: true}, true},
		{"no network", backends.PodSpec{Network: "none"}, schema.Allow{}, true},
		{"another container's network", backends.PodSpec{Network: "container:x"}, schema.Allow{HostNetwork: true}, false},
		{"default capability", add("NET_RAW"), schema.Allow{}, true},
		{"allowed capability", add("sys_ptrace"), allow, true},
		{"capability", add("SYS_ADMIN"), allow, false},
		{"all capabilities", add("ALL"), allow, false},
		{"all allowed", add("SYS_ADMIN"), schema.Allow{Capabilities: []string{"ALL"}}, true},
		{"env without name", backends.PodSpec{Env: map[string]string{"": "secret"}}, schema.Allow{}, false},
		{"env with =", backends.PodSpec{Env: map[string]string{"A=B": "secret"}}, schema.Allow{}, false},
	}
	if err := check(backends.Workload{Deployment: "a/../b"}, schema.Allow{}); schema.KindOf(err) != schema.Invalid || err == nil {
		t.Errorf("a name that is no DNS label: %v", err)
	}
	for _, test := range tests {
		err := check(workload(test.spec), test.allow)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.name, err)
		}
		if err != nil && (schema.KindOf(err) != schema.Invalid || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: kind %s: %v", test.name, schema.KindOf(err), err)
		}
	}
}

func TestDrift(t *testing.T) {
	made := func(p backends.PodSpec) details {
		r := translate("lab", workload(p), nil, nil, able)
		return details{memory: r.host.Memory, nanoCPUs: r.host.NanoCPUs, restart: r.host.RestartPolicy.Name}
	}
	limited, free := backends.PodSpec{CPU: 500, Memory: 64 << 20}, backends.PodSpec{}
	for _, p := range []backends.PodSpec{limited, free, {Restart: schema.RestartNo}} {
		if u, drifted := drift(p, made(p), able); drifted {
			t.Errorf("%+v: a fresh container has drifted: %+v", p, u)
		}
	}
	d := made(limited)
	d.memory, d.nanoCPUs, d.restart = 1<<30, 0, "no"
	u, drifted := drift(limited, d, able)
	if !drifted || u.Memory != 64<<20 || u.MemorySwap != 128<<20 || u.NanoCPUs != 5e8 || u.RestartPolicy.Name != "unless-stopped" {
		t.Errorf("update %+v", u)
	}
	d = made(free)
	d.memory, d.nanoCPUs = 32<<20, 1e8
	u, drifted = drift(free, d, able)
	if !drifted || u.Memory != able.MemTotal || u.NanoCPUs != 4e9 {
		t.Errorf("update %+v", u)
	}
	d.memory, d.nanoCPUs = u.Memory, u.NanoCPUs
	if _, drifted := drift(free, d, able); drifted {
		t.Error("what was put right has drifted")
	}
}
