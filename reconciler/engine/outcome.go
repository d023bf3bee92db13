package engine

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Verdict is the outcome of a commit of the desired state.
type Verdict string

// The verdicts.
const (
	Pending Verdict = "pending"
	Success Verdict = "success" // every pod that it declares is ready
	Failure Verdict = "failure" // something will not become ready without a person
)

// An Outcome is what became of a commit. It holds no secret and no time, so
// that equal outcomes are equal values.
type Outcome struct {
	Commit  string
	Verdict Verdict
	Summary string // "11 of 12 running; stardist-john: image not found"
}

// Outcome returns what became of the commit that is in force.
func (e *Engine) Outcome() Outcome {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.outcome()
}

// outcome sums up all deployments. The caller holds mu.
func (e *Engine) outcome() Outcome {
	state := e.desired.State
	if state == nil {
		return Outcome{Verdict: Pending, Summary: "the desired state was not read yet"}
	}
	bad := e.reasons(StateFailed, StateHeld)
	for _, p := range state.Problems().Errors() {
		bad = append(bad, p.Error())
	}
	open := e.reasons(StateWaiting, StateProgressing, StateRemoving)
	o := Outcome{
		Commit: state.Commit, Verdict: Success,
		Summary: fmt.Sprintf("%d of %d running", len(e.inState[StateReady]), state.Len()),
	}
	if state.Len() == 0 {
		o.Summary = "no deployment is declared"
	}
	switch {
	case len(bad) > 0:
		o.Verdict = Failure
		o.Summary += "; " + first(bad)
	case len(open) > 0:
		o.Verdict = Pending
		o.Summary += "; " + first(open)
	}
	return o
}

// reasons lists, sorted, why deployments are in one of the states.
func (e *Engine) reasons(states ...State) []string {
	var out []string
	for _, state := range states {
		for name, s := range e.inState[state] {
			out = append(out, name+": "+s.Reason)
		}
	}
	slices.Sort(out)
	return out
}

// first names the first of several things, and how many more there are.
func first(of []string) string {
	text, _, _ := strings.Cut(of[0], "\n")
	if len(of) > 1 {
		text += fmt.Sprintf(" (and %d more)", len(of)-1)
	}
	return text
}

// tellOutcome logs what became of the commit in force when that is news, pending
// ones apart. The caller holds mu.
func (e *Engine) tellOutcome() {
	if e.open() && len(e.inState[StateFailed])+len(e.inState[StateHeld]) == 0 {
		e.settled = "" // whatever comes of it is news
		return
	}
	o := e.outcome()
	key := o.Commit + " " + string(o.Verdict)
	if o.Verdict == Failure {
		key += o.Summary
	}
	if o.Verdict == Pending || e.settled == key {
		return
	}
	e.settled = key
	level := slog.LevelInfo
	if o.Verdict == Failure {
		level = slog.LevelError
	}
	e.log.Log(context.Background(), level, "commit "+string(o.Verdict)+": "+o.Summary, "commit", short(o.Commit))
}

// open tells whether some deployment is on its way. The caller holds mu.
func (e *Engine) open() bool {
	return len(e.inState[StateWaiting])+len(e.inState[StateProgressing])+len(e.inState[StateRemoving]) > 0
}
