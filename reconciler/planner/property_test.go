package planner

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/desired"
)

// drawWorld draws backends, releases and deployments of all sorts, few enough
// that they get in each other's way.
func drawWorld(t *rapid.T) *world {
	w := &world{docs: map[string]*schema.Deployment{}, pods: map[string][]backends.Pod{}, now: noon}
	for i := range rapid.IntRange(1, 3).Draw(t, "backends") {
		w.backends = append(w.backends, drawBackend(t, fmt.Sprintf("b%d", i)))
	}
	for _, app := range []string{"org.a", "org.b"} {
		for v := range rapid.IntRange(1, 3).Draw(t, "versions") {
			w.publish(drawRelease(t, app, fmt.Sprintf("1.%d.0", v)))
		}
	}
	for i := range rapid.IntRange(1, 8).Draw(t, "deployments") {
		drawDeployment(t, w, fmt.Sprintf("d%d", i))
	}
	return w
}

func drawBackend(t *rapid.T, name string) Backend {
	b := Backend{Name: name, Known: true, Priority: rapid.IntRange(0, 1).Draw(t, "priority")}
	b.Capacity.Memory = schema.Bytes(rapid.SampledFrom([]int{0, 8e9, 32e9}).Draw(t, "memory"))
	b.Capacity.CPU = schema.CPU(rapid.SampledFrom([]int{0, 4000}).Draw(t, "cpu"))
	b.Capacity.OneHost = rapid.Bool().Draw(t, "one host")
	b.Capacity.Orchestrates = !b.Capacity.OneHost && rapid.Bool().Draw(t, "orchestrates")
	b.Capacity.Allow.Privileged = rapid.Bool().Draw(t, "privileged allowed")
	for i := range rapid.IntRange(0, 3).Draw(t, "GPUs") {
		vendor := rapid.SampledFrom([]schema.GPUVendor{schema.NVIDIA, schema.AMD}).Draw(t, "vendor")
		b.Capacity.GPUs = append(b.Capacity.GPUs, backends.GPU{ID: fmt.Sprint(i), Vendor: vendor})
	}
	return b
}

func drawRelease(t *rapid.T, app, version string) schema.Release {
	r := schema.Release{Identifier: app, Version: version, Scopes: rapid.SampledFrom([][]string{nil, {"read"}, {"admin"}}).Draw(t, "needs")}
	for _, name := range rapid.SampledFrom([][]string{{"cpu"}, {"cuda", "cpu"}, {"gpu", "cpu"}, {"cuda", "rocm"}}).Draw(t, "flavours") {
		f := schema.Flavour{Name: name, Image: app + ":" + version + "-" + name, Priority: rapid.IntRange(0, 2).Draw(t, "priority")}
		if kind := schema.SelectorKind(name); kind != "cpu" {
			f.Selectors = []schema.Selector{{Kind: kind, Required: true, Weight: 1}}
		}
		if rapid.Bool().Draw(t, "prefers memory") {
			f.Selectors = append(f.Selectors, schema.Selector{Kind: schema.SelectRAM, Memory: 16e9, Weight: 1})
		}
		r.Flavours = append(r.Flavours, f)
	}
	return r
}

func drawDeployment(t *rapid.T, w *world, name string) {
	pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	w.declare(name, pick("app", "org.a", "org.b"), func(d *schema.Deployment) {
		d.Version = pick("version", "", "", "1.0.0", "^1")
		d.Flavour = pick("flavour", "", "", "", "cpu", "cuda")
		d.Backend = pick("backend", "", "", "", "b0", "b1")
		replicas(rapid.IntRange(0, 3).Draw(t, "replicas"))(d)
		d.Env = map[string]string{"A": pick("env", "1", "2")}
		d.Suspend = rapid.IntRange(0, 9).Draw(t, "suspend") == 0
		d.Privileged = rapid.IntRange(0, 9).Draw(t, "privileged") == 0
		d.Rollout.Strategy = schema.Strategy(pick("strategy", "", "rolling", "recreate"))
		d.Resources = rapid.SampledFrom([]*schema.Resources{nil, nil, {Memory: ptr(schema.Bytes(3e9))}, {CPU: ptr(schema.CPU(1500)), GPUs: ptr(1)}}).Draw(t, "resources")
		if rapid.IntRange(0, 3).Draw(t, "port") == 0 {
			ports(pick("ports", "8080:80", "127.0.0.1:8080:80", "9090:90", "80"))(d)
		}
		if name > "d3" && rapid.IntRange(0, 3).Draw(t, "depends") == 0 {
			d.DependsOn = []string{"d0"}
		}
	})
}

// disturb changes something about one deployment, and returns its name.
func disturb(t *rapid.T, w *world) string {
	name := fmt.Sprintf("d%d", rapid.IntRange(0, 8).Draw(t, "which"))
	switch n := len(w.pods[name]); rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		if name != "d0" { // what others may depend on
			delete(w.docs, name)
		}
	case 1:
		if n > 0 {
			at := rapid.IntRange(0, n-1).Draw(t, "pod")
			w.edit(name, at, exited(rapid.IntRange(0, 1).Draw(t, "code")))
		}
	case 2:
		if n > 0 {
			at := rapid.IntRange(0, n-1).Draw(t, "pod")
			id := w.pods[name][at].ID
			w.drop(name, func(p backends.Pod) bool { return p.ID == id })
		}
	default:
		drawDeployment(t, w, name)
	}
	return name
}

// muddle carries out some of some plans, disturbed by changes, and leaves the
// world in the middle of it.
func muddle(t *rapid.T, w *world) {
	for range rapid.IntRange(0, 6).Draw(t, "rounds") {
		decisions := New(w.input()).Decisions()
		if len(decisions) > 0 {
			for range rapid.IntRange(0, 6).Draw(t, "steps") {
				w.step(rapid.SampledFrom(decisions).Draw(t, "decision"))
			}
		}
		w.now = w.now.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "seconds")) * time.Second)
		if rapid.Bool().Draw(t, "disturb") {
			disturb(t, w)
		}
	}
}

// confirm lets removals of many happen.
func confirm(w *world) { w.set = func(in *Input) { in.Confirmed = true } }

func sameDecisions(t *rapid.T, what string, a, b *Plan) {
	t.Helper()
	if !reflect.DeepEqual(a.Decisions(), b.Decisions()) {
		t.Fatalf("%s (-first +second):\n%s", what, cmp.Diff(a.Decisions(), b.Decisions()))
	}
	if !reflect.DeepEqual(a.Summary(), b.Summary()) || a.Guard() != b.Guard() {
		t.Fatalf("%s: %v and %v, %+v and %+v", what, a.Summary(), b.Summary(), a.Guard(), b.Guard())
	}
}

func TestPlanIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		muddle(t, w)
		in := w.input()
		plan := New(in)
		sameDecisions(t, "planned twice", plan, New(in))

		order := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 0))
		other := in
		other.Backends = slices.Clone(in.Backends)
		order.Shuffle(len(other.Backends), reflect.Swapper(other.Backends))
		other.Pods = map[string][]backends.Pod{}
		for name, pods := range in.Pods {
			pods = slices.Clone(pods)
			order.Shuffle(len(pods), reflect.Swapper(pods))
			other.Pods[name] = pods
		}
		docs := slices.Collect(maps.Values(w.docs))
		order.Shuffle(len(docs), reflect.Swapper(docs))
		other.Desired = desired.Of("file:///desired", "c1", docs)
		sameDecisions(t, "planned in another order", plan, New(other))
	})
}

func TestPlansConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		confirm(w)
		muddle(t, w)
		var plan *Plan
		for round := 0; ; round++ {
			plan = New(w.input())
			if plan.Summary().Changes() == 0 {
				break
			}
			if round == 50 {
				t.Fatalf("it does not converge: %v", plan.Decisions())
			}
			w.carryOut(plan)
		}
		for _, d := range plan.Decisions() {
			if d.Action != Keep {
				continue
			}
			ordinals := map[int]bool{}
			for _, p := range w.pods[d.Deployment] {
				if p.Backend != d.Backend || ordinals[p.Ordinal] || p.SpecHash != d.Workload.SpecHash() {
					t.Fatalf("%s is kept with pods %+v", d.Deployment, w.pods[d.Deployment])
				}
				if p.State == backends.PodAbsent && d.Workload.Replicas > 0 {
					t.Fatalf("%s is kept with an object for pods that are there: %+v", d.Deployment, w.pods[d.Deployment])
				}
				ordinals[p.Ordinal] = true
			}
			there := d.Workload.Replicas
			if there == 0 && w.backend(d.Backend).Capacity.Orchestrates {
				there = 1 // the object that stands for them
			}
			if len(ordinals) != there {
				t.Fatalf("%s is kept with %d of %d pods", d.Deployment, len(ordinals), there)
			}
		}
		for name := range w.pods {
			if _, declared := w.docs[name]; !declared {
				t.Fatalf("%s is declared no more, and there", name)
			}
		}
	})
}

// settledWorld draws a world in which nothing is to do any more.
func settledWorld(t *rapid.T) *world {
	w := drawWorld(t)
	confirm(w)
	muddle(t, w)
	for range 50 {
		plan := New(w.input())
		if plan.Summary().Changes() == 0 {
			return w
		}
		w.carryOut(plan)
	}
	t.Fatal("it does not settle")
	return nil
}

func TestOnlyWhatChangedIsTouched(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := settledWorld(t)
		before := New(w.input())
		changed := disturb(t, w)
		for _, d := range New(w.input()).Decisions() {
			was, ok := before.Decision(d.Deployment)
			if !ok || d.Deployment == changed || was.Action != Keep {
				continue
			}
			if !reflect.DeepEqual(was, d) {
				t.Fatalf("a change of %s changes %s:\n%s", changed, d.Deployment, cmp.Diff(was, d))
			}
		}
	})
}

func TestReviseIsAsNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := settledWorld(t)
		if rapid.Bool().Draw(t, "guarded") {
			w.set = nil
		}
		plan := New(w.input())
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			var names []string
			for range rapid.IntRange(1, 4).Draw(t, "names") {
				names = append(names, disturb(t, w))
			}
			in := w.input()
			revised := plan.Revise(in, names)
			sameDecisions(t, fmt.Sprintf("revised after changes of %v, and new", names), revised, New(in))
			w.carryOut(revised)
			for range 20 {
				plan = New(w.input())
				w.carryOut(plan)
			}
		}
	})
}

func TestRevisionsConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		confirm(w)
		plan := New(w.input())
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			var name string
			if decisions := plan.Decisions(); len(decisions) > 0 && rapid.IntRange(0, 5).Draw(t, "disturb") > 0 {
				d := rapid.SampledFrom(decisions).Draw(t, "decision")
				w.step(d) // panics where a GPU is given twice
				name = d.Deployment
			} else {
				name = disturb(t, w)
			}
			plan = plan.Revise(w.input(), []string{name})
		}
		for range 50 {
			if plan.Summary().Changes() == 0 {
				sameDecisions(t, "after many revisions, and new", plan, New(w.input()))
				return
			}
			w.carryOut(plan)
			var names []string
			for _, d := range plan.Decisions() {
				names = append(names, d.Deployment)
			}
			plan = plan.Revise(w.input(), names)
		}
		t.Fatalf("it does not converge: %v", plan.Decisions())
	})
}

func TestNothingIsRemovedThatCannotBeRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		confirm(w)
		muddle(t, w)
		problem := false
		for i := range w.backends {
			switch rapid.IntRange(0, 2).Draw(t, "state") {
			case 0:
				w.backends[i].Problem, problem = "gone", true
			case 1:
				w.backends[i].Problem, w.backends[i].Known, problem = "gone", false, true
			}
		}
		unreadable := rapid.Bool().Draw(t, "unreadable")
		if unreadable || !problem {
			unreadable = true
			w.set = func(in *Input) { in.Unreadable = "it cannot be read" }
		}
		answers := func(name string) bool { return w.backend(name).Problem == "" }
		for _, d := range New(w.input()).Decisions() {
			if unreadable && d.Action == Remove {
				t.Fatalf("%s is removed: %s", d.Deployment, d.Reason)
			}
			if slices.ContainsFunc(d.Leave, func(b string) bool { return !answers(b) }) {
				t.Fatalf("%s leaves what does not answer: %v", d.Deployment, d.Leave)
			}
			if d.Action != Create && d.Action != Replace {
				continue
			}
			if !answers(d.Backend) {
				t.Fatalf("%s: %s on %s, which does not answer", d.Deployment, d.Action, d.Backend)
			}
			here, away := 0, 0
			for _, p := range w.pods[d.Deployment] {
				if p.Backend == d.Backend {
					here++
				} else if !answers(p.Backend) {
					away++
				}
			}
			if here == 0 && away > 0 {
				t.Fatalf("%s gets second pods on %s", d.Deployment, d.Backend)
			}
			if here == 0 && d.From.Backend == "" && w.docs[d.Deployment].Backend == "" && slices.ContainsFunc(w.backends, func(b Backend) bool { return !b.Known }) {
				t.Fatalf("%s does not wait for a backend that was never listed", d.Deployment)
			}
		}
	})
}

func TestExplainAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		muddle(t, w)
		if rapid.Bool().Draw(t, "one is gone") {
			w.backends[0].Problem = "gone"
		}
		in := w.input()
		for _, d := range New(in).Decisions() {
			e, err := Explain(in, d.Deployment)
			if err != nil || !reflect.DeepEqual(e.Decision, d) {
				t.Fatalf("%v\n%s", err, cmp.Diff(d, e.Decision))
			}
			chosen := slices.DeleteFunc(slices.Clone(e.Candidates), func(c Choice) bool { return !c.Chosen })
			placed := d.Backend != "" && w.docs[d.Deployment] != nil && !w.docs[d.Deployment].Suspend
			if placed != (len(chosen) == 1) && !w.docs[d.Deployment].Suspend {
				t.Fatalf("%s on %s: chosen %+v", d.Flavour, d.Backend, chosen)
			}
			if placed && (chosen[0].Flavour != d.Flavour || chosen[0].Backend != d.Backend || !chosen[0].Fits || !e.Candidates[0].Chosen) {
				t.Fatalf("%s on %s: %+v", d.Flavour, d.Backend, e.Candidates)
			}
			for _, c := range e.Candidates {
				if c.Reason == "" {
					t.Fatalf("nothing is said of %s on %s", c.Flavour, c.Backend)
				}
			}
		}
	})
}
