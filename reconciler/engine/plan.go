package engine

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/planner"
)

// patience is how long the first plan waits for backends to be asked once, so
// that it does not call one unknown that only was not asked yet.
const patience = 2 * time.Second

// planLoop plans whenever something is dirty, until ctx ends.
func (e *Engine) planLoop(ctx context.Context) {
	began := time.Now()
	alarm := time.NewTimer(patience)
	defer alarm.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-alarm.C:
		}
		if time.Since(began) < patience && e.hasty() {
			continue
		}
		if next := e.planDue(ctx); !next.IsZero() {
			alarm.Reset(time.Until(next))
		} else {
			alarm.Stop()
		}
	}
}

// hasty tells whether it is too early for the first plan.
func (e *Engine) hasty() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.plan == nil && !e.world.asked()
}

// planDue plans if something is to be planned, and tells what became of the
// commit. It returns when it must be called again, although nothing happens;
// zero: never.
func (e *Engine) planDue(ctx context.Context) (next time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v, behind := e.take()
	for commits := e.unasked(v); len(commits) > 0; commits = e.unasked(v) {
		e.askHistory(ctx, v.State.Commit, commits)
		if ctx.Err() != nil {
			return time.Time{}
		}
		v, behind = e.take() // there may be news by now
	}
	if v.State == nil { // nothing is known of what shall run: nothing is done
		if e.plan == nil && v != e.view {
			e.view, e.unseen = v, true // the catalog can be looked at
		}
		e.publish()
		e.tellAnswers()
		return time.Time{}
	}
	now := time.Now()
	for name, at := range e.alarms {
		if !now.Before(at) {
			e.dirty[name] = true
		}
	}
	if e.replan || e.plan == nil || len(e.dirty) > 0 || v != e.view || e.rewind.news {
		e.planOnce(v, now)
	}
	if !behind {
		clear(e.edited)
		clear(e.apps)
		e.replanNew = false
	}
	e.publish()
	e.tellAnswers()
	e.tellOutcome()
	next = e.rewind.again
	for _, at := range e.alarms {
		next = earlier(next, at)
	}
	return next
}

// planOnce plans what is dirty and queues what follows. The caller holds mu.
func (e *Engine) planOnce(v view, now time.Time) {
	e.recordApps(v)
	e.recordInForce(v, now)
	in := e.input(v, now)
	names := slices.Collect(maps.Keys(e.dirty))
	all := e.replan || e.plan == nil
	switch {
	case e.plan == nil:
		e.plan = planner.New(in)
	case all:
		e.plan = e.plan.ReviseAll(in)
	default:
		e.plan = e.plan.Revise(in, names)
	}
	e.judged, e.late = e.judged || e.world.asked(), 0
	e.view, e.replan, e.rewind.news, e.unseen = v, false, false, true
	clear(e.dirty)
	e.metrics.planned(time.Since(now), len(e.plan.Planned()))
	for _, name := range e.plan.Planned() {
		e.dispatch(name, now)
	}
	if !all {
		return
	}
	for _, name := range slices.AppendSeq(names, maps.Keys(e.statuses)) {
		if _, ok := e.plan.Decision(name); !ok {
			e.forget(name)
		}
	}
}

// take returns what is to be planned, and marks the deployments that the changes
// of the sources concern: their documents, or the apps that they use. The changes
// are kept until what they led to was planned. The caller holds mu.
func (e *Engine) take() (v view, behind bool) {
	if v, behind = e.current(); behind || v.State == nil {
		return v, behind
	}
	e.replan = e.replan || e.replanNew
	maps.Copy(e.dirty, e.edited)
	if len(e.apps) == 0 {
		return v, behind
	}
	for name, d := range v.State.Deployments() {
		if e.apps[d.App] {
			e.dirty[name] = true
		}
	}
	return v, behind
}

// decision returns what the plan says of a deployment. The caller holds mu.
func (e *Engine) decision(name string) (planner.Decision, bool) {
	if e.plan == nil {
		return planner.Decision{}, false
	}
	return e.plan.Decision(name)
}

// dispatch notes the decision about one deployment and queues it where
// something is to do. The caller holds mu.
func (e *Engine) dispatch(name string, now time.Time) {
	d, ok := e.plan.Decision(name)
	if !ok {
		e.forget(name)
		return
	}
	e.note(d, now)
	for _, w := range e.workers {
		t := e.task(w, d)
		w.redirect(name, t, e.doubts[name] == news)
		if t.workload == nil && e.world.seen[w.index].unsure[name] {
			w.askList() // nobody else would look at what was left there
		}
	}
	if d.Workload == nil && d.Action != planner.Remove {
		e.drop(name)
	}
	e.setAlarm(d, now)
}

// drop drops doubts about a deployment whose pods no backend looks at by itself:
// lists tell of them. The caller holds mu.
func (e *Engine) drop(name string) {
	if e.doubts[name] == news {
		for _, w := range e.workers {
			w.askList()
		}
	}
	delete(e.doubts, name)
}

// setAlarm notes when time alone changes what a decision was made of. The caller
// holds mu.
func (e *Engine) setAlarm(d planner.Decision, now time.Time) {
	delete(e.alarms, d.Deployment)
	doc, declared := e.view.State.Deployment(d.Deployment)
	if !declared || d.Workload != nil && !e.looksOn() {
		return
	}
	next := readyByTime(e.world.pods[d.Deployment], now)
	for _, name := range doc.DependsOn {
		next = earlier(next, readyByTime(e.world.pods[name], now))
	}
	if !next.IsZero() {
		e.alarms[d.Deployment] = next
	}
}

// taskKind is what a worker has to do about a deployment on its backend.
type taskKind int

const (
	nothing taskKind = iota
	apply
	remove
	forget // what failed, which is asked for by a person
)

type task struct {
	kind     taskKind
	workload *backends.Workload // what shall run on the backend; nil: nothing, or it is not known
}

// id tells tasks apart: work on another one is out of date. The hash takes a
// while, so it is asked for only where something is to be compared.
func (t task) id() string {
	switch {
	case t.kind == remove:
		return "remove"
	case t.workload == nil:
		return ""
	default:
		return t.workload.InputHash() + "*" + strconv.Itoa(t.workload.Replicas)
	}
}

// looksOn tells whether it does nothing to the backends.
func (e *Engine) looksOn() bool { return e.dryRun || e.standby }

// task tells what the decision asks of one worker. The caller holds mu.
func (e *Engine) task(w *worker, d planner.Decision) task {
	if e.looksOn() {
		return task{}
	}
	name := w.backend.Name()
	if slices.Contains(d.Leave, name) {
		if d.Action == planner.Remove || e.arrived(d) {
			return task{kind: remove}
		}
		return task{}
	}
	if d.Workload == nil || d.Backend != name {
		return task{}
	}
	t := task{workload: d.Workload}
	switch {
	case e.unsettled(d) != "":
	case e.doubts[d.Deployment] != 0:
		t.kind = apply
	case d.Action == planner.Keep:
		if e.world.problem(name) == "" && !e.asDeclared(d) {
			t.kind = apply
		}
	case d.Changes() && (len(d.Leave) == 0 || !e.arrived(d)):
		t.kind = apply
	}
	return t
}

// asDeclared tells whether the pods of a deployment that is kept are as they
// should be, as far as was observed. The caller holds mu.
func (e *Engine) asDeclared(d planner.Decision) bool {
	return good(e.world.podsOn(d.Backend, d.Deployment), time.Now()) >= d.Workload.Replicas
}

// replaced tells whether all that a replacement was to make is ready, and nothing is
// left to do but to take away what was there before: that may take its time to end,
// and nobody waits for it. Of an engine that keeps pods by an object of its own, the
// object says when it is ready. The caller holds mu.
func (e *Engine) replaced(s *status, d planner.Decision, now time.Time) bool {
	if d.Action != planner.Replace || len(d.Leave) > 0 || e.world.problem(d.Backend) != "" || e.world.orchestrated(d.Backend) ||
		s.State != StateReady && e.world.outdated(d.Deployment) {
		return false
	}
	there := map[int]bool{}
	for _, p := range ofSpec(e.world.podsOn(d.Backend, d.Deployment), d.Workload.SpecHash()) {
		if is, _ := p.Ready(now); is && p.Ordinal >= 0 && p.Ordinal < d.Workload.Replicas { // one that ended may have been stopped for another
			there[p.Ordinal] = true
		}
	}
	return len(there) == d.Workload.Replicas
}

// ofSpec returns those of the pods that were made of a specification.
func ofSpec(pods []backends.Pod, hash string) []backends.Pod {
	return slices.DeleteFunc(pods, func(p backends.Pod) bool { return p.SpecHash != hash })
}

// arrived tells whether a deployment that moves runs where it shall be, and
// there is nothing left to do but to leave the other backends. The caller holds mu.
func (e *Engine) arrived(d planner.Decision) bool {
	if d.Workload == nil {
		return false
	}
	pods := slices.DeleteFunc(e.world.podsOn(d.Backend, d.Deployment), func(p backends.Pod) bool {
		return p.State == backends.PodAbsent || p.State == backends.PodGoing
	})
	spec := d.Workload.SpecHash()
	return len(pods) == d.Workload.Replicas && good(pods, time.Now()) == len(pods) &&
		!slices.ContainsFunc(pods, func(p backends.Pod) bool { return p.SpecHash != spec })
}

// unsettled tells why nothing may be made for the deployment yet: work on another
// backend goes on or was cut off, and nobody knows yet what it left. Empty:
// nothing is in the way. The caller holds mu.
func (e *Engine) unsettled(d planner.Decision) string {
	for _, w := range e.workers {
		name := w.backend.Name()
		if name == d.Backend {
			continue
		}
		if u, busy := w.underway[d.Deployment]; busy && u.kind == apply {
			return "work on " + name + " is being stopped"
		}
		if e.world.seen[w.index].unsure[d.Deployment] {
			return "work on " + name + " was cut off, and what it left is not known yet"
		}
	}
	return ""
}

// short is how people name a commit.
func short(commit string) string {
	if len(commit) > 7 {
		return commit[:7]
	}
	return commit
}
