package planner

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// A world is a whole small world around the planner, in which its plans can be
// carried out.
type world struct {
	docs     map[string]*schema.Deployment
	releases []schema.Release
	backends []Backend
	pods     map[string][]backends.Pod
	now      time.Time
	made     int                  // pods so far
	files    []desired.FileChange // of the desired state, beside the documents
	repos    []catalog.Change     // beside the one that publishes the releases
	broken   []catalog.File       // of the repo that publishes the releases
	set      func(in *Input)      // what else the input says
}

// newWorld has a backend with two GPUs, lab, and one without, plain; StarDist
// for both, and a database.
func newWorld() *world {
	w := &world{docs: map[string]*schema.Deployment{}, pods: map[string][]backends.Pod{}, now: noon}
	w.backends = []Backend{
		{Name: "lab", Type: schema.BackendDocker, Known: true, Capacity: backends.Capacity{
			CPU: 16_000, Memory: 64e9, Arch: "amd64", OS: "linux", OneHost: true,
			GPUs: []backends.GPU{{ID: "0", Vendor: schema.NVIDIA}, {ID: "1", Vendor: schema.NVIDIA}},
		}},
		{Name: "plain", Type: schema.BackendDocker, Known: true, Capacity: backends.Capacity{
			CPU: 8_000, Memory: 32e9, Arch: "amd64", OS: "linux", OneHost: true,
		}},
	}
	for _, version := range []string{"0.4.9", "0.4.10"} {
		w.publish(schema.Release{
			Identifier: "org.stardist", Version: version, Scopes: []string{"read"},
			Flavours: []schema.Flavour{
				{Name: "cuda", Image: "stardist:" + version + "-cuda", Priority: 1,
					Selectors: []schema.Selector{{Kind: schema.SelectCUDA, Required: true, Weight: 1}}},
				{Name: "cpu", Image: "stardist:" + version, Priority: 2},
			},
		})
	}
	w.publish(schema.Release{Identifier: "org.db", Version: "1.0.0", Flavours: []schema.Flavour{{Name: "vanilla", Image: "db:1"}}})
	return w
}

func (w *world) publish(r schema.Release) { w.releases = append(w.releases, r) }

// flavour is the flavour of a release that was published.
func (w *world) flavour(app, version, name string) *schema.Flavour {
	for i := range w.releases {
		if r := &w.releases[i]; r.Identifier == app && r.Version == version {
			for j := range r.Flavours {
				if r.Flavours[j].Name == name {
					return &r.Flavours[j]
				}
			}
		}
	}
	panic("no flavour " + name)
}

func (w *world) backend(name string) *Backend {
	at := slices.IndexFunc(w.backends, func(b Backend) bool { return b.Name == name })
	return &w.backends[at]
}

// declare declares a deployment, or changes it: documents are never changed in place.
func (w *world) declare(name, app string, changes ...func(*schema.Deployment)) {
	d := &schema.Deployment{Name: name, App: app, Scopes: []string{"read"}}
	d.Position = schema.Position{File: name + ".yaml", Line: 1, Column: 1}
	for _, change := range changes {
		change(d)
	}
	w.docs[name] = d
}

func (w *world) input() Input {
	docs := slices.Collect(maps.Values(w.docs))
	in := Input{Desired: desired.Of("file:///desired", "c1", docs), Backends: w.backends, Pods: maps.Clone(w.pods), Now: w.now}
	if len(w.files) > 0 {
		in.Desired, _ = in.Desired.With("c1", w.files...)
	}
	repo := catalog.Change{Repo: catalog.Repo{Name: "apps", Commit: "a1"}, Files: []catalog.File{
		{Path: "manifest.yaml", Publication: schema.Publication{Releases: w.releases}},
	}}
	repo.Files = append(repo.Files, w.broken...)
	in.Catalog, _ = catalog.New().With(append([]catalog.Change{repo}, w.repos...)...)
	if w.set != nil {
		w.set(&in)
	}
	return in
}

// settle carries plans out until nothing changes any more; every pod is ready then.
func (w *world) settle(t testing.TB) {
	t.Helper()
	for range 100 {
		p := New(w.input())
		if p.Summary().Changes() == 0 {
			return
		}
		w.carryOut(p)
	}
	t.Fatalf("the world does not settle: %v", New(w.input()).Decisions())
}

func (w *world) carryOut(p *Plan) {
	for _, d := range p.Decisions() {
		for w.step(d) {
		}
	}
	w.now = w.now.Add(time.Minute)
}

// step takes one small step towards a decision, as a backend would.
func (w *world) step(d Decision) bool {
	if d.Action == Remove {
		return w.drop(d.Deployment, func(p backends.Pod) bool { return slices.Contains(d.Leave, p.Backend) })
	}
	if !d.Changes() {
		return false
	}
	want := d.Workload
	hash, here := want.SpecHash(), map[int]bool{}
	for i, p := range w.pods[d.Deployment] {
		switch {
		case p.Backend != d.Backend, p.State == backends.PodAbsent:
		case p.State == backends.PodFailed && p.InputHash != want.InputHash(), p.Ordinal >= want.Replicas:
			return w.drop(d.Deployment, func(o backends.Pod) bool { return o.ID == p.ID })
		case p.SpecHash == hash && here[p.Ordinal]:
			return w.drop(d.Deployment, func(o backends.Pod) bool { return o.ID == p.ID })
		case p.SpecHash == hash && p.State != backends.PodRunning && p.State != backends.PodFailed:
			w.edit(d.Deployment, i, func(p *backends.Pod) { p.State = backends.PodRunning })
			return true
		case p.SpecHash == hash:
			here[p.Ordinal] = true
		case want.Rollout.Strategy == schema.Recreate:
			return w.drop(d.Deployment, func(o backends.Pod) bool { return o.ID == p.ID })
		}
	}
	for i := range want.Replicas { // one after the other, as a rolling replacement does
		if here[i] && w.drop(d.Deployment, func(p backends.Pod) bool {
			return p.Ordinal == i && p.Backend == d.Backend && (p.SpecHash != hash && p.State != backends.PodFailed || p.State == backends.PodAbsent)
		}) {
			return true
		}
		if !here[i] {
			w.start(want, i)
			return true
		}
	}
	if w.drop(d.Deployment, func(p backends.Pod) bool {
		return p.SpecHash != hash && p.Backend == d.Backend || slices.Contains(d.Leave, p.Backend)
	}) {
		return true
	}
	return want.Replicas == 0 && w.stand(want)
}

// stand makes the object that stands for a deployment without pods, where the
// engine has one.
func (w *world) stand(want *backends.Workload) bool {
	on := func(p backends.Pod) bool { return p.Backend == want.Backend }
	if !w.backend(want.Backend).Capacity.Orchestrates || slices.ContainsFunc(w.pods[want.Deployment], on) {
		return false
	}
	w.made++
	w.pods[want.Deployment] = append(slices.Clone(w.pods[want.Deployment]), backends.Pod{
		Backend: want.Backend, ID: fmt.Sprintf("id%d", w.made), Name: want.Deployment, Deployment: want.Deployment,
		App: want.App, Release: want.Release, Flavour: want.Flavour, Source: want.Source, Commit: want.Commit,
		SpecHash: want.SpecHash(), InputHash: want.InputHash(), Image: want.Pod.Image, State: backends.PodAbsent, CreatedAt: w.now,
	})
	return true
}

// edit changes a pod; lists of pods are never changed in place.
func (w *world) edit(deployment string, at int, change func(*backends.Pod)) {
	w.pods[deployment] = slices.Clone(w.pods[deployment])
	change(&w.pods[deployment][at])
}

func (w *world) drop(deployment string, which func(backends.Pod) bool) bool {
	before := len(w.pods[deployment])
	w.pods[deployment] = slices.DeleteFunc(slices.Clone(w.pods[deployment]), which)
	after := len(w.pods[deployment])
	if after == 0 {
		delete(w.pods, deployment)
	}
	return after != before
}

// start makes a running pod of a workload, with the first free GPUs.
func (w *world) start(want *backends.Workload, ordinal int) {
	w.made++
	p := backends.Pod{
		Backend: want.Backend, ID: fmt.Sprintf("id%d", w.made), Name: fmt.Sprintf("%s-%d-%d", want.Deployment, ordinal, w.made),
		Deployment: want.Deployment, Ordinal: ordinal, App: want.App, Release: want.Release, Flavour: want.Flavour,
		Source: want.Source, Commit: want.Commit, SpecHash: want.SpecHash(), InputHash: want.InputHash(),
		MinReady: want.Rollout.MinReady, Image: want.Pod.Image, CPU: want.Pod.CPU, Memory: want.Pod.Memory,
		State: backends.PodRunning, CreatedAt: w.now.Add(-time.Minute), StartedAt: w.now.Add(-time.Minute),
	}
	taken := w.takenGPUs(want.Backend)
	for _, g := range w.backend(want.Backend).Capacity.GPUs {
		if len(p.GPUs) < want.Pod.GPUs && !taken[g.ID] && (want.Pod.GPUVendor == "" || g.Vendor == want.Pod.GPUVendor) {
			p.GPUs = append(p.GPUs, g.ID)
		}
	}
	if len(p.GPUs) < want.Pod.GPUs {
		panic("a GPU was given twice, for " + want.Deployment)
	}
	for _, port := range want.Pod.Ports {
		if port.Host != 0 {
			p.Endpoints = append(p.Endpoints, backends.Endpoint{Host: "127.0.0.1", Port: port.Host, Container: port.Container, Protocol: port.Protocol})
		}
	}
	w.pods[want.Deployment] = append(slices.Clone(w.pods[want.Deployment]), p)
}

func (w *world) takenGPUs(backend string) map[string]bool {
	taken := map[string]bool{}
	for _, pods := range w.pods {
		for _, p := range pods {
			for _, id := range p.GPUs {
				if p.Backend == backend && p.State != backends.PodFailed {
					taken[id] = true
				}
			}
		}
	}
	return taken
}

// decide returns what is decided about a deployment, and holds that a plan
// explains itself as it decides.
func (w *world) decide(t testing.TB, name string) Decision {
	t.Helper()
	in := w.input()
	d, ok := New(in).Decision(name)
	if !ok {
		t.Fatalf("%s is not in the plan", name)
	}
	return d
}

// want is what a test expects of a decision; empty fields are not looked at.
type want struct {
	action Action
	at     string // "cuda@lab"
	kind   schema.ErrorKind
	says   []string // what the reason says
}

func (x want) check(t testing.TB, d Decision) {
	t.Helper()
	if d.Action != x.action {
		t.Fatalf("action %s (%s), want %s", d.Action, d.Reason, x.action)
	}
	if at := d.Flavour + "@" + d.Backend; x.at != "" && at != x.at {
		t.Errorf("placed %s, want %s; why: %s", at, x.at, d.Why)
	}
	if x.kind != "" && d.Kind != x.kind {
		t.Errorf("kind %s, want %s", d.Kind, x.kind)
	}
	for _, text := range x.says {
		if !strings.Contains(d.Reason, text) {
			t.Errorf("reason %q does not say %q", d.Reason, text)
		}
	}
	if changes := d.Changes() || d.Action == Keep; changes && d.Action != Remove && d.Workload == nil {
		t.Error("there is no workload")
	}
}

// The changes to deployments that tests make most.

func flavour(name string) func(*schema.Deployment) {
	return func(d *schema.Deployment) { d.Flavour = name }
}

func on(backend string) func(*schema.Deployment) {
	return func(d *schema.Deployment) { d.Backend = backend }
}

func version(v string) func(*schema.Deployment) {
	return func(d *schema.Deployment) { d.Version = v }
}

func replicas(n int) func(*schema.Deployment) {
	return func(d *schema.Deployment) { d.Replicas = &n }
}

func memory(n schema.Bytes) func(*schema.Deployment) {
	return func(d *schema.Deployment) { d.Resources = &schema.Resources{Memory: &n} }
}

func gpuNumber(n int) func(*schema.Deployment) {
	return func(d *schema.Deployment) { d.Resources = &schema.Resources{GPUs: &n} }
}

func env(key, value string) func(*schema.Deployment) {
	return func(d *schema.Deployment) { d.Env = map[string]string{key: value} }
}

func dependsOn(names ...string) func(*schema.Deployment) {
	return func(d *schema.Deployment) { d.DependsOn = names }
}

func strategy(s schema.Strategy) func(*schema.Deployment) {
	return func(d *schema.Deployment) { d.Rollout.Strategy = s }
}

func suspended(d *schema.Deployment) { d.Suspend = true }

func ports(specs ...string) func(*schema.Deployment) {
	return func(d *schema.Deployment) {
		for _, s := range specs {
			p, err := schema.ParsePort(s)
			if err != nil {
				panic(err)
			}
			d.Ports = append(d.Ports, p)
		}
	}
}

func numbered(name string, n int) string { return name + "-" + strconv.Itoa(n) }
