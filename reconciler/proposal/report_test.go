package proposal_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/reconciler/proposal"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
	"github.com/berthdev/berth/sources/forge"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	john   = "kind: Deployment\nname: stardist-john\napp: org.stardist\nversion: 0.4.9\nenv: {LOG_LEVEL: info}\n"
	bob    = "kind: Deployment\nname: stardist-bob\napp: org.stardist\nflavour: cuda\n"
	db     = "kind: Deployment\nname: db\napp: org.db\nscopes: [read]\n"
	other  = "kind: Deployment\nname: other\napp: org.db\nscopes: [read]\nreplicas: 2\n"
	repo   = "kind: Repo\nname: apps\nurl: https://git.example.org/apps.git\n"
	broken = "kind: Deployment\nname: cache\napp: org.db\nreplica: 2\n"
)

// A story is a proposal, and what it is compared with.
type story struct {
	name      string
	base      map[string]string // files that are settled
	set       func(*world)      // changes about the world, after it settled
	head      map[string]string // files that the proposal has otherwise; "": gone
	conflicts []string
	verdict   forge.State
}

func all() map[string]string {
	return map[string]string{"john.yaml": john, "db.yaml": db, "other.yaml": other}
}

func with(text string, changes ...string) string {
	return strings.NewReplacer(changes...).Replace(text)
}

func stories() []story {
	return []story{
		{name: "nothing", base: all(), head: map[string]string{"john.yaml": "\n# A comment.\n" + john}, verdict: forge.Success},
		{name: "untouched", base: all(), head: map[string]string{"db.yaml": db + "rollout: {timeout: 5m}\n"}, verdict: forge.Success},
		{name: "release", base: all(), head: map[string]string{"john.yaml": with(john, "0.4.9", "0.4.11")}, verdict: forge.Success},
		{name: "several", base: all(), verdict: forge.Success, head: map[string]string{
			"john.yaml": with(john, "0.4.9", "0.4.11"), "db.yaml": "", "other.yaml": with(other, "replicas: 2", "replicas: 3\nenv: {DB_MODE: fast, DB_PASSWORD: hunter2}"),
			"new.yaml": with(db, "db", "new", "org.new", "org.db") + "---\n" + with(db, "name: db", "name: after") + "dependsOn: [new]\n",
		}},
		{name: "rolling", base: all(), head: map[string]string{"other.yaml": other + "user: ada\nworkdir: /hunter2\n"}, verdict: forge.Success},
		{name: "scaled", base: all(), head: map[string]string{"other.yaml": with(other, "2", "1")}, verdict: forge.Success},
		{name: "grown", base: all(), head: map[string]string{"other.yaml": with(other, "2", "3")}, verdict: forge.Success},
		{name: "moved", base: all(), head: map[string]string{"other.yaml": other + "backend: annex\n"}, verdict: forge.Success},
		{name: "suspended", base: all(), head: map[string]string{"john.yaml": with(john, "0.4.9", "0.4.11") + "suspend: true\n"}, verdict: forge.Success},
		{name: "waits for a GPU", base: all(), head: map[string]string{"bob.yaml": bob}, verdict: forge.Success},
		{name: "gives a GPU", base: map[string]string{"john.yaml": john, "db.yaml": db, "bob.yaml": bob}, head: map[string]string{"john.yaml": ""}, verdict: forge.Success},
		{name: "takes a GPU", base: map[string]string{"db.yaml": db}, verdict: forge.Success,
			set: func(w *world) { w.write("bob.yaml", bob) }, head: map[string]string{"a.yaml": with(bob, "stardist-bob", "a")}},
		{name: "never created", base: all(), set: func(w *world) { w.write("bob.yaml", bob) }, head: map[string]string{"bob.yaml": ""}, verdict: forge.Success},
		{name: "error", base: all(), head: map[string]string{"cache.yaml": broken}, verdict: forge.Failure},
		{name: "errors", base: map[string]string{"john.yaml": john, "cache.yaml": broken}, verdict: forge.Failure, head: map[string]string{
			"cache.yaml": "# One line more.\n" + broken, "x.yaml": with(broken, "cache", "x", "replica:", "verison:") + "dependsOn: [nobody]\n", "john.yaml": john + "scope: []\n",
		}},
		{name: "conflict", base: all(), head: map[string]string{"db.yaml": db + "user: ada\n"}, conflicts: []string{"other.yaml", "john.yaml"}, verdict: forge.Failure},
		{name: "never runs", base: all(), verdict: forge.Failure, head: map[string]string{
			"db.yaml": with(db, "scopes: [read]\n", ""), "new.yaml": with(db, "name: db", "name: new") + "backend: moon\n", "john.yaml": with(john, "0.4.9", "0.4.11"),
		}},
		{name: "no such release", base: all(), head: map[string]string{"john.yaml": with(john, "0.4.9", "9.9.9")}, verdict: forge.Success},
		{name: "too many removals", base: map[string]string{"a.yaml": john, "b.yaml": db, "c.yaml": other, "d.yaml": with(db, "name: db", "name: d")},
			head: map[string]string{"a.yaml": "", "b.yaml": "", "c.yaml": ""}, verdict: forge.Success},
		{name: "too many removed before", base: map[string]string{"a.yaml": john, "b.yaml": db, "c.yaml": other, "d.yaml": with(db, "name: db", "name: d"), "e.yaml": with(db, "name: db", "name: e")},
			set: func(w *world) {
				for _, gone := range []string{"a.yaml", "b.yaml", "c.yaml"} {
					delete(w.files, gone)
				}
				w.set = func(in *planner.Input) { in.HeldOf = 4 } // one came in their place
			},
			head: map[string]string{"d.yaml": ""}, verdict: forge.Success},
		{name: "confirmed before", base: map[string]string{"a.yaml": john, "b.yaml": db, "c.yaml": other, "d.yaml": with(db, "name: db", "name: d")},
			set:  func(w *world) { w.set = func(in *planner.Input) { in.Confirmed = true } },
			head: map[string]string{"a.yaml": "", "b.yaml": "", "c.yaml": ""}, verdict: forge.Success},
		{name: "went back", base: all(), verdict: forge.Success, head: map[string]string{"john.yaml": with(john, "0.4.9", "0.4.11")}, set: func(w *world) {
			delete(w.files, "db.yaml")
			w.set = func(in *planner.Input) {
				in.Rewound = "the desired state went back from commit 1234567 to abcdef0"
			}
		}},
		{name: "not read yet", base: all(), set: func(w *world) {
			delete(w.files, "db.yaml")
			w.set = func(in *planner.Input) { in.Unreadable = "its repository did not answer" }
		}, head: map[string]string{"john.yaml": ""}, verdict: forge.Success},
		{name: "repos", base: map[string]string{"john.yaml": john, "apps.yaml": repo}, verdict: forge.Success, head: map[string]string{
			"apps.yaml": "", "more.yaml": with(repo, "name: apps", "name: more"), "new.yaml": "kind: Deployment\nname: new\napp: org.new\n",
		}},
		{name: "other repos", base: map[string]string{"john.yaml": john, "apps.yaml": repo}, verdict: forge.Success, head: map[string]string{
			"apps.yaml": repo + "ref: next\npriority: 3\n",
		}},
		{name: "rules of repos", base: map[string]string{"john.yaml": john, "apps.yaml": repo}, verdict: forge.Success, head: map[string]string{
			"apps.yaml": repo + "apps: [org.nothing]\n",
		}},
		{name: "interval of repos", base: map[string]string{"john.yaml": john, "apps.yaml": repo}, verdict: forge.Success, head: map[string]string{
			"apps.yaml": repo + "interval: 5m\n",
		}},
		{name: "blind", base: all(), verdict: forge.Success, head: map[string]string{"john.yaml": with(john, "0.4.9", "0.4.11"), "bob.yaml": bob}, set: func(w *world) {
			w.pods = map[string][]backends.Pod{}
			for i := range w.backends {
				w.backends[i].Known, w.backends[i].Problem = false, "cannot connect to tcp://10.1.2.3:2375"
			}
		}},
		{name: "one does not answer", base: all(), verdict: forge.Success, head: map[string]string{"john.yaml": with(john, "0.4.9", "0.4.11")}, set: func(w *world) {
			w.backends[0].Problem = "cannot connect to tcp://10.1.2.3:2375"
		}},
		{name: "hostile", base: all(), verdict: forge.Failure, head: map[string]string{
			"</code></td>|@ada ![x](http://evil.example/x.png)\n<img src=x>/a.yaml": "kind: Deployment\nname: evil\napp: \"@everyone | <script>alert(1)</script>\"\nversion: \"`1` | [x](https://evil.example) #1 !2\"\n",
			"z.yaml": "kind: Deployment\nname: '</details> @ada'\napp: x\n\"<b>@ada</b> | x\": 1\n",
		}},
	}
}

func (s story) worlds(t testing.TB) (base, head *world) {
	base = newWorld()
	base.pods = map[string][]backends.Pod{}
	for path, text := range s.base {
		base.write(path, text)
	}
	base.settle(t)
	if s.set != nil {
		s.set(base)
	}
	head = base.clone()
	for path, text := range s.head {
		if text == "" {
			delete(head.files, path)
			continue
		}
		head.write(path, text)
	}
	return base, head
}

// TestReports holds every form of a report to a golden file: "go test -update"
// writes them anew.
func TestReports(t *testing.T) {
	for _, s := range stories() {
		t.Run(s.name, func(t *testing.T) {
			base, head := s.worlds(t)
			r := base.propose(head, s.conflicts...)
			if got := r.Verdict(); got != s.verdict {
				t.Errorf("verdict %s, want %s", got, s.verdict)
			}
			if n := len([]rune(r.Summary())); n > proposal.MaxSummary {
				t.Errorf("the summary has %d letters", n)
			}
			text := fmt.Sprintf("summary: %s\nverdict: %s\n\n%s\n%s", r.Summary(), r.Verdict(), r.Markdown(), r.Annotations("desired"))
			golden(t, s.name+".md", text)
			if strings.Contains(text, "hunter2") || strings.Contains(text, "10.1.2.3") {
				t.Error("it tells what it must not")
			}
		})
	}
}

// The fields of the JSON stay.
func TestJSON(t *testing.T) {
	for _, s := range stories() {
		if s.name != "several" && s.name != "errors" && s.name != "nothing" {
			continue
		}
		base, head := s.worlds(t)
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetIndent("", "  ")
		if err := enc.Encode(base.propose(head)); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), "null,\n") && s.name == "nothing" {
			t.Error("an array is null")
		}
		golden(t, s.name+".json", text.String())
	}
}

// What a plan would do now, without a proposal.
func TestNow(t *testing.T) {
	base, head := stories()[3].worlds(t)
	head.pods = base.pods
	r := proposal.Now(head.input())
	golden(t, "now.md", fmt.Sprintf("summary: %s\n\n%s\n%s", r.Summary(), r.Markdown(), r.Annotations("")))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-"))
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// A plan of nothing is a report of nothing.
func TestEmpty(t *testing.T) {
	r := proposal.New(planner.Input{}, nil, proposal.Proposed{State: desired.New("")})
	if got := r.Summary(); got != "no pod is touched" {
		t.Error(got)
	}
	if r := proposal.New(planner.Input{Catalog: catalog.New()}, nil, proposal.Proposed{State: desired.New("")}); len(r.Rows) != 0 || r.Verdict() != forge.Success {
		t.Errorf("%+v", r)
	}
}

// What people read in it stands there as it is written.
func TestJSONIsReadable(t *testing.T) {
	at := func(n int) *proposal.Placement { return &proposal.Placement{Release: "1.0.0", Replicas: n} }
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&proposal.Report{Rows: []proposal.Row{{Deployment: "web", Action: planner.Create, From: at(1), To: at(2)}}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "1 -> 2 pods") {
		t.Error(out.String())
	}
}
