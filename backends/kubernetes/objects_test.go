package kubernetes

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

func ptr[T any](v T) *T { return &v }

// lab are the settings of most tests.
func lab() settings {
	return settings{instance: "lab", namespace: "berth", cfg: schema.BackendConfig{Name: "cluster", Type: schema.BackendKubernetes}}
}

// workload is a deployment of one pod that says as little as possible.
func workload(changes ...func(*backends.Workload)) backends.Workload {
	w := backends.Workload{
		Deployment: "web", App: "org.example.web", Release: "1.2.0", Flavour: "cpu", Backend: "cluster",
		Source: "web.yaml", Commit: "0123456789abcdef0123456789abcdef01234567", Replicas: 1,
		Rollout: backends.Rollout{Strategy: schema.Rolling, Timeout: 2 * time.Minute, MinReady: 3 * time.Second, Rollback: true},
		Pod: backends.PodSpec{
			Image: "registry.example.org/web:1.2.0", Restart: schema.RestartUnlessStopped, Pull: schema.PullMissing,
			StopGracePeriod: 10 * time.Second,
			Env: map[string]string{
				"BERTH_DEPLOYMENT": "web", "BERTH_USER": "", "BERTH_SCOPES": "", "BERTH_RELEASE": "1.2.0", "BERTH_FLAVOUR": "cpu",
			},
		},
	}
	for _, change := range changes {
		change(&w)
	}
	return w
}

func release(version string) func(*backends.Workload) {
	return func(w *backends.Workload) {
		w.Release, w.Pod.Image = version, "registry.example.org/web:"+version
		env := map[string]string{}
		for key, value := range w.Pod.Env {
			env[key] = value
		}
		env["BERTH_RELEASE"] = version
		w.Pod.Env = env
	}
}

// served is a web app with all that a careful person would give it.
func served(w *backends.Workload) {
	w.Deployment, w.User, w.Replicas = "shop", "john", 3
	w.Rollout.MinReady = 0
	w.Pod.Command, w.Pod.Args = []string{"/shop"}, []string{"--listen", ":8080", "--greeting", "costs $(PRICE) or $$5"}
	w.Pod.Env["LOG_LEVEL"] = "info"
	w.Pod.Ports = []schema.Port{{Container: 8080, Protocol: schema.TCP}, {Container: 9090, Protocol: schema.TCP}, {Container: 5353, Protocol: schema.UDP}}
	w.Pod.CPU, w.Pod.Memory = 500, 512<<20
	w.Pod.User, w.Pod.Workdir = "1000:1000", "/srv"
	w.Pod.StopGracePeriod = 20 * time.Second
	w.Pod.Volumes = []schema.Volume{
		{Name: "data", Path: "/data"},
		{Name: "Old_Data", Path: "/old", ReadOnly: true, Keep: ptr(false)},
		{Tmpfs: true, Path: "/run/app", Size: ptr(schema.Bytes(64 << 20))},
	}
	w.Pod.Healthcheck = &schema.Healthcheck{
		Command: []string{"/shop", "check"}, Interval: ptr(schema.Duration(5 * time.Second)), Timeout: ptr(schema.Duration(1500 * time.Millisecond)),
		Retries: ptr(2), StartPeriod: ptr(schema.Duration(20 * time.Second)),
	}
}

// segmenter is an app with a GPU.
func segmenter(w *backends.Workload) {
	w.Deployment, w.App, w.Flavour, w.Release = "stardist-john", "org.stardist", "cuda", "0.4.10+build.7"
	w.Rollout.Strategy = schema.Recreate
	w.Pod.GPUs, w.Pod.GPUVendor = 1, schema.NVIDIA
	w.Pod.Needs = []schema.Selector{
		{Kind: schema.SelectCUDA, Required: true, Version: "11.2", Capability: "7.0", Memory: 8e9, Architecture: "ampere"},
		{Kind: schema.SelectLabel, Required: true, Key: "zone", Value: "b"},
		{Kind: schema.SelectRAM, Required: true, Memory: 16e9},
		{Kind: schema.SelectCPU, Required: true, Count: 4},
	}
}

var goldens = map[string]struct {
	workload backends.Workload
	set      func(*schema.BackendConfig)
}{
	"plain":  {workload: workload()},
	"served": {workload: workload(served)},
	"gpu": {workload: workload(segmenter), set: func(c *schema.BackendConfig) {
		c.Tolerations = []string{"example.org/lab"}
	}},
	"idle": {workload: workload(func(w *backends.Workload) { w.Deployment, w.Replicas = "idle", 0 })},
	"ports": {workload: workload(func(w *backends.Workload) {
		w.Deployment = "7ports"
		w.Pod.Ports = []schema.Port{
			{Host: 30080, Container: 80, Protocol: schema.TCP}, {HostIP: "10.0.0.1", Host: 53, Container: 53, Protocol: schema.UDP},
		}
	})},
	"privileged": {
		workload: workload(func(w *backends.Workload) {
			w.Deployment = "agent"
			w.Pod.Privileged, w.Pod.Network = true, backends.NetworkHost
			w.Pod.Volumes = []schema.Volume{{Host: "/srv/data/x/", Path: "/data"}}
			w.Pod.Ports = []schema.Port{{Host: 9100, Container: 9100, Protocol: schema.TCP}}
			w.Rollout.Timeout = 0
			w.Rollout.MinReady = 300 * time.Millisecond
			w.Pod.Restart, w.Pod.Pull = schema.RestartAlways, schema.PullAlways
		}),
		set: func(c *schema.BackendConfig) {
			c.Allow = schema.Allow{Privileged: true, HostNetwork: true, HostPaths: []string{"/srv/data"}}
		},
	},
	"configured": {
		workload: workload(func(w *backends.Workload) {
			w.Deployment, w.User = "notes", "jürgen@example.org"
			w.Pod.Volumes = []schema.Volume{{Name: "notes", Path: "/notes"}}
			w.Pod.Capabilities = &schema.Capabilities{Add: []string{"cap_sys_admin"}, Drop: []string{"ALL"}}
		}),
		set: func(c *schema.BackendConfig) {
			c.Namespaces = &schema.Namespaces{Template: "berth-{user}", Create: true}
			c.ServiceAccount, c.ImagePullSecrets = "apps", []string{"registry"}
			c.StorageClass, c.StorageSize, c.StorageAccess = "fast", ptr(schema.Bytes(50e9)), schema.ReadWriteMany
			c.Allow.Capabilities = []string{"SYS_ADMIN"}
		},
	},
}

// all returns the objects in the order in which they are applied.
func (o objects) all() []runtime.Object {
	var out []runtime.Object
	for _, c := range o.Claims {
		out = append(out, c)
	}
	if o.Service != nil {
		out = append(out, o.Service)
	}
	return append(out, o.Deployment)
}

// What is sent to the server, as people read it.
func TestObjects(t *testing.T) {
	for name, test := range goldens {
		t.Run(name, func(t *testing.T) {
			s := lab()
			if test.set != nil {
				test.set(&s.cfg)
			}
			o, err := s.objects(test.workload)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, o.all()...)
		})
	}
}

// golden compares objects with a golden file.
func golden(t *testing.T, name string, objects ...runtime.Object) {
	t.Helper()
	var got bytes.Buffer
	enc := yaml.NewEncoder(&got)
	enc.SetIndent(2)
	for _, object := range objects {
		u, err := patch(object)
		if err != nil {
			t.Fatal(err)
		}
		if err := enc.Encode(u.Object); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join("testdata", name+".yaml")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("%s differs; go test ./backends/kubernetes -update writes it anew:\n%s", file, got.String())
	}
}

func TestRefused(t *testing.T) {
	for says, change := range map[string]func(*backends.Workload){
		"no DNS label":                    func(w *backends.Workload) { w.Deployment = "a/../b" },
		"without a network":               func(w *backends.Workload) { w.Pod.Network = backends.NetworkNone },
		"network \"bridge\" is unknown":   func(w *backends.Workload) { w.Pod.Network = "bridge" },
		"the host's network is not":       func(w *backends.Workload) { w.Pod.Network = backends.NetworkHost },
		"privileged mode is not":          func(w *backends.Workload) { w.Pod.Privileged = true },
		"mounting /etc of the host":       func(w *backends.Workload) { w.Pod.Volumes = []schema.Volume{{Host: "/etc", Path: "/x"}} },
		"capability SYS_ADMIN is not":     func(w *backends.Workload) { w.Pod.Capabilities = &schema.Capabilities{Add: []string{"SYS_ADMIN"}} },
		"restart: no cannot be had":       func(w *backends.Workload) { w.Pod.Restart = schema.RestartNo },
		"restart: on-failure cannot be":   func(w *backends.Workload) { w.Pod.Restart = schema.RestartOnFailure },
		"by number only, not \"nobody\"":  func(w *backends.Workload) { w.Pod.User = "nobody" },
		"by number only, not \"staff\"":   func(w *backends.Workload) { w.Pod.User = "1000:staff" },
		"variable \"A=B\" has no usable":  func(w *backends.Workload) { w.Pod.Env = map[string]string{"A=B": "hunter2"} },
		"number only, not \"9999999999\"": func(w *backends.Workload) { w.Pod.User = "9999999999" },
	} {
		_, err := lab().objects(workload(change))
		var e *schema.Error
		if !errors.As(err, &e) || e.Kind != schema.Invalid || e.Hint == "" || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a value is told: %v", err)
		}
	}
}

// What a claim claimed once stays, whatever the configuration says now.
func TestAdoptClaim(t *testing.T) {
	s := lab()
	w := workload(served)
	live := s.claims(w)[0]
	s.cfg.StorageClass, s.cfg.StorageSize, s.cfg.StorageAccess = "fast", ptr(schema.Bytes(1)), schema.ReadWriteMany
	w.Pod.Volumes[0].Keep = ptr(false)
	wanted := s.claims(w)[0]
	if why, err := lacks(wanted, live); why == "" || err != nil {
		t.Errorf("%s, %v", why, err)
	}
	got := adoptClaim(wanted, live)
	if why, err := lacks(got, live); err != nil || why != "metadata.annotations[berth.dev/keep]: it is true, not false" {
		t.Errorf("%s, %v", why, err)
	}
}

// What decides how pods are rolled must not change the pods themselves.
func TestTemplateIsThePodsAlone(t *testing.T) {
	of := func(w backends.Workload) string {
		o, err := lab().objects(w)
		if err != nil {
			t.Fatal(err)
		}
		return o.Deployment.Annotations[annotationApplied]
	}
	base := of(workload())
	for name, change := range map[string]func(*backends.Workload){
		"rollout": func(w *backends.Workload) {
			w.Rollout = backends.Rollout{Strategy: schema.Recreate, Timeout: time.Hour}
		},
		"origin": func(w *backends.Workload) { w.Source, w.Commit = "b.yaml", "b" },
		"scale":  func(w *backends.Workload) { w.Replicas = 9 },
	} {
		if got := of(workload(change)); got != base {
			t.Errorf("%s: the template changed", name)
		}
	}
	if of(workload(release("2.0.0"))) == base {
		t.Error("another release has the same template")
	}
}

// Kubernetes replaces $(NAME) and $$ in values: what is sent must come out as it was.
func TestPlainText(t *testing.T) {
	for _, s := range []string{"", "$", "$$", "$HOME", "$(HOME)", "$$(HOME)", "a$$b", "$$$", "$$$(", "x$(", "ü$(ü)$"} {
		if got := expand(plainText(s)); got != s {
			t.Errorf("%q comes out as %q, from %q", s, got, plainText(s))
		}
	}
}

func FuzzPlainText(f *testing.F) {
	f.Add("costs $(PRICE) or $$5")
	f.Fuzz(func(t *testing.T, s string) {
		if got := expand(plainText(s)); got != s {
			t.Errorf("%q comes out as %q", s, got)
		}
	})
}

// expand does what Kubernetes does to a value, with every name set to "!": a $
// before another one is dropped, and $(NAME) is replaced.
func expand(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '$' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		switch end := strings.IndexByte(s[i:], ')'); {
		case s[i+1] == '$':
			i++
			b.WriteByte('$')
		case s[i+1] == '(' && end >= 0:
			b.WriteByte('!')
			i += end
		default:
			b.WriteByte('$')
		}
	}
	return b.String()
}
