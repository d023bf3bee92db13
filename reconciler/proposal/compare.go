package proposal

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/sources/desired"
)

// mostExplained bounds the rows whose choices are told, and mostChoices the
// choices of each.
const (
	mostExplained = 50
	mostChoices   = 40
)

// New tells what would become of the deployments of an input, whose desired state
// is that of p.Base, if p were its desired state. before is the plan that is being
// carried out: what it placed, and whose pods may be on their way, stays there. It
// may be nil.
//
// What is held only for a reading that is yet to succeed counts as if it had, for
// the same must be read for the proposal to count. A merge is a new commit: it
// ends the hold of a desired state that went back, and what the commit in force
// confirms is not confirmed by it.
func New(in planner.Input, before *planner.Plan, p Proposed) *Report {
	if before == nil {
		before = &planner.Plan{}
	}
	if in.Desired == nil {
		in.Desired = desired.New("")
	}
	in.Unreadable, in.Backends = "", discreet(in.Backends)
	without := side{in.Desired, before.ReviseAll(in)}
	later := in
	later.Desired, later.Rewound = p.State, ""
	var notes []string
	later.Catalog, notes = refollowed(in.Catalog, in.Desired, p.State)
	with := side{p.State, before.ReviseAll(later)}
	if in.Confirmed && removesMore(without.plan, with.plan) {
		later.Confirmed = false
		with.plan = before.ReviseAll(later)
	}
	r := &Report{
		Base: p.Base, Head: p.Head, MergeBase: p.MergeBase, Branch: p.Branch,
		Conflicts: slices.Sorted(slices.Values(p.Conflicts)), Notes: notes,
	}
	r.Errors = p.Problems.Errors()
	r.Old = max(0, len(p.State.Errors())-len(r.Errors))
	r.compare(in, without, with)
	r.finish(later, with.plan)
	if in.Rewound != "" && r.Changes.Remove > 0 {
		r.Notes = append(r.Notes, in.Rewound+": what that would remove is held now, and a merge ends that")
	}
	return r
}

// Now tells what is to be done of an input now, as if that were proposed.
func Now(in planner.Input) *Report {
	in.Backends = discreet(in.Backends)
	plan := planner.New(in)
	r := &Report{Base: plan.Commit(), current: true}
	if in.Desired != nil {
		r.Errors = in.Desired.Errors()
	}
	for _, d := range plan.Decisions() {
		if d.Action == planner.Keep {
			r.Unchanged++
			continue
		}
		row := side{in.Desired, plan}.row(in, d, running(d.From))
		row.Declared = true // as far as it goes: nothing is compared
		r.Rows = append(r.Rows, row)
	}
	r.finish(in, plan)
	return r
}

// compare writes a row for each deployment of which the plans differ.
func (r *Report) compare(in planner.Input, without, with side) {
	before, after := without.plan.Decisions(), with.plan.Decisions()
	for len(before) > 0 || len(after) > 0 {
		var was, is planner.Decision
		if len(after) == 0 || len(before) > 0 && before[0].Deployment <= after[0].Deployment {
			was, before = before[0], before[1:]
		}
		if len(after) > 0 && (was.Action == "" || was.Deployment == after[0].Deployment) {
			is, after = after[0], after[1:]
		}
		r.compareOne(in, without, with, was, is)
	}
}

// compareOne compares the decisions about one deployment, without the proposal
// and with it; one without an action is none.
func (r *Report) compareOne(in planner.Input, without, with side, was, is planner.Decision) {
	name := cmp.Or(was.Deployment, is.Deployment)
	otherwise := !without.document(name).Same(with.document(name)) || without.broken(name) != with.broken(name)
	stuck := is.Action == planner.Hold || is.Action == planner.Wait
	if !without.differs(with, was, is) && (!otherwise || !stuck) {
		r.Unchanged++
		if otherwise {
			r.Untouched = append(r.Untouched, name)
		}
		return
	}
	if is.Action == "" {
		is = planner.Decision{Deployment: name, Action: planner.Remove, Reason: "it is declared no more, and has no pods" + seen(in.Backends)}
	}
	row := with.row(in, is, without.goal(was))
	row.Declared = otherwise
	row.Changed = changed(was, is)
	if from, to := row.Places(); from.Release != to.Release || from.Flavour != to.Flavour {
		row.Changed = slices.DeleteFunc(row.Changed, func(name string) bool { return name == "image" }) // it follows
	}
	row.Position = cmp.Or(row.Position, was.Position)
	r.Rows = append(r.Rows, row)
}

// seen adds to what is said of pods that not all of them were seen.
func seen(backends []planner.Backend) string {
	if slices.ContainsFunc(backends, func(b planner.Backend) bool { return !b.Known }) {
		return " that were seen"
	}
	return ""
}

// finish orders and counts the rows, explains the first ones, and adds notes.
func (r *Report) finish(in planner.Input, plan *planner.Plan) {
	slices.SortFunc(r.Rows, compareRows)
	for i := range r.Rows {
		row := &r.Rows[i]
		r.Changes.count(row)
		row.Choices = []Choice{}
		if i < mostExplained && row.To != nil {
			row.explain(in, plan)
		}
		if row.Action == planner.Hold && row.To != nil && plan.Guard().Active() && row.Reason == plan.Guard().Reason {
			r.held++
			if !r.current {
				row.Reason = "its removal would be held: too many at once"
			}
		}
	}
	if r.held > 0 && !r.current {
		r.Notes = append(r.Notes, fmt.Sprintf("%s: nothing would be removed; a merge confirms it where the merge commit's message has the line \"Berth-Confirm: removal\"", held(r.held, plan.Guard())))
	}
	r.look(in.Backends)
	r.Rows, r.Untouched, r.Errors = orEmpty(r.Rows), orEmpty(r.Untouched), orEmpty(r.Errors)
	r.Conflicts, r.Notes, r.Unseen = orEmpty(r.Conflicts), orEmpty(r.Notes), orEmpty(r.Unseen)
}

// held says which removals the guard holds back.
func held(n int, g planner.Guard) string {
	of, before := fmt.Sprintf("%d of %d", g.Orphans, g.Former), ""
	if g.Former < g.Running {
		of, before = strconv.Itoa(g.Orphans), fmt.Sprintf(" (%d ran before)", g.Former)
	}
	return fmt.Sprintf("%s running deployments%s would be declared no more, %d of them by this", of, before, n)
}

// look notes which backends do not answer, and what that means.
func (r *Report) look(backends []planner.Backend) {
	for _, b := range backends {
		switch {
		case !b.Known:
			r.Unseen = append(r.Unseen, b.Name)
			r.Notes = append(r.Notes, fmt.Sprintf("backend %s does not answer: what it has, and which pods run there, is not known", b.Name))
		case b.Problem != "":
			r.Notes = append(r.Notes, fmt.Sprintf("backend %s does not answer: it is taken as it was last seen", b.Name))
		}
	}
	slices.Sort(r.Unseen)
	r.Blind = len(r.Unseen) > 0 && len(r.Unseen) == len(backends)
}

// discreet returns the backends without why they do not answer: that names hosts,
// and a report is read by strangers.
func discreet(all []planner.Backend) []planner.Backend {
	all = slices.Clone(all)
	for i := range all {
		if all[i].Problem != "" {
			all[i].Problem = "it does not answer"
		}
	}
	return all
}

func (c *Changes) count(row *Row) {
	switch row.Action {
	case planner.Create:
		if row.Joins() {
			c.Replace++
		} else {
			c.Create++
		}
	case planner.Replace:
		c.Replace++
	case planner.Remove:
		c.Remove++
	case planner.Wait:
		c.Wait++
	case planner.Hold:
		c.Hold++
	}
	c.Loses += row.Loses
}

// removesMore tells whether a plan removes a deployment that the other does not.
func removesMore(without, with *planner.Plan) bool {
	for _, d := range with.Decisions() {
		if was, _ := without.Decision(d.Deployment); d.Action == planner.Remove && was.Action != planner.Remove {
			return true
		}
	}
	return false
}

func orEmpty[S ~[]E, E any](s S) S {
	if s == nil {
		return S{}
	}
	return s
}
