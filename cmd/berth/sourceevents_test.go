package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/follow"
)

func TestSourceEvents(t *testing.T) {
	var events []string
	e := newSourceEvents(func(event journal.Event) {
		if event.Kind != journal.Source {
			t.Errorf("%+v", event)
		}
		events = append(events, string(event.Severity)+" "+event.Source+": "+event.Message)
	})
	const name = follow.DesiredName
	well := follow.Status{Name: name}
	away := func(problem string) follow.Status {
		return follow.Status{Name: name, Problem: problem, Kind: schema.Transient}
	}
	refused := follow.Status{Name: name, Problem: "401", Kind: schema.Terminal}
	rewound := follow.Status{Name: name, Rewound: "the desired state went back"}
	steps := []struct {
		what   string
		status follow.Status
		want   []string
	}{
		{"it was read", well, nil},
		{"it fails", away("connection refused"), []string{"warning desired-state: source cannot be read: connection refused"}},
		{"it fails again, in other words", away("no route to host"), nil},
		{"it fails for another reason", refused, []string{"warning desired-state: source cannot be read: 401"}},
		{"it answers", well, []string{"info desired-state: source can be read again"}},
		{"it was read again", well, nil},
		{"it went back", rewound, []string{"warning desired-state: the desired state went back"}},
		{"it goes on", well, []string{"info desired-state: the desired state goes forward again"}},
	}
	other := follow.Status{Name: "apps", Problem: "not asked about", Kind: schema.Invalid}
	for _, step := range steps {
		events = nil
		e.changed([]string{name}, []follow.Status{step.status, other})
		if diff := cmp.Diff(step.want, events); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.what, diff)
		}
	}

	events = nil
	e.changed([]string{"apps"}, []follow.Status{well, other})
	e.changed([]string{"apps"}, []follow.Status{well}) // followed no more
	e.changed([]string{"apps"}, []follow.Status{well, other})
	if len(events) != 2 {
		t.Errorf("a source that came again: %q", events)
	}
}
