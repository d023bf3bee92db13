package engine

import (
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
)

// State is where a deployment stands, in one word.
type State string

// The states of deployments.
const (
	StateReady       State = "ready"       // all pods are ready
	StateProgressing State = "progressing" // on its way
	StateWaiting     State = "waiting"     // for an event: a release, a backend, a dependency, a retry
	StateHeld        State = "held"        // nothing is done until a person acts: invalid, suspended, guarded
	StateFailed      State = "failed"      // the rollout was given up, or can never work as declared
	StateRemoving    State = "removing"    // declared no more
)

// A Status is where a deployment stands, and why.
type Status struct {
	Deployment string
	State      State
	Reason     string // in words; what a person can do about it
	Since      time.Time
	Release    string // that it runs, or is on its way to; empty: none was found
	Flavour    string
	Backend    string
	Why        string // why this release, flavour and backend
	Source     string // the file that declares it
	Commit     string // of the desired state, that made it so
	Pods       []backends.Pod

	runs    bool           // it is suspended, and its pods run as declared
	objects []backends.Pod // those that stand for it where it has no pods
}

// Ready counts the pods that are ready at now.
func (s *Status) Ready(now time.Time) int { return ready(s.Pods, now) }

// Verdict tells what the deployment means for the outcome of its commit.
func (s *Status) Verdict() Verdict {
	switch {
	case s.State == StateReady, s.State == StateHeld && s.runs:
		return Success
	case s.State == StateHeld, s.State == StateFailed:
		return Failure
	}
	return Pending
}

// Hint is the next thing to do; empty where the reason says it, or nothing is.
func (s *Status) Hint() string {
	switch {
	case s.State != StateFailed:
		return ""
	case len(s.Pods) == 0: // it could not even begin
		return fmt.Sprintf("change what the reason names, and push; or try the same again with 'berth retry %s'", s.Deployment)
	}
	return fmt.Sprintf("look at '%s'; then push a change, or try the same again with 'berth retry %s'", s.LogCommand(), s.Deployment)
}

// LogCommand is the command that shows what the pods of a failed deployment wrote:
// those that failed, where others run beside them.
func (s *Status) LogCommand() string {
	command := "berth logs " + s.Deployment
	failed := func(p backends.Pod) bool { return p.State == backends.PodFailed }
	runs := func(p backends.Pod) bool { return !failed(p) }
	if slices.ContainsFunc(s.Pods, failed) && slices.ContainsFunc(s.Pods, runs) { // what ran before
		command += " --failed"
	}
	return command
}

// status is a Status in the making; its pods are those of the world.
type status struct {
	Status
	about string // the task that State and Reason tell of; empty: none
	log   quota
	lags  bool // the last work on that task left it on its way
	anew  bool // what is made next is a rollout, even to what was there before
}

// note takes in a decision. What work has told of the very same task stands,
// until the pods say otherwise. The caller holds mu.
func (e *Engine) note(d planner.Decision, now time.Time) {
	s := e.status(d)
	id := e.homeTask(d).id // asked for only where something is to be compared
	told := s.about != "" && s.about == id()
	if e.dryRun && d.Changes() {
		e.turn(s, StateWaiting, fmt.Sprintf("dry run: would %s: %s", d.Action, d.Reason), "")
		return
	}
	if e.standby && d.Changes() {
		e.turn(s, StateWaiting, fmt.Sprintf("the Berth that leads has to %s: %s", d.Action, d.Reason), "")
		return
	}
	switch d.Action {
	case planner.Wait:
		e.turn(s, StateWaiting, d.Reason, "")
	case planner.Hold:
		switch {
		case d.Workload == nil:
			e.noteHeld(s, d, now)
		case s.State != StateFailed || !told: // a rollout that failed before; its backend may have said more
			e.turn(s, StateFailed, d.Reason, "")
			e.turnRollout(d, journal.Failed, d.Reason)
		}
	case planner.Remove:
		if !told {
			e.turn(s, StateRemoving, d.Reason, id())
		}
	case planner.Keep:
		switch {
		case e.world.problem(d.Backend) != "": // which is told of the backend
			e.turn(s, StateWaiting, d.Backend+" does not answer; its pods run on", "")
		case e.noteTrouble(s, d):
		case s.State != StateReady && e.world.outdated(d.Deployment):
			if !told {
				e.turn(s, StateProgressing, "its pods changed, and are being looked at", id())
			}
		case told && s.lags && e.world.orchestrated(d.Backend):
			// Ready is what the engine says of its own object, and an event tells when.
		case e.asDeclared(d):
			e.turnReady(s, d, now)
		case !told:
			e.turn(s, StateProgressing, "its pods are becoming ready", id())
		}
	default:
		why := e.unsettled(d)
		switch {
		case why != "":
			e.turn(s, StateWaiting, why, "")
		case e.noteTrouble(s, d):
		case e.replaced(s, d, now):
			e.turnReady(s, d, now)
		case told:
		default:
			if d.Action == planner.Replace {
				s.log.refill()
			}
			e.turn(s, StateProgressing, string(d.Action)+": "+d.Reason, id())
		}
	}
}

// noteHeld tells that nothing is done about a deployment until a person acts. One
// that is suspended while its pods run is as it is declared; where a backend does
// not answer, nobody knows. The caller holds mu.
func (e *Engine) noteHeld(s *status, d planner.Decision, now time.Time) {
	runs, silent := false, ""
	if doc, declared := e.view.State.Deployment(d.Deployment); declared && doc.Suspend {
		seen := 0
		for _, b := range e.world.backends {
			switch {
			case b.Problem == "":
				seen += good(e.world.podsOn(b.Name, d.Deployment), now)
			case silent == "" || len(e.world.podsOn(b.Name, d.Deployment)) > 0:
				silent = b.Name
			}
		}
		runs = seen >= doc.ReplicaCount()
	}
	if runs != s.runs {
		s.runs = runs
		e.show(d.Deployment)
	}
	if !runs && silent != "" {
		e.turn(s, StateWaiting, "it is suspended, and "+silent+" does not answer: nobody knows whether it runs", "")
		return
	}
	e.turn(s, StateHeld, d.Reason, "")
}

// noteTrouble tells of the error for which a deployment's task is paused, if it
// is: that stands until the task succeeds or becomes another one. The caller holds mu.
func (e *Engine) noteTrouble(s *status, d planner.Decision) bool {
	for _, w := range e.workers {
		if w.backend.Name() != d.Backend {
			continue
		}
		if p := w.pauses[d.Deployment]; p != nil && p.task == e.homeTask(d).id() {
			e.turn(s, p.state, p.why, p.task)
			return true
		}
	}
	return false
}

// homeTask is the task that a deployment's status is about: that of the backend
// where it shall run.
func (e *Engine) homeTask(d planner.Decision) task {
	if d.Action == planner.Remove {
		return task{kind: remove}
	}
	return task{workload: d.Workload}
}

// status returns the deployment's status, brought up to the decision. The caller holds mu.
func (e *Engine) status(d planner.Decision) *status {
	s := e.statuses[d.Deployment]
	if s == nil {
		s = &status{
			Status: Status{Deployment: d.Deployment, Since: time.Now(), Commit: e.madeBy(d.Deployment)},
			anew:   len(e.world.pods[d.Deployment]) == 0,
		}
		e.statuses[d.Deployment] = s
	}
	before := s.Status
	if d.Backend != "" && d.Release != "" {
		fresh := s.Backend == "" && d.Action == planner.Create // not what ran before this process began
		moved := s.Backend != "" && (s.Release != d.Release || s.Flavour != d.Flavour || s.Backend != d.Backend)
		if fresh || moved {
			e.log.Info(fmt.Sprintf("chosen: %s %s on %s", d.Release, d.Flavour, d.Backend),
				"deployment", d.Deployment, "why", d.Why)
		}
		if moved {
			s.Commit = e.view.State.Commit
		}
		s.Release, s.Flavour, s.Backend, s.Why = d.Release, d.Flavour, d.Backend, d.Why
	}
	if e.edited[d.Deployment] {
		s.Commit = e.view.State.Commit
	}
	s.Source = d.Position.File
	if s.Release != before.Release || s.Flavour != before.Flavour || s.Backend != before.Backend ||
		s.Why != before.Why || s.Commit != before.Commit || s.Source != before.Source {
		e.show(d.Deployment)
	}
	return s
}

// madeBy returns the commit of which the deployment's newest pod is; without
// pods, the one in force. The caller holds mu.
func (e *Engine) madeBy(name string) string {
	pods := e.world.pods[name]
	if len(pods) == 0 {
		return e.view.State.Commit
	}
	return slices.MaxFunc(pods, func(a, b backends.Pod) int { return a.CreatedAt.Compare(b.CreatedAt) }).Commit
}

// noteWork takes in what work on a task brought about. The caller holds mu.
func (e *Engine) noteWork(d planner.Decision, t task, p backends.Progress, err error) {
	s := e.statuses[d.Deployment]
	if s == nil {
		return // it went while it was worked on
	}
	about := e.homeTask(d).id()
	switch {
	case err != nil:
		e.turn(s, stateAfter(err), err.Error(), about)
		e.turnRollout(d, rolloutAfter(err), err.Error())
	case t.kind == remove:
		e.markDirty(d.Deployment)
	case e.world.problem(d.Backend) != "": // what the answer of a backend that has gone tells was before
		if s.about != "" { // what work told of an earlier attempt; the plan knows better, and is asked once
			e.markDirty(d.Deployment)
		}
	case d.Action == planner.Hold && s.State == StateFailed && p.Phase != backends.PhaseReady:
		// The plan has told the failure, as the pods remember it; what ran before comes
		// back, or does not run on. What work has told, the plan lets stand.
		if p.Phase == backends.PhaseFailed && s.about == about {
			e.turn(s, StateFailed, p.Reason, about)
		}
		e.turnRollout(d, journal.Failed, s.Reason)
	case p.Phase == backends.PhaseFailed:
		e.turn(s, StateFailed, p.Reason, about)
		e.turnRollout(d, journal.Failed, p.Reason)
	case p.Phase != backends.PhaseReady:
		e.turn(s, StateProgressing, p.Reason, about)
		s.lags = true
		e.turnRollout(d, journal.Progressing, p.Reason)
	case len(d.Leave) > 0 && e.arrived(d):
		e.turn(s, StateProgressing, "it runs on "+d.Backend+", and leaves "+strings.Join(d.Leave, ", "), about)
		e.markDirty(d.Deployment)
	default:
		e.turnReady(s, d, time.Now())
	}
}

// stateAfter is where an error leaves a deployment.
func stateAfter(err error) State {
	if kind := schema.KindOf(err); kind == schema.Invalid || kind == schema.Terminal {
		return StateFailed
	}
	return StateWaiting
}

func (e *Engine) turnReady(s *status, d planner.Decision, now time.Time) {
	pods := e.world.podsOn(d.Backend, d.Deployment)
	if d.Action == planner.Replace && !e.world.orchestrated(d.Backend) {
		pods = ofSpec(pods, d.Workload.SpecHash())
	}
	reason := fmt.Sprintf("%d of %d running %s %s on %s", good(pods, now), d.Workload.Replicas, d.Release, d.Flavour, d.Backend)
	if d.Workload.Replicas == 0 {
		reason = "declared with no replicas"
		s.anew = true // whether it can run shows when it gets some
	}
	var told []string // pods may answer at one address together
	for _, p := range pods {
		for _, at := range p.Endpoints {
			if address := net.JoinHostPort(at.Host, fmt.Sprint(at.Port)); !slices.Contains(told, address) {
				told = append(told, address)
				reason += ", " + address
			}
		}
	}
	e.turn(s, StateReady, reason, "")
	e.turnRollout(d, journal.Ready, reason)
}

// levels says how loud a turn to a state is.
var levels = map[State]slog.Level{StateFailed: slog.LevelError, StateWaiting: slog.LevelWarn, StateHeld: slog.LevelWarn}

// turn notes where a deployment stands now, and tells it when that is news. about
// is the task that it stands there with; empty: none that work could tell more of.
func (e *Engine) turn(s *status, to State, reason, about string) {
	s.about, s.lags = about, false
	if s.State == to && s.Reason == reason {
		return
	}
	if s.State != to {
		s.Since = time.Now()
		e.move(s, to)
		if to == StateReady || s.State == StateReady {
			e.markDependents(s.Deployment)
		}
	}
	s.State, s.Reason = to, reason
	e.show(s.Deployment)
	s.log.tell(e.log, levels[to], string(to)+": "+reason, "deployment", s.Deployment)
	e.recordState(s, levels[to], reason)
}

// move keeps count of how many deployments are in which state; the state "" is
// none. The caller holds mu.
func (e *Engine) move(s *status, to State) {
	if s.State != "" {
		if e.counts[s.State]--; e.counts[s.State] == 0 {
			delete(e.counts, s.State)
		}
	}
	if to != "" {
		e.counts[to]++
	}
	e.metrics.turned(s.State, to)
}

// markDependents marks the deployments that wait for this one. The caller holds mu.
func (e *Engine) markDependents(name string) {
	if e.view.State == nil {
		return
	}
	for _, other := range e.view.State.Dependents(name) {
		e.markDirty(other)
	}
}

// forget drops a deployment that is neither declared nor there. The caller holds mu.
func (e *Engine) forget(name string) {
	for _, w := range e.workers {
		w.drop(name)
		if e.world.seen[w.index].unsure[name] {
			w.askList()
		}
	}
	delete(e.alarms, name)
	e.drop(name)
	if s := e.statuses[name]; s != nil {
		e.move(s, "")
		s.State = ""
		e.log.Info("removed", "deployment", name)
		e.recordState(s, slog.LevelInfo, "removed")
		e.journal.Turn(name, journal.Superseded, "it is declared no more")
		delete(e.statuses, name)
		e.show(name)
	}
}
