package engine

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/berthdev/berth/sources/desired"
	"github.com/berthdev/berth/sources/sorted"
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

// unread is the outcome before there is a commit.
var unread = Outcome{Verdict: Pending, Summary: "the desired state was not read yet"}

// Outcome returns what became of the commit that is in force: where the sources
// hold a newer one than the view, that it is pending. It does not wait.
func (e *Engine) Outcome() Outcome {
	v := e.View()
	switch state := e.sources.Desired().State; {
	case state == nil:
		return unread
	case state != v.State:
		return Outcome{Commit: state.Commit, Verdict: Pending, Summary: "it was not planned yet"}
	}
	return v.Outcome
}

// outcome sums up all deployments of the commit of a view. The caller holds mu.
func (e *Engine) outcome(v *View) Outcome {
	if v.State == nil {
		return unread
	}
	t := &v.tally
	o := Outcome{
		Commit: v.State.Commit, Verdict: Success,
		Summary: fmt.Sprintf("%d of %d running", t.running, v.State.Len()),
	}
	if v.State.Len() == 0 {
		o.Summary = "no deployment is declared"
	}
	switch {
	case t.failed():
		o.Verdict = Failure
		o.Summary += "; " + first(t.bad, t.problems...)
	case t.open.Len() > 0:
		o.Verdict = Pending
		o.Summary += "; " + first(t.open)
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

// failed tells whether anything will not become ready without a person.
func (t *tally) failed() bool { return t.bad.Len()+len(t.problems) > 0 }

// read takes in what is wrong in the documents of a state.
func (t *tally) read(state *desired.State) {
	t.problems = nil
	for _, p := range state.Errors() {
		t.problems = append(t.problems, p.Error())
	}
	slices.Sort(t.problems)
}

// first names the first of several things, and how many more there are.
func first(of sorted.Map[Status], others ...string) string {
	var all []string
	for s := range of.Values() {
		all = append(all, s.Deployment+": "+s.Reason)
		break
	}
	if len(others) > 0 {
		all = append(all, others[0])
	}
	text, _, _ := strings.Cut(slices.Min(all), "\n")
	if more := of.Len() + len(others) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// tellOutcome logs what became of the commit that was planned when that is news.
// A failure is told as soon as it is known, and again, when nothing is on its way
// any more, if it became another. The caller holds mu.
func (e *Engine) tellOutcome() {
	v := e.View()
	o, open, bad := v.Outcome, v.tally.open.Len() > 0, v.tally.failed()
	if e.last.Commit != o.Commit {
		e.last = Outcome{Commit: o.Commit}
		e.outcomes.refill()
	}
	if open && !bad {
		e.last.Verdict = Pending // whatever comes of it is news
	}
	if open && e.last.Verdict == Failure || o.Verdict == Pending || o == e.last || o.Verdict == Success && e.last.Verdict == Success {
		return
	}
	e.last = o
	level := slog.LevelInfo
	if o.Verdict == Failure {
		level = slog.LevelError
	}
	e.recordOutcome(o, level)
	e.outcomes.tell(e.log, level, "commit "+string(o.Verdict)+": "+o.Summary, "commit", short(o.Commit))
}
