package docker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/backendtest"
	"github.com/berthdev/berth/internal/dockertest"
	"github.com/berthdev/berth/schema"
)

// good is what runs well.
func (b *bench) good() backends.PodSpec {
	return backends.PodSpec{Image: dockertest.Image(b, b.engine), Ports: []schema.Port{{Container: dockertest.AppPort, Protocol: schema.TCP}}}
}

func (b *bench) inspect(id string) container.InspectResponse {
	b.Helper()
	c, err := b.engine.ContainerInspect(b.context(), id)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// A port that is taken is waited for, with the pod made and its name told.
func TestPortTaken(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{})
	taken, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	port := uint16(taken.Addr().(*net.TCPAddr).Port)
	spec := b.good()
	spec.Ports[0].Host = port
	w := b.workload(spec)
	for range 2 {
		b.refused(backend, w, schema.Transient, fmt.Sprint(port), "choose another one")
	}
	pods, err := backend.Pods(b.context())
	if err != nil || len(pods) != 1 || pods[0].State != backends.PodCreated || pods[0].Reason != "" {
		t.Fatalf("pods %+v, %v", pods, err)
	}
	taken.Close()
	p := b.ready(backend, w)
	if p.ID != pods[0].ID || p.Endpoints[0].Port != port || p.Endpoints[0].Host != "127.0.0.1" {
		t.Errorf("pod %+v", p)
	}
}

// A release whose port somebody else holds does not keep down the one before it.
func TestPortOfANewReleaseTaken(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{})
	w := b.workload(b.good())
	w.Rollout.Strategy, w.Rollout.Timeout, w.Rollout.Rollback = schema.Recreate, 3*time.Second, true
	before := b.ready(backend, w)
	taken, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := uint16(taken.Addr().(*net.TCPAddr).Port)
	w.Release, w.Pod.Ports[0].Host = "2.0.0", port
	b.refused(backend, w, schema.Transient, fmt.Sprint(port))
	var p backends.Progress
	for end := time.Now().Add(time.Minute); p.Phase != backends.PhaseFailed && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		p, err = backend.Apply(b.context(), w, nil)
	}
	if err != nil || p.Phase != backends.PhaseFailed || !strings.Contains(p.Reason, "it could not be started") || !strings.Contains(p.Reason, fmt.Sprint(port)) {
		t.Fatalf("%+v, %v", p, err)
	}
	if c := b.inspect(before.ID); !c.State.Running {
		t.Errorf("the release before does not run: %+v", c.State)
	}
}

func TestForeignObjectsAreLeftAlone(t *testing.T) {
	b := newBench(t)
	w := b.workload(b.good())
	backend := b.open(schema.BackendConfig{})
	first := b.ready(backend, w)
	if err := backend.Remove(b.context(), "web", nil); err != nil {
		t.Fatal(err)
	}
	foreign, err := b.engine.ContainerCreate(b.context(), &container.Config{Image: w.Pod.Image}, nil, nil, nil, first.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = remover(b.engine)(b.context(), foreign.ID) })
	b.refused(backend, w, schema.Waiting, first.Name, "did not make")
	if err := backend.Uninstall(b.context(), true, nil); err != nil {
		t.Fatal(err)
	}
	b.inspect(foreign.ID)

	other := newBench(t)
	made, err := other.engine.NetworkCreate(b.context(), "berth-"+other.instance, network.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.engine.NetworkRemove(b.context(), made.ID) })
	other.refused(other.open(schema.BackendConfig{}), w, schema.Waiting, "did not make")
}

// A container inherits the labels of its image: also one of an image that was
// committed from a pod, or that somebody gave Berth's labels.
func TestInheritedLabelsMakeNoPod(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{})
	w := b.workload(b.good())
	p := b.ready(backend, w)
	var foreign []string
	run := func(name string, config *container.Config) {
		t.Helper()
		made, err := b.engine.ContainerCreate(b.context(), config, nil, nil, nil, name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = remover(b.engine)(b.context(), made.ID) })
		if err := b.engine.ContainerStart(b.context(), made.ID, container.StartOptions{}); err != nil {
			t.Fatal(err)
		}
		foreign = append(foreign, made.ID)
	}
	commit := func(ref string, changes ...string) {
		t.Helper()
		if _, err := b.engine.ContainerCommit(b.context(), p.ID, container.CommitOptions{Reference: ref, Changes: changes}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_, _ = b.engine.ImageRemove(context.Background(), ref, image.RemoveOptions{Force: true})
		})
	}
	commit(b.instance + "-copy:1")
	run(b.instance+"-copy", &container.Config{Image: b.instance + "-copy:1"})
	commit(b.instance+"-orphan:1", "LABEL berth.dev/deployment=orphan")
	run(b.instance+"-orphan", &container.Config{Image: b.instance + "-orphan:1"})
	run(b.instance+"-bare", &container.Config{Image: w.Pod.Image, Labels: map[string]string{"berth.dev/instance": b.instance}})
	run(b.instance+"-keeper", &container.Config{Image: w.Pod.Image, Labels: map[string]string{"berth.dev/instance": b.instance, "berth.dev/ordinal": "-1"}})

	pods, err := backend.Pods(b.context())
	if err != nil || len(pods) != 1 || pods[0].ID != p.ID {
		t.Errorf("pods %+v, %v", pods, err)
	}
	if after := b.ready(backend, w); after.ID != p.ID {
		t.Errorf("pod %+v, before %+v", after, p)
	}
	for _, deployment := range []string{"orphan", ""} {
		if err := backend.Remove(b.context(), deployment, nil); err != nil {
			t.Error(err)
		}
	}
	b.inspect(p.ID)
	if err := backend.Uninstall(b.context(), true, nil); err != nil {
		t.Error(err)
	}
	if owned, err := backend.Owned(b.context()); err != nil || len(owned) > 0 {
		t.Errorf("left %v, %v", owned, err)
	}
	for _, id := range foreign {
		if c := b.inspect(id); !c.State.Running {
			t.Errorf("%s was stopped", c.Name)
		}
	}
}

// What is changed behind Berth's back is put right without a new container.
func TestDriftIsPutRight(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{})
	spec := b.good()
	spec.Memory, spec.CPU = 64<<20, 500
	w := b.workload(spec)
	p := b.ready(backend, w)

	_, err := b.engine.ContainerUpdate(b.context(), p.ID, container.UpdateConfig{
		Resources:     container.Resources{Memory: 32 << 20, NanoCPUs: 1e8},
		RestartPolicy: container.RestartPolicy{Name: "no"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.engine.NetworkDisconnect(b.context(), "berth-"+b.instance, p.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := b.engine.ContainerRename(b.context(), p.ID, b.instance+"-renamed"); err != nil {
		t.Fatal(err)
	}
	after := b.ready(backend, w)
	if after.ID != p.ID || !after.StartedAt.Equal(p.StartedAt) {
		t.Errorf("pod %+v, before %+v", after, p)
	}
	c := b.inspect(p.ID)
	if c.HostConfig.Memory != 64<<20 || c.HostConfig.NanoCPUs != 5e8 || c.HostConfig.RestartPolicy.Name != "unless-stopped" {
		t.Errorf("memory %d, CPU %d, restart %s", c.HostConfig.Memory, c.HostConfig.NanoCPUs, c.HostConfig.RestartPolicy.Name)
	}
	joined := c.NetworkSettings.Networks["berth-"+b.instance]
	if joined == nil || !slices.Contains(joined.Aliases, "web") {
		t.Errorf("network %+v", joined)
	}
}

func TestContainerIsSafe(t *testing.T) {
	b := newBench(t)
	spec := b.good()
	spec.User, spec.Env = "1234", map[string]string{"KEY": "value"}
	p := b.ready(b.open(schema.BackendConfig{}), b.workload(spec))
	c := b.inspect(p.ID)
	if !slices.Contains(c.HostConfig.SecurityOpt, "no-new-privileges") || c.HostConfig.Privileged ||
		!slices.Contains(c.HostConfig.CapDrop, "CAP_NET_RAW") || c.HostConfig.LogConfig.Config["max-size"] == "" || c.Config.User != "1234" {
		t.Errorf("config %+v, %+v", c.Config, c.HostConfig)
	}
}

// The network may go while no pod is on it.
func TestNetworkIsMadeAgain(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{})
	w := b.workload(b.good())
	p := b.ready(backend, w)
	if err := b.engine.ContainerStop(b.context(), p.ID, container.StopOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := b.engine.NetworkDisconnect(b.context(), "berth-"+b.instance, p.ID, true); err != nil {
		t.Fatal(err)
	}
	if err := b.engine.NetworkRemove(b.context(), "berth-"+b.instance); err != nil {
		t.Fatal(err)
	}
	if after := b.ready(backend, w); after.ID != p.ID {
		t.Errorf("pod %+v, before %+v", after, p)
	}
	w.Deployment = "web-2"
	b.ready(backend, w)
}

// Two processes make the network at the same time, and one network is left.
func TestNetworkIsMadeOnce(t *testing.T) {
	b := newBench(t)
	web := b.engine.HTTPClient() // the client would ask the engine to refuse the second one
	for range 2 {
		body := fmt.Sprintf(`{"Name": "berth-%s", "Labels": {"berth.dev/instance": %[1]q}}`, b.instance)
		resp, err := web.Post("http://engine/v1.41/networks/create", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusConflict { // newer engines refuse it
			t.Fatal(resp.Status)
		}
	}
	b.ready(b.open(schema.BackendConfig{}), b.workload(b.good()))
	owned, err := b.open(schema.BackendConfig{}).Owned(b.context())
	if err != nil {
		t.Fatal(err)
	}
	networks := slices.DeleteFunc(owned, func(o backends.Object) bool { return o.Kind != "network" })
	if len(networks) != 1 {
		t.Errorf("networks %v", networks)
	}
}

// A volume that is not kept goes with its deployment, also if Berth dies in the
// middle of it.
func TestRemovalOfVolumesIsFinished(t *testing.T) {
	b := newBench(t)
	proxy := newProxy(t)
	backend := b.open(schema.BackendConfig{Host: proxy.host})
	keep := false
	spec := b.good()
	spec.Volumes = []schema.Volume{{Name: "data", Path: "/data"}, {Name: "scratch", Path: "/scratch", Keep: &keep}}
	w := b.workload(spec)
	b.ready(backend, w)

	proxy.set(func(rw http.ResponseWriter, r *http.Request) bool {
		dies := r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/volumes/")
		if dies {
			rw.WriteHeader(http.StatusInternalServerError)
		}
		return dies
	})
	if err := backend.Remove(b.context(), "web", nil); err == nil {
		t.Fatal("no error")
	}
	proxy.set(nil)
	pods, err := backend.Pods(b.context())
	if err != nil || len(pods) != 1 || pods[0].Deployment != "web" || pods[0].State != backends.PodCreated {
		t.Fatalf("what remembers it: %+v, %v", pods, err)
	}

	b.ready(backend, w) // declared again: the volumes are used again, nothing is in the way
	if pods, err := backend.Pods(b.context()); err != nil || len(pods) != 1 {
		t.Fatalf("pods %+v, %v", pods, err)
	}
	if err := backend.Remove(b.context(), "web", nil); err != nil {
		t.Fatal(err)
	}
	owned, err := backend.Owned(b.context())
	owned = slices.DeleteFunc(owned, func(o backends.Object) bool { return o.Kind == "network" })
	want := []backends.Object{{Kind: "volume", Name: "berth-" + b.instance + ".web.data", Deployment: "web"}}
	if err != nil || !slices.Equal(owned, want) {
		t.Errorf("left %v, %v; want %v", owned, err, want)
	}
}

func TestForeignVolume(t *testing.T) {
	b := newBench(t)
	name := "berth-" + b.instance + ".web.data"
	if _, err := b.engine.VolumeCreate(b.context(), volume.CreateOptions{Name: name}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.engine.VolumeRemove(b.context(), name, true) })
	spec := b.good()
	spec.Volumes = []schema.Volume{{Name: "data", Path: "/data"}}
	b.refused(b.open(schema.BackendConfig{}), b.workload(spec), schema.Waiting, name)
}

// GPUs are given to one pod at a time. Any device will do to see it.
func TestGPUsAreExclusive(t *testing.T) {
	b := newBench(t)
	devices := []string{"/dev/null", "/dev/zero"}
	cfg := schema.BackendConfig{Capacity: schema.Offer{GPUs: []schema.GPU{{Vendor: schema.Intel, IDs: devices}}}}
	backend := b.open(cfg)
	spec := b.good()
	spec.GPUs = 1
	named := func(name string) backends.Workload {
		w := b.workload(spec)
		w.Deployment = name
		return w
	}
	first, second := b.ready(backend, named("a")), b.ready(backend, named("b"))
	if got := []string{first.GPUs[0], second.GPUs[0]}; !slices.Equal(got, devices) {
		t.Errorf("GPUs %v, want %v", got, devices)
	}
	if c := b.inspect(second.ID); len(c.HostConfig.Devices) != 1 || c.HostConfig.Devices[0].PathOnHost != devices[1] {
		t.Errorf("devices %+v", c.HostConfig.Devices)
	}
	b.refused(b.open(cfg), named("c"), schema.Waiting, "0 of 2 free")

	next := named("a")
	next.Release, next.Rollout.Strategy, next.Pod.Env = "2.0.0", schema.Recreate, map[string]string{"A": "b"}
	if p := b.ready(backend, next); p.GPUs[0] != devices[0] {
		t.Errorf("the successor holds %v, want what its predecessor held", p.GPUs)
	}
	if err := backend.Remove(b.context(), "b", nil); err != nil {
		t.Fatal(err)
	}
	if p := b.ready(backend, named("c")); p.GPUs[0] != devices[1] {
		t.Errorf("GPUs %v, want the one that was given back", p.GPUs)
	}
}

// What the engine refuses is told without the values of variables.
func TestErrorsHoldNoSecrets(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{})
	spec := b.good()
	spec.Env = map[string]string{"TOKEN": "s3cret"}
	for name, change := range map[string]func(*backends.PodSpec){
		"memory":  func(p *backends.PodSpec) { p.Memory = 1 },
		"cpu":     func(p *backends.PodSpec) { p.CPU = 1_000_000 },
		"command": func(p *backends.PodSpec) { p.Command = []string{"/nothing"} },
		"user":    func(p *backends.PodSpec) { p.User = "nobody-of-that-name" },
	} {
		w := b.workload(spec)
		w.Deployment = name
		change(&w.Pod)
		progress, err := backend.Apply(b.context(), w, nil)
		told := progress.Reason
		var e *schema.Error
		if errors.As(err, &e) {
			told = err.Error()
			if e.Kind != schema.Invalid {
				t.Errorf("%s: %s error, want invalid: %v", name, e.Kind, err)
			}
		}
		if told == "" || strings.Contains(told, "s3cret") || strings.Contains(told, "OCI runtime") {
			t.Errorf("%s: told %q", name, told)
		}
	}
}

// A pod that ended with success, and may, is ready and stays so.
func TestJobStaysDone(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{})
	spec := b.good()
	spec.Args, spec.Restart = []string{"-exit", "0"}, schema.RestartNo
	w := b.workload(spec)
	p := b.ready(backend, w)
	if again := b.ready(backend, w); again.ID != p.ID || again.State != backends.PodExited || !again.StartedAt.Equal(p.StartedAt) {
		t.Errorf("pod %+v, before %+v", again, p)
	}
}

// Apply adds little to what the engine needs for the same container.
func BenchmarkApply(b *testing.B) {
	t := newBench(b)
	backend := t.open(schema.BackendConfig{})
	warm := t.workload(t.good())
	backendtest.Converge(b, backend, warm, backends.PhaseReady, patience)
	var ours, engines time.Duration
	n := 0
	for b.Loop() {
		n++
		w := t.workload(t.good())
		w.Deployment = fmt.Sprint("bench-", n)
		began := time.Now()
		progress, err := backend.Apply(t.context(), w, nil)
		if err != nil {
			b.Fatal(err)
		}
		ours += time.Since(began)
		made := t.inspect(progress.Pods[0].ID)

		began = time.Now()
		made.Config.Hostname = ""
		plain, err := t.engine.ContainerCreate(t.context(), made.Config, made.HostConfig,
			&network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"berth-" + t.instance: {Aliases: []string{"plain"}}}}, nil, "")
		if err == nil {
			err = t.engine.ContainerStart(t.context(), plain.ID, container.StartOptions{})
		}
		if err != nil {
			b.Fatal(err)
		}
		engines += time.Since(began)
		if err := remover(t.engine)(t.context(), plain.ID); err != nil {
			b.Fatal(err)
		}
		if err := backend.Remove(t.context(), w.Deployment, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(ours)/float64(engines), "x-engine")
	b.ReportMetric(float64(engines.Milliseconds())/float64(n), "engine-ms/op")
}
