package engine

import (
	"maps"
	"slices"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/sources/sorted"
)

// show has the next view tell anew of a deployment. The caller holds mu.
func (e *Engine) show(name string) { e.world.unseen[name] = true }

// publish lets readers see what changed since the last view. The next one shares
// with it all that did not change, so that one change among 10,000 deployments
// costs microseconds. The planning loop alone publishes, so that what comes at
// once is shown at once: whoever changes something pokes it. The caller holds mu.
func (e *Engine) publish() {
	before, names := e.shown.Load(), e.world.unseen
	if len(names) == 0 && !e.unseen && e.outcome(before) == before.Outcome {
		return
	}
	moved := e.moved
	e.world.unseen, e.unseen, e.moved = map[string]bool{}, false, false
	edits := make(map[string]*Status, len(names))
	for name := range names {
		edits[name] = e.row(name)
	}
	v := &View{
		Desired: e.view.Desired, Catalog: before.Catalog, Backends: slices.Clone(e.world.backends), Plan: e.plan, DryRun: e.dryRun, Standby: e.standby,
		rows: before.rows.With(edits), states: maps.Clone(e.counts), tally: before.tally.with(before.rows, edits),
		unreadable: e.unreadable(e.view), rewound: e.rewound(e.view),
	}
	if e.view.catalog != nil {
		v.Catalog = e.view.catalog
	}
	if v.State != before.State {
		v.tally.read(v.State)
	}
	v.Outcome = e.outcome(v)
	e.shown.Store(v)
	if len(names) > 0 || moved || v.Outcome != before.Outcome || v.Catalog != before.Catalog {
		e.tellFollowers(names)
	}
}

// row returns what the view shows of a deployment; nil: it is neither declared
// nor there. The caller holds mu.
func (e *Engine) row(name string) *Status {
	pods, objects := slices.Clip(e.world.pods[name]), []backends.Pod(nil)
	if slices.ContainsFunc(pods, absent) {
		objects = slices.DeleteFunc(slices.Clone(pods), func(p backends.Pod) bool { return !absent(p) })
		pods = slices.DeleteFunc(slices.Clone(pods), absent)
	}
	s := e.statuses[name]
	switch {
	case s != nil:
		row := s.Status
		row.Pods, row.objects = pods, objects
		return &row
	case len(pods)+len(objects) > 0:
		return &Status{Deployment: name, Pods: pods, objects: objects}
	default:
		return nil
	}
}

// absent tells whether a pod is none, but the object that stands for a deployment.
func absent(p backends.Pod) bool { return p.State == backends.PodAbsent }

// A tally sorts deployments by what they mean for the outcome of their commit.
type tally struct {
	running  int
	bad      sorted.Map[Status] // will not become ready without a person
	open     sorted.Map[Status] // may yet
	problems []string           // of documents
}

// with returns the tally after the edits of the rows that it was made of.
func (t tally) with(rows sorted.Map[Status], edits map[string]*Status) tally {
	bad, open := map[string]*Status{}, map[string]*Status{}
	book := func(name string, s, to *Status, n int) {
		if s == nil || s.State == "" {
			return
		}
		switch s.Verdict() {
		case Success:
			t.running += n
		case Failure:
			bad[name] = to
		default:
			open[name] = to
		}
	}
	for name, s := range edits {
		book(name, rows.Get(name), nil, -1)
		book(name, s, s, 1)
	}
	t.bad, t.open = t.bad.With(bad), t.open.With(open)
	return t
}
