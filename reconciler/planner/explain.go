package planner

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/Masterminds/semver/v3"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

// An Explanation is the whole table of choices that led to a decision.
type Explanation struct {
	Decision   Decision
	App        string    // as declared; empty when the deployment is declared no more
	Version    string    // as declared; empty: the newest stable release
	Resolved   string    // how the release was found; empty when none was
	Candidates []Choice  // every flavour on every backend, in the order of preference
	Releases   []Another // the app's other releases, newest first, at most 100
	Better     string    // a better choice that exists now, though the pods stay; may be empty
}

// A Choice is a flavour on a backend, and what speaks for and against it.
type Choice struct {
	Flavour   string
	Backend   string
	Chosen    bool
	Fits      bool
	Reason    string // why it was chosen, why it does not fit, or why another is preferred
	Selectors []Verdict
	Score     Score
}

// A Verdict says whether a backend has what one selector asks for.
type Verdict struct {
	Selector string // in words
	Required bool
	Weight   int
	Match    Match
}

// A Score is what a choice is ranked by, the first part that differs decides.
type Score struct {
	Stays      bool // its pods are there already, in this flavour
	Weights    int  // of the selectors that are not required, and match; the highest is preferred
	Priority   int  // of the flavour; the lowest is preferred, then those that say none (0)
	Specific   int  // a flavour for a GPU, then one with more required selectors; the highest is preferred
	Preference int  // the backend's priority; the highest is preferred
	Load       int  // how full the backend is, in quarters; the lowest is preferred
}

// Another is a release that was not chosen, and why.
type Another struct {
	Version string
	Repo    string
	Reason  string
}

// Explain plans everything and tells how it came to the decision about one
// deployment. The error is a [schema.Error] of kind invalid: there is no such
// deployment, neither declared nor running.
func Explain(in Input, name string) (Explanation, error) {
	t := newTable(name)
	d, ok := planAll(&Plan{}, in.complete(), t).Decision(name)
	if !ok {
		return Explanation{}, noDeployment(name)
	}
	return t.explanation(d), nil
}

// Explain tells how the plan came to the decision about one deployment, as
// [Explain] does, at the cost of planning that one. in is the input that the plan
// was made of. The error is that of [Explain].
func (p *Plan) Explain(in Input, name string) (Explanation, error) {
	in = in.complete()
	if !reflect.DeepEqual(p.backends, in.Backends) { // it was made of another input
		p = planAll(p, in, nil)
	}
	r := p.records.Get(name)
	if r == nil {
		return Explanation{}, noDeployment(name)
	}
	d := r.decision
	t := p.retrace(in, r, Placement{})
	if first := (Placement{Flavour: d.Flavour, Backend: d.Backend}); len(t.told) > 0 && d.Backend != "" && t.first() != first {
		// It was on its way there when another choice became the best.
		t = p.retrace(in, r, first)
	}
	return t.explanation(d), nil
}

// retrace writes the table of the choices that a deployment had when the plan
// came to its decision, on its way to where the plan before had placed it.
func (p *Plan) retrace(in Input, r *record, intent Placement) *table {
	name := r.decision.Deployment
	t := newTable(name)
	g := newPlanning(&Plan{}, p, in, t)
	s := &subject{name: name}
	g.observe(s)
	s.intent = intent
	for other, o := range p.records.All() {
		if o.revision == r.revision && o.turn > r.turn { // it was planned after this one
			g.ledger.unplan(other, o.claims)
		}
	}
	if s.doc != nil && len(s.seats) > 0 {
		g.resolve(s)
		s.settled = s.unchanged(g.asItRuns(s))
	}
	g.ledger.drop(name, s.record.claims)
	t.write(g, s)
	return t
}

func noDeployment(name string) error {
	return &schema.Error{Op: "explain", Resource: name, Kind: schema.Invalid,
		Err: errors.New("there is no such deployment"), Hint: "it is neither declared nor running; berth plan lists all"}
}

// A table collects what one deployment could have become, while it is planned.
type table struct {
	deployment   string
	app, version string
	resolved     string
	choices      []candidate
	told         []Choice // of the choices
	releases     []Another
	answering    []bool // whether the choice's backend does
}

func newTable(deployment string) *table {
	return &table{deployment: deployment, told: []Choice{}, releases: []Another{}}
}

// first returns the best choice.
func (t *table) first() Placement {
	return Placement{Flavour: t.told[0].Flavour, Backend: t.told[0].Backend}
}

// explanation returns what is written, with the decision that came of it.
func (t *table) explanation(d Decision) Explanation {
	e := Explanation{Decision: d, App: t.app, Version: t.version, Resolved: t.resolved, Releases: t.releases}
	e.Candidates, e.Better = t.judge(d)
	return e
}

// write notes every choice that a deployment has, if it is the one to explain.
func (t *table) write(g *planning, s *subject) {
	if t == nil || t.deployment != s.name || s.doc == nil {
		return
	}
	t.app, t.version = s.doc.App, s.doc.Version
	g.resolve(s)
	t.others(g, s)
	if s.release == nil {
		return
	}
	t.resolved = s.how
	t.choices = g.candidates(s)
	slices.SortStableFunc(t.choices, func(a, b candidate) int { return compareFit(&a, &b) })
	for i := range t.choices {
		c := &t.choices[i]
		b := &g.in.Backends[c.backend]
		choice := Choice{Flavour: c.flavour.Name, Backend: b.Name, Fits: c.why == "", Reason: c.why, Score: c.score.told(s.from.Backend != ""), Selectors: make([]Verdict, 0, len(c.flavour.Selectors))}
		if choice.Fits && b.unavailable() != "" {
			choice.Reason = b.unavailable()
		}
		for _, sel := range c.flavour.Selectors {
			choice.Selectors = append(choice.Selectors, Verdict{Describe(sel), sel.Required, sel.Weight, match(sel, open(&b.Capacity, g.traits(c.flavour).gpus))})
		}
		t.told = append(t.told, choice)
		t.answering = append(t.answering, b.unavailable() == "")
	}
}

// told returns the score as people read it.
func (s score) told(runs bool) Score {
	t := Score{
		Stays: runs && s[partBackend] == 0 && s[partFlavour] == 0, Weights: -s[partWeights], Priority: s[partPriority],
		Specific: -s[partSpecific], Preference: -s[partPreference], Load: s[partLoad],
	}
	if t.Priority == unsaid {
		t.Priority = 0
	}
	return t
}

// judge says of each choice why it was chosen or not, and which would be better
// if nothing ran yet.
func (t *table) judge(d Decision) ([]Choice, string) {
	chosen := slices.IndexFunc(t.told, func(c Choice) bool { return c.Flavour == d.Flavour && c.Backend == d.Backend })
	if chosen < 0 {
		for i := range t.told {
			if t.told[i].Reason == "" {
				t.told[i].Reason = "it fits, but nothing is chosen"
			}
		}
		return t.told, ""
	}
	t.told[chosen].Chosen, t.told[chosen].Reason = true, cmp.Or(d.Why, d.Reason)
	best := chosen
	for i := range t.told {
		if i == chosen || !t.told[i].Fits {
			continue
		}
		if t.told[i].Reason == "" {
			t.told[i].Reason = "the chosen one is preferred by " + t.choices[chosen].betterBy(&t.choices[i])
		}
		if t.answering[i] && t.choices[i].afresh().compare(t.choices[best].afresh()) < 0 {
			best = i
		}
	}
	if best == chosen {
		return t.told, ""
	}
	return t.told, fmt.Sprintf("a better choice exists now: %s on %s; the pods stay where they are",
		t.told[best].Flavour, t.told[best].Backend)
}

// afresh returns the candidate as it would rank if nothing ran yet.
func (c *candidate) afresh() *candidate {
	fresh := *c
	fresh.score[partBackend], fresh.score[partFlavour] = 0, 0
	return &fresh
}

// others notes why the app's other releases were not chosen.
func (t *table) others(g *planning, s *subject) {
	const most = 100
	app, ok := g.in.Catalog.App(s.doc.App)
	if !ok {
		return
	}
	for _, r := range slices.Concat(app.Releases, app.Shadowed) {
		if r == s.release {
			continue
		}
		if len(t.releases) == most {
			return
		}
		t.releases = append(t.releases, Another{Version: r.Version, Repo: r.Repo, Reason: s.whyNot(r)})
	}
}

// whyNot says why a release was not chosen.
func (s *subject) whyNot(r *catalog.Release) string {
	asked := s.doc.Version
	scopes := ""
	if missing := missingScopes(r.Scopes, s.doc.Scopes); len(missing) > 0 && !s.anyScopes {
		scopes = "; it needs scopes that are not granted: " + bounded(missing, ", ")
	}
	switch {
	case r.ShadowedBy != "":
		return "repo " + r.ShadowedBy + " owns " + r.Identifier
	case s.release != nil && s.resolution.Rule == catalog.RuleExact:
		return "the deployment asks for exactly " + asked + scopes
	case s.resolution.Rule == catalog.RuleChannel && !slices.Contains(r.Channels, asked):
		return "it is not in channel " + asked + scopes
	case asked == "" && r.SemVer != nil && r.Prerelease():
		return "it is a prerelease: only a version that asks for it selects it" + scopes
	case r.SemVer == nil && s.resolution.Rule != catalog.RuleChannel:
		return "its version is no SemVer: only its exact text selects it" + scopes
	case asked != "" && s.resolution.Rule != catalog.RuleChannel && !inRange(asked, r.SemVer):
		return "it is not in " + asked + scopes
	case s.release != nil:
		return "it is older than " + s.release.Version + scopes
	default:
		return "it was not selected" + scopes
	}
}

func inRange(text string, v *semver.Version) bool {
	c, err := semver.NewConstraint(text)
	return err == nil && v != nil && c.Check(v)
}
