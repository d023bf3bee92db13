package rollout

import (
	"slices"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// restartPause is the least time between two starts of a pod by Berth.
const restartPause = time.Second

// Next returns the steps to take now towards w, in order, given all pods of the
// deployment on this backend, and where it stands. It is pure.
//
// When no steps are left, that holds until a pod changes or until
// Progress.Again. Progress.Pods are the given pods.
func Next(w backends.Workload, pods []backends.Pod, now time.Time) ([]Step, backends.Progress) {
	o := observe(w, pods, now)
	steps := o.surplus
	if failures, reason := o.failures(); len(failures) > 0 {
		// What follows from it is told once they are marked.
		return append(failures, steps...), o.progress(backends.PhaseFailed, reason, pods)
	}
	switch {
	case o.failed != nil:
		steps = append(steps, o.goBack()...)
		return steps, o.progress(backends.PhaseFailed, o.gaveUp(o.failed, o.failed.GivenUp()), pods)
	case w.Rollout.Strategy == schema.Recreate:
		steps = append(steps, o.recreate()...)
	default:
		steps = append(steps, o.roll()...)
	}
	if len(steps) == 0 && !o.waiting && o.allGood() {
		return nil, o.progress(backends.PhaseReady, "", pods)
	}
	return steps, o.progress(backends.PhaseProgressing, o.pending(), pods)
}

func (o *world) progress(phase backends.Phase, reason string, pods []backends.Pod) backends.Progress {
	return backends.Progress{Phase: phase, Reason: reason, Again: o.again, Pods: pods}
}

// failures gives up the current pods that failed. The reason is that of the first.
func (o *world) failures() (steps []Step, reason string) {
	for _, r := range o.replicas {
		why := o.failure(r)
		if why == "" {
			continue
		}
		if len(steps) == 0 {
			reason = o.gaveUp(r.current, why)
		}
		steps = append(steps, step(GiveUp, r.current, why))
	}
	return steps, reason
}

// roll replaces one good old pod after the other, each once its successor is good.
func (o *world) roll() []Step {
	var steps, creates []Step
	settled := true // no current pod is on its way to be good
	next := -1      // the first replica whose good old pod waits to be replaced
	for _, r := range o.replicas {
		steps = append(steps, o.resume(r.current)...)
		switch {
		case r.current != nil && o.good(r.current):
			steps = append(steps, o.replaced(r)...)
			continue
		case r.current != nil || r.going:
			settled = false
		case r.old != nil && o.good(r.old):
			if next < 0 {
				next = r.ordinal
			}
		default:
			settled = false
			creates = append(creates, o.create(r))
		}
		steps = append(steps, o.restore(r.old)...)
	}
	if settled && next >= 0 {
		creates = append(creates, o.create(o.replicas[next]))
	}
	return append(steps, creates...)
}

// recreate makes all current pods, stops all old ones, starts the current ones,
// and removes the old ones when all current ones are good. Old pods run until the
// first current one was started.
func (o *world) recreate() []Step {
	if !slices.ContainsFunc(o.replicas, func(r replica) bool { return r.old != nil }) {
		return o.roll()
	}
	var steps []Step
	missing, started := false, false
	for _, r := range o.replicas {
		missing = missing || r.current == nil
		started = started || r.current != nil && r.current.State != backends.PodCreated
	}
	done := o.allGood()
	for _, r := range o.replicas {
		switch {
		case done:
			steps = append(steps, o.replaced(r)...)
		case missing && !started:
			steps = append(steps, o.restore(r.old)...)
		case r.old != nil && r.old.State != backends.PodExited:
			steps = append(steps, step(Stop, r.old, "its successor must not run beside it"))
		}
	}
	for _, r := range o.replicas {
		if missing && r.current == nil && !r.going {
			steps = append(steps, Step{Verb: Make, Ordinal: r.ordinal, Reason: o.whyCreate(r)})
		}
		if !missing || started {
			steps = append(steps, o.resume(r.current)...)
		}
	}
	return steps
}

// goBack keeps what runs after a rollout failed and, where an old pod is kept,
// goes back to it. It creates nothing.
func (o *world) goBack() []Step {
	var removes, steps []Step
	recreate := o.w.Rollout.Strategy == schema.Recreate
	for _, r := range o.replicas {
		back := r.old != nil && o.w.Rollout.Rollback
		switch {
		case r.current == nil:
		case r.current.State == backends.PodCreated,
			back && (recreate || o.good(r.old) || !o.good(r.current)):
			removes = append(removes, step(Remove, r.current, "the rollout failed"))
		default:
			steps = append(steps, o.resume(r.current)...)
		}
		switch {
		case back && recreate:
			steps = append(steps, o.resume(r.old)...)
		case !recreate:
			steps = append(steps, o.restore(r.old)...)
		}
	}
	return append(removes, steps...)
}

// resume is restore for a pod that may have been stopped for a rollout.
func (o *world) resume(p *backends.Pod) []Step {
	if p != nil && o.overtaken(p) {
		return o.start(p, "it was stopped for a rollout")
	}
	return o.restore(p)
}

// restore returns the step that lets a pod run which should, if there is one.
func (o *world) restore(p *backends.Pod) []Step {
	if p == nil {
		return nil
	}
	_, at := p.Ready(o.now)
	o.wake(at)
	switch {
	case p.State == backends.PodPaused:
		return []Step{step(Unpause, p, "it was paused")}
	case p.State == backends.PodCreated:
		return []Step{step(Start, p, "it was made but not started")}
	case p.State != backends.PodExited || p.Complete() || p.Restart == schema.RestartNo:
		return nil
	}
	return o.start(p, "it was stopped")
}

// start starts a pod that ended, but not at once again.
func (o *world) start(p *backends.Pod, reason string) []Step {
	if soon := p.StartedAt.Add(restartPause); o.now.Before(soon) {
		o.wake(soon)
		return nil
	}
	return []Step{step(Start, p, reason)}
}

func (o *world) replaced(r replica) []Step {
	if r.old == nil {
		return nil
	}
	return []Step{step(Remove, r.old, "its successor is ready")}
}

func (o *world) create(r replica) Step {
	return Step{Verb: Create, Ordinal: r.ordinal, Reason: o.whyCreate(r)}
}

func (o *world) whyCreate(r replica) string {
	if r.old != nil {
		return "the specification changed"
	}
	return "the replica is missing"
}
