package planner

import (
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

func explain(t *testing.T, w *world) Explanation {
	t.Helper()
	e, err := Explain(w.input(), "john")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestExplainEveryChoice(t *testing.T) {
	w := newWorld()
	w.flavour("org.stardist", "0.4.10", "cuda").Selectors = []schema.Selector{
		{Kind: schema.SelectCUDA, Required: true, Weight: 1, Version: "11.2"},
		{Kind: schema.SelectRAM, Memory: 48e9, Weight: 2},
	}
	stardist()(w)
	e := explain(t, w)
	if e.App != "org.stardist" || e.Resolved != "0.4.10: newest of 2 stable releases" {
		t.Errorf("%s resolved: %s", e.App, e.Resolved)
	}
	var got []string
	for _, c := range e.Candidates {
		line := c.Flavour + "@" + c.Backend + ": " + c.Reason
		if c.Chosen {
			line = "> " + line
		}
		for _, s := range c.Selectors {
			line += " [" + s.Selector + ": " + string(s.Match) + "]"
		}
		got = append(got, line)
	}
	want := []string{
		"> cuda@lab: 0.4.10: newest of 2 stable releases; cuda on lab: best of 3 that fit, by weights [cuda version 11.2: unverified] [ram memory 48GB: matched]",
		"cpu@lab: the chosen one is preferred by weights",
		"cpu@plain: the chosen one is preferred by weights",
		"cuda@plain: it has not: cuda version 11.2 [cuda version 11.2: not matched] [ram memory 48GB: not matched]",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s := e.Candidates[0].Score; s.Weights != 2 || s.Priority != 1 || s.Stays {
		t.Errorf("score %+v", s)
	}
}

func TestExplainBetterChoice(t *testing.T) {
	w := newWorld()
	takeGPUs(w)
	stardist()(w)
	w.settle(t)
	if e := explain(t, w); e.Better != "" {
		t.Error(e.Better)
	}
	delete(w.docs, "alice")
	delete(w.pods, "alice")
	e := explain(t, w)
	if want := "a better choice exists now: cuda on lab; the pods stay where they are"; e.Better != want {
		t.Errorf("%q, want %q", e.Better, want)
	}
	if !e.Candidates[0].Chosen || e.Candidates[0].Flavour != "cpu" || !e.Candidates[0].Score.Stays {
		t.Errorf("chosen %+v", e.Candidates[0])
	}
}

func TestExplainOtherReleases(t *testing.T) {
	w := newWorld()
	for _, v := range []string{"0.5.0-beta", "dev", "0.3.0"} {
		w.publish(schema.Release{Identifier: "org.stardist", Version: v, Scopes: []string{"admin"}, Flavours: []schema.Flavour{{Name: "cpu", Image: "i"}}})
	}
	w.repos = append(w.repos, catalog.Change{Repo: catalog.Repo{Name: "zoo", Commit: "z"}, Files: []catalog.File{
		{Path: "m.yaml", Publication: schema.Publication{Releases: []schema.Release{
			{Identifier: "org.stardist", Version: "9.0.0", Flavours: []schema.Flavour{{Name: "cpu", Image: "i"}}},
		}}},
	}})
	stardist()(w)
	reasons := func() map[string]string {
		out := map[string]string{}
		for _, a := range explain(t, w).Releases {
			out[a.Version] = a.Reason
		}
		return out
	}
	missing := "; it needs scopes that are not granted: admin"
	check := func(want map[string]string) {
		t.Helper()
		got := reasons()
		for v, reason := range want {
			if got[v] != reason {
				t.Errorf("%s: %q, want %q", v, got[v], reason)
			}
		}
	}
	check(map[string]string{
		"0.5.0-beta": "it is a prerelease: only a version that asks for it selects it" + missing,
		"dev":        "its version is no SemVer: only its exact text selects it" + missing,
		"0.4.9":      "it is older than 0.4.10",
		"0.3.0":      "it is older than 0.4.10" + missing,
		"9.0.0":      "repo apps owns org.stardist",
	})
	stardist(version("^0.4"))(w)
	check(map[string]string{"0.3.0": "it is not in ^0.4" + missing, "0.4.9": "it is older than 0.4.10"})
	stardist(version("0.4.9"))(w)
	check(map[string]string{"0.4.10": "the deployment asks for exactly 0.4.9"})
}

func TestExplainWhatIsNotThere(t *testing.T) {
	w := newWorld()
	if _, err := Explain(w.input(), "john"); schema.KindOf(err) != schema.Invalid || !strings.Contains(err.Error(), "no such deployment") {
		t.Error(err)
	}
	database()(w)
	w.settle(t)
	withdrawn(0)(w)
	if e := explain(t, w); e.Decision.Action != Remove || len(e.Candidates) != 0 {
		t.Errorf("%+v", e)
	}
}
