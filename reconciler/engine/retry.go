package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// A retrial is a request to forget the failed pods of a deployment on one
// backend. A worker carries it out before anything else about the deployment.
type retrial struct {
	done chan struct{} // closed when the view shows what came of it
	pods []string      // that were removed
	err  error
}

var errStopping = errors.New("berth is stopping")

// Retry has a failed rollout tried again: the failed pods, which are the memory
// of it, are removed, and their names are returned. The error is a [schema.Error]
// of kind invalid where nothing failed, and says what may help instead. It waits
// for work that goes on about the deployment; if ctx ends before, the rollout is
// tried again nevertheless.
func (e *Engine) Retry(ctx context.Context, deployment string) (pods []string, err error) {
	asked, err := e.askRetry(deployment)
	if err != nil {
		return nil, err
	}
	for _, r := range asked {
		select {
		case <-r.done:
			pods, err = append(pods, r.pods...), errors.Join(err, r.err)
		case <-ctx.Done():
			return pods, &schema.Error{Op: "retry", Resource: deployment, Kind: schema.Transient,
				Err: fmt.Errorf("other work on it goes on: %w", context.Cause(ctx)), Hint: "it is tried again after that"}
		}
	}
	slices.Sort(pods)
	return pods, err
}

// askRetry asks the workers of a deployment to forget what failed.
func (e *Engine) askRetry(name string) (asked []*retrial, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.retriable(name); err != nil {
		return nil, err
	}
	if e.stopped {
		return nil, &schema.Error{Op: "retry", Resource: name, Kind: schema.Transient, Err: errStopping}
	}
	d, _ := e.decision(name)
	failed := failedOn(e.world.pods[name])
	for _, w := range e.workers {
		at := w.backend.Name()
		if at != d.Backend && len(failed[at]) == 0 {
			continue
		}
		if w.retrials[name] == nil {
			w.retrials[name] = &retrial{done: make(chan struct{})}
		}
		asked = append(asked, w.retrials[name])
		w.queue.Add(name)
	}
	return asked, nil
}

// failedOn returns the names of the pods that remember a failed rollout, by backend.
func failedOn(pods []backends.Pod) map[string][]string {
	var out map[string][]string
	for i := range pods {
		if p := &pods[i]; p.State == backends.PodFailed {
			if out == nil {
				out = map[string][]string{}
			}
			out[p.Backend] = append(out[p.Backend], p.Name)
		}
	}
	return out
}

// forgot takes in that the failed pods of a deployment were forgotten, or were
// not, for which err is. The caller holds the engine's mu.
func (w *worker) forgot(name string, err error) {
	e := w.engine
	delete(w.underway, name)
	if err != nil {
		w.askList() // some may be gone
		e.markDirty(name)
		w.answer(name, nil, err)
		return
	}
	pods := failedOn(e.world.pods[name])[w.backend.Name()]
	e.world.forgot(w.index, name)
	if s := e.statuses[name]; s != nil {
		s.about, s.anew = "", true
	}
	e.lookAgain(name)
	w.answer(name, pods, nil)
}

// answer notes what came of a request, which is told when the view shows it. The
// caller holds the engine's mu.
func (w *worker) answer(name string, pods []string, err error) {
	if r := w.retrials[name]; r != nil {
		r.pods, r.err = pods, err
		w.engine.answers = append(w.engine.answers, r.done)
		delete(w.retrials, name)
		w.engine.poke()
	}
}

// tellAnswers lets those go on who asked for something that the view shows now.
// The caller holds mu.
func (e *Engine) tellAnswers() {
	for _, done := range e.answers {
		close(done)
	}
	e.answers = nil
}

// endRetrials answers all requests that were not carried out when Run ends.
func (e *Engine) endRetrials() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stopped = true
	for _, w := range e.workers {
		for name := range w.retrials {
			w.answer(name, nil, &schema.Error{Op: "retry", Resource: name, Kind: schema.Transient, Err: errStopping})
		}
	}
	e.tellAnswers()
}
