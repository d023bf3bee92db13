package planner

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// A candidate is a flavour on a backend.
type candidate struct {
	flavour *schema.Flavour
	backend int
	ask     *ask
	traits  *traits
	fit     *fit
	why     string // why it is out; empty: it fits
	passing bool   // what rules it out may pass without a change to the input
	score   score
}

// A score is what a candidate is ranked by, part by part: lower is better.
type score [parts]int

// The parts of a score, the first to differ decides. What runs stays, first on
// its backend, then in its flavour: a better choice that appears later moves
// nothing.
const (
	partBackend    = iota // it is there already
	partFlavour           // it has this flavour already
	partWeights           // sum of the weights of selectors that are not required, and match
	partPriority          // of the flavour; those that say none come last
	partSpecific          // a flavour for a GPU, then one with more required selectors
	partPreference        // the backend's priority
	partLoad              // how full the backend is, in quarters
	parts
)

var partNames = [parts]string{
	"being there already", "having this flavour already", "weights", "the flavour's priority",
	"what the flavour needs", "the backend's priority", "load",
}

// unsaid is the priority of a flavour that says none.
const unsaid = math.MaxInt

func (c *candidate) compare(o *candidate) int {
	return cmp.Or(
		slices.Compare(c.score[:], o.score[:]),
		cmp.Compare(c.flavour.Name, o.flavour.Name),
		cmp.Compare(c.backend, o.backend), // backends are in the order of names
	)
}

// asItRuns returns what the deployment's pods would be if they stayed just what and
// where they are; nil when they cannot.
func (g *planning) asItRuns(s *subject) *wanted {
	d := s.doc
	if s.refused.action != "" || d.Suspend || s.home < 0 || s.from.Replicas < d.ReplicaCount() ||
		d.Backend != "" && d.Backend != s.from.Backend || d.Flavour != "" && d.Flavour != s.from.Flavour {
		return nil
	}
	at := slices.IndexFunc(s.release.Flavours, func(f schema.Flavour) bool { return f.Name == s.from.Flavour })
	if at < 0 {
		return nil
	}
	f := &s.release.Flavours[at]
	c := g.newCandidate(f, g.ask(s, f), s.home)
	return g.want(s, &c)
}

// unchanged tells whether the deployment's pods are just what is asked of them.
// Then they hold already what they need.
func (s *subject) unchanged(want *wanted) bool {
	return want != nil && !slices.ContainsFunc(s.pods, func(p backends.Pod) bool {
		return live(&p) && (p.SpecHash != want.specHash() || p.Backend != s.from.Backend)
	})
}

// place chooses a flavour and a backend for the deployment, or says why not.
func (g *planning) place(s *subject) (*candidate, verdict) {
	d := s.doc
	if d.Backend != "" && g.index(d.Backend) < 0 {
		return nil, verdict{Hold, schema.Invalid, fmt.Sprintf("there is no backend %s; there is: %s", d.Backend, g.backendNames())}
	}
	if len(g.in.Backends) == 0 {
		return nil, verdict{Hold, schema.Invalid, "there is no backend; configure one"}
	}
	if v := g.unseen(s); v.action != "" {
		return nil, v
	}
	if c := g.stays(s); c != nil {
		return c, verdict{}
	}
	all := g.candidates(s)
	if len(all) == 0 {
		return nil, verdict{Wait, schema.Waiting, fmt.Sprintf("%s %s has no flavours", d.App, s.release.Version)}
	}
	best := s.rank(all)
	if best.why != "" {
		return nil, g.nowhere(s, all)
	}
	b := &g.in.Backends[best.backend]
	if why := b.unavailable(); why != "" && best.backend != s.home {
		return nil, verdict{Wait, schema.Waiting, fmt.Sprintf("the best place is %s on %s, but %s%s", best.flavour.Name, b.Name, why, g.otherwise(all))}
	}
	return best, verdict{}
}

// compareFit orders candidates: those that fit first, the best of them first.
func compareFit(a, b *candidate) int {
	switch {
	case a.why == "" && b.why != "":
		return -1
	case a.why != "" && b.why == "":
		return 1
	default:
		return a.compare(b)
	}
}

// unseen makes a deployment wait, of which no pods were seen, while a backend
// that may have some was not listed since the start.
func (g *planning) unseen(s *subject) verdict {
	if len(s.pods) > 0 {
		return verdict{}
	}
	for i := range g.in.Backends {
		b := &g.in.Backends[i]
		if b.Known || s.doc.Backend != "" && s.doc.Backend != b.Name {
			continue
		}
		why := ""
		if b.Problem != "" {
			why = ": " + b.Problem
		}
		return verdict{Wait, schema.Waiting, fmt.Sprintf("backend %s was not listed yet, and may have its pods%s", b.Name, why)}
	}
	return verdict{}
}

// stays returns the candidate that the deployment's pods run as, if it still
// fits. None ranks before it.
func (g *planning) stays(s *subject) *candidate {
	if s.home < 0 {
		return nil
	}
	for i := range s.release.Flavours {
		if f := &s.release.Flavours[i]; f.Name == s.from.Flavour {
			c := g.newCandidate(f, g.ask(s, f), s.home)
			if g.assess(s, &c); c.why == "" {
				s.fits = 1
				return &c
			}
			return nil
		}
	}
	return nil
}

// candidates returns every flavour on every backend.
func (g *planning) candidates(s *subject) []candidate {
	all := make([]candidate, 0, len(s.release.Flavours)*len(g.in.Backends))
	for i := range s.release.Flavours {
		f := &s.release.Flavours[i]
		a := g.ask(s, f)
		for b := range g.in.Backends {
			all = append(all, g.newCandidate(f, a, b))
			g.assess(s, &all[len(all)-1])
		}
	}
	return all
}

func (g *planning) newCandidate(f *schema.Flavour, a *ask, backend int) candidate {
	t := g.traits(f)
	return candidate{flavour: f, backend: backend, ask: a, traits: t, fit: &t.on[backend]}
}

// assess finds out whether a candidate fits, and how it ranks.
func (g *planning) assess(s *subject, c *candidate) {
	for _, rule := range rules {
		if c.why, c.passing = rule(g, s, c); c.why != "" {
			break
		}
	}
	c.score = g.score(s, c)
}

func (g *planning) score(s *subject, c *candidate) score {
	b := &g.in.Backends[c.backend]
	var r score
	home, flavour := s.from.Backend, s.from.Flavour
	if home == "" && c.ask.replicas > 0 {
		home, flavour = s.intent.Backend, s.intent.Flavour
	}
	if home != "" && b.Name != home {
		r[partBackend] = 1
	}
	if flavour != "" && c.flavour.Name != flavour {
		r[partFlavour] = 1
	}
	r[partPriority] = c.flavour.Priority
	if c.flavour.Priority == 0 {
		r[partPriority] = unsaid
	}
	r[partWeights], r[partSpecific] = -c.fit.weights, -c.traits.specific
	r[partPreference] = -b.Priority
	if c.ask.replicas > 0 { // what takes nothing goes nowhere else for lack of room
		r[partLoad] = g.load(c.backend)
	}
	return r
}

// podsPerCPU is how many pods that state nothing fill a CPU, as load goes.
const podsPerCPU = 16

// load tells how full a backend is without the deployment that is planned: 0 to
// 4 quarters, by what it has least of. The steps are coarse, so that small
// changes elsewhere change no choice.
func (g *planning) load(backend int) int {
	c, u := &g.in.Backends[backend].Capacity, &g.ledger.used[backend]
	quarters := func(used, total int64) int64 {
		if total <= 0 {
			return 0
		}
		return min(4, 4*max(0, used)/total)
	}
	cpus := max(1, int64(c.CPU)/1000)
	return int(max(
		quarters(int64(u.cpu), int64(c.CPU)),
		quarters(int64(u.memory), int64(c.Memory)),
		quarters(int64(u.pods), cpus*podsPerCPU),
	))
}

// nowhere says why no candidate fits.
func (g *planning) nowhere(s *subject, all []candidate) verdict {
	v := verdict{Hold, schema.Invalid, "it fits nowhere: "}
	var reasons []string
	for i := range all {
		c := &all[i]
		if why, _ := ruleNamed(g, s, c); why != "" {
			continue
		}
		if c.passing {
			v.action, v.kind, s.blocked = Wait, schema.Waiting, true
		}
		reasons = append(reasons, fmt.Sprintf("%s on %s: %s", c.flavour.Name, g.in.Backends[c.backend].Name, c.why))
	}
	v.reason += bounded(reasons, "; ")
	if len(s.seats) > 0 {
		v.reason += "; " + s.stay()
	}
	return v
}

// otherwise names the best candidate that could be had now, if there is one.
func (g *planning) otherwise(all []candidate) string {
	var best *candidate
	for i := range all {
		c := &all[i]
		if c.why == "" && g.in.Backends[c.backend].unavailable() == "" && (best == nil || c.compare(best) < 0) {
			best = c
		}
	}
	if best == nil {
		return ""
	}
	name := g.in.Backends[best.backend].Name
	return "; to run it on " + name + " instead, write backend: " + name
}

func (g *planning) backendNames() string {
	names := make([]string, len(g.in.Backends))
	for i, b := range g.in.Backends {
		names[i] = b.Name
	}
	if len(names) == 0 {
		return "none"
	}
	return bounded(names, ", ")
}

// rank returns the best candidate, and notes how many fit and by what the best
// one is better than the next.
func (s *subject) rank(all []candidate) *candidate {
	best, next := &all[0], (*candidate)(nil)
	s.fits = 0
	for i := range all {
		c := &all[i]
		if c.why == "" {
			s.fits++
		}
		switch {
		case i == 0:
		case compareFit(c, best) < 0:
			best, next = c, best
		case next == nil || compareFit(c, next) < 0:
			next = c
		}
	}
	if s.fits > 1 {
		s.by = best.betterBy(next)
	}
	return best
}

// betterBy names what makes the candidate rank before another.
func (c *candidate) betterBy(o *candidate) string {
	for part := range c.score {
		if c.score[part] != o.score[part] {
			return partNames[part]
		}
	}
	return "name"
}

// whyChosen says why a candidate was chosen.
func (s *subject) whyChosen(c *candidate, backend string) string {
	text := s.how + "; " + c.flavour.Name + " on " + backend + ": "
	switch {
	case s.from.Backend == backend && s.from.Flavour == c.flavour.Name:
		return text + "where it runs"
	case s.fits < 2:
		return text + "nothing else fits"
	default:
		return text + "best of " + strconv.Itoa(s.fits) + " that fit, by " + s.by
	}
}
