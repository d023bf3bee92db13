package planner

import (
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/desired"
)

// crowd declares john and n more databases.
func crowd(n int) func(*world) {
	return func(w *world) {
		database()(w)
		for i := range n {
			w.declare(numbered("db", i), "org.db")
		}
	}
}

// withdrawn lets john and n more be declared no more.
func withdrawn(n int) func(*world) {
	return func(w *world) {
		delete(w.docs, "john")
		for i := range n {
			delete(w.docs, numbered("db", i))
		}
	}
}

func says(change func(*Input)) func(*world) { return func(w *world) { w.set = change } }

func TestRemove(t *testing.T) {
	unreadable := func(in *Input) { in.Unreadable = "folder apps cannot be read" }
	rewound := func(in *Input) { in.Rewound = "the desired state went back from 1234567 to 89abcde" }
	broken := func(raw string, of ...schema.Ref) func(*world) {
		return func(w *world) {
			w.files = append(w.files, desired.FileChange{Path: "broken.yaml", Raw: []byte(raw), Parsed: schema.DesiredFile{
				Broken: of, Problems: schema.Problems{{Line: 3, Column: 5, Message: "unknown key"}},
			}})
		}
	}
	john := schema.Ref{Kind: "Deployment", Name: "john"}
	for _, s := range []story{
		{name: "declared no more", before: crowd(0), after: withdrawn(0), want: want{action: Remove, says: []string{"declared no more"}}},
		{name: "half of all", before: crowd(3), after: withdrawn(1), want: want{action: Remove}},
		{name: "more than half of all", before: crowd(3), after: withdrawn(2),
			want: want{action: Hold, kind: schema.Invalid, says: []string{"3 of 4 running deployments", "db-0, db-1, john", `"Berth-Confirm: removal"`}}},
		{name: "all of three", before: crowd(2), after: withdrawn(2), want: want{action: Remove}},
		{name: "more than half, and confirmed", before: crowd(3), after: all(withdrawn(2), says(func(in *Input) { in.Confirmed = true })), want: want{action: Remove}},
		{name: "many are named in short", before: crowd(9), after: withdrawn(9), want: want{action: Hold, says: []string{"10 of 10", "and 5 more"}}},
		{name: "what only starts does not count", before: crowd(3), after: all(withdrawn(2), func(w *world) {
			for i := range 9 {
				w.declare(numbered("new", i), "org.db")
			}
		}), want: want{action: Hold}},
		{name: "something cannot be read", before: crowd(0), after: all(withdrawn(0), says(unreadable)),
			want: want{action: Hold, kind: schema.Waiting, says: []string{"folder apps cannot be read"}}},
		{name: "confirmed, but something cannot be read", before: crowd(0), after: all(withdrawn(0), says(func(in *Input) { unreadable(in); in.Confirmed = true })),
			want: want{action: Hold, kind: schema.Waiting}},
		{name: "the desired state went back", before: crowd(0), after: all(withdrawn(0), says(rewound)),
			want: want{action: Hold, kind: schema.Invalid, says: []string{"went back", "Berth-Confirm"}}},
		{name: "and that is confirmed", before: crowd(0), after: all(withdrawn(0), says(func(in *Input) { rewound(in); in.Confirmed = true })), want: want{action: Remove}},
		{name: "the desired state was not read", before: crowd(0), after: says(func(in *Input) { in.Desired = nil }),
			want: want{action: Hold, kind: schema.Waiting, says: []string{"was not read yet"}}},
		{name: "its document is broken", before: crowd(0), after: all(withdrawn(0), broken("", john)),
			want: want{action: Hold, kind: schema.Invalid, says: []string{"broken.yaml:3:5", "unknown key"}}},
		{name: "its document is broken, and nothing runs", after: broken("", john), want: want{action: Hold, kind: schema.Invalid, says: []string{"unknown key"}}},
		{name: "a broken file names it", before: crowd(0), after: all(withdrawn(0), broken("name: john")), want: want{action: Hold, kind: schema.Invalid, says: []string{"unknown key"}}},
		{name: "a broken file names another", before: crowd(0), after: all(withdrawn(0), broken("name: jane")), want: want{action: Remove}},
		{name: "what cannot be read counts as running, not as removed", before: crowd(3), after: all(withdrawn(2), broken("db-0 db-1")), want: want{action: Remove}},
		{name: "even a broken document is confirmed by nobody", before: crowd(0), after: all(withdrawn(0), broken("", john), says(func(in *Input) { in.Confirmed = true })),
			want: want{action: Hold}},
		{name: "nothing else is held while removals are", before: crowd(5), after: all(withdrawn(5), database(env("A", "1"))), want: want{action: Replace}},
	} {
		s.run(t)
	}
}

func TestRemoveLeavesEveryBackend(t *testing.T) {
	w := newWorld()
	database(on("plain"))(w)
	w.settle(t)
	d := w.decide(t, "john")
	other := *d.Workload
	other.Backend = "lab"
	w.start(&other, 0)
	withdrawn(0)(w)
	if d := w.decide(t, "john"); len(d.Leave) != 2 || d.Position.File != "" {
		t.Errorf("leaves %v, declared at %v", d.Leave, d.Position)
	}
	w.backend("lab").Problem = "gone"
	if d := w.decide(t, "john"); d.Action != Remove || len(d.Leave) != 1 || d.Leave[0] != "plain" {
		t.Errorf("%s of %v", d.Action, d.Leave)
	}
}

func TestGuard(t *testing.T) {
	w := newWorld()
	crowd(4)(w)
	w.settle(t)
	if g := New(w.input()).Guard(); g.Active() || g.Running != 5 || g.Orphans != 0 {
		t.Errorf("%+v", g)
	}
	withdrawn(3)(w)
	p := New(w.input())
	if g := p.Guard(); !g.Active() || g.Running != 5 || g.Orphans != 4 {
		t.Errorf("%+v", g)
	}
	if got, want := p.Summary().String(), "1 to keep, 4 to hold"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if p.Summary().Changes() != 0 || p.Commit() != "c1" {
		t.Errorf("%d changes at %s", p.Summary().Changes(), p.Commit())
	}
	if got, want := New(Input{}).Summary().String(), "nothing is declared, nothing runs"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What a commit adds in place of what it removes does not lift the guard once it runs.
func TestRenamed(t *testing.T) {
	w := newWorld()
	crowd(4)(w)
	w.settle(t)
	withdrawn(4)(w)
	for i := range 5 {
		w.declare(numbered("renamed", i), "org.db")
	}
	w.set = func(in *Input) { in.Desired, _ = in.Desired.With("c2") }
	p := New(w.input())
	if g := p.Guard(); !g.TooMany() || g.Former != 5 || g.Orphans != 5 {
		t.Fatalf("at once: %+v", g)
	}
	w.now = w.now.Add(time.Hour)
	w.carryOut(p)
	for name, c := range map[string]struct {
		change func(*Input)
		held   bool
	}{
		"in the same process": {func(in *Input) { in.HeldOf = p.Guard().Former }, true},
		"after a restart":     {func(in *Input) { in.First = true }, true},
		"after another commit and a restart": {func(in *Input) {
			in.First = true
			in.Desired, _ = in.Desired.With("c3")
		}, true},
		"confirmed":  {func(in *Input) { in.HeldOf, in.Confirmed = p.Guard().Former, true }, false},
		"never held": {func(*Input) {}, false}, // 5 of 10
	} {
		in := w.input()
		c.change(&in)
		g := New(in).Guard()
		if g.TooMany() != c.held || g.Active() != c.held || g.Running != 10 {
			t.Errorf("%s: %+v", name, g)
		}
		if want := "5 running deployments are declared no more"; c.held && !strings.HasPrefix(g.Reason, want) { // of 10
			t.Errorf("%s: %q, want %q…", name, g.Reason, want)
		}
	}
	for i := range 3 { // people declare some again
		w.declare(numbered("db", i), "org.db")
	}
	in := w.input()
	in.HeldOf = p.Guard().Former
	if g := New(in).Guard(); g.Active() || g.Orphans != 2 {
		t.Errorf("with few orphans: %+v", g)
	}
}
