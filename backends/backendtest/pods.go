package backendtest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

func testCapacity(f *fixture) {
	c, err := f.b.Capacity(f.ctx())
	if err != nil {
		f.Fatal(err)
	}
	if c.CPU <= 0 || c.Memory <= 0 || c.Arch == "" || c.OS == "" || c.Engine == "" {
		f.Errorf("capacity %+v", c)
	}
}

func testCreate(f *fixture) {
	w := f.workload(f.Good)
	if pods := f.pods(w.Deployment); len(pods) > 0 {
		f.Fatalf("pods before any was made: %+v", pods)
	}
	told := 0
	progress, err := f.b.Apply(f.ctx(), w, func(s backends.Step) {
		if s.Verb == "" {
			f.Errorf("a step without a verb: %+v", s)
		}
		told++
	})
	if err != nil {
		f.Fatal(err)
	}
	if told == 0 {
		f.Error("no step was told")
	}
	if progress.Phase == backends.PhaseProgressing && progress.Reason == "" {
		f.Error("no word on what is waited for")
	}
	f.ready(w)
}

// What a pod remembers comes back as it was, also what engines' labels cannot hold.
func testPodsTellAll(f *fixture) {
	w := f.workload(f.Good)
	w.Deployment = "a-name-of-sixty-three-characters-which-is-the-longest-dns-label"
	w.App = "org.example." + strings.Repeat("long", 20)
	w.Release = "1.2.3-rc.1+" + strings.Repeat("build.", 12) + "7"
	w.Flavour = "CUDA 11.2 @ größe"
	w.Source = "teams/image analysis/web@lab.yaml"
	w.User = "jürgen@example.org"
	w.Scopes = []string{"read", "write:all"}
	w.Pod.CPU, w.Pod.Memory = 250, 64<<20
	p := f.ready(w)[0]
	got := backends.Pod{
		Backend: p.Backend, Deployment: p.Deployment, Ordinal: p.Ordinal, App: p.App, Release: p.Release,
		Flavour: p.Flavour, Source: p.Source, Commit: p.Commit, SpecHash: p.SpecHash, InputHash: p.InputHash,
		MinReady: p.MinReady, Restart: p.Restart, Image: p.Image, CPU: p.CPU, Memory: p.Memory, State: p.State,
	}
	want := backends.Pod{
		Backend: f.b.Name(), Deployment: w.Deployment, Ordinal: 0, App: w.App, Release: w.Release,
		Flavour: w.Flavour, Source: w.Source, Commit: w.Commit, SpecHash: w.SpecHash(), InputHash: w.InputHash(),
		MinReady: w.Rollout.MinReady, Restart: w.Pod.Restart, Image: w.Pod.Image, CPU: w.Pod.CPU, Memory: w.Pod.Memory,
		State: backends.PodRunning,
	}
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		f.Errorf("pod\n%s\nwant\n%s", g, w)
	}
	if p.ID == "" || p.Name == "" || p.CreatedAt.IsZero() || p.StartedAt.IsZero() {
		f.Errorf("not told: %+v", p)
	}
	f.restart()
	f.same([]backends.Pod{p}, f.pods(w.Deployment))
}

func testApplyAgain(f *fixture) {
	w := f.workload(f.Good)
	w.Replicas = 2
	f.ready(w)
	f.untouched(w, backends.PhaseReady)
	w.Commit, w.Source = "ffffffffffffffffffffffffffffffffffffffff", "moved.yaml"
	f.untouched(w, backends.PhaseReady)
}

func testRestart(f *fixture) {
	w := f.workload(f.Good)
	w.Replicas = 2
	before := f.ready(w)
	f.restart()
	f.same(before, f.pods(w.Deployment))
	f.untouched(w, backends.PhaseReady)
}

func testScale(f *fixture) {
	w := f.workload(f.Good)
	first := f.ready(w)
	w.Replicas = 3
	kept := 0
	for _, p := range f.ready(w) {
		if p.ID == first[0].ID && p.StartedAt.Equal(first[0].StartedAt) {
			kept++
		}
	}
	if kept != 1 {
		f.Error("the pod that ran already was touched")
	}
	w.Replicas = 1
	f.same(first, f.ready(w))
	w.Replicas = 0
	f.ready(w)
}

func testVolumes(f *fixture) {
	w := f.workload(f.Good)
	keep := false
	w.Pod.Volumes = []schema.Volume{
		{Name: "data", Path: "/data"},
		{Name: "scratch", Path: "/scratch", Keep: &keep},
		{Tmpfs: true, Path: "/run/app"},
	}
	f.ready(w)
	f.ready(next(w, "2.0.0", w.Pod)) // both volumes are used again
	if n := len(f.volumes()); n != 2 {
		f.Errorf("%d volumes, want 2: %v", n, f.volumes())
	}
	if err := f.b.Remove(f.ctx(), w.Deployment, nil); err != nil {
		f.Fatal(err)
	}
	left := f.volumes()
	for ctx := f.ctx(); len(left) > 1 && ctx.Err() == nil; left = f.volumes() { // pods that end may still use one
		time.Sleep(50 * time.Millisecond)
	}
	if len(left) != 1 || !strings.Contains(left[0].Name, "data") {
		f.Errorf("volumes after removing the deployment: %v", left)
	}
	if err := f.b.Uninstall(f.ctx(), false, nil); err != nil {
		f.Fatal(err)
	}
	if owned, err := f.b.Owned(f.ctx()); err != nil || len(owned) != 1 || owned[0].Kind != "volume" {
		f.Errorf("owned after uninstalling all but volumes: %v, %v", owned, err)
	}
}

func (f *fixture) volumes() []backends.Object {
	f.Helper()
	owned, err := f.b.Owned(f.ctx())
	if err != nil {
		f.Fatal(err)
	}
	var out []backends.Object
	for _, o := range owned {
		if o.Kind == "volume" {
			out = append(out, o)
		}
	}
	return out
}

func testRemove(f *fixture) {
	w, other := f.workload(f.Good), f.workload(f.Good)
	other.Deployment = "other"
	w.Replicas = 2
	f.ready(w)
	stays := f.ready(other)
	for range 2 { // the second time nothing is there
		if err := f.b.Remove(f.ctx(), w.Deployment, nil); err != nil {
			f.Fatal(err)
		}
		if pods := f.pods(w.Deployment); len(pods) > 0 {
			f.Errorf("left: %+v", pods)
		}
	}
	f.same(stays, f.pods(other.Deployment))
}

// A pod answers where it says, and has its environment.
func testEndpoint(f *fixture) {
	w := f.workload(f.Good)
	w.Pod.Ports = []schema.Port{{Container: f.Port, Protocol: schema.TCP}}
	w.Pod.Env = map[string]string{"GREETING": "gr\u00fc\u00df dich, \"$HOME\"", "BERTH_DEPLOYMENT": w.Deployment}
	p := f.ready(w)[0]
	if len(p.Endpoints) != 1 || p.Endpoints[0].Container != f.Port || p.Endpoints[0].Protocol != schema.TCP {
		f.Fatalf("endpoints %+v", p.Endpoints)
	}
	body := f.get(p.Endpoints[0])
	for _, want := range []string{"GREETING", "grüß dich", "$HOME", "BERTH_DEPLOYMENT"} {
		if !strings.Contains(body, want) {
			f.Errorf("%q is not in the answer %s", want, body)
		}
	}
}

// get asks the endpoint until it answers.
func (f *fixture) get(at backends.Endpoint) string {
	f.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	url := fmt.Sprintf("http://%s/", hostPort(at))
	for ctx := f.ctx(); ; {
		resp, err := client.Get(url)
		if err == nil {
			body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
			_ = resp.Body.Close() // it was read
			if err == nil && resp.StatusCode == http.StatusOK {
				return string(body)
			}
		}
		select {
		case <-ctx.Done():
			f.Fatalf("%s does not answer: %v", url, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
