package planner

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

func ptr[T any](v T) *T { return &v }

// planned returns the workload that john gets.
func planned(t *testing.T, w *world) *backends.Workload {
	t.Helper()
	d := w.decide(t, "john")
	if d.Workload == nil {
		t.Fatalf("%s: %s", d.Action, d.Reason)
	}
	return d.Workload
}

func TestWorkloadDefaults(t *testing.T) {
	w := newWorld()
	w.declare("john", "org.stardist", func(d *schema.Deployment) { d.User, d.Scopes = "john", []string{"write", "read", "read"} })
	got := planned(t, w)
	want := &backends.Workload{
		Deployment: "john", App: "org.stardist", Release: "0.4.10", Flavour: "cuda", Backend: "lab", User: "john",
		Scopes: []string{"read", "write"}, Source: "john.yaml", Commit: "c1", Replicas: 1,
		Rollout: backends.Rollout{Strategy: schema.Recreate, Timeout: 2 * time.Minute, MinReady: 3 * time.Second, Rollback: true},
		Pod: backends.PodSpec{
			Image: "stardist:0.4.10-cuda", GPUs: 1, GPUVendor: schema.NVIDIA,
			Env: map[string]string{
				"BERTH_DEPLOYMENT": "john", "BERTH_USER": "john", "BERTH_SCOPES": "read,write", "BERTH_RELEASE": "0.4.10", "BERTH_FLAVOUR": "cuda",
			},
			StopGracePeriod: 10 * time.Second, Restart: schema.RestartUnlessStopped, Pull: schema.PullMissing,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWorkloadMerging(t *testing.T) {
	w := newWorld()
	f := w.flavour("org.db", "1.0.0", "vanilla")
	f.User = "1000"
	f.Container = schema.Container{
		Command: []string{"serve"}, Args: []string{"--fast"}, Env: map[string]string{"A": "flavour", "B": "flavour"},
		Ports: []schema.Port{{Container: 80, Protocol: schema.TCP}}, Volumes: []schema.Volume{{Name: "data", Path: "/data"}},
		Workdir: "/app", Resources: &schema.Resources{CPU: ptr(schema.CPU(2000)), Memory: ptr(schema.Bytes(4e9))},
		Healthcheck: &schema.Healthcheck{Command: []string{"check"}}, StopGracePeriod: ptr(schema.Duration(time.Minute)),
		Restart: schema.RestartAlways, Pull: schema.PullAlways,
	}
	t.Run("the flavour's own", func(t *testing.T) {
		w.declare("john", "org.db")
		got := planned(t, w)
		want := backends.PodSpec{
			Image: "db:1", Command: f.Command, Args: f.Args, Ports: f.Ports, Volumes: f.Volumes, Workdir: "/app", User: "1000",
			CPU: 2000, Memory: 4e9, Healthcheck: f.Healthcheck, StopGracePeriod: time.Minute, Restart: schema.RestartAlways, Pull: schema.PullAlways,
			Env: map[string]string{
				"A": "flavour", "B": "flavour",
				"BERTH_DEPLOYMENT": "john", "BERTH_USER": "", "BERTH_SCOPES": "read", "BERTH_RELEASE": "1.0.0", "BERTH_FLAVOUR": "vanilla",
			},
		}
		if diff := cmp.Diff(want, got.Pod); diff != "" {
			t.Error(diff)
		}
		if got.Rollout.MinReady != 0 {
			t.Errorf("with a health check a pod is ready as soon as it is healthy, not after %s", got.Rollout.MinReady)
		}
	})
	t.Run("the deployment overrides", func(t *testing.T) {
		w.declare("john", "org.db", func(d *schema.Deployment) {
			d.RunAs = "2000:2000"
			d.Container = schema.Container{
				Command: []string{"other"}, Args: []string{}, Env: map[string]string{"B": "deployment", "BERTH_USER": "root"},
				Ports: []schema.Port{}, Volumes: []schema.Volume{{Name: "more", Path: "/more"}}, Workdir: "/",
				Resources:   &schema.Resources{CPU: ptr(schema.CPU(500))},
				Healthcheck: &schema.Healthcheck{Disable: true}, StopGracePeriod: ptr(schema.Duration(0)), Restart: schema.RestartNo, Pull: schema.PullNever,
			}
		})
		got := planned(t, w)
		want := backends.PodSpec{
			Image: "db:1", Command: []string{"other"}, Args: []string{}, Ports: []schema.Port{}, Volumes: []schema.Volume{{Name: "more", Path: "/more"}},
			Workdir: "/", User: "2000:2000", CPU: 500, Healthcheck: &schema.Healthcheck{Disable: true},
			Restart: schema.RestartNo, Pull: schema.PullNever,
			Env: map[string]string{
				"A": "flavour", "B": "deployment",
				"BERTH_DEPLOYMENT": "john", "BERTH_USER": "", "BERTH_SCOPES": "read", "BERTH_RELEASE": "1.0.0", "BERTH_FLAVOUR": "vanilla",
			},
		}
		if diff := cmp.Diff(want, got.Pod); diff != "" {
			t.Error(diff)
		}
		if got.Rollout.MinReady != 3*time.Second {
			t.Errorf("without a health check a pod must run for 3s, not %s", got.Rollout.MinReady)
		}
	})
}

func TestWorkloadStrategy(t *testing.T) {
	volume := func(v schema.Volume) func(*schema.Deployment) {
		return func(d *schema.Deployment) { d.Volumes = []schema.Volume{v} }
	}
	data := volume(schema.Volume{Name: "data", Path: "/data"})
	for _, c := range []struct {
		name   string
		change []func(*schema.Deployment)
		at     string
		want   schema.Strategy
	}{
		{"by default", nil, "lab", schema.Rolling},
		{"as it is said", []func(*schema.Deployment){strategy(schema.Recreate)}, "lab", schema.Recreate},
		{"a fixed port of one host", []func(*schema.Deployment){ports("8080:80"), strategy(schema.Rolling)}, "lab", schema.Recreate},
		{"a fixed port of a cluster", []func(*schema.Deployment){ports("8080:80")}, "cluster", schema.Rolling},
		{"a port that the engine chooses", []func(*schema.Deployment){ports("80")}, "lab", schema.Rolling},
		{"a volume that is written to", []func(*schema.Deployment){data}, "lab", schema.Recreate},
		{"a volume that is written to, if it is said", []func(*schema.Deployment){data, strategy(schema.Rolling)}, "lab", schema.Rolling},
		{"a volume that is written to, of a cluster", []func(*schema.Deployment){data}, "cluster", schema.Rolling},
		{"a volume that is read", []func(*schema.Deployment){volume(schema.Volume{Name: "data", Path: "/data", ReadOnly: true})}, "lab", schema.Rolling},
		{"a folder in memory", []func(*schema.Deployment){volume(schema.Volume{Tmpfs: true, Path: "/data"})}, "lab", schema.Rolling},
		{"GPUs", []func(*schema.Deployment){gpuNumber(1)}, "lab", schema.Recreate},
		{"GPUs, if it is said", []func(*schema.Deployment){gpuNumber(1), strategy(schema.Rolling)}, "lab", schema.Rolling},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.backends = append(w.backends, Backend{Name: "cluster", Type: schema.BackendKubernetes, Known: true})
			w.declare("john", "org.db", append(c.change, on(c.at))...)
			if got := planned(t, w).Rollout.Strategy; got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestSpecHashConcernsThePodAlone(t *testing.T) {
	hash := func(change ...func(*schema.Deployment)) string {
		w := newWorld()
		w.declare("john", "org.db", change...)
		in := w.input()
		d, _ := New(in).Decision("john")
		return d.Workload.SpecHash()
	}
	was := hash()
	for name, change := range map[string]func(*schema.Deployment){
		"replicas": replicas(3),
		"rollout":  strategy(schema.Recreate),
		"timeout":  func(d *schema.Deployment) { d.Rollout.Timeout = ptr(schema.Duration(time.Hour)) },
		"file":     func(d *schema.Deployment) { d.Position.File = "other.yaml" },
		"backend":  on("plain"),
		"version":  version("^1"),
		"depends":  dependsOn(),
	} {
		if hash(change) != was {
			t.Errorf("%s changes the hash", name)
		}
	}
	if hash(env("A", "1")) == was {
		t.Error("env does not change the hash")
	}
}
