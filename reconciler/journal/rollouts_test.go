package journal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/berthdev/berth/reconciler/journal"
)

// story renders rollouts as "3 ready, 2 superseded", by their inputs.
func story(rollouts []journal.Rollout) string {
	var parts []string
	for _, r := range rollouts {
		part := r.Input + " " + string(r.State)
		if ended := !r.Ended.IsZero(); ended != (r.State != journal.Progressing) {
			part += fmt.Sprintf(" (ended: %v)", ended)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

func TestRollouts(t *testing.T) {
	j := journal.New(journal.Options{Now: clock()})
	expect := func(want string) {
		t.Helper()
		if got := story(j.Rollouts("one")); got != want {
			t.Errorf("the rollouts are %q, want %q", got, want)
		}
	}
	j.Turn("one", journal.Ready, "nothing began")
	expect("")
	j.Begin(journal.Rollout{Deployment: "one", Input: "1"})
	j.Turn("one", journal.Progressing, "pulls")
	expect("1 progressing")
	j.Turn("one", journal.Ready, "1 of 1")
	j.Turn("one", journal.Failed, "what is over is over")
	expect("1 ready")
	j.Begin(journal.Rollout{Deployment: "one", Input: "2"})
	j.Begin(journal.Rollout{Deployment: "one", Input: "3"})
	expect("3 progressing, 2 superseded, 1 ready")
	j.Turn("one", journal.Failed, "no such file")
	j.Turn("one", journal.Progressing, "not any more")
	expect("3 failed, 2 superseded, 1 ready")
	if r, _ := j.Rollout("one"); r.Reason != "no such file" {
		t.Errorf("the reason is %q", r.Reason)
	}
	j.Turn("one", journal.Ready, "after all")
	expect("3 ready, 2 superseded, 1 ready")
	if len(j.Rollouts("two")) > 0 {
		t.Error("another deployment has rollouts")
	}
}

func TestRolloutsThatPodsTellOf(t *testing.T) {
	j := journal.New(journal.Options{Now: clock()})
	old := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	of := func(input string, days int, state journal.RolloutState) journal.Rollout {
		at := old.AddDate(0, 0, days)
		r := journal.Rollout{Deployment: "one", Backend: "b", Input: input, State: state, Started: at}
		if state != journal.Progressing {
			r.Ended = at.Add(time.Minute)
		}
		return r
	}
	j.Begin(journal.Rollout{Deployment: "one", Backend: "b", Input: "4"})
	j.Remember([]journal.Rollout{of("3", 3, journal.Failed), of("1", 1, journal.Ready), of("2", 2, journal.Ready), of("4", 4, journal.Failed)})
	if got, want := story(j.Rollouts("one")), "4 progressing, 3 failed, 2 ready, 1 ready"; got != want {
		t.Errorf("the rollouts are %q, want %q", got, want)
	}
}

// Of each deployment the newest rollouts are kept, and only the newest goes on.
func TestRolloutsAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 4).Draw(t, "most")
		j := journal.New(journal.Options{Rollouts: most, Now: clock()})
		begun := map[string]int{}
		for range rapid.IntRange(0, 30).Draw(t, "n") {
			name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "deployment")
			if rapid.Bool().Draw(t, "begins") {
				begun[name]++
				j.Begin(journal.Rollout{Deployment: name, Input: fmt.Sprint(begun[name])})
				continue
			}
			j.Turn(name, rapid.SampledFrom([]journal.RolloutState{journal.Progressing, journal.Ready, journal.Failed}).Draw(t, "to"), "")
		}
		for name, n := range begun {
			got := j.Rollouts(name)
			if len(got) != min(n, most) {
				t.Fatalf("%d rollouts of %s, want %d of %d", len(got), name, most, n)
			}
			for i, r := range got {
				if r.Input != fmt.Sprint(n-i) || i > 0 && r.State == journal.Progressing || r.Ended.IsZero() != (r.State == journal.Progressing) {
					t.Fatalf("rollout %d of %s: %+v", i, name, r)
				}
			}
		}
	})
}
