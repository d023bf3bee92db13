package api

import (
	"strings"

	"github.com/berthdev/berth/reconciler/planner"
)

// plan resolves Plan.
type plan struct{ w *world }

// actions are told in this order.
var actions = []planner.Action{planner.Create, planner.Replace, planner.Remove, planner.Keep, planner.Hold, planner.Wait}

func (p plan) summary() planner.Summary {
	if p.w.view.Plan == nil {
		return nil
	}
	return p.w.view.Plan.Summary()
}

func (p plan) Changes() bool { return p.summary().Changes() > 0 }

func (p plan) Summary() string {
	if p.w.view.Plan == nil {
		return "nothing was planned yet"
	}
	return p.summary().String()
}

func (p plan) Commit() string {
	if p.w.view.Plan == nil {
		return ""
	}
	return p.w.view.Plan.Commit()
}

func (p plan) Guard() string {
	if p.w.view.Plan == nil {
		return ""
	}
	return p.w.view.Plan.Guard().Reason
}

func (p plan) Counts() []actionCount {
	out := []actionCount{}
	summary := p.summary()
	for _, a := range actions {
		if n := summary[a]; n > 0 {
			out = append(out, actionCount{enum(a), count(n)})
		}
	}
	return out
}

// actionCount resolves ActionCount.
type actionCount struct {
	Action string
	Count  int32
}

func (p plan) Decisions(args struct {
	Filter *decisionFilter
	paging
}) (*connection[decision], error) {
	keep, err := args.Filter.filter(0)
	if err != nil {
		return nil, err
	}
	found := p.w.index.plan()
	of := listing[decision]{len(found), func(i int) decision { return decision{p.w, &found[i]} }, "DEPLOYMENT"}
	return decisions.page(p.w, of, keep, nil, args.paging)
}

// decision resolves Decision.
type decision struct {
	w *world
	d *planner.Decision
}

func (d decision) DeploymentName() string  { return d.d.Deployment }
func (d decision) Deployment() *deployment { return d.w.deployment(d.d.Deployment) }
func (d decision) Action() string          { return enum(d.d.Action) }
func (d decision) Reason() string          { return d.w.meter.takeText(d.d.Reason) }
func (d decision) Position() *position     { return positionOf(d.d.Position) }
func (d decision) Version() string         { return d.d.Release }
func (d decision) Flavour() string         { return d.d.Flavour }
func (d decision) Backend() string         { return d.d.Backend }
func (d decision) Why() string             { return d.w.meter.takeText(d.d.Why) }

func (d decision) From() *placement {
	return orNone(d.d.From, func(p planner.Placement) placement {
		return placement{p.Release, p.Flavour, p.Backend, count(p.Replicas)}
	})
}

// placement resolves Placement.
type placement struct {
	Version, Flavour, Backend string
	Replicas                  int32
}

// decisions are listed by the names of deployments.
var decisions = noun[decision]{
	name: "decision", usual: "DEPLOYMENT",
	orders: map[string]order[decision]{
		"DEPLOYMENT": func(a, b decision) int { return strings.Compare(a.d.Deployment, b.d.Deployment) },
	},
	mark: func(d decision) []string { return []string{d.d.Deployment} },
	probe: func(w *world, left []string) (decision, bool) {
		m := marks{left: left}
		d := decision{w, &planner.Decision{Deployment: m.text()}}
		return d, m.ok()
	},
}

type decisionFilter struct {
	Deployment, Action *[]string
	Not                *decisionFilter
}

func (f *decisionFilter) filter(depth int) (filter[decision], error) {
	if f == nil {
		return filter[decision]{}, nil
	}
	var c conditions[decision]
	c.text("deployment", f.Deployment, decision.DeploymentName)
	c.enum("action", f.Action, decision.Action)
	if f.Not != nil {
		c.not(depth, f.Not.filter)
	}
	return c.filter()
}
