package rollout

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// An Engine takes steps.
type Engine interface {
	// Pods lists all pods of the deployment, as they are now: failed ones and
	// those being removed included.
	Pods(ctx context.Context, deployment string) ([]backends.Pod, error)

	// Take takes one step. That something is already as the step would make it
	// (the pod is gone, it runs) is no error. A pod that can be made but never
	// started (its command is missing) stays as PodCreated with a Reason, and is
	// given up next. Without a Reason, its start is tried again.
	Take(ctx context.Context, w backends.Workload, s Step) error
}

// Apply takes the steps that [Next] names on e until none is left, and tells
// where the workload then stands.
//
// No step is taken twice. One that fails holds back those that need it; others
// go on. The error joins what failed, except for what made a pod be given up:
// the progress tells that.
func Apply(ctx context.Context, w backends.Workload, e Engine, now func() time.Time) (backends.Progress, error) {
	r := run{w: w, engine: e, taken: map[key]bool{}, held: map[int]bool{}}
	for {
		pods, err := e.Pods(ctx, w.Deployment)
		if err != nil {
			return backends.Progress{}, errors.Join(append(r.errors(), err)...)
		}
		steps, progress := Next(w, pods, now())
		took := r.take(ctx, steps)
		if err := ctx.Err(); err != nil {
			return progress, errors.Join(append(r.errors(), &schema.Error{
				Op: "apply", Resource: w.Deployment, Kind: schema.Transient, Err: err,
			})...)
		}
		if !took {
			return progress, errors.Join(r.errors()...)
		}
	}
}

// A run is one Apply.
type run struct {
	w        backends.Workload
	engine   Engine
	taken    map[key]bool
	failures []failure
	held     map[int]bool // replicas at which something could not be stopped
	noMore   bool         // no pod is created any more
	halted   bool         // nothing is done any more
}

// A key tells steps apart.
type key struct {
	verb    Verb
	pod     string
	ordinal int
}

type failure struct {
	step Step
	err  error
}

// take takes the steps that it has not taken yet, and tells whether any was left.
func (r *run) take(ctx context.Context, steps []Step) bool {
	took := false
	for _, s := range steps {
		if r.halted || ctx.Err() != nil {
			break
		}
		k := key{s.Verb, s.Pod, s.Ordinal}
		creates := s.Verb == Create || s.Verb == Make
		if r.taken[k] || r.held[s.Ordinal] || (creates && r.noMore) {
			continue
		}
		took, r.taken[k] = true, true
		err := r.engine.Take(ctx, r.w, s)
		switch {
		case err != nil:
			r.failed(s, err)
		case s.Verb == GiveUp:
			// Its failure is now told by the pod.
			r.failures = slices.DeleteFunc(r.failures, func(f failure) bool {
				return f.step.Ordinal == s.Ordinal && (f.step.Verb == Create || f.step.Pod == s.Pod)
			})
		}
	}
	return took
}

func (r *run) failed(s Step, err error) {
	r.failures = append(r.failures, failure{s, err})
	switch s.Verb {
	case Create, Make: // all are made of one specification: the next would fail too
		r.noMore = true
	case Stop: // recreate: nothing may run beside it
		r.halted = true
	case Remove, GiveUp:
		r.held[s.Ordinal] = true
	}
}

func (r *run) errors() []error {
	var errs []error
	for _, f := range r.failures {
		errs = append(errs, f.err)
	}
	return errs
}
