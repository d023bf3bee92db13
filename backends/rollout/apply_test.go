package rollout_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/rollout"
	"github.com/berthdev/berth/schema"
)

// A faulty model fails steps: of a verb, at a replica or (-1) at any.
type faulty struct {
	*model
	verb    rollout.Verb
	ordinal int
	listing error
}

var errFault = errors.New("engine trouble")

func (f faulty) Pods(ctx context.Context, deployment string) ([]backends.Pod, error) {
	if f.listing != nil {
		return nil, f.listing
	}
	return f.model.Pods(ctx, deployment)
}

func (f faulty) Take(ctx context.Context, w backends.Workload, s rollout.Step) error {
	if s.Verb == f.verb && (s.Ordinal == f.ordinal || f.ordinal < 0) {
		f.steps = append(f.steps, rollout.Step{Verb: "failed " + s.Verb, Pod: s.Pod, Ordinal: s.Ordinal})
		return errFault
	}
	return f.model.Take(ctx, w, s)
}

func TestApplyAfterFailedSteps(t *testing.T) {
	stop := func(m *model) { m.stop(m.pod("c1"), 137) }
	tests := []struct {
		name        string
		first, then backends.Workload
		tamper      func(*model)
		verb        rollout.Verb
		ordinal     int
		want        string
	}{
		{"one create fails like the other", workload(well, 0, rolling), workload(well, 3, rolling), nil,
			rollout.Create, 0, "failed create 0"},
		{"what cannot be started holds nothing back", workload(well, 1, rolling), workload(checked, 1, rolling), stop,
			rollout.Start, 0, "failed start c1, create 0"},
		{"what cannot be stopped holds everything back", workload(well, 2, recreate), workload(well+"er", 2, recreate), nil,
			rollout.Stop, 0, "make 0, make 1, failed stop c1"},
		{"what cannot be removed holds others not back", workload(well, 3, rolling), workload(well, 1, rolling), nil,
			rollout.Remove, 1, "failed remove c2, remove c3"},
		{"what cannot be marked is not replaced", workload(broken, 0, rolling), workload(broken, 1, rolling), nil,
			rollout.GiveUp, -1, "create 0, failed give-up c1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newModel()
			if _, err := m.converge(test.first); err != nil {
				t.Fatal(err)
			}
			m.advance(m.now.Add(time.Hour))
			if test.tamper != nil {
				test.tamper(m)
			}
			m.steps = nil
			f := faulty{model: m, verb: test.verb, ordinal: test.ordinal}
			_, err := rollout.Apply(t.Context(), test.then, f, func() time.Time { return m.now })
			if !errors.Is(err, errFault) {
				t.Errorf("error %v", err)
			}
			if got := m.story(); got != test.want {
				t.Errorf("steps %q, want %q", got, test.want)
			}
		})
	}
}

// Where the current pod could not be removed, the old one is not started beside it.
func TestApplyHoldsBackWhatNeedsTheFailedStep(t *testing.T) {
	m := newModel()
	w, old := workload(well, 1, recreate), workload("old", 1, recreate)
	for _, made := range []struct {
		w     backends.Workload
		state backends.PodState
	}{{old, backends.PodExited}, {w, backends.PodFailed}, {w, backends.PodRunning}} {
		c, err := m.create(made.w, 0)
		if err != nil {
			t.Fatal(err)
		}
		c.State, c.StartedAt = made.state, c.CreatedAt
	}
	m.advance(m.now.Add(time.Minute))
	f := faulty{model: m, verb: rollout.Remove}
	if _, err := rollout.Apply(t.Context(), w, f, func() time.Time { return m.now }); !errors.Is(err, errFault) {
		t.Errorf("error %v", err)
	}
	if got, want := m.story(), "failed remove c3"; got != want {
		t.Errorf("steps %q, want %q", got, want)
	}
}

// What made a pod be given up is told by the progress, not by an error: trying
// again is of no use.
func TestApplyTellsStartErrorAsProgress(t *testing.T) {
	m := newModel()
	p, err := m.apply(workload(broken, 2, rolling))
	if err != nil || p.Phase != backends.PhaseFailed {
		t.Errorf("phase %s (%s), %v", p.Phase, p.Reason, err)
	}
}

func TestApplyTellsListingError(t *testing.T) {
	f := faulty{model: newModel(), listing: errFault}
	if _, err := rollout.Apply(t.Context(), workload(well, 1, rolling), f, time.Now); !errors.Is(err, errFault) {
		t.Errorf("error %v", err)
	}
}

// Once its context has ended, Apply takes no step and says why.
func TestApplyEndsWithItsContext(t *testing.T) {
	m := newModel()
	ctx, cancel := context.WithCancel(t.Context())
	m.check = func(backends.Workload, rollout.Step) { cancel() }
	_, err := rollout.Apply(ctx, workload(well, 3, rolling), m, func() time.Time { return m.now })
	if !errors.Is(err, context.Canceled) || schema.KindOf(err) != schema.Transient {
		t.Errorf("error %v", err)
	}
	if got, want := m.story(), "create 0"; got != want {
		t.Errorf("steps %q, want %q", got, want)
	}
}
