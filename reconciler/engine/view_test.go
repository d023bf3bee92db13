package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
)

func TestViewShowsWhatIsKnown(t *testing.T) {
	bubble(t, 2, func(r *rig) {
		if v := r.engine.View(); v.Len() != 0 || v.Plan != nil || v.Outcome.Verdict != engine.Pending || v.Catalog == nil || len(v.Backends) != 2 {
			t.Errorf("before anything is known: %+v", v)
		}
		r.publish("0.1.0")
		if v := r.engine.View(); len(v.Catalog.Apps()) != 1 || !v.Backends[0].Known {
			t.Error("the view has no catalog or no backends before the desired state was read")
		}
		r.declare(hello("one"), hello("two", func(d *schema.Deployment) { d.App = "nothing" }))
		v := r.engine.View()
		one, _ := v.Status("one")
		if one.Backend == "" || one.Why == "" || one.Commit != v.State.Commit || one.Ready(time.Now()) != 1 || len(v.PodsOf("one")) != 1 || len(v.Pods()["one"]) != 1 {
			t.Errorf("one: %+v", one)
		}
		if _, ok := v.Status("three"); ok || v.PodsOf("three") != nil {
			t.Error("there is a third one")
		}
		var names []string
		for s := range v.Statuses() {
			names = append(names, s.Deployment+" "+string(s.State))
		}
		if got := strings.Join(names, ", "); got != "one ready, two waiting" || v.Len() != 2 {
			t.Errorf("%d deployments: %s", v.Len(), got)
		}
		if n := v.States(); len(n) != 2 || n[engine.StateReady] != 1 || n[engine.StateWaiting] != 1 {
			t.Errorf("states: %v", n)
		}
		if v.Outcome.Verdict != engine.Pending || !strings.Contains(v.Outcome.Summary, "1 of 2 running; two: ") {
			t.Errorf("outcome: %+v", v.Outcome)
		}
		told, err := planner.Explain(v.Input(time.Now()), "one")
		if decided, _ := v.Plan.Decision("one"); err != nil || told.Decision.Action != decided.Action || told.Decision.Backend != one.Backend {
			t.Errorf("explained %+v (%v), decided %+v", told.Decision, err, decided)
		}
	})
}

func TestAViewNeverChanges(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"), hello("two"))
		v := r.engine.View()
		before, pod := dump(v), v.PodsOf("one")[0]
		r.publish("0.1.0", "0.1.1")
		r.declare(hello("two"), hello("three"))
		r.engines[0].Cut()
		r.settle()
		if after := dump(v); after != before || v.PodsOf("one")[0].ID != pod.ID {
			t.Errorf("an old view was\n%s\nand is\n%s", before, after)
		}
		if now := dump(r.engine.View()); now == before {
			t.Error("the view of now is the old one")
		}
	})
}

// dump renders what a view says.
func dump(v *engine.View) string {
	text := fmt.Sprintf("%s %+v %v %v\n", v.State.Commit, v.Outcome, v.States(), v.Plan.Summary())
	for s := range v.Statuses() {
		text += fmt.Sprintf("%+v\n", *s)
	}
	for _, b := range v.Backends {
		text += fmt.Sprintf("%+v\n", b)
	}
	return text
}

func TestTheViewAfterARestart(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		commit := r.sources.desired.State.Commit
		r.declare(hello("one"), hello("two")) // which names one, and changes nothing of it
		r.stop()
		state := r.sources.desired.State
		r.sources.set(func() { r.sources.desired.State = nil })
		r.start()
		r.settle()
		if v := r.engine.View(); v.Len() != 0 || len(v.PodsOf("one")) != 1 || len(v.Pods()) != 2 {
			t.Errorf("before the desired state was read: %d deployments, pods %v", v.Len(), v.Pods())
		}
		r.sources.set(func() { r.sources.desired.State = state })
		r.engine.Changed(engine.Change{})
		r.settle()
		if s := r.status("one"); s.State != engine.StateReady || s.Commit != commit {
			t.Errorf("%+v, want it ready and made by %s", s, commit)
		}
	})
}

func TestTheCommitThatMadeItSo(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		first := r.sources.desired.State.Commit
		r.swap(hello("one"), hello("two"))
		r.engine.Changed(engine.Change{Deployments: []string{"two"}})
		r.settle()
		second := r.sources.desired.State.Commit
		if one, two := r.status("one"), r.status("two"); one.Commit != first || two.Commit != second {
			t.Errorf("commits %s and %s, want %s and %s", one.Commit, two.Commit, first, second)
		}
		r.publish("0.1.0", "0.1.1")
		if one := r.status("one"); one.Commit != second || one.Pods[0].Commit != second {
			t.Errorf("after the release: %+v, want the commit in force then, %s", one, second)
		}
	})
}

func TestOnlyWhatFailedHasAHint(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.engines[0].SetImage("hello:0.2.0", memory.Image{StartError: "exec: no such file"})
		r.publish("0.1.0", "0.2.0")
		r.declare(hello("good", func(d *schema.Deployment) { d.Version = "0.1.0" }), hello("bad"))
		good, bad := r.status("good"), r.status("bad")
		if good.Hint() != "" || bad.State != engine.StateFailed || !strings.Contains(bad.Hint(), "berth retry bad") {
			t.Errorf("hints %q and %q", good.Hint(), bad.Hint())
		}
	})
}

// A backend that does not answer is told of, also where no deployment is concerned.
func TestFollowTellsOfBackends(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.settle()
		ctx, cancel := context.WithCancel(r.t.Context())
		ended := make(chan error, 1)
		var told []string
		go func() {
			ended <- r.engine.Follow(ctx, func(names []string) error {
				told = append(told, fmt.Sprint(names, r.engine.View().Backends[0].Problem == ""))
				return nil
			})
		}()
		synctest.Wait()
		told = nil
		for _, step := range []struct {
			do   func()
			want string
		}{{r.engines[0].Cut, "[] false"}, {r.engines[0].Restore, "[] true"}} {
			step.do()
			r.settle()
			if len(told) == 0 || told[len(told)-1] != step.want {
				t.Errorf("told %q, want %q at last", told, step.want)
			}
		}
		cancel()
		<-ended
	})
}

// The log that is to be looked at is that of the pod that failed, not of the one
// that runs on.
func TestTheHintNamesTheLogThatTells(t *testing.T) {
	ran, failed := backends.Pod{State: backends.PodRunning}, backends.Pod{State: backends.PodFailed}
	for _, tc := range []struct {
		pods []backends.Pod
		want string
	}{
		{nil, "change what the reason names, and push; or try the same again with 'berth retry web'"},
		{[]backends.Pod{failed}, "look at 'berth logs web'; then push a change, or try the same again with 'berth retry web'"},
		{[]backends.Pod{ran}, "look at 'berth logs web'; then push a change, or try the same again with 'berth retry web'"},
		{[]backends.Pod{ran, failed}, "look at 'berth logs web --failed'; then push a change, or try the same again with 'berth retry web'"},
	} {
		s := engine.Status{Deployment: "web", State: engine.StateFailed, Pods: tc.pods}
		if got := s.Hint(); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}

func TestFollowTellsWhatChanged(t *testing.T) {
	bubble(t, 1, func(r *rig) {
		r.publish("0.1.0")
		r.declare(hello("one"), hello("two"))
		ctx, cancel := context.WithCancel(r.t.Context())
		hold, ended := make(chan struct{}), make(chan error, 1)
		var told [][]string
		go func() {
			ended <- r.engine.Follow(ctx, func(names []string) error {
				if told = append(told, names); len(told) > 1 {
					<-hold
				}
				return nil
			})
		}()
		r.engine.Changed(engine.Change{Everything: true})
		r.settle()
		if len(told) != 1 || len(told[0]) > 0 {
			t.Errorf("told though nothing changed: %v", told)
		}
		r.engines[0].Kill(r.pods("two")[0].ID) // while its reader is busy, the rest is gathered
		r.settle()
		r.declare(hello("one"), hello("three"))
		if len(told) != 2 || !slices.Equal(told[1], []string{"two"}) {
			t.Errorf("at first: %v", told)
		}
		close(hold)
		synctest.Wait()
		if len(told) != 3 || !slices.Contains(told[2], "two") || !slices.Contains(told[2], "three") || !slices.IsSorted(told[2]) {
			t.Errorf("then: %v", told)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		enough := errors.New("enough")
		go func() { ended <- r.engine.Follow(r.t.Context(), func([]string) error { return enough }) }()
		if err := <-ended; !errors.Is(err, enough) {
			t.Error(err)
		}
	})
}
