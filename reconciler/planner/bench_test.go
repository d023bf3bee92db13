package planner

import (
	"fmt"
	"testing"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

const (
	manyApps        = 1_000
	manyReleases    = 10
	manyDeployments = 10_000
)

// bigInput is 10,000 deployments of 1,000 apps with 10 releases of 2 flavours on
// 3 backends.
func bigInput(tb testing.TB) Input {
	tb.Helper()
	in := Input{Pods: map[string][]backends.Pod{}, Now: noon}
	for i := range 3 {
		b := Backend{Name: fmt.Sprintf("b%d", i), Type: schema.BackendDocker, Known: true, Capacity: backends.Capacity{
			CPU: 8_000_000, Memory: 64e12, Arch: "amd64", OS: "linux", OneHost: true,
		}}
		for g := range 8 {
			b.Capacity.GPUs = append(b.Capacity.GPUs, backends.GPU{ID: fmt.Sprint(g), Vendor: schema.NVIDIA})
		}
		in.Backends = append(in.Backends, b)
	}
	var changes []catalog.File
	for a := range manyApps {
		file := catalog.File{Path: fmt.Sprintf("%d/manifest.yaml", a)}
		for v := range manyReleases {
			version := fmt.Sprintf("1.%d.0", v)
			file.Publication.Releases = append(file.Publication.Releases, schema.Release{
				Identifier: fmt.Sprintf("org.app%d", a), Version: version, Scopes: []string{"read"},
				Flavours: []schema.Flavour{
					{Name: "cuda", Image: "app:" + version + "-cuda", Priority: 1, Selectors: []schema.Selector{
						{Kind: schema.SelectCUDA, Required: true, Weight: 1, Version: "11.2"},
						{Kind: schema.SelectRAM, Memory: 8e9, Weight: 2},
					}},
					{Name: "cpu", Image: "app:" + version, Priority: 2},
				},
			})
		}
		changes = append(changes, file)
	}
	in.Catalog, _ = catalog.New().With(catalog.Change{Repo: catalog.Repo{Name: "apps", Commit: "a1"}, Files: changes})
	docs := make([]*schema.Deployment, manyDeployments)
	for i := range docs {
		docs[i] = bigDocument(i, "info")
	}
	in.Desired = desired.Of("file:///desired", "c1", docs)
	return in
}

func bigDocument(i int, level string) *schema.Deployment {
	d := &schema.Deployment{Name: fmt.Sprintf("d%05d", i), App: fmt.Sprintf("org.app%d", i%manyApps), Version: "^1.2", User: "john", Scopes: []string{"read"}}
	d.Position = schema.Position{File: d.Name + ".yaml", Line: 1}
	d.Env = map[string]string{"LOG_LEVEL": level}
	d.Resources = &schema.Resources{Memory: ptr(schema.Bytes(1e9))}
	return d
}

// runEverything lets all pods of a plan run.
func runEverything(in *Input, p *Plan) {
	w := &world{backends: in.Backends, pods: map[string][]backends.Pod{}, now: noon}
	for _, d := range p.Decisions() {
		if d.Workload.Pod.GPUs > 0 {
			cpu := *d.Workload
			cpu.Pod.GPUs = 0 // the world would look for the first free one, which takes its time
			w.start(&cpu, 0)
			w.edit(d.Deployment, 0, func(p *backends.Pod) { p.SpecHash = d.Workload.SpecHash() })
			continue
		}
		w.start(d.Workload, 0)
	}
	in.Pods = w.pods
}

func BenchmarkPlanFromScratch(b *testing.B) {
	in := bigInput(b)
	b.Run("nothing runs", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if s := New(in).Summary(); s[Create] != manyDeployments {
				b.Fatal(s)
			}
		}
	})
	runEverything(&in, New(in))
	b.Run("all runs", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if s := New(in).Summary(); s[Keep] != manyDeployments {
				b.Fatal(s)
			}
		}
	})
}

func BenchmarkPlanOneChange(b *testing.B) {
	in := bigInput(b)
	runEverything(&in, New(in))
	plan := New(in)
	changed := in
	doc := bigDocument(4711, "debug")
	changed.Desired, _ = in.Desired.With("c2", desired.FileChange{
		Path: doc.Position.File, Parsed: schema.DesiredFile{Deployments: []*schema.Deployment{doc}},
	})
	b.ReportAllocs()
	for b.Loop() {
		if s := plan.Revise(changed, []string{doc.Name}).Summary(); s[Replace] != 1 {
			b.Fatal(s)
		}
	}
}

func BenchmarkExplainOne(b *testing.B) {
	in := bigInput(b)
	explain := func(b *testing.B) {
		plan := New(in)
		b.ReportAllocs()
		for b.Loop() {
			if e, err := plan.Explain(in, "d04711"); err != nil || len(e.Candidates) != 6 {
				b.Fatal(err, e.Candidates)
			}
		}
	}
	b.Run("nothing runs", explain)
	runEverything(&in, New(in))
	b.Run("all runs", explain)
}

func BenchmarkMatch(b *testing.B) {
	in := bigInput(b)
	runEverything(&in, New(in))
	plan := New(in)
	ask := &schema.Deployment{App: "org.app471", Version: "^1.2"}
	b.ReportAllocs()
	for b.Loop() {
		if e, err := plan.Match(in, ask); err != nil || e.Decision.Action != Create {
			b.Fatal(err, e.Decision)
		}
	}
}
