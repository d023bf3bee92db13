package proposal_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/reconciler/proposal"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/desired"
)

// secret marks what no report may tell.
const secret = "hunter2"

// drawFile draws a file of documents, few enough names and places that they get
// in each other's way. The most are valid.
func drawFile(t *rapid.T, path string) string {
	pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	seldom := func(label, text string) string {
		if rapid.IntRange(0, 19).Draw(t, label) != 13 { // small numbers and the last are drawn often
			return ""
		}
		return text
	}
	name := pick("name", "a", "b") + path[:1]
	if rapid.IntRange(0, 19).Draw(t, "any name") == 13 {
		name = "a1"
	}
	return "kind: Deployment\nname: " + name + "\n" +
		pick("app", "app: org.stardist\n", "app: org.stardist\nversion: 0.4.9\n", "app: org.stardist\nversion: ^0.4\nflavour: cuda\n",
			"app: org.stardist\nflavour: cuda\n", "app: org.stardist\nflavour: cpu\n", "app: org.db\nscopes: [read]\n", "app: org.db\n") +
		seldom("version", "version: '9'\n") + seldom("nobody", "app: org.nobody\n") +
		pick("backend", "", "", "", "backend: lab\n", "backend: annex\n") + seldom("moon", "backend: moon\n") +
		pick("replicas", "", "", "replicas: 0\n", "replicas: 2\n") +
		pick("rollout", "", "", "rollout: {strategy: recreate}\n", "rollout: {strategy: rolling}\n") +
		pick("ports", "", "", "ports: [\"8080:80\"]\n") +
		seldom("suspend", "suspend: true\n") + seldom("depends", "dependsOn: [a1]\n") + seldom("wrongly", "dependsOn: [nobody]\n") +
		pick("env", "", "env: {A: "+secret+"1}\n", "env: {A: "+secret+"2, B: "+secret+"}\n") +
		seldom("list", "env: {A: ["+secret+"]}\n") + seldom("text", "env: "+secret+"\n") + seldom("open", "env: {A: \""+secret+"\n") +
		pick("command", "", "command: [run, --password="+secret+"]\n") + seldom("volume", "volumes: ["+secret+":/data]\n")
}

var paths = []string{"1.yaml", "2.yaml", "3.yaml", "4.yaml", "5.yaml"}

func drawChange(t *rapid.T, w *world, path string) {
	if rapid.IntRange(0, 5).Draw(t, "gone") == 3 {
		delete(w.files, path)
		return
	}
	w.write(path, drawFile(t, path))
}

// drawWorlds draws what runs, perhaps in the middle of a change, and a proposal.
func drawWorlds(t *rapid.T) (base, head *world) {
	base = newWorld()
	for _, path := range paths {
		drawChange(t, base, path)
	}
	base.carryOut(planner.New(base.input()))
	if rapid.Bool().Draw(t, "a change is under way") {
		drawChange(t, base, rapid.SampledFrom(paths).Draw(t, "file"))
	}
	if rapid.Bool().Draw(t, "all are there") {
		base.carryOut(planner.New(base.input()))
	}
	if rapid.IntRange(0, 5).Draw(t, "one is away") == 3 {
		base.backends[0].Problem = "it is away"
		base.backends[0].Known = rapid.Bool().Draw(t, "known")
	}
	head = base.clone()
	for range rapid.IntRange(0, 4).Draw(t, "proposed changes") {
		drawChange(t, head, rapid.SampledFrom(paths).Draw(t, "file"))
	}
	return base, head
}

// runs returns what runs, by deployment.
func (w *world) runs() map[string]proposal.Placement {
	out := map[string]proposal.Placement{}
	for name, pods := range w.pods {
		p := pods[0]
		out[name] = proposal.Placement{Release: p.Release, Flavour: p.Flavour, Backend: p.Backend, Replicas: len(pods)}
	}
	return out
}

// carriedOut returns what would run after a plan of the world, with the files of
// another in force.
func (w *world) carriedOut(files *world) map[string]proposal.Placement {
	c := w.clone()
	c.files = files.files
	c.carryOut(planner.New(c.input()))
	return c.runs()
}

// The rows are all that makes the proposal different: with them, what would run
// without it becomes what would run with it.
func TestRowsAreTheDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, head := drawWorlds(t)
		r := base.propose(head)
		got, now := base.carriedOut(base), base.runs()
		for _, row := range r.Rows {
			delete(got, row.Deployment)
			was, runs := now[row.Deployment]
			switch row.Action {
			case planner.Hold, planner.Wait, planner.Keep: // what runs now stays
				if runs {
					got[row.Deployment] = was
				}
			case planner.Remove:
			default:
				if row.To.Replicas > 0 {
					got[row.Deployment] = *row.To
				}
			}
		}
		if diff := cmp.Diff(base.carriedOut(head), got); diff != "" {
			t.Fatalf("(-with the proposal +without it, and the rows)\n%s\n%s", diff, r.Markdown())
		}
	})
}

func TestNothingProposedIsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, _ := drawWorlds(t)
		r := base.propose(base.clone())
		if len(r.Rows)+len(r.Errors)+len(r.Conflicts)+len(r.Untouched) > 0 || r.Unchanged != len(planner.New(base.input()).Decisions()) {
			t.Fatal(r.Markdown())
		}
		if base := proposal.New(base.input(), planner.New(base.input()), proposal.Proposed{State: base.state()}); len(base.Rows) > 0 {
			t.Fatalf("beside the plan that is being carried out: %s", base.Markdown())
		}
	})
}

// The same input gives the same report, and looking changes nothing.
func TestDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, head := drawWorlds(t)
		before := maps.Clone(base.pods)
		a, b := base.propose(head), base.propose(head.clone())
		if !reflect.DeepEqual(a, b) {
			t.Fatal(cmp.Diff(a.Markdown(), b.Markdown()))
		}
		if !reflect.DeepEqual(before, base.pods) {
			t.Fatal("it changes its input")
		}
	})
}

// No form of a report holds a value that a document holds.
func TestNoSecrets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, head := drawWorlds(t)
		for _, r := range []*proposal.Report{base.propose(head), proposal.Now(head.input())} {
			data, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{string(data), r.Markdown(), r.Annotations(""), r.Summary()} {
				if strings.Contains(text, secret) {
					t.Fatalf("it tells a secret:\n%s", text)
				}
			}
		}
	})
}

// A report of any number of rows fits into a comment and a description.
func TestBounds(t *testing.T) {
	base, head := newWorld(), newWorld()
	for i := range 1500 {
		head.write(fmt.Sprintf("%d.yaml", i), fmt.Sprintf("kind: Deployment\nname: db-%d\napp: org.db\nscopes: [read]\n", i))
	}
	for i := range 1000 {
		path := fmt.Sprintf("bad%d.yaml", i)
		problem := schema.Problem{File: path, Line: 1, Column: 1, Message: strings.Repeat("&", 200)}
		head.files[path] = desired.FileChange{Path: path, Parsed: schema.DesiredFile{Problems: schema.Problems{problem}}}
	}
	r := base.propose(head)
	text := r.Markdown()
	if len(text) > 60_000 || !strings.Contains(text, "more |") || !strings.Contains(text, "- and ") {
		t.Errorf("%d bytes:\n%s", len(text), text[:2000])
	}
	if r.Changes.Create != 1500 || len(r.Errors) != 1000 {
		t.Errorf("%+v, %d errors", r.Changes, len(r.Errors))
	}
}

// The pods that a row counts are those that run.
func TestLoses(t *testing.T) {
	base, head := stories()[2].worlds(t)
	pods := base.pods["stardist-john"]
	for _, state := range []backends.PodState{backends.PodFailed, backends.PodGoing, backends.PodExited} {
		p := pods[0]
		p.ID, p.State, p.Ordinal = string(state), state, 5
		pods = append(pods, p)
	}
	base.pods["stardist-john"] = pods
	if r := base.propose(head); r.Changes.Loses != 1 {
		t.Errorf("loses %d, and one runs", r.Changes.Loses)
	}
}
