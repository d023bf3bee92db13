package planner

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// A Guard tells whether all removals are held back, and why.
type Guard struct {
	Running int    // deployments with pods, or with an object that stands for them
	Orphans int    // of these, those that are declared no more and would be removed
	Former  int    // how many ran before what the same commit brings; what Orphans is measured against
	Reason  string // why none is removed; empty: they are
	Kind    schema.ErrorKind
	many    bool // Orphans are too many, and nothing confirms that
}

// Active tells whether removals are held back.
func (g Guard) Active() bool { return g.Reason != "" }

// TooMany tells whether removals are held back because they are too many, or would be
// if nothing else held them.
func (g Guard) TooMany() bool { return g.many }

// guardFrom is how many deployments must run for their number to be guarded.
const guardFrom = 4

// count takes a deployment into account, or out of it. One of which only something is
// left does not count.
func (g *Guard) count(r *record, sign int) {
	if !r.running {
		return
	}
	g.Running += sign
	if r.orphan {
		g.Orphans += sign
	}
}

// judge decides whether removals are held back, once every pod was counted.
func (g *planning) judge() {
	now := &g.guard
	now.Reason, now.Kind, now.Former = "", "", g.former()
	now.many = now.Former >= guardFrom && 2*now.Orphans > now.Former && !g.in.Confirmed
	switch {
	case g.in.Unreadable != "":
		now.Reason, now.Kind = "nothing is removed: "+g.in.Unreadable, schema.Waiting
	case g.in.Confirmed:
	case g.in.Rewound != "":
		now.Reason, now.Kind = "nothing is removed: "+g.in.Rewound+confirmHint, schema.Invalid
	case now.many:
		of, half := fmt.Sprintf("%d of %d", now.Orphans, now.Former), "half"
		if now.Former < now.Running { // it has brought others by now
			of, half = strconv.Itoa(now.Orphans), fmt.Sprintf("half of the %d that ran before", now.Former)
		}
		now.Reason = fmt.Sprintf("%s running deployments are declared no more (%s), which is more than %s%s", of, g.nameOrphans(), half, confirmHint)
		now.Kind = schema.Invalid
	}
}

// former returns how many deployments ran before what the commit brings. What it
// adds in place of what it removes must not lift the guard once it runs: so what was
// counted when removals were too many stands until they are not, whatever else held
// them meanwhile; and when nobody knows how it was, only what surely ran beside
// what is removed counts.
func (g *planning) former() int {
	n := g.guard.Running
	if g.in.HeldOf > 0 {
		n = min(n, g.in.HeldOf)
	}
	if g.in.First && g.guard.Orphans > 0 {
		n = min(n, g.madeBefore())
	}
	return n
}

// madeBefore counts the deployments that are declared no more, and of the others
// those with pods that another commit made, and no later than those of the former:
// also a commit between the two may have brought what replaces them.
func (g *planning) madeBefore() (n int) {
	var last time.Time // when a pod was made that is declared no more
	for name, pods := range g.in.Pods {
		if _, declared := g.in.Desired.Deployment(name); declared {
			continue
		}
		if slices.ContainsFunc(pods, counts) {
			n++
		}
		for i := range pods {
			if counts(pods[i]) && pods[i].CreatedAt.After(last) {
				last = pods[i].CreatedAt
			}
		}
	}
	for name, pods := range g.in.Pods {
		if _, declared := g.in.Desired.Deployment(name); declared && slices.ContainsFunc(pods, func(p backends.Pod) bool {
			return counts(p) && p.Commit != g.in.Desired.Commit && !p.CreatedAt.After(last)
		}) {
			n++
		}
	}
	return n
}

// counts tells whether a pod stands for a deployment that runs.
func counts(p backends.Pod) bool { return p.State != backends.PodGoing && !p.Leftover() }

const confirmHint = `; to confirm it, push a commit whose message has the line "Berth-Confirm: removal"`

// nameOrphans names the first of the deployments that would be removed.
func (g *planning) nameOrphans() string {
	names := slices.DeleteFunc(g.otherOrphans(), func(name string) bool { return !g.base.records.Get(name).running })
	for _, s := range g.subjects {
		if s.record.orphan && s.record.running {
			names = append(names, s.name)
		}
	}
	slices.Sort(names)
	return bounded(names, ", ")
}

// otherOrphans returns the deployments that would be removed, besides those that
// are planned now.
func (g *planning) otherOrphans() []string {
	var names []string
	for name, r := range g.base.records.All() {
		if _, planned := g.records[name]; r.orphan && !planned {
			names = append(names, name)
		}
	}
	return names
}

// undeclared says what is done about pods whose deployment is not (validly) declared.
func (g *planning) undeclared(s *subject) (verdict, schema.Position) {
	broken, isBroken := g.in.Desired.Broken(schema.Ref{Kind: kindDeployment, Name: s.name})
	at := schema.Position{File: broken.File, Line: broken.Line, Column: broken.Column}
	if len(s.pods)+len(s.left) == 0 {
		if isBroken {
			return verdict{Hold, schema.Invalid, broken.Error()}, at
		}
		return verdict{}, at
	}
	if why := g.unreadable(s); why != "" {
		if !isBroken {
			at.File = slices.Concat(s.pods, s.left)[0].Source
		}
		if len(s.pods) == 0 {
			return verdict{Hold, schema.Invalid, why + "; what is left of it stays"}, at
		}
		return verdict{Hold, schema.Invalid, why + "; " + s.stay()}, at
	}
	if s.record.orphan && g.guard.Active() {
		return verdict{Hold, g.guard.Kind, g.guard.Reason}, schema.Position{}
	}
	if len(s.leave("")) == 0 {
		return verdict{Wait, schema.Waiting, "it is declared no more; its pods are removed once their backend answers: " + g.why(s.away)}, schema.Position{}
	}
	reason := "it is declared no more"
	if len(s.away) > 0 {
		reason += "; pods are left where a backend does not answer: " + g.why(s.away)
	}
	return verdict{Remove, "", reason}, schema.Position{}
}

// unreadable says what cannot be read that may declare the deployment; empty:
// nothing. Its pods may remember several files.
func (g *planning) unreadable(s *subject) string {
	asked := ""
	for i, p := range slices.Concat(s.pods, s.left) {
		if i > 0 && p.Source == asked {
			continue
		}
		asked = p.Source
		if why, hold := g.in.Desired.Holds(s.name, asked); hold {
			return why
		}
	}
	return ""
}

// why says why backends do not answer.
func (g *planning) why(away []string) string {
	parts := make([]string, len(away))
	for i, name := range away {
		parts[i] = name + " is not configured"
		if at := g.index(name); at >= 0 {
			parts[i] = g.in.Backends[at].unavailable()
		}
	}
	return strings.Join(parts, ", ")
}

// bounded joins the first of many texts.
func bounded(names []string, separator string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], separator), len(names)-most)
	}
	return strings.Join(names, separator)
}
