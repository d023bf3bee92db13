package planner

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/berthdev/berth/schema"
)

// fault takes backends away from a world.
func fault(t *rapid.T, w *world) {
	for i := range w.backends {
		switch rapid.IntRange(0, 5).Draw(t, "state") {
		case 0:
			w.backends[i].Problem = "gone"
		case 1:
			w.backends[i].Problem, w.backends[i].Known = "gone", false
		}
	}
}

func sameExplanation(t *rapid.T, what string, want, got Explanation) {
	t.Helper()
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("%s (-want +got):\n%s", what, cmp.Diff(want, got))
	}
}

// What a plan explains of itself is what planning everything again explains.
func TestAPlanExplainsItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		muddle(t, w)
		fault(t, w)
		in := w.input()
		plan := New(in)
		before := plan.Decisions()
		for _, d := range before {
			want, err := Explain(in, d.Deployment)
			if err != nil {
				t.Fatal(err)
			}
			got, err := plan.Explain(in, d.Deployment)
			if err != nil {
				t.Fatal(err)
			}
			sameExplanation(t, d.Deployment, want, got)
		}
		if !reflect.DeepEqual(before, plan.Decisions()) {
			t.Fatal("explaining changed the plan")
		}
	})
}

// A plan that came of revisions explains what it decided, whatever became free or
// was taken since.
func TestARevisedPlanExplainsWhatItDecided(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		confirm(w)
		in := w.input()
		plan := New(in)
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			name := ""
			if decisions := plan.Decisions(); len(decisions) > 0 && rapid.Bool().Draw(t, "go on") {
				d := rapid.SampledFrom(decisions).Draw(t, "decision")
				w.step(d)
				name = d.Deployment
			} else {
				name = disturb(t, w)
			}
			in = w.input()
			plan = plan.Revise(in, []string{name})
		}
		for _, d := range plan.Decisions() {
			e, err := plan.Explain(in, d.Deployment)
			if err != nil || !reflect.DeepEqual(e.Decision, d) {
				t.Fatalf("%v\n%s", err, cmp.Diff(d, e.Decision))
			}
			if doc := w.docs[d.Deployment]; doc == nil || doc.Suspend || d.Backend == "" {
				continue
			}
			chosen := slices.IndexFunc(e.Candidates, func(c Choice) bool { return c.Chosen })
			if chosen != 0 || e.Candidates[0].Flavour != d.Flavour || e.Candidates[0].Backend != d.Backend || !e.Candidates[0].Fits {
				t.Fatalf("%s on %s: %+v", d.Flavour, d.Backend, e.Candidates)
			}
		}
	})
}

// What a deployment would get is what it gets once it is declared, after all others.
func TestMatchIsWhatADeclarationGets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const name = "zzz" // planned last
		w := drawWorld(t)
		muddle(t, w)
		fault(t, w)
		drawDeployment(t, w, name)
		d := w.docs[name]
		delete(w.docs, name)
		plan := New(w.input())
		got, err := plan.Match(w.input(), d)
		if err != nil {
			t.Fatal(err)
		}
		w.docs[name] = d
		want, err := Explain(w.input(), name)
		if err != nil {
			t.Fatal(err)
		}
		want.Decision.Deployment, want.Decision.Workload = "", nil
		sameExplanation(t, "matched", want, got)
	})
}

// A plan that was made of other backends is made anew.
func TestExplainAfterABackendCame(t *testing.T) {
	w := newWorld()
	stardist()(w)
	plan := New(w.input())
	w.backends = append(w.backends, Backend{Name: "best", Type: schema.BackendDocker, Known: true, Priority: 9,
		Capacity: w.backend("plain").Capacity})
	in := w.input()
	e, err := plan.Explain(in, "john")
	if err != nil || len(e.Candidates) != 6 {
		t.Errorf("%v: %+v", err, e.Candidates)
	}
	if e, err = plan.Match(in, &schema.Deployment{App: "org.stardist"}); err != nil || len(e.Candidates) != 6 {
		t.Errorf("%v: %+v", err, e.Candidates)
	}
	if _, err := plan.Explain(in, "mary"); schema.KindOf(err) != schema.Invalid {
		t.Error(err)
	}
}
