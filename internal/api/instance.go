package api

import (
	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
)

// instance resolves Instance.
type instance struct{ w *world }

func (i instance) Name() string            { return i.w.api.o.Instance }
func (i instance) Version() string         { return i.w.api.o.Version }
func (i instance) StartedAt() graphql.Time { return moment(i.w.api.o.Started) }
func (i instance) DryRun() bool            { return i.w.view.DryRun }
func (i instance) Leading() bool           { return !i.w.view.Standby }
func (i instance) Leader() string          { return i.w.meter.takeText(i.w.api.leader()) }
func (i instance) Commit() *commit         { return i.w.commit(i.w.inForce()) }

func (i instance) Ready() bool {
	ready, _ := i.w.readiness()
	return ready
}

func (i instance) WaitsFor() string {
	_, why := i.w.readiness()
	return i.w.meter.takeText(why)
}

// readiness asks the engine once, so that all parts of an answer agree.
func (w *world) readiness() (ready bool, why string) {
	r := w.ready.get(func() readiness {
		ready, why := w.api.o.Engine.Ready()
		return readiness{ready, why}
	})
	return r.ready, r.why
}

type readiness struct {
	ready bool
	why   string
}

// states are told in this order.
var states = []engine.State{
	engine.StateReady, engine.StateProgressing, engine.StateWaiting, engine.StateHeld, engine.StateFailed, engine.StateRemoving,
}

func (i instance) States() []stateCount {
	counts := i.w.view.States()
	out := []stateCount{}
	for _, s := range states {
		if counts[s] > 0 {
			out = append(out, stateCount{enum(s), count(counts[s])})
		}
	}
	return out
}

// stateCount resolves StateCount.
type stateCount struct {
	State string
	Count int32
}

func (i instance) Problems() []problem {
	if i.w.view.State == nil {
		return nil
	}
	found := i.w.view.State.Problems()
	i.w.meter.takeObjects(len(found))
	out := make([]problem, len(found))
	for n := range out {
		out[n] = problem{i.w, &found[n]}
	}
	return out
}

// problem resolves Problem.
type problem struct {
	w *world
	p *schema.Problem
}

func (p problem) Error() bool { return !p.p.Notice }

func (p problem) Position() position {
	return position{schema.Position{File: p.p.File, Line: p.p.Line, Column: p.p.Column}}
}

// Message tells the problem without its position.
func (p problem) Message() string {
	bare := *p.p
	bare.File, bare.Line, bare.Column = "", 0, 0
	return p.w.meter.takeText(bare.Error())
}
