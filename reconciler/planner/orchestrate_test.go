package planner

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/desired"
)

// withCluster adds a backend that orchestrates, and that comes last by its priority.
func withCluster(w *world) {
	w.backends = append(w.backends, Backend{
		Name: "cluster", Type: schema.BackendKubernetes, Known: true, Priority: -1,
		Capacity: backends.Capacity{
			CPU: 64_000, Memory: 256e9, Arch: "amd64", OS: "linux", Orchestrates: true,
			GPUs:       []backends.GPU{{ID: "n1/nvidia-0", Vendor: schema.NVIDIA}, {ID: "n1/nvidia-1", Vendor: schema.NVIDIA}},
			HostLabels: map[string][]string{"zone": {"a", "b"}},
		},
	})
}

func network(name string) func(*schema.Deployment) {
	return func(d *schema.Deployment) { d.Network = name }
}

func TestOrchestrated(t *testing.T) {
	cluster := on("cluster")
	none := all(withCluster, database(cluster, replicas(0)))
	two := all(withCluster, database(cluster, replicas(2)))
	gone := func(w *world) { delete(w.pods, "john") }
	for _, s := range []story{
		{name: "no replicas: the object is made", after: none,
			want: want{action: Create, at: "vanilla@cluster", says: []string{"the object that stands for it is missing"}}},
		{name: "no replicas: the object is kept", before: none, want: want{action: Keep, says: []string{"no replicas"}}},
		{name: "no replicas, on Docker: there is nothing", after: database(replicas(0)), want: want{action: Keep}},
		{name: "no replicas, removed by hand", before: none, after: gone, want: want{action: Create}},
		{name: "no replicas, another specification", before: none, after: database(cluster, replicas(0), env("A", "1")),
			want: want{action: Replace, says: []string{"its specification changed"}}},
		{name: "no replicas, old pods are going", before: none, after: func(w *world) {
			d, _ := New(w.input()).Decision("john")
			w.start(d.Workload, 0)
			w.edit("john", 1, inState(backends.PodGoing))
		}, want: want{action: Keep}},
		{name: "from 0 to 2", before: none, after: database(cluster, replicas(2)), want: want{action: Create, says: []string{"no pod is there"}}},
		{name: "from 2 to 0", before: two, after: database(cluster, replicas(0)), want: want{action: Replace, says: []string{"scale from 2 to 0"}}},
		{name: "its pods were not made yet", before: two, after: func(w *world) {
			delete(w.pods, "john")
			d, _ := New(w.input()).Decision("john")
			w.stand(d.Workload)
		}, want: want{action: Create, says: []string{"no pod is there"}}},
		{name: "declared no more", before: none, after: func(w *world) { delete(w.docs, "john") }, want: want{action: Remove}},
		{name: "its rollout failed", before: none, after: all(database(cluster), func(w *world) {
			d, _ := New(w.input()).Decision("john")
			w.start(d.Workload, 0)
			w.edit("john", 1, inState(backends.PodFailed))
		}), want: want{action: Hold, kind: schema.Invalid}},
		{name: "its rollout failed, and no replicas are wanted", before: none, after: func(w *world) {
			d, _ := New(w.input()).Decision("john")
			w.start(d.Workload, 0)
			w.edit("john", 1, inState(backends.PodFailed))
		}, want: want{action: Replace, says: []string{"is removed"}}},
		{name: "moves to Docker", before: two, after: database(on("lab"), replicas(2)),
			want: want{action: Replace, at: "vanilla@lab", says: []string{"it moves to lab, from cluster"}}},
		{name: "moves to Docker without replicas", before: none, after: database(on("lab"), replicas(0)),
			want: want{action: Replace, at: "vanilla@lab", says: []string{"it moves to lab, from cluster"}}},
		{name: "moves from Docker", before: database(on("lab")), after: all(withCluster, database(cluster)),
			want: want{action: Replace, at: "vanilla@cluster", says: []string{"it moves to cluster, from lab"}}},
		{name: "stays where its object is", before: none, after: all(database(replicas(0)), func(w *world) { w.backend("cluster").Priority = -9 }),
			want: want{action: Keep, at: "vanilla@cluster"}},
		{name: "what ends is for Docker", after: all(withCluster, database(restart(schema.RestartNo))), want: want{action: Create, at: "vanilla@lab"}},
		{name: "what ends is for Docker only", after: all(withCluster, database(cluster, restart(schema.RestartOnFailure))),
			want: want{action: Hold, says: []string{"restart: on-failure cannot be had there: kubernetes starts again whatever ends"}}},
		{name: "no network is for Docker only", after: all(withCluster, database(cluster, network("none"))),
			want: want{action: Hold, says: []string{"network: none cannot be had there"}}},
		{name: "a port of any host", after: all(withCluster, database(cluster, ports("8080:80"), replicas(3))), want: want{action: Create}},
		{name: "a label that some hosts have", after: all(withCluster, func(w *world) {
			w.flavour("org.db", "1.0.0", "vanilla").Selectors = []schema.Selector{{Kind: schema.SelectLabel, Key: "zone", Value: "b", Required: true}}
		}, database()), want: want{action: Create, at: "vanilla@cluster"}},
		{name: "a label that no host has", after: all(withCluster, func(w *world) {
			w.flavour("org.db", "1.0.0", "vanilla").Selectors = []schema.Selector{{Kind: schema.SelectLabel, Key: "zone", Value: "c", Required: true}}
		}, database()), want: want{action: Hold}},
	} {
		s.run(t)
	}
}

// Whatever is asked of it, a cluster settles: what was made once is kept.
func TestOrchestratedSettles(t *testing.T) {
	w := newWorld()
	withCluster(w)
	for _, n := range []int{0, 2, 0, 3, 1, 0} {
		for _, place := range []string{"cluster", "cluster", "lab", "cluster"} {
			database(on(place), replicas(n))(w)
			w.settle(t)
			objects, pods := 0, 0
			for _, p := range w.pods["john"] {
				switch {
				case p.Backend != place:
					t.Errorf("%d replicas on %s: left on %s: %+v", n, place, p.Backend, p)
				case p.State == backends.PodAbsent:
					objects++
				default:
					pods++
				}
			}
			stands := n == 0 && place == "cluster"
			if pods != n || (objects == 1) != stands || objects > 1 {
				t.Errorf("%d replicas on %s: %d pods and %d objects", n, place, pods, objects)
			}
		}
	}
}

// remains lets there be only what is left of a deployment on a backend.
func remains(name, backend string) func(*world) {
	return func(w *world) {
		w.pods[name] = []backends.Pod{{Backend: backend, ID: "svc", Name: name, Deployment: name, State: backends.PodAbsent}}
	}
}

// What is left of a deployment is removed if it is declared no more, and is in the
// way of nothing else.
func TestLeftover(t *testing.T) {
	cluster := on("cluster")
	broken := func(w *world) {
		w.files = append(w.files, desired.FileChange{Path: "broken.yaml", Raw: []byte("name: jane"), Parsed: schema.DesiredFile{
			Problems: schema.Problems{{Line: 3, Column: 5, Message: "unknown key"}},
		}})
	}
	withdrawn := func(w *world) { delete(w.docs, "john") }
	four := func(w *world) {
		for i := range 4 {
			w.declare(numbered("db", i), "org.db")
		}
	}
	for _, s := range []story{
		{name: "it is declared", after: all(withCluster, database(cluster), remains("john", "cluster")),
			want: want{action: Create, at: "vanilla@cluster", says: []string{"no pod is there"}}},
		{name: "it is declared with no replicas", after: all(withCluster, database(cluster, replicas(0)), remains("john", "cluster")),
			want: want{action: Create, says: []string{"the object that stands for it is missing"}}},
		{name: "it is declared elsewhere", after: all(withCluster, database(on("lab")), remains("john", "cluster")),
			want: want{action: Replace, at: "vanilla@lab", says: []string{"it moves to lab, from cluster"}}},
		{name: "it is declared, and may run elsewhere", after: all(withCluster, database(), remains("john", "cluster"), func(w *world) { w.backend("lab").Known = false }),
			want: want{action: Wait, says: []string{"lab"}}},
		{name: "declared no more", after: all(withCluster, remains("john", "cluster")), want: want{action: Remove, says: []string{"declared no more"}}},
		{name: "declared no more, and its pods go", after: all(withCluster, remains("john", "cluster"), func(w *world) {
			w.pods["john"] = append(w.pods["john"], backends.Pod{Backend: "cluster", ID: "p", Deployment: "john", Source: "john.yaml", State: backends.PodGoing})
		}), want: want{action: Remove}},
		{name: "it is not known what declared it", after: all(withCluster, remains("john", "cluster"), broken),
			want: want{action: Hold, kind: schema.Invalid, says: []string{"broken.yaml:3:5", "what is left of it stays"}}},
		{name: "nothing is removed now", after: all(withCluster, remains("john", "cluster"), says(func(in *Input) { in.Unreadable = "folder apps cannot be read" })),
			want: want{action: Hold, kind: schema.Waiting}},
		{name: "its backend does not answer", after: all(withCluster, remains("john", "cluster"), func(w *world) { w.backend("cluster").Problem = "away" }),
			want: want{action: Wait, says: []string{"removed once their backend answers"}}},
		{name: "its removal was cut off", before: all(withCluster, database(cluster, replicas(0))), after: all(withdrawn, remains("john", "cluster")),
			want: want{action: Remove}},
		{name: "what is left of many counts for no more than half", before: four, after: all(withCluster, func(w *world) {
			for i := range 9 {
				remains(numbered("old", i), "cluster")(w)
			}
		}, remains("john", "cluster")), want: want{action: Remove}},
	} {
		s.run(t)
	}
}

// An object without pods holds nothing of its backend.
func TestAbsentHoldsNothing(t *testing.T) {
	w := newWorld()
	withCluster(w)
	w.declare("idle", "org.stardist", on("cluster"), flavour("cuda"), replicas(0))
	w.settle(t)
	w.edit("idle", 0, func(p *backends.Pod) { p.CPU, p.Memory, p.GPUs = 64_000, 256e9, []string{"n1/nvidia-0", "n1/nvidia-1"} })
	w.declare("john", "org.stardist", on("cluster"), flavour("cuda"), replicas(2), memory(100e9), gpuNumber(1))
	want{action: Create, at: "cuda@cluster"}.check(t, w.decide(t, "john"))
	if d := w.decide(t, "idle"); d.From.Replicas != 0 || d.Action != Keep {
		t.Errorf("%s from %+v, want it kept, without replicas", d.Action, d.From)
	}
}

// What is kept for pods with GPUs is for these alone.
func TestKeptForGPUs(t *testing.T) {
	kept := func(w *world) {
		withCluster(w)
		w.backend("cluster").Capacity.KeptCPU, w.backend("cluster").Capacity.KeptMemory = 60_000, 240e9
	}
	needs := func(app, version, flavour string, s schema.Selector) func(*world) {
		return func(w *world) {
			f := w.flavour(app, version, flavour)
			f.Selectors = append(f.Selectors, s)
		}
	}
	cpus := schema.Selector{Kind: schema.SelectCPU, Count: 16, Required: true, Weight: 1}
	cluster := on("cluster")
	busy := func(w *world) { // a pod with a GPU that states more than others may use
		w.declare("busy", "org.stardist", cluster, flavour("cuda"), memory(100e9), gpuNumber(1))
		d := New(w.input())
		busy, _ := d.Decision("busy")
		w.start(busy.Workload, 0)
		w.edit("busy", 0, func(p *backends.Pod) { p.CPU, p.Memory = 32_000, 100e9 })
	}
	for _, s := range []story{
		{name: "too many CPUs without a GPU", after: all(kept, needs("org.db", "1.0.0", "vanilla", cpus), database(cluster)), want: want{action: Hold, says: []string{"cpu"}}},
		{name: "as many with one", after: all(kept, needs("org.stardist", "0.4.10", "cuda", cpus), stardist(cluster, flavour("cuda"))), want: want{action: Create, at: "cuda@cluster"}},
		{name: "too much memory without a GPU", after: all(kept, database(cluster, memory(20e9))), want: want{action: Hold, says: []string{"needs 20GB memory, it has 16GB"}}},
		{name: "as much with one", after: all(kept, stardist(cluster, flavour("cuda"), memory(20e9))), want: want{action: Create}},
		{name: "beside a pod with a GPU", after: all(kept, busy, database(cluster, memory(10e9))), want: want{action: Create}},
		{name: "what others took", after: all(kept, func(w *world) { w.declare("another", "org.db", cluster, memory(10e9)) }, database(cluster, memory(10e9))),
			want: want{action: Wait, says: []string{"6GB of 16GB is free"}}},
		{name: "no host is open", after: all(kept, func(w *world) { w.backend("cluster").Capacity.KeptCPU = 64_000 }, database(cluster)),
			want: want{action: Hold, says: []string{"all of it is kept for pods with GPUs"}}},
	} {
		s.run(t)
	}
}

// What a flavour needs is told to engines that choose among hosts, and to no other.
func TestNeeds(t *testing.T) {
	w := newWorld()
	withCluster(w)
	w.flavour("org.stardist", "0.4.10", "cuda").Selectors = []schema.Selector{
		{Kind: schema.SelectCUDA, Required: true, Weight: 3, Version: "11.2"},
		{Kind: schema.SelectRAM, Memory: 8e9, Weight: 2},
		{Kind: schema.SelectLabel, Key: "zone", Required: true, Weight: 1},
		{Kind: schema.SelectService, Name: "store", Required: true, Weight: 1},
		{Kind: schema.SelectResource, Name: "gpu", Value: "cuda-11", Required: true, Weight: 1},
	}
	w.backend("lab").Capacity.Labels = map[string]string{"zone": "a"}
	for backend, want := range map[string][]schema.Selector{
		"lab": nil,
		"cluster": {
			{Kind: schema.SelectCUDA, Required: true, Version: "11.2"},
			{Kind: schema.SelectLabel, Key: "zone", Required: true},
			{Kind: schema.SelectResource, Name: "gpu", Value: "cuda-11", Required: true},
		},
	} {
		w.declare("john", "org.stardist", on(backend), flavour("cuda"))
		d := w.decide(t, "john")
		if d.Workload == nil {
			t.Fatalf("%s: %s", backend, d.Reason)
		}
		if diff := cmp.Diff(want, d.Workload.Pod.Needs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", backend, diff)
		}
	}
	if f := w.flavour("org.stardist", "0.4.10", "cuda"); f.Selectors[0].Weight != 3 || !slices.ContainsFunc(f.Selectors, func(s schema.Selector) bool { return !s.Required }) {
		t.Error("the release was changed")
	}
}
