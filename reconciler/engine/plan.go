package engine

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/berthdev/berth/reconciler/planner"
)

// planLoop plans whenever something is dirty, until ctx ends.
func (e *Engine) planLoop(ctx context.Context) {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-alarm.C:
		}
		if next := e.planDue(ctx); !next.IsZero() {
			alarm.Reset(time.Until(next))
		} else {
			alarm.Stop()
		}
	}
}

// planDue plans if something is to be planned, and tells what became of the
// commit. It returns when it must be called again, although nothing happens;
// zero: never.
func (e *Engine) planDue(ctx context.Context) (next time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v := e.look()
	for commits := e.unasked(v); len(commits) > 0; commits = e.unasked(v) {
		e.askHistory(ctx, v.head.Commit, commits)
		if ctx.Err() != nil {
			return time.Time{}
		}
		v = e.look() // there may be news by now
	}
	if v.state == nil {
		return time.Time{} // nothing is known of what shall run: nothing is done
	}
	if e.replan || e.plan == nil || len(e.dirty) > 0 || v != e.view || e.rewind.news {
		e.planOnce(v, time.Now())
	}
	e.tellOutcome()
	return e.rewind.again
}

// plansAll tells whether what is dirty is not enough: a new state comes with the
// names of what changed, and if the engine was not told of it yet, these are not
// known. The caller holds mu.
func (e *Engine) plansAll(v view) bool {
	return e.replan || e.plan == nil || v.state != e.view.state && v.state != e.told
}

// planOnce plans what is dirty and queues what follows. The caller holds mu.
func (e *Engine) planOnce(v view, now time.Time) {
	in := e.input(v, now)
	names := slices.Collect(maps.Keys(e.dirty))
	all := e.plansAll(v)
	if all {
		e.plan = planner.New(in)
	} else {
		e.plan = e.plan.Revise(in, names)
	}
	e.view, e.replan, e.rewind.news = v, false, false
	clear(e.dirty)
	e.metrics.planned(time.Since(now), len(e.plan.Planned()))
	for _, name := range e.plan.Planned() {
		e.dispatch(name, now)
	}
	if !all {
		return
	}
	for _, name := range names { // these may be neither declared nor there
		if _, ok := e.plan.Decision(name); !ok {
			e.forget(name)
		}
	}
	for name := range e.statuses {
		if _, ok := e.plan.Decision(name); !ok {
			e.forget(name)
		}
	}
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
		w.redirect(name, e.task(w, d))
	}
	if d.Workload == nil && e.verify[name] && d.Action != planner.Remove {
		// Nothing will be applied, so nobody would look at its pods again.
		delete(e.verify, name)
		for _, w := range e.workers {
			w.askList()
		}
	}
}

// taskKind is what a worker has to do about a deployment on its backend.
type taskKind int

const (
	nothing taskKind = iota
	apply
	remove
)

type task struct {
	kind     taskKind
	decision planner.Decision
}

// id tells tasks apart: work on another one is out of date.
func (t task) id() string {
	switch {
	case t.kind == remove:
		return "remove"
	case t.decision.Workload == nil:
		return "nothing"
	default:
		return t.decision.Workload.InputHash() + "*" + strconv.Itoa(t.decision.Workload.Replicas)
	}
}

// task tells what the decision asks of one worker. The caller holds mu.
func (e *Engine) task(w *worker, d planner.Decision) task {
	name := w.backend.Name()
	t := task{decision: d}
	switch {
	case slices.Contains(d.Leave, name):
		moved := d.Action == planner.Replace && !e.readyOn(d)
		if !moved && (d.Action == planner.Remove || d.Action == planner.Replace || d.Action == planner.Keep) {
			t.kind = remove
		}
	case d.Workload == nil || d.Backend != name:
	case d.Changes():
		t.kind = apply
	case e.verify[d.Deployment] || !e.appliedReady(d):
		t.kind = apply
	}
	return t
}

// readyOn tells whether the deployment's workload is ready where it shall be.
func (e *Engine) readyOn(d planner.Decision) bool {
	pods := e.world.podsOn(d.Backend, d.Deployment)
	return d.Workload != nil && ready(pods, time.Now()) >= d.Workload.Replicas
}

// appliedReady tells whether nothing needs to be asked about a deployment that
// is kept: its pods are ready, as far as was observed.
func (e *Engine) appliedReady(d planner.Decision) bool {
	if d.Action == planner.Hold {
		return true // only news of its pods makes it worth a look
	}
	return e.readyOn(d)
}

// short is how people name a commit.
func short(commit string) string {
	if len(commit) > 7 {
		return commit[:7]
	}
	return commit
}
