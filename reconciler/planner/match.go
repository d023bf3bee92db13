package planner

import (
	"errors"
	"reflect"

	"github.com/berthdev/berth/schema"
)

// hypothetical is the name of a deployment that nobody declared. None can be
// declared by it, for it is no DNS label.
const hypothetical = "(not declared)"

// Match tells what a deployment would get if it were declared now, beside all that
// is declared and runs: every flavour on every backend, with the reason for each.
// Nothing is changed. in is the input that the plan was made of. The deployment's
// name does not matter, and without scopes (nil) it grants all that its release
// needs. The explanation's decision is Create where it would run, and else says
// why not: Wait where no release matches the version, where no room is left or a
// backend is to answer first; Hold where it can never fit. It names no deployment
// and has no workload.
//
// The error is a [schema.Error]: of kind invalid where there is no such app, with
// the nearest identifiers as hint, and where d holds what no document may; of kind
// waiting where a repo that may publish the app was not read yet.
func (p *Plan) Match(in Input, d *schema.Deployment) (Explanation, error) {
	if problems := d.Validate().Errors(); len(problems) > 0 {
		return Explanation{}, &schema.Error{Op: "match", Resource: d.App, Kind: schema.Invalid, Err: problems}
	}
	in = in.complete()
	if !reflect.DeepEqual(p.backends, in.Backends) { // it was made of another input
		p = planAll(p, in, nil)
	}
	t := newTable(hypothetical)
	g := newPlanning(&Plan{}, p, in, t)
	found := g.lookUp(d.App, d.Version)
	if _, known := in.Catalog.App(d.App); !known {
		return Explanation{}, noApp(d.App, found)
	}
	doc := *d
	doc.Name = hypothetical
	s := &subject{name: hypothetical, doc: &doc, home: -1, record: &record{}, anyScopes: doc.Scopes == nil}
	if s.anyScopes && found.release != nil {
		doc.Scopes = found.release.Scopes
	}
	decision := g.decision(s)
	decision.Deployment, decision.Workload = "", nil
	return t.explanation(decision), nil
}

// noApp says that nothing is known of an app.
func noApp(identifier string, found *found) error {
	out := &schema.Error{Op: "match", Resource: identifier, Kind: schema.Invalid, Err: found.err}
	var why *schema.Error
	if errors.As(found.err, &why) {
		out.Err, out.Hint = why.Err, why.Hint
	}
	if len(found.unread) > 0 {
		out.Kind = schema.Waiting
	}
	return out
}
