package planner

import (
	"strings"
	"testing"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

func TestMatchDeployments(t *testing.T) {
	full := func(w *world) {
		takeGPUs(w)
		w.settle(t)
	}
	tests := []struct {
		name  string
		world func(*world)
		ask   schema.Deployment
		want  want
		lines []string // "flavour@backend: reason", the chosen one with > before it
	}{
		{
			name: "the newest", ask: schema.Deployment{App: "org.stardist"},
			want: want{action: Create, at: "cuda@lab"},
			lines: []string{
				"> cuda@lab: 0.4.10: newest of 2 stable releases; cuda on lab: best of 3 that fit, by the flavour's priority",
				"cpu@lab: the chosen one is preferred by the flavour's priority",
				"cpu@plain: the chosen one is preferred by the flavour's priority",
				"cuda@plain: it has not: cuda",
			},
		},
		{
			name: "beside what runs", world: full, ask: schema.Deployment{App: "org.stardist"},
			want: want{action: Create, at: "cpu@lab"},
			lines: []string{
				"> cpu@lab: 0.4.10: newest of 2 stable releases; cpu on lab: best of 2 that fit, by name",
				"cpu@plain: the chosen one is preferred by name",
				"cuda@lab: needs 1 nvidia GPU, 0 of 2 are free",
				"cuda@plain: it has not: cuda",
			},
		},
		{
			name: "no room", world: full, ask: schema.Deployment{App: "org.stardist", Flavour: "cuda"},
			want: want{action: Wait, says: []string{"it fits nowhere", "needs 1 nvidia GPU, 0 of 2 are free"}},
		},
		{
			name: "too large", ask: schema.Deployment{App: "org.db", Backend: "plain", Container: schema.Container{Resources: &schema.Resources{Memory: ptr(schema.Bytes(48e9))}}},
			want: want{action: Hold, kind: schema.Invalid, says: []string{"needs 48GB memory, it has 32GB"}},
		},
		{
			name: "no such version", ask: schema.Deployment{App: "org.stardist", Version: "^7"},
			want: want{action: Wait, kind: schema.Waiting, says: []string{"no release matches this version", "there is 0.4.10, 0.4.9"}},
		},
		{
			name: "no such flavour", ask: schema.Deployment{App: "org.stardist", Flavour: "rocm"},
			want: want{action: Wait, says: []string{"has no flavour rocm; it has: cuda, cpu"}},
		},
		{
			name: "no such backend", ask: schema.Deployment{App: "org.stardist", Backend: "moon"},
			want: want{action: Hold, kind: schema.Invalid, says: []string{"there is no backend moon"}},
		},
		{
			name: "no scopes", ask: schema.Deployment{App: "org.stardist", Scopes: []string{}},
			want: want{action: Hold, kind: schema.Invalid, says: []string{"needs scopes that the deployment does not grant: read"}},
		},
		{
			name: "no replicas", ask: schema.Deployment{App: "org.db", Replicas: ptr(0)},
			want: want{action: Keep, at: "vanilla@lab"},
		},
		{
			name: "a backend that is away", world: func(w *world) { w.backend("lab").Problem = "gone" },
			ask:  schema.Deployment{App: "org.stardist"},
			want: want{action: Wait, says: []string{"the best place is cuda on lab, but lab does not answer", "write backend: plain"}},
		},
		{
			// Labels of engines may hold anything.
			name: "pods of the name that it is given", world: func(w *world) {
				w.pods[hypothetical] = []backends.Pod{{Backend: "plain", ID: "x", Deployment: hypothetical, Release: "0.4.9", Flavour: "cpu", State: backends.PodRunning}}
			},
			ask:  schema.Deployment{App: "org.stardist"},
			want: want{action: Create, at: "cuda@lab"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			if test.world != nil {
				test.world(w)
			}
			in := w.input()
			plan := New(in)
			e, err := plan.Match(in, &test.ask)
			if err != nil {
				t.Fatal(err)
			}
			d := e.Decision
			if d.Deployment != "" || d.Workload != nil {
				t.Errorf("it names deployment %q, with workload %v", d.Deployment, d.Workload)
			}
			d.Workload = &backends.Workload{} // that there is none was looked at
			test.want.check(t, d)
			if e.App != test.ask.App || e.Version != test.ask.Version {
				t.Errorf("asked for %s %s", e.App, e.Version)
			}
			var lines []string
			for _, c := range e.Candidates {
				line := c.Flavour + "@" + c.Backend + ": " + c.Reason
				if c.Chosen {
					line = "> " + line
				}
				lines = append(lines, line)
			}
			if got, want := strings.Join(lines, "\n"), strings.Join(test.lines, "\n"); test.lines != nil && got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// Whoever names no scopes is granted what a release needs, so none is refused for them.
func TestMatchBlamesNoScopes(t *testing.T) {
	w := newWorld()
	for _, version := range []string{"", "9"} {
		e, err := New(w.input()).Match(w.input(), &schema.Deployment{App: "org.stardist", Version: version})
		if err != nil || len(e.Releases) == 0 {
			t.Fatalf("version %q: %v, error %v", version, e.Releases, err)
		}
		for _, r := range e.Releases {
			if strings.Contains(r.Reason, "scopes") {
				t.Errorf("version %q: %s: %s", version, r.Version, r.Reason)
			}
		}
	}
}

func TestMatchErrors(t *testing.T) {
	unread := func(w *world) {
		w.repos = append(w.repos, catalog.Change{Repo: catalog.Repo{Name: "zoo"}})
	}
	for name, test := range map[string]struct {
		world func(*world)
		ask   schema.Deployment
		kind  schema.ErrorKind
		says  []string
	}{
		"an unknown app":            {nil, schema.Deployment{App: "org.stardsit"}, schema.Invalid, []string{"match org.stardsit: no repo publishes this app", "did you mean org.stardist?"}},
		"no app":                    {nil, schema.Deployment{}, schema.Invalid, []string{"no repo publishes this app"}},
		"a repo that was not read":  {unread, schema.Deployment{App: "org.later"}, schema.Waiting, []string{"not read yet: repo zoo"}},
		"too many replicas":         {nil, schema.Deployment{App: "org.stardist", Replicas: ptr(1 << 40)}, schema.Invalid, []string{"replicas: must be from 0 to 1000"}},
		"less than none":            {nil, schema.Deployment{App: "org.stardist", Replicas: ptr(-1)}, schema.Invalid, []string{"replicas: must be from 0 to 1000"}},
		"what is no version at all": {nil, schema.Deployment{App: "org.stardist", Version: "not a version!"}, schema.Invalid, []string{"is no version"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			if test.world != nil {
				test.world(w)
			}
			e, err := New(w.input()).Match(w.input(), &test.ask)
			if schema.KindOf(err) != test.kind || err == nil {
				t.Fatalf("%v: %+v", err, e)
			}
			for _, text := range test.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("error %q does not say %q", err, text)
				}
			}
		})
	}
}
