package planner

import (
	"cmp"
	"slices"
	"strings"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

// A subject is a deployment while it is planned.
type subject struct {
	name   string
	doc    *schema.Deployment // nil: not (validly) declared
	pods   []backends.Pod     // in the order of merit
	left   []backends.Pod     // that stand for what is left of it: see backends.Pod.Leftover
	seats  []backends.Pod     // those that tell where it is: see seats
	from   Placement          // of the first seat
	home   int                // the backend of the first seat; -1: none, or not configured
	away   []string           // backends that have pods of it and do not answer
	intent Placement          // where its pods are being created, by the plan before
	record *record

	anyScopes bool // it is granted what a release needs, whichever it gets

	resolved   bool
	release    *catalog.Release // nil: none can run
	resolution catalog.Resolution
	how        string   // the resolution in words
	refused    verdict  // why none can
	unread     []string // repos that might own the app, and were never read

	settled bool   // its pods are just what is asked of them
	merged  merged // the ask that was made last
	wanted  wanted // the workload that was made last
	fits    int    // how many candidates fit
	by      string // what makes the chosen one better than the next
	blocked bool   // it waits for other deployments
}

// observe gathers what is known of a deployment, and books what its pods hold.
func (g *planning) observe(s *subject) {
	name := s.name
	s.home, s.record = -1, &record{}
	s.doc, _ = g.in.Desired.Deployment(name)
	if before := g.base.records.Get(name); before != nil {
		g.ledger.drop(name, before.claims)
		g.summary[before.decision.Action]--
		g.guard.count(before, -1)
		if g.summary[before.decision.Action] == 0 {
			delete(g.summary, before.decision.Action)
		}
	}
	if before := g.before.records.Get(name); before != nil && before.decision.Action == Create {
		s.intent = Placement{Flavour: before.decision.Flavour, Backend: before.decision.Backend}
	}
	s.pods = g.in.Pods[name]
	if slices.ContainsFunc(s.pods, backends.Pod.Leftover) {
		whole := func(p backends.Pod) bool { return !p.Leftover() }
		s.pods, s.left = slices.DeleteFunc(slices.Clone(s.pods), backends.Pod.Leftover), slices.DeleteFunc(slices.Clone(s.pods), whole)
	}
	if len(s.pods) > 1 {
		s.pods = slices.Clone(s.pods)
		slices.SortFunc(s.pods, func(a, b backends.Pod) int { return g.byMerit(s.doc, &a, &b) })
	}
	s.seat(g)
	s.hold(g)
	s.record.running = slices.ContainsFunc(s.pods, func(p backends.Pod) bool { return p.State != backends.PodGoing })
	s.record.orphan = s.doc == nil && (s.record.running || len(s.left) > 0) && g.unreadable(s) == ""
	g.guard.count(s.record, 1)
	g.ledger.add(name, s.record.claims)
}

// byMerit orders pods so that the first tells where the deployment is: on the
// backend that is named now, on one that answers, running, the oldest.
func (g *planning) byMerit(d *schema.Deployment, a, b *backends.Pod) int {
	rank := func(ok bool) int {
		if ok {
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(rank(d != nil && a.Backend == d.Backend), rank(d != nil && b.Backend == d.Backend)),
		cmp.Compare(rank(g.answers(a.Backend)), rank(g.answers(b.Backend))),
		cmp.Compare(rank(a.State == backends.PodRunning), rank(b.State == backends.PodRunning)),
		a.CreatedAt.Compare(b.CreatedAt),
		cmp.Compare(a.Backend, b.Backend),
		cmp.Compare(a.Ordinal, b.Ordinal),
		cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.ID, b.ID),
	)
}

// seat finds out where the deployment is: its pods that live tell, else those
// that failed, else those that are being removed.
func (s *subject) seat(g *planning) {
	var failed, going []backends.Pod
	for _, p := range s.pods {
		switch p.State {
		case backends.PodFailed:
			failed = append(failed, p)
		case backends.PodGoing:
			going = append(going, p)
		default:
			s.seats = append(s.seats, p)
		}
	}
	for _, p := range slices.Concat(s.pods, s.left) {
		if !g.answers(p.Backend) && !slices.Contains(s.away, p.Backend) {
			s.away = append(s.away, p.Backend)
		}
	}
	slices.Sort(s.away)
	for _, others := range [][]backends.Pod{failed, going} {
		if len(s.seats) == 0 {
			s.seats = others
		}
	}
	if len(s.seats) == 0 {
		return
	}
	first := s.seats[0]
	s.home = g.index(first.Backend)
	s.from = Placement{Release: first.Release, Flavour: first.Flavour, Backend: first.Backend, SpecHash: first.SpecHash}
	for _, p := range s.pods {
		if live(&p) && p.State != backends.PodAbsent {
			s.from.Replicas++
		}
	}
}

// live tells whether a pod counts as one that runs, or should. The object that
// stands for a deployment without pods does: it says what is there.
func live(p *backends.Pod) bool {
	return p.State != backends.PodFailed && p.State != backends.PodGoing
}

// hold claims what the deployment's pods hold.
func (s *subject) hold(g *planning) {
	for i := range s.pods {
		p := &s.pods[i]
		at := g.index(p.Backend)
		if at < 0 {
			continue
		}
		c := s.claim(at)
		c.held.add(observed(p, &g.in.Backends[at].Capacity), 1)
		if !live(p) || !g.in.Backends[at].Capacity.OneHost {
			continue
		}
		for _, e := range p.Endpoints {
			if e.Port != 0 {
				c.addPort(hostPort{port: e.Port, protocol: cmp.Or(e.Protocol, schema.TCP)})
			}
		}
	}
	for i := range s.record.claims {
		c := &s.record.claims[i]
		c.had = slices.Clip(c.ports)
	}
}

// claim returns the deployment's claim on a backend.
func (s *subject) claim(backend int) *claim {
	at := slices.IndexFunc(s.record.claims, func(c claim) bool { return c.backend == backend })
	if at < 0 {
		at = len(s.record.claims)
		s.record.claims = append(s.record.claims, claim{backend: backend})
	}
	return &s.record.claims[at]
}

// addPort adds a port, unless it is there on every address.
func (c *claim) addPort(p hostPort) {
	if !slices.ContainsFunc(c.ports, func(o hostPort) bool {
		return o.port == p.port && o.protocol == p.protocol && (o.ip == p.ip || anyAddress(o.ip))
	}) {
		c.ports = append(c.ports, p)
	}
}

// stay says what becomes of the deployment's pods while nothing is done about them.
func (s *subject) stay() string {
	runs := func(p backends.Pod) bool { return p.State == backends.PodRunning || p.State == backends.PodRestarting }
	if slices.ContainsFunc(s.pods, runs) {
		return "its pods run on"
	}
	return "its pods stay as they are"
}

// leave returns the backends that hold pods of the deployment, or what is left of it,
// answer, and are not the one where it shall be; sorted.
func (s *subject) leave(home string) []string {
	var out []string
	for _, p := range slices.Concat(s.pods, s.left) {
		if p.Backend != home && !slices.Contains(s.away, p.Backend) && !slices.Contains(out, p.Backend) {
			out = append(out, p.Backend)
		}
	}
	slices.Sort(out)
	return out
}

// index returns the place of a backend by name; -1: it is not configured.
func (g *planning) index(backend string) int {
	at, ok := slices.BinarySearchFunc(g.in.Backends, backend, func(b Backend, name string) int {
		return strings.Compare(b.Name, name)
	})
	if !ok {
		return -1
	}
	return at
}

// answers tells whether anything can be done on a backend now.
func (g *planning) answers(backend string) bool {
	at := g.index(backend)
	return at >= 0 && g.in.Backends[at].unavailable() == ""
}

// unavailable says why nothing can be done on the backend now; empty: it can.
// It leaves out what the backend's problem is: that is told once, of the
// backend, and not of each deployment.
func (b *Backend) unavailable() string {
	switch {
	case b.Problem != "":
		return b.Name + " does not answer"
	case !b.Known:
		return b.Name + " was not listed yet"
	default:
		return ""
	}
}
