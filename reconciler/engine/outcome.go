package engine

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
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
	switch state := e.sources.Desired().State; {
	case state == nil:
		return Outcome{Verdict: Pending, Summary: "the desired state was not read yet"}
	case state != e.view.State:
		return Outcome{Commit: state.Commit, Verdict: Pending, Summary: "it was not planned yet"}
	}
	return e.outcome()
}

// outcome sums up all deployments of the commit that was planned. The caller holds mu.
func (e *Engine) outcome() Outcome {
	state := e.view.State
	running := len(e.inState[StateReady])
	bad := e.reasons(StateFailed)
	for name, s := range e.inState[StateHeld] {
		if e.runsSuspended(name) {
			running++
		} else {
			bad = append(bad, name+": "+s.Reason)
		}
	}
	for _, p := range state.Problems().Errors() {
		bad = append(bad, p.Error())
	}
	open := e.reasons(StateWaiting, StateProgressing, StateRemoving)
	o := Outcome{
		Commit: state.Commit, Verdict: Success,
		Summary: fmt.Sprintf("%d of %d running", running, state.Len()),
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
	case e.last.Commit == o.Commit && e.last.Verdict == Success:
		// It stays so until the pods are known to be otherwise.
	default:
		if name := e.world.anyOutdated(); name != "" {
			o.Verdict = Pending
			o.Summary += "; " + name + ": its pods changed, and are being looked at"
		}
	}
	return o
}

// runsSuspended tells whether a deployment is suspended while its pods run: then
// all is as it is declared. The caller holds mu.
func (e *Engine) runsSuspended(name string) bool {
	d, declared := e.view.State.Deployment(name)
	return declared && d.Suspend && ready(e.world.pods[name], time.Now()) >= d.ReplicaCount()
}

// reasons lists why deployments are in one of the states.
func (e *Engine) reasons(states ...State) []string {
	var out []string
	for _, state := range states {
		for name, s := range e.inState[state] {
			out = append(out, name+": "+s.Reason)
		}
	}
	return out
}

// first names the first of several things, and how many more there are.
func first(of []string) string {
	text, _, _ := strings.Cut(slices.Min(of), "\n")
	if len(of) > 1 {
		text += fmt.Sprintf(" (and %d more)", len(of)-1)
	}
	return text
}

// tellOutcome logs what became of the commit that was planned when that is news.
// A failure is told as soon as it is known, and again, when nothing is on its way
// any more, if it became another. The caller holds mu.
func (e *Engine) tellOutcome() {
	commit := e.view.State.Commit
	if e.last.Commit != commit {
		e.last = Outcome{Commit: commit}
		e.outcomes.refill()
	}
	open := len(e.inState[StateWaiting])+len(e.inState[StateProgressing])+len(e.inState[StateRemoving]) > 0
	bad := len(e.inState[StateFailed])+len(e.inState[StateHeld])+len(e.view.State.Problems().Errors()) > 0
	if open && !bad {
		e.last.Verdict = Pending // whatever comes of it is news
	}
	if open && (!bad || e.last.Verdict == Failure) {
		return // nothing to tell yet: spare the sum
	}
	o := e.outcome()
	if o.Verdict == Pending || o == e.last || o.Verdict == Success && e.last.Verdict == Success {
		return
	}
	e.last = o
	level := slog.LevelInfo
	if o.Verdict == Failure {
		level = slog.LevelError
	}
	e.outcomes.tell(e.log, level, "commit "+string(o.Verdict)+": "+o.Summary, "commit", short(commit))
}
