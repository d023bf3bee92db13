package planner

import (
	"slices"
	"testing"
)

// What a revision must plan again besides what it is told of.
func TestReviseFollows(t *testing.T) {
	lost := func(name string) func(*world) { return func(w *world) { delete(w.pods, name); delete(w.docs, name) } }
	for _, c := range []struct {
		name   string
		before func(*world)
		after  func(*world)
		names  []string
		want   []string // what is planned
		john   Action
	}{
		{"nothing else", crowd(2), func(*world) {}, []string{"db-0"}, []string{"db-0"}, Keep},
		{"who waits for a GPU", all(takeGPUs, stardist(flavour("cuda"))), lost("alice"), []string{"alice"}, []string{"alice", "john"}, Create},
		{"who waits for a dependency", all(func(w *world) { w.declare("db", "org.db") }, func(w *world) { w.declare("other", "org.db") }, suspendedJohn),
			stardist(dependsOn("db")), []string{"john", "db"}, []string{"db", "john"}, Create},
		{"what the guard holds from now on", crowd(3), withdrawn(2), []string{"db-0", "db-1", "john"}, []string{"db-0", "db-1", "john"}, Hold},
		{"what is gone is planned too", all(crowd(0), func(w *world) { w.declare("gone", "org.db") }), lost("gone"), []string{"gone"}, []string{"gone"}, Keep},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			c.before(w)
			w.settle(t)
			plan := New(w.input())
			c.after(w)
			revised := plan.Revise(w.input(), c.names)
			if got := revised.Planned(); !slices.Equal(got, c.want) {
				t.Errorf("planned %v, want %v", got, c.want)
			}
			if d, _ := revised.Decision("john"); d.Action != c.john {
				t.Errorf("john: %s (%s), want %s", d.Action, d.Reason, c.john)
			}
		})
	}
}

func suspendedJohn(w *world) { w.declare("john", "org.stardist", suspended, dependsOn("db")) }

func TestReviseReleasesWhatTheGuardHeld(t *testing.T) {
	w := newWorld()
	crowd(3)(w)
	w.settle(t)
	withdrawn(2)(w)
	plan := New(w.input())
	confirm(w)
	revised := plan.Revise(w.input(), nil)
	if got, want := revised.Planned(), []string{"db-0", "db-1", "john"}; !slices.Equal(got, want) {
		t.Errorf("planned %v, want %v", got, want)
	}
	if s := revised.Summary(); s[Remove] != 3 {
		t.Error(s)
	}
}

func TestReviseStaysWherePodsAreOnTheirWay(t *testing.T) {
	w := newWorld()
	database()(w)
	plan := New(w.input())
	w.declare("alice", "org.db", on("lab"), memory(60e9)) // lab is full from now on
	in := w.input()
	if d, _ := plan.Revise(in, []string{"alice", "john"}).Decision("john"); d.Backend != "lab" {
		t.Errorf("john moved to %s while its pod may be on its way", d.Backend)
	}
	if d, _ := New(in).Decision("john"); d.Backend != "plain" {
		t.Errorf("afresh it would go to plain, not %s", d.Backend)
	}
	w.backend("lab").Priority = -1 // backends changed: all is planned again, and stays
	if p := plan.Revise(w.input(), nil); len(p.Planned()) != 2 {
		t.Errorf("planned %v", p.Planned())
	} else if d, _ := p.Decision("john"); d.Backend != "lab" {
		t.Errorf("john moved to %s", d.Backend)
	}
}
