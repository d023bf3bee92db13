package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/berthdev/berth/schema"
)

// Reconcile has the engine look again at once, whatever pauses there are: at a
// deployment, at the pods of a backend, or, if both are empty, at everything. The
// error, a [schema.Error] of kind invalid, says that there is no such thing. Who
// asked is for the caller to tell the journal. It waits until the view shows what
// was planned then, or until ctx ends.
func (e *Engine) Reconcile(ctx context.Context, deployment, backend string) error {
	planned, err := e.askReconcile(deployment, backend)
	if err != nil {
		return err
	}
	select {
	case <-planned:
	case <-ctx.Done():
	}
	return nil
}

// askReconcile asks for what Reconcile does; planned is closed once the view shows it.
func (e *Engine) askReconcile(deployment, backend string) (planned <-chan struct{}, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.worker(backend)
	switch {
	case deployment != "" && e.statuses[deployment] == nil:
		return nil, noDeployment("reconcile", deployment)
	case backend != "" && w == nil:
		return nil, &schema.Error{Op: "reconcile", Resource: backend, Kind: schema.Invalid,
			Err: errors.New("there is no such backend"), Hint: "'berth get backends' lists them"}
	}
	if deployment != "" {
		e.lookAgain(deployment)
	}
	if backend != "" {
		w.listNow()
	}
	if deployment == "" && backend == "" {
		e.lookAtAll()
	}
	done := make(chan struct{})
	e.answers = append(e.answers, done)
	if e.stopped {
		e.tellAnswers()
	}
	e.poke()
	return done, nil
}

// worker returns the worker of a backend; nil when there is none.
func (e *Engine) worker(backend string) *worker {
	for _, w := range e.workers {
		if w.backend.Name() == backend {
			return w
		}
	}
	return nil
}

// lookAgain has a deployment planned and looked at, and ends its pauses. The
// caller holds mu.
func (e *Engine) lookAgain(name string) {
	for _, w := range e.workers {
		delete(w.pauses, name)
		w.retries.Forget(name)
	}
	e.doubt(name, news)
	e.markDirty(name)
}

// lookAtAll has everything planned and listed, and what is paused looked at. The
// caller holds mu.
func (e *Engine) lookAtAll() {
	e.replan = true
	for _, w := range e.workers {
		for name := range w.pauses {
			e.lookAgain(name)
		}
		w.listNow()
	}
}

func noDeployment(op, name string) error {
	return &schema.Error{Op: op, Resource: name, Kind: schema.Invalid,
		Err: errors.New("there is no such deployment"), Hint: "'berth get deployments' lists what is declared or running"}
}

// refuse says why a failed rollout is not tried again.
func refuse(name, why, hint string) error {
	return &schema.Error{Op: "retry", Resource: name, Kind: schema.Invalid, Err: errors.New(why), Hint: hint}
}

// retriable tells why a deployment cannot be tried again; nil: it can. The caller
// holds mu.
func (e *Engine) retriable(name string) error {
	s := e.statuses[name]
	if s == nil {
		return noDeployment("retry", name)
	}
	d, _ := e.decision(name)
	switch {
	case e.dryRun:
		return refuse(name, "this Berth only says what it would do", "start it without --dry-run")
	case e.standby:
		return refuse(name, "another Berth leads", "ask that one")
	case s.State != StateFailed && len(failedOn(e.world.pods[name])) == 0:
		return refuse(name, fmt.Sprintf("no rollout of it failed: it is %s", s.State), fmt.Sprintf("'berth reconcile deployment %s' has it looked at again", name))
	case d.Workload == nil:
		return refuse(name, "nothing is done about it: "+s.Reason, "")
	default:
		return nil
	}
}
