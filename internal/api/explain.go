package api

import (
	"fmt"
	"strings"

	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
)

// explanation resolves Explanation.
type explanation struct {
	w *world
	e *planner.Explanation
}

func (e explanation) App() string      { return e.e.App }
func (e explanation) Version() string  { return e.e.Version }
func (e explanation) Resolved() string { return e.e.Resolved }
func (e explanation) Better() string   { return e.w.meter.takeText(e.e.Better) }

// Deployment is empty where the question was about an app.
func (e explanation) Deployment() string { return e.e.Decision.Deployment }

func (e explanation) Decision() decision { return *one(e.w, decision{e.w, &e.e.Decision}) }

func (e explanation) Choices() []choice {
	e.w.meter.takeObjects(len(e.e.Candidates))
	out := make([]choice, len(e.e.Candidates))
	for i := range out {
		out[i] = choice{e.w, &e.e.Candidates[i]}
	}
	return out
}

func (e explanation) Others() []otherRelease {
	e.w.meter.takeObjects(len(e.e.Releases))
	out := make([]otherRelease, len(e.e.Releases))
	for i, r := range e.e.Releases {
		out[i] = otherRelease(r)
	}
	return out
}

// otherRelease resolves OtherRelease.
type otherRelease struct{ Version, Repo, Reason string }

// choice resolves Choice.
type choice struct {
	w *world
	c *planner.Choice
}

func (c choice) Flavour() string { return c.c.Flavour }
func (c choice) Backend() string { return c.c.Backend }
func (c choice) Chosen() bool    { return c.c.Chosen }
func (c choice) Fits() bool      { return c.c.Fits }
func (c choice) Reason() string  { return c.w.meter.takeText(c.c.Reason) }

func (c choice) Selectors() []selectorVerdict {
	c.w.meter.takeObjects(len(c.c.Selectors))
	out := make([]selectorVerdict, len(c.c.Selectors))
	for i, v := range c.c.Selectors {
		out[i] = selectorVerdict{v.Selector, v.Required, count(v.Weight), enum(v.Match)}
	}
	return out
}

// selectorVerdict resolves SelectorVerdict.
type selectorVerdict struct {
	Selector string
	Required bool
	Weight   int32
	Match    string
}

func (c choice) Score() score {
	s := c.c.Score
	return score{s.Stays, count(s.Weights), count(s.Priority), count(s.Specific), count(s.Preference), count(s.Load)}
}

// score resolves Score.
type score struct {
	Stays                                         bool
	Weights, Priority, Specific, Preference, Load int32
}

// explainWork is what one explanation counts for: about as much as it takes.
const explainWork = 2000

// explain returns the choices that a deployment had.
func (w *world) explain(name string) (*explanation, error) {
	if err := w.planned(); err != nil {
		return nil, err
	}
	if _, ok := w.view.Plan.Decision(name); !ok {
		return nil, missing("deployment", name, w.deploymentNames())
	}
	e, err := w.view.Plan.Explain(w.view.Input(w.now), name)
	if err != nil {
		return nil, asError(err)
	}
	return one(w, explanation{w, &e}), nil
}

// planned tells whether there is a plan to ask, and counts what it takes.
func (w *world) planned() error {
	if w.view.Plan == nil {
		return &Error{Code: Unavailable, Message: "nothing was planned yet", Hint: "ask again in a moment; `instance { waitsFor }` says what is waited for"}
	}
	return w.meter.spend(explainWork)
}

// matchArgs are the arguments of matchFlavour.
type matchArgs struct {
	Release                                *id
	App, Version, Flavour, Backend, Memory *string
	Scopes                                 *[]string
	Replicas                               *int32
	CPU                                    *float64
}

// match returns which flavour and backend a deployment would get now.
func (w *world) match(args matchArgs) (*explanation, error) {
	if err := w.planned(); err != nil {
		return nil, err
	}
	doc, err := args.document()
	if err != nil {
		return nil, err
	}
	e, err := w.view.Plan.Match(w.view.Input(w.now), doc)
	if err != nil {
		failure := asError(err)
		if _, there := w.view.Catalog.App(doc.App); !there && failure.Code == BadInput {
			failure.Code = NotFound
		}
		return nil, failure
	}
	return one(w, explanation{w, &e}), nil
}

// document returns the deployment that the arguments describe.
func (a matchArgs) document() (*schema.Deployment, error) {
	doc := &schema.Deployment{
		App: value(a.App), Version: value(a.Version), Flavour: value(a.Flavour), Backend: value(a.Backend), Scopes: value(a.Scopes),
	}
	if err := a.name(doc); err != nil {
		return nil, err
	}
	if a.Replicas != nil {
		if *a.Replicas < 0 || *a.Replicas > schema.MaxReplicas {
			return nil, badInput(fmt.Sprintf("ask for 0 to %d", schema.MaxReplicas), "replicas: %d cannot be", *a.Replicas)
		}
		n := int(*a.Replicas)
		doc.Replicas = &n
	}
	resources, err := a.resources()
	doc.Resources = resources
	return doc, err
}

// name says which app, and which version of it, is meant.
func (a matchArgs) name(doc *schema.Deployment) error {
	const hint = `name a release by its id, as "org.stardist@0.4.10", or an app and perhaps a version`
	switch {
	case a.Release == nil && doc.App == "":
		return badInput(hint, "neither release nor app is given")
	case a.Release == nil:
		return nil
	case a.App != nil || a.Version != nil:
		return badInput(hint, "release is given, and app or version too")
	}
	at := strings.LastIndex(string(*a.Release), "@")
	if at < 1 {
		return badInput(hint, "release: %q is no id of a release", *a.Release)
	}
	doc.App, doc.Version = string(*a.Release)[:at], string(*a.Release)[at+1:]
	return nil
}

// resources returns what is asked for each pod; nil when nothing is.
func (a matchArgs) resources() (*schema.Resources, error) {
	if a.CPU == nil && a.Memory == nil {
		return nil, nil
	}
	out := &schema.Resources{}
	if a.CPU != nil {
		if !(*a.CPU > 0 && *a.CPU <= maxCPUs) {
			return nil, badInput("ask for a number of CPUs, as 2 or 0.5", "cpu: %v cannot be", *a.CPU)
		}
		cpu := schema.CPU(*a.CPU * 1000)
		out.CPU = &cpu
	}
	if a.Memory != nil {
		memory, err := schema.ParseBytes(*a.Memory)
		if err != nil {
			return nil, badInput("write it as in a document: 4GB, 512MiB", "memory: %v", err)
		}
		out.Memory = &memory
	}
	return out, nil
}

// maxCPUs is more than any backend has.
const maxCPUs = 1e6

// value returns what a pointer points to; of none, the zero value.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
