package planner

import (
	"testing"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// A story is a world that settles, changes, and is then planned.
type story struct {
	name   string
	before func(*world) // declares what runs first
	after  func(*world) // what changes then
	want   want         // of the deployment john
}

func (s story) run(t *testing.T) {
	t.Run(s.name, func(t *testing.T) {
		w := newWorld()
		if s.before != nil {
			s.before(w)
			w.settle(t)
		}
		if s.after != nil {
			s.after(w)
		}
		d := w.decide(t, "john")
		s.want.check(t, d)
		e, err := Explain(w.input(), "john")
		if err != nil || e.Decision.Action != d.Action || e.Decision.Reason != d.Reason {
			t.Errorf("the explanation says %s (%s), %v", e.Decision.Action, e.Decision.Reason, err)
		}
	})
}

func stardist(changes ...func(*schema.Deployment)) func(*world) {
	return func(w *world) { w.declare("john", "org.stardist", changes...) }
}

func database(changes ...func(*schema.Deployment)) func(*world) {
	return func(w *world) { w.declare("john", "org.db", changes...) }
}

func all(changes ...func(*world)) func(*world) {
	return func(w *world) {
		for _, change := range changes {
			change(w)
		}
	}
}

// takeGPUs lets another deployment hold both GPUs.
func takeGPUs(w *world) { w.declare("alice", "org.stardist", flavour("cuda"), replicas(2)) }

func TestPlaceNewcomer(t *testing.T) {
	for _, s := range []story{
		{name: "a GPU flavour goes where a GPU is", after: stardist(), want: want{action: Create, at: "cuda@lab"}},
		{name: "without a free GPU the CPU flavour is taken", before: takeGPUs, after: stardist(), want: want{action: Create, at: "cpu@lab"}},
		{name: "in one plan GPUs are given in the order of names", after: all(takeGPUs, stardist()), want: want{action: Create, at: "cpu@lab"}},
		{name: "a named flavour waits for a GPU", before: takeGPUs, after: stardist(flavour("cuda")),
			want: want{action: Wait, kind: schema.Waiting, says: []string{"needs 1 nvidia GPU, 0 of 2 are free", "cuda on plain: it has not: cuda"}}},
		{name: "more GPUs than there are is invalid", after: stardist(flavour("cuda"), gpuNumber(3)),
			want: want{action: Hold, kind: schema.Invalid, says: []string{"needs 3 nvidia GPUs, it has 2"}}},
		{name: "a GPU flavour that declines GPUs takes none", before: takeGPUs, after: stardist(flavour("cuda"), gpuNumber(0)),
			want: want{action: Create, at: "cuda@lab"}},
		{name: "a named backend", after: stardist(on("plain")), want: want{action: Create, at: "cpu@plain"}},
		{name: "a backend that is not configured", after: stardist(on("mars")),
			want: want{action: Hold, kind: schema.Invalid, says: []string{"there is no backend mars", "lab, plain"}}},
		{name: "no backend at all", after: all(database(), func(w *world) { w.backends = nil }),
			want: want{action: Hold, kind: schema.Invalid, says: []string{"configure one"}}},
		{name: "the highest backend priority", after: all(database(), func(w *world) { w.backend("plain").Priority = 1 }),
			want: want{action: Create, at: "vanilla@plain"}},
		{name: "the least loaded backend", before: func(w *world) { w.declare("alice", "org.db", on("lab"), memory(20e9)) }, after: database(),
			want: want{action: Create, at: "vanilla@plain"}},
		{name: "names break ties", after: database(), want: want{action: Create, at: "vanilla@lab"}},
		{name: "weights rank before priorities", after: all(stardist(), func(w *world) {
			w.flavour("org.stardist", "0.4.10", "cpu").Selectors = []schema.Selector{{Kind: schema.SelectRAM, Memory: 30e9, Weight: 2}}
		}), want: want{action: Create, at: "cpu@lab"}},
		{name: "a priority that is not said ranks last", after: all(stardist(), func(w *world) {
			w.flavour("org.stardist", "0.4.10", "cuda").Priority = 0
		}), want: want{action: Create, at: "cpu@lab"}},
		{name: "without priorities the flavour that needs more", after: all(stardist(), func(w *world) {
			w.flavour("org.stardist", "0.4.10", "cuda").Priority = 0
			w.flavour("org.stardist", "0.4.10", "cpu").Priority = 0
		}), want: want{action: Create, at: "cuda@lab"}},
		{name: "another architecture", after: all(stardist(), func(w *world) {
			for _, name := range []string{"cpu", "cuda"} {
				f := w.flavour("org.stardist", "0.4.10", name)
				f.Selectors = append(f.Selectors, schema.Selector{Kind: schema.SelectLabel, Required: true, Key: "kubernetes.io/arch", Value: "arm64"})
			}
			w.backend("plain").Capacity.Arch = "arm64"
		}), want: want{action: Create, at: "cpu@plain"}},
		{name: "more memory than any backend has", after: database(memory(100e9)),
			want: want{action: Hold, kind: schema.Invalid, says: []string{"needs 100GB memory, it has 64GB", "it has 32GB"}}},
		{name: "an amount of memory that is no round number", after: all(func(w *world) { w.backend("lab").Capacity.Memory = 25276502016 }, database(on("lab"), memory(26e9))),
			want: want{action: Hold, says: []string{"needs 26GB memory, it has 25.2GB"}}},
		{name: "more memory than is free", before: func(w *world) {
			w.declare("alice", "org.db", on("lab"), memory(60e9))
			w.declare("bob", "org.db", on("plain"), memory(30e9))
		}, after: database(memory(8e9)),
			want: want{action: Wait, kind: schema.Waiting, says: []string{"needs 8GB memory, 4GB of 64GB is free", "2GB of 32GB is free"}}},
		{name: "one plan does not give room twice", after: all(
			func(w *world) { w.declare("alice", "org.db", memory(30e9), on("plain")) }, database(memory(30e9), on("plain"))),
			want: want{action: Wait, says: []string{"2GB of 32GB is free"}}},
		{name: "an unstated need fits in a full backend", before: func(w *world) { w.declare("alice", "org.db", on("lab"), memory(64e9)) },
			after: database(on("lab")), want: want{action: Create, at: "vanilla@lab"}},
		{name: "absurd needs do not overflow", after: database(memory(1<<62), replicas(4)),
			want: want{action: Hold, kind: schema.Invalid, says: []string{"it has 64GB"}}},
		{name: "absurdly many GPUs do not overflow", after: database(gpuNumber(1<<62), replicas(4)), want: want{action: Hold, kind: schema.Invalid}},
		{name: "replicas count", after: database(memory(20e9), replicas(2)), want: want{action: Create, at: "vanilla@lab"}},
		{name: "no replicas", after: database(replicas(0)), want: want{action: Keep, says: []string{"no replicas"}}},
	} {
		s.run(t)
	}
}

func TestPlaceBesideUnknown(t *testing.T) {
	unlisted := func(w *world) { w.backend("plain").Known, w.backend("plain").Problem = false, "connection refused" }
	away := func(w *world) { w.backend("lab").Problem = "connection refused" }
	for _, s := range []story{
		{name: "a newcomer waits for a backend that was never listed", after: all(stardist(), unlisted),
			want: want{action: Wait, kind: schema.Waiting, says: []string{"plain was not listed yet", "connection refused"}}},
		{name: "unless it names another", after: all(stardist(on("lab")), unlisted), want: want{action: Create, at: "cuda@lab"}},
		{name: "or its pods were seen elsewhere", before: stardist(replicas(2)), after: all(stardist(replicas(2)), unlisted, func(w *world) {
			w.drop("john", func(p backends.Pod) bool { return p.Ordinal == 1 })
		}), want: want{action: Create, at: "cuda@lab", says: []string{"1 of 2 pods"}}},
		{name: "a newcomer waits for the best backend", after: all(stardist(), away),
			want: want{action: Wait, kind: schema.Waiting, says: []string{"cuda on lab, but lab does not answer", "write backend: plain"}}},
		{name: "unless another is better", after: all(database(on("plain")), away), want: want{action: Create, at: "vanilla@plain"}},
		{name: "pods on a backend that does not answer are kept", before: stardist(), after: away, want: want{action: Keep, at: "cuda@lab"}},
		{name: "and not replaced", before: stardist(), after: all(stardist(env("A", "1")), away),
			want: want{action: Wait, kind: schema.Waiting, says: []string{"lab does not answer", "its specification changed"}}},
		{name: "and not moved", before: stardist(), after: all(stardist(on("plain")), away),
			want: want{action: Wait, kind: schema.Waiting, says: []string{"its pods may still run there: lab does not answer"}}},
		{name: "and not removed", before: stardist(), after: all(func(w *world) { delete(w.docs, "john") }, away),
			want: want{action: Wait, kind: schema.Waiting, says: []string{"lab does not answer"}}},
		{name: "a move that has begun goes on", before: stardist(), after: func(w *world) {
			w.declare("john", "org.stardist", on("plain"))
			d, _ := New(w.input()).Decision("john")
			w.start(d.Workload, 0)
			w.backend("lab").Problem = "connection refused"
		}, want: want{action: Keep, at: "cpu@plain"}},
	} {
		s.run(t)
	}
}

func TestPlaceStays(t *testing.T) {
	for _, s := range []story{
		{name: "a better flavour moves nothing", before: func(w *world) { takeGPUs(w); stardist()(w) },
			after: func(w *world) { delete(w.docs, "alice"); delete(w.pods, "alice") }, want: want{action: Keep, at: "cpu@lab"}},
		{name: "a better backend moves nothing", before: database(), after: func(w *world) { w.backend("plain").Priority = 9 },
			want: want{action: Keep, at: "vanilla@lab"}},
		{name: "a new release keeps flavour and backend", before: all(takeGPUs, stardist(version("0.4.9"))),
			after: all(stardist(), func(w *world) { delete(w.docs, "alice"); delete(w.pods, "alice") }),
			want:  want{action: Replace, at: "cpu@lab", says: []string{"release 0.4.9 to 0.4.10"}}},
		{name: "a flavour that is gone is replaced where the pod is", before: stardist(), after: func(w *world) {
			for i := range w.releases {
				if r := &w.releases[i]; r.Version == "0.4.10" {
					r.Flavours = r.Flavours[1:]
				}
			}
			w.backend("plain").Priority = 9
		}, want: want{action: Replace, at: "cpu@lab", says: []string{"flavour cuda to cpu"}}},
		{name: "a required selector that no longer matches", before: database(), after: func(w *world) {
			w.flavour("org.db", "1.0.0", "vanilla").Selectors = []schema.Selector{{Kind: schema.SelectLabel, Required: true, Key: "disk", Value: "ssd"}}
			w.backend("plain").Capacity.Labels = map[string]string{"disk": "ssd"}
		}, want: want{action: Replace, at: "vanilla@plain", says: []string{"it moves to plain, from lab"}}},
		{name: "and nowhere else to go", before: database(), after: func(w *world) {
			w.flavour("org.db", "1.0.0", "vanilla").Selectors = []schema.Selector{{Kind: schema.SelectLabel, Required: true, Key: "disk", Value: "ssd"}}
		}, want: want{action: Hold, kind: schema.Invalid, says: []string{"it has not: label disk=ssd", "its pods run on"}}},
		{name: "the deployment names another backend", before: stardist(), after: stardist(on("plain")), want: want{action: Replace, at: "cpu@plain"}},
		{name: "the deployment names another flavour", before: stardist(), after: stardist(flavour("cpu")), want: want{action: Replace, at: "cpu@lab"}},
		{name: "more memory where there is none", before: all(database(memory(8e9), on("plain")), func(w *world) { w.declare("alice", "org.db", memory(20e9), on("plain")) }),
			after: database(memory(16e9)), want: want{action: Replace, at: "vanilla@lab"}},
		{name: "a backend that shrank moves nothing", before: database(memory(8e9)), after: func(w *world) { w.backend("lab").Capacity.Memory = 4e9 },
			want: want{action: Keep, at: "vanilla@lab"}},
		{name: "another deployment takes no GPU of a running one", before: stardist(), after: func(w *world) {
			w.declare("alice", "org.stardist", flavour("cuda"), replicas(2))
		}, want: want{action: Keep, at: "cuda@lab"}},
		{name: "even where the backend tells no IDs", before: stardist(), after: func(w *world) {
			w.edit("john", 0, func(p *backends.Pod) { p.GPUs = nil })
			w.declare("alice", "org.stardist", flavour("cuda"), replicas(2))
		}, want: want{action: Keep, at: "cuda@lab"}},
	} {
		s.run(t)
	}
}

func TestPlacePorts(t *testing.T) {
	taken := func(w *world) { w.declare("alice", "org.db", on("lab"), ports("8080:80")) }
	for _, s := range []story{
		{name: "a port that runs elsewhere is out", before: taken, after: database(ports("8080:80")), want: want{action: Create, at: "vanilla@plain"}},
		{name: "a port of the same plan is out", after: all(taken, database(ports("8080:80"))), want: want{action: Create, at: "vanilla@plain"}},
		{name: "and says whose it is", before: taken, after: database(ports("8080:80"), on("lab")),
			want: want{action: Wait, kind: schema.Waiting, says: []string{"port 8080 is taken by alice"}}},
		{name: "another protocol is another port", before: taken, after: database(ports("8080:80/udp"), on("lab")), want: want{action: Create, at: "vanilla@lab"}},
		{name: "another address is another port", after: all(func(w *world) {
			w.declare("alice", "org.db", on("lab"), ports("127.0.0.1:8080:80"))
		}, database(ports("10.0.0.1:8080:80"), on("lab"))), want: want{action: Create, at: "vanilla@lab"}},
		{name: "every address is every one", after: all(func(w *world) {
			w.declare("alice", "org.db", on("lab"), ports("127.0.0.1:8080:80"))
		}, database(ports("0.0.0.0:8080:80"), on("lab"))), want: want{action: Wait, says: []string{"taken by alice"}}},
		{name: "replicas cannot share it", after: database(ports("8080:80"), replicas(2)),
			want: want{action: Hold, kind: schema.Invalid, says: []string{"2 replicas cannot share port 8080"}}},
		{name: "but on a cluster they can", after: all(database(ports("8080:80"), replicas(2)), func(w *world) { w.backend("plain").Capacity.OneHost = false }),
			want: want{action: Create, at: "vanilla@plain"}},
		{name: "a port that the engine chose can be in the way", before: func(w *world) { w.declare("alice", "org.db", on("lab"), ports("80")) },
			after: all(database(ports("8080:80"), on("lab")), func(w *world) {
				w.edit("alice", 0, func(p *backends.Pod) { p.Endpoints = []backends.Endpoint{{Port: 8080, Protocol: schema.TCP}} })
			}), want: want{action: Wait, says: []string{"taken by alice"}}},
		{name: "its own port is not", before: database(ports("8080:80")), after: database(ports("8080:80"), env("A", "1")),
			want: want{action: Replace, at: "vanilla@lab"}},
	} {
		s.run(t)
	}
}

func TestPlaceAllowed(t *testing.T) {
	mount := func(host string) func(*schema.Deployment) {
		return func(d *schema.Deployment) { d.Volumes = []schema.Volume{{Host: host, Path: "/data"}} }
	}
	add := func(names ...string) func(*schema.Deployment) {
		return func(d *schema.Deployment) { d.Capabilities = &schema.Capabilities{Add: names} }
	}
	privileged := func(d *schema.Deployment) { d.Privileged = true }
	network := func(name string) func(*schema.Deployment) {
		return func(d *schema.Deployment) { d.Network = name }
	}
	allow := func(change func(*schema.Allow)) func(*world) {
		return func(w *world) { change(&w.backend("plain").Capacity.Allow) }
	}
	data := allow(func(a *schema.Allow) { a.HostPaths = []string{"/srv/data/"} })
	invalid := func(says ...string) want { return want{action: Hold, kind: schema.Invalid, says: says} }
	there := want{action: Create, at: "vanilla@plain"}
	for _, s := range []story{
		{name: "no host path by default", after: database(mount("/srv/data")), want: invalid("mounting /srv/data is not allowed", "allow.hostPaths")},
		{name: "an allowed folder", after: all(database(mount("/srv/data")), data), want: there},
		{name: "below an allowed folder", after: all(database(mount("/srv/data/a/./b/")), data), want: there},
		{name: "beside an allowed folder", after: all(database(mount("/srv/database")), data), want: invalid("mounting /srv/database")},
		{name: "above an allowed folder", after: all(database(mount("/srv")), data), want: invalid("mounting /srv")},
		{name: "out of an allowed folder", after: all(database(mount("/srv/data/../../etc")), data), want: invalid("mounting")},
		{name: "a relative path", after: all(database(mount("srv/data")), data), want: invalid("mounting")},
		{name: "everything allowed", after: all(database(mount("/etc")), allow(func(a *schema.Allow) { a.HostPaths = []string{"/"} })), want: there},
		{name: "a name that is a path", after: database(func(d *schema.Deployment) { d.Volumes = []schema.Volume{{Name: "../etc", Path: "/data"}} }), want: invalid("mounting ../etc")},
		{name: "a named volume", after: database(func(d *schema.Deployment) { d.Volumes = []schema.Volume{{Name: "data", Path: "/data"}} }), want: want{action: Create, at: "vanilla@lab"}},
		{name: "privileged", after: database(privileged), want: invalid("privileged mode is not allowed")},
		{name: "privileged where it is allowed", after: all(database(privileged), allow(func(a *schema.Allow) { a.Privileged = true })), want: there},
		{name: "the host's network", after: database(network("host")), want: invalid("the host's network is not allowed")},
		{name: "the host's network where it is allowed", after: all(database(network("host")), allow(func(a *schema.Allow) { a.HostNetwork = true })), want: there},
		{name: "another container's network", after: database(network("container:db")), want: invalid(`no network "container:db"`)},
		{name: "no network", after: database(network("none")), want: want{action: Create, at: "vanilla@lab"}},
		{name: "a capability of Docker's default", after: database(add("NET_RAW", "cap_mknod")), want: want{action: Create, at: "vanilla@lab"}},
		{name: "a capability beyond", after: database(add("SYS_ADMIN")), want: invalid("capability SYS_ADMIN is not allowed")},
		{name: "all capabilities", after: all(database(add("ALL")), allow(func(a *schema.Allow) { a.Capabilities = []string{"SYS_ADMIN"} })), want: invalid("capability ALL")},
		{name: "a capability that is allowed", after: all(database(add("sys_ptrace")), allow(func(a *schema.Allow) { a.Capabilities = []string{"CAP_SYS_PTRACE"} })), want: there},
		{name: "any capability allowed", after: all(database(add("SYS_ADMIN", "ALL")), allow(func(a *schema.Allow) { a.Capabilities = []string{"ALL"} })), want: there},
		{name: "a flavour asks for it too", after: all(database(), func(w *world) {
			w.flavour("org.db", "1.0.0", "vanilla").Volumes = []schema.Volume{{Host: "/var/run/docker.sock", Path: "/s"}}
		}), want: invalid("mounting /var/run/docker.sock")},
		{name: "what runs is not removed when it is no longer allowed", before: all(database(privileged), allow(func(a *schema.Allow) { a.Privileged = true })),
			after: allow(func(a *schema.Allow) { a.Privileged = false }), want: invalid("its pods run on")},
	} {
		s.run(t)
	}
}
