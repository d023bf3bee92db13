package engine

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/berthdev/berth/reconciler/planner"
)

// patience is how long the first plan waits for backends to be asked once, so
// that it does not call one unknown that only was not asked yet.
const patience = 2 * time.Second

// planLoop plans whenever something is dirty, until ctx ends.
func (e *Engine) planLoop(ctx context.Context) {
	first := time.AfterFunc(patience, e.poke)
	defer first.Stop()
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		}
		e.mu.Lock()
		hasty := e.plan == nil && time.Since(began) < patience && !e.world.asked()
		e.mu.Unlock()
		d := e.sources.Desired()
		if d.State == nil || hasty {
			continue // nothing is known of what shall run, or of where: nothing is done
		}
		e.checkRewind(ctx, d)
		e.mu.Lock()
		e.planOnce(d, time.Now())
		e.tellOutcome()
		e.mu.Unlock()
	}
}

// planOnce plans what is dirty and queues what follows. The caller holds mu.
func (e *Engine) planOnce(d Desired, now time.Time) {
	if d.Stale != e.desired.Stale || d.Rewound != e.desired.Rewound || d.Confirmed != e.desired.Confirmed {
		e.replan = true
	}
	e.desired = d
	e.markUsers()
	if !e.replan && e.plan != nil && len(e.dirty) == 0 {
		return
	}
	in := e.input(now)
	all := e.replan || e.plan == nil
	switch {
	case e.plan == nil:
		e.plan = planner.New(in)
	case all:
		e.plan = e.plan.ReviseAll(in)
	default:
		names := make([]string, 0, len(e.dirty))
		for name := range e.dirty {
			names = append(names, name)
		}
		e.plan = e.plan.Revise(in, names)
	}
	names := e.plan.Planned()
	e.metrics.planned(time.Since(now), len(names))
	e.replan = false
	clear(e.dirty)
	for name := range e.verify {
		if _, ok := e.plan.Decision(name); !ok {
			delete(e.verify, name) // neither declared nor there
		}
	}
	for _, name := range names {
		e.dispatch(name, now)
	}
	if all {
		e.forgetGone()
	}
}

// markUsers marks the deployments of the apps that changed. The caller holds mu.
func (e *Engine) markUsers() {
	if len(e.apps) == 0 {
		return
	}
	for name, d := range e.desired.State.Deployments() {
		if e.apps[d.App] {
			e.dirty[name] = true
		}
	}
	clear(e.apps)
}

// input gathers what the planner needs. The caller holds mu for as long as it is used.
func (e *Engine) input(now time.Time) planner.Input {
	return planner.Input{
		Desired: e.desired.State, Catalog: e.sources.Catalog(),
		Backends: e.world.backends, Pods: e.world.pods, Now: now,
		Unreadable: e.desired.Stale, Rewound: cmp.Or(e.desired.Rewound, e.rewind.why), Confirmed: e.desired.Confirmed,
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
