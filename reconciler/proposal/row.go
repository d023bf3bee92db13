package proposal

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/desired"
)

// A side is a desired state and its plan: without the proposal, or with it.
type side struct {
	state *desired.State
	plan  *planner.Plan
}

// document returns what declares a deployment; nil: nothing does that can be used.
func (s side) document(name string) *schema.Deployment {
	if s.state == nil {
		return nil
	}
	d, _ := s.state.Deployment(name)
	return d
}

// broken tells whether a deployment is declared, and cannot be used.
func (s side) broken(name string) bool {
	_, is := s.state.Broken(schema.Ref{Kind: schema.KindDeployment, Name: name})
	return is
}

// goal returns what shall run of a deployment once the plan is carried out, and
// what it waits for has come; nil: nothing.
func (s side) goal(d planner.Decision) *Placement {
	doc := s.document(d.Deployment)
	switch {
	case d.Action == "" || d.Action == planner.Remove:
		return nil
	case doc == nil || doc.Suspend || d.Release == "":
		return running(d.From)
	default:
		return &Placement{d.Release, d.Flavour, d.Backend, doc.ReplicaCount()}
	}
}

// running returns what runs now; nil: nothing.
func running(p planner.Placement) *Placement {
	if p == (planner.Placement{}) {
		return nil
	}
	return &Placement{p.Release, p.Flavour, p.Backend, p.Replicas}
}

// differs tells whether the plans come to something else about a deployment.
func (s side) differs(with side, was, is planner.Decision) bool {
	if was.Action != is.Action || !same(s.goal(was), with.goal(is)) {
		return true
	}
	// What is kept runs as it is declared, by both.
	return was.Action != planner.Keep && was.Workload != nil && is.Workload != nil &&
		was.Workload.InputHash() != is.Workload.InputHash()
}

func same(a, b *Placement) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// row returns the row of a decision.
func (s side) row(in planner.Input, d planner.Decision, from *Placement) Row {
	doc := s.document(d.Deployment)
	row := Row{
		Deployment: d.Deployment, Action: d.Action, From: from, To: s.goal(d),
		Changed: []string{}, Reason: d.Reason, Why: d.Why, Position: d.Position,
		Fails: d.Action == planner.Hold && d.Kind == schema.Invalid && doc != nil && !doc.Suspend,
	}
	row.Loses, row.Replaces = lost(in.Pods[d.Deployment], d)
	return row
}

// lost counts the running pods that go before others take their place, or for
// good, and those that go after.
func lost(pods []backends.Pod, d planner.Decision) (loses, replaces int) {
	here, stale, away := 0, 0, 0
	hash := ""
	if d.Workload != nil && d.Action == planner.Replace {
		hash = d.Workload.SpecHash()
	}
	for i := range pods {
		p := &pods[i]
		switch {
		case p.State != backends.PodRunning && p.State != backends.PodRestarting && p.State != backends.PodPaused:
		case slices.Contains(d.Leave, p.Backend):
			away++
		case p.Backend == d.Backend:
			here++
			if p.SpecHash != hash {
				stale++
			}
		}
	}
	switch d.Action {
	case planner.Remove:
		return away, 0
	case planner.Replace:
	default:
		return 0, 0
	}
	want := d.Workload.Replicas
	surplus := max(0, here-want)
	stale = max(0, stale-surplus)
	moved := min(away, want) // they go once the new ones are ready
	loses, replaces = surplus+away-moved, moved
	if d.Workload.Rollout.Strategy == schema.Recreate {
		return loses + stale, replaces
	}
	return loses, replaces + stale
}

// changed names the parts of a pod's specification that differ, without what they
// hold: "image", "env LOG_LEVEL".
func changed(was, is planner.Decision) []string {
	names := []string{}
	if was.Workload == nil || is.Workload == nil {
		return names
	}
	a, b := reflect.ValueOf(was.Workload.Pod), reflect.ValueOf(is.Workload.Pod)
	for i := range a.NumField() {
		field := a.Type().Field(i)
		if field.Name == "Env" || reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	names = append(names, changedEnv(was.Workload.Pod.Env, is.Workload.Pod.Env)...)
	if !reflect.DeepEqual(was.Workload.Rollout, is.Workload.Rollout) {
		names = append(names, "rollout")
	}
	return names
}

// told are the variables that Berth itself sets, and what they follow from; what
// the row tells anyway is left out.
var told = map[string]string{
	"BERTH_DEPLOYMENT": "", "BERTH_RELEASE": "", "BERTH_FLAVOUR": "", "BERTH_USER": "user", "BERTH_SCOPES": "scopes",
}

func changedEnv(was, is map[string]string) []string {
	var names []string
	all := maps.Clone(was)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, is)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		before, had := was[name]
		after, has := is[name]
		if had == has && before == after {
			continue
		}
		what, berths := told[name]
		if !berths {
			what = "env " + name
		}
		if what != "" {
			names = append(names, what)
		}
	}
	return names
}

// Places returns From and To, empty where there is nothing.
func (r *Row) Places() (from, to Placement) {
	if r.From != nil {
		from = *r.From
	}
	if r.To != nil {
		to = *r.To
	}
	return from, to
}

// Because returns all reasons in a sentence: why it is done, why this release,
// flavour and backend, and what of the specification is another.
func (r *Row) Because() string {
	text := r.Reason
	if r.Why != "" && (r.Action == planner.Create || r.Action == planner.Replace) {
		text += "; " + r.Why
	}
	if len(r.Changed) > 0 {
		text += "; changes " + strings.Join(r.Changed, ", ")
	}
	if !r.Declared {
		text += " (it follows from others)"
	}
	return text
}

// explain adds what else the deployment could have become.
func (r *Row) explain(in planner.Input, plan *planner.Plan) {
	e, err := plan.Explain(in, r.Deployment)
	if err != nil {
		return // there is nothing to choose
	}
	r.Better = e.Better
	for _, c := range e.Candidates[:min(len(e.Candidates), mostChoices)] {
		r.Choices = append(r.Choices, Choice{c.Flavour, c.Backend, c.Chosen, c.Fits, c.Reason})
	}
}

// order says which rows come first: what can never run, what loses pods, then by
// what is done.
var order = []planner.Action{planner.Remove, planner.Replace, planner.Create, planner.Hold, planner.Wait, planner.Keep}

func compareRows(a, b Row) int {
	first := func(is bool) int {
		if is {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(first(a.Fails), first(b.Fails)),
		cmp.Compare(first(a.Loses > 0), first(b.Loses > 0)),
		cmp.Compare(slices.Index(order, a.Action), slices.Index(order, b.Action)),
		cmp.Compare(a.Deployment, b.Deployment),
	)
}
