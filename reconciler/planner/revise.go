package planner

import (
	"cmp"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"sync"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

// kindDeployment is the kind of the documents that are planned.
const kindDeployment = "Deployment"

// New plans every deployment that is declared or there.
func New(in Input) *Plan { return planAll(&Plan{}, in.complete(), nil) }

// Revise returns the plan after something changed about the named deployments:
// their documents, their releases or their pods. It plans again these and what
// must follow: those that wait for room or for one of them, and what the guard
// holds or no longer holds. Everything is planned again when a backend changed.
//
// A named deployment whose pods are still to be created stays where the plan
// before placed it, as long as it fits there: its pods may be on their way.
func (p *Plan) Revise(in Input, names []string) *Plan {
	in = in.complete()
	if !reflect.DeepEqual(p.backends, in.Backends) {
		return planAll(p, in, nil)
	}
	g := newPlanning(p, p, in, nil)
	names = slices.Concat(names, p.blocked)
	for _, name := range names {
		for _, other := range in.Desired.Dependents(name) {
			if r := p.records.Get(other); r != nil && r.decision.Action == Wait {
				names = append(names, other)
			}
		}
	}
	return g.plan(names)
}

// ReviseAll returns the plan after anything may have changed: all is planned
// again, but, as in [Plan.Revise], what is on its way stays where it was placed.
func (p *Plan) ReviseAll(in Input) *Plan { return planAll(p, in.complete(), nil) }

// planAll plans everything. before is the plan so far, for what it placed.
func planAll(before *Plan, in Input, table *table) *Plan {
	g := newPlanning(before, &Plan{backends: in.Backends, ledger: ledger{used: make([]usage, len(in.Backends))}}, in, table)
	names := make([]string, 0, in.Desired.Len()+8)
	for name := range in.Desired.Deployments() {
		names = append(names, name)
	}
	for name := range in.Pods {
		if _, declared := in.Desired.Deployment(name); !declared {
			names = append(names, name)
		}
	}
	for ref := range in.Desired.AllBroken() {
		if ref.Kind == kindDeployment {
			names = append(names, ref.Name)
		}
	}
	return g.plan(names)
}

// complete returns the input with nothing missing and its backends in order. A
// desired state that was not read removes nothing.
func (in Input) complete() Input {
	if in.Desired == nil {
		in.Desired = desired.New("")
		in.Unreadable = cmp.Or(in.Unreadable, "the desired state was not read yet")
	}
	if in.Catalog == nil {
		in.Catalog = catalog.New()
	}
	in.Backends = slices.Clone(in.Backends)
	slices.SortStableFunc(in.Backends, func(a, b Backend) int { return cmp.Compare(a.Name, b.Name) })
	in.Backends = slices.CompactFunc(in.Backends, func(a, b Backend) bool { return a.Name == b.Name })
	return in
}

// planning is a plan in the making.
type planning struct {
	in       Input
	before   *Plan // what was planned last
	base     *Plan // what stays of it: all, or nothing
	ledger   ledger
	records  map[string]*record // that are planned now; nil: it is no more
	summary  Summary
	guard    Guard
	blocked  []string
	subjects []*subject
	turn     int              // counts those that are decided
	found    map[asked]*found // what the catalog answered
	known    map[*schema.Flavour]*traits
	table    *table // where the choices of one deployment are written down; nil: nowhere
}

func newPlanning(before, base *Plan, in Input, table *table) *planning {
	g := &planning{
		in: in, before: before, base: base, table: table,
		ledger: base.ledger.edited(), summary: Summary{}, guard: base.guard,
		found: map[asked]*found{}, known: map[*schema.Flavour]*traits{},
	}
	maps.Copy(g.summary, base.summary)
	return g
}

// plan plans the named deployments, and returns the plan that follows.
func (g *planning) plan(names []string) *Plan {
	slices.Sort(names)
	names = slices.Compact(names)
	g.records = make(map[string]*record, len(names))
	before := g.guard.Reason
	g.observeAll(names)
	if g.judge(); g.guard.Reason != before {
		g.observeAll(g.otherOrphans()) // what is held, or is no longer, follows
	}
	rounds := g.rounds()
	for _, s := range slices.Concat(rounds[:]...) {
		g.decide(s)
	}
	slices.Sort(g.blocked)
	return &Plan{
		commit: g.in.Desired.Commit, backends: g.in.Backends,
		records: g.base.records.With(g.records), ledger: g.ledger.settled(),
		summary: g.summary, guard: g.guard, blocked: g.blocked,
		planned: g.planned(), revision: g.before.revision + 1,
	}
}

// planned returns the names of all that was planned, sorted.
func (g *planning) planned() []string {
	names := make([]string, len(g.subjects))
	for i, s := range g.subjects {
		names[i] = s.name
	}
	slices.Sort(names)
	return names
}

func (g *planning) observeAll(names []string) {
	g.subjects = slices.Grow(g.subjects, len(names))
	all := make([]subject, len(names))
	for i, name := range names {
		s := &all[i]
		s.name = name
		g.observe(s)
		g.subjects = append(g.subjects, s)
		g.records[name] = s.record
	}
}

// rounds returns the deployments in the order in which they are planned: first
// what runs as it is declared, then what else has pods, last what has none.
func (g *planning) rounds() (rounds [3][]*subject) {
	stay := make([]*wanted, len(g.subjects))
	for i, s := range g.subjects {
		if s.doc != nil && len(s.seats) > 0 {
			g.resolve(s)
			stay[i] = g.asItRuns(s)
		}
	}
	hashAll(stay)
	for i, s := range g.subjects {
		n := 0
		switch {
		case s.doc == nil:
		case len(s.seats) == 0:
			n = 2
		default:
			if s.settled = s.unchanged(stay[i]); !s.settled {
				n = 1
			}
		}
		rounds[n] = append(rounds[n], s)
	}
	return rounds
}

// hashAll works out the hashes of many workloads on all CPUs, for that is the
// most of the work where many pods run.
func hashAll(all []*wanted) {
	const few = 64
	size := max(few, len(all)/runtime.GOMAXPROCS(0)+1)
	var group sync.WaitGroup
	for part := range slices.Chunk(all, size) {
		hash := func() {
			for _, w := range part {
				if w != nil {
					w.specHash()
				}
			}
		}
		if len(all) <= few {
			hash()
			continue
		}
		group.Go(hash)
	}
	group.Wait()
}

// decide plans one deployment, and books what it takes.
func (g *planning) decide(s *subject) {
	g.ledger.drop(s.name, s.record.claims)
	d := g.decision(s)
	g.ledger.add(s.name, s.record.claims)
	g.turn++
	s.record.revision, s.record.turn = g.before.revision+1, g.turn
	if d.Action == "" { // neither declared nor there
		g.records[s.name] = nil
		return
	}
	s.record.decision = d
	g.summary[d.Action]++
	if s.blocked {
		g.blocked = append(g.blocked, s.name)
	}
}

// decision says what is to be done about one deployment.
func (g *planning) decision(s *subject) Decision {
	d := Decision{Deployment: s.name, From: s.from}
	if s.doc == nil {
		var v verdict
		v, d.Position = g.undeclared(s)
		v.tell(&d)
		if d.Action == Remove {
			d.Leave = s.leave("")
		}
		return d
	}
	d.Position = s.doc.Position
	g.table.write(g, s)
	if s.doc.Suspend {
		d.Release, d.Flavour, d.Backend = s.from.Release, s.from.Flavour, s.from.Backend
		verdict{Hold, schema.Invalid, "it is suspended: nothing is changed"}.tell(&d)
		return d
	}
	g.resolve(s)
	if s.refused.action != "" {
		s.refused.tell(&d)
		return d
	}
	d.Release = s.release.Version
	chosen, why := g.place(s)
	if why.action != "" {
		why.tell(&d)
		return d
	}
	d.Flavour, d.Backend, d.Why = chosen.flavour.Name, g.in.Backends[chosen.backend].Name, s.whyChosen(chosen, g.in.Backends[chosen.backend].Name)
	return g.compare(s, chosen, d)
}

// A verdict is what is decided, and why.
type verdict struct {
	action Action
	kind   schema.ErrorKind
	reason string
}

func (v verdict) tell(d *Decision) { d.Action, d.Kind, d.Reason = v.action, v.kind, v.reason }
