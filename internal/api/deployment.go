package api

import (
	"cmp"
	"strings"

	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/schema"
)

// deployment resolves Deployment.
type deployment struct {
	w *world
	entry
	marked string // the app of one that only marks a place in a list
}

// of returns a deployment of this world.
func (w *world) of(e entry) deployment { return deployment{w: w, entry: e} }

func (d deployment) ID() id              { return id(d.s.Deployment) }
func (d deployment) Name() string        { return d.s.Deployment }
func (d deployment) Declared() bool      { return d.doc != nil }
func (d deployment) App() *app           { return d.w.app(d.AppIdentifier()) }
func (d deployment) Version() string     { return d.s.Release }
func (d deployment) FlavourName() string { return d.s.Flavour }
func (d deployment) BackendName() string { return d.s.Backend }
func (d deployment) Backend() *backend   { return d.w.backend(d.s.Backend) }
func (d deployment) State() string       { return enum(d.s.State) }
func (d deployment) Reason() string      { return d.w.meter.takeText(d.s.Reason) }
func (d deployment) Why() string         { return d.w.meter.takeText(d.s.Why) }
func (d deployment) Since() graphql.Time { return moment(d.s.Since) }
func (d deployment) Commit() *commit     { return d.w.commit(d.s.Commit) }
func (d deployment) Decision() *decision { return d.w.decision(d.s.Deployment) }
func (d deployment) Release() *release   { return d.w.release(d.AppIdentifier(), d.s.Release) }
func (d deployment) Flavour() *flavour {
	return d.w.flavour(d.AppIdentifier(), d.s.Release, d.s.Flavour)
}

func (d deployment) AppIdentifier() string { return cmp.Or(d.marked, d.app()) }

// Position is where it is declared, also where that is broken.
func (d deployment) Position() *position {
	if doc := d.doc; doc != nil {
		return positionOf(doc.Position)
	}
	if d.w.view.State == nil {
		return nil
	}
	broken, ok := d.w.view.State.Broken(schema.Ref{Kind: schema.KindDeployment, Name: d.s.Deployment})
	if !ok {
		return nil
	}
	return positionOf(schema.Position{File: broken.File, Line: broken.Line, Column: broken.Column})
}

func (d deployment) VersionAsked() string {
	if doc := d.doc; doc != nil {
		return doc.Version
	}
	return ""
}

func (d deployment) User() string {
	if doc := d.doc; doc != nil {
		return doc.User
	}
	return ""
}

func (d deployment) Scopes() []string {
	if doc := d.doc; doc != nil {
		return d.w.texts(doc.Scopes)
	}
	return nil
}

func (d deployment) Replicas() int32 {
	if doc := d.doc; doc != nil {
		return count(doc.ReplicaCount())
	}
	return 0
}

func (d deployment) ReadyReplicas() int32 {
	n := 0
	for _, p := range d.s.Pods {
		if ready, _ := p.Ready(d.w.now); ready {
			n++
		}
	}
	return count(n)
}

func (d deployment) Suspended() bool {
	doc := d.doc
	return doc != nil && doc.Suspend
}

func (d deployment) Pods() []pod {
	d.w.meter.takeObjects(len(d.s.Pods))
	out := make([]pod, len(d.s.Pods))
	for i := range out {
		out[i] = pod{d.w, &d.s.Pods[i]}
	}
	return out
}

func (d deployment) DependsOn() []deployment {
	doc := d.doc
	if doc == nil {
		return nil
	}
	return d.w.deploymentsNamed(doc.DependsOn)
}

func (d deployment) Dependents() []deployment {
	if d.w.view.State == nil {
		return nil
	}
	return d.w.deploymentsNamed(d.w.view.State.Dependents(d.s.Deployment))
}

// deploymentsNamed returns those of the deployments that there are.
func (w *world) deploymentsNamed(names []string) []deployment {
	var out []deployment
	for _, name := range names {
		if d := w.deployment(name); d != nil {
			out = append(out, *d)
		}
	}
	return out
}

func (d deployment) Rollouts() []rollout {
	found := d.w.api.o.Journal.Rollouts(d.s.Deployment)
	d.w.meter.takeObjects(len(found))
	out := make([]rollout, len(found))
	for i := range out {
		out[i] = rollout{d.w, &found[i]}
	}
	return out
}

func (d deployment) Explanation() (*explanation, error) { return d.w.explain(d.s.Deployment) }

func (d deployment) Events(args paging) (*connection[event], error) {
	return d.w.listEvents(d.w.api.o.Journal.Of(d.s.Deployment), nil, nil, descending, args)
}

// rollout resolves Rollout.
type rollout struct {
	w *world
	r *journal.Rollout
}

func (r rollout) Version() string         { return r.r.Version }
func (r rollout) Flavour() string         { return r.r.Flavour }
func (r rollout) Backend() string         { return r.r.Backend }
func (r rollout) Commit() string          { return r.r.Commit }
func (r rollout) State() string           { return enum(r.r.State) }
func (r rollout) Reason() string          { return r.w.meter.takeText(r.r.Reason) }
func (r rollout) StartedAt() graphql.Time { return moment(r.r.Started) }
func (r rollout) EndedAt() *graphql.Time  { return momentOrNone(r.r.Ended) }

// stateRank orders states by how much they want a person to look.
var stateRank = map[engine.State]int{
	engine.StateFailed: 0, engine.StateHeld: 1, engine.StateWaiting: 2, engine.StateProgressing: 3, engine.StateRemoving: 4, engine.StateReady: 5,
}

// deployments are listed by name.
var deployments = noun[deployment]{
	name: "deployment", usual: "NAME",
	orders: map[string]order[deployment]{
		"NAME": compareNames,
		"STATE": func(a, b deployment) int {
			return cmp.Or(cmp.Compare(stateRank[a.s.State], stateRank[b.s.State]), compareNames(a, b))
		},
		"SINCE": func(a, b deployment) int { return cmp.Or(a.s.Since.Compare(b.s.Since), compareNames(a, b)) },
		"APP": func(a, b deployment) int {
			return cmp.Or(strings.Compare(a.AppIdentifier(), b.AppIdentifier()), compareNames(a, b))
		},
		"BACKEND": func(a, b deployment) int {
			return cmp.Or(strings.Compare(a.s.Backend, b.s.Backend), compareNames(a, b))
		},
	},
	mark: func(d deployment) []string {
		return []string{d.s.Deployment, string(d.s.State), markTime(d.s.Since), d.AppIdentifier(), d.s.Backend}
	},
	probe: func(w *world, left []string) (deployment, bool) {
		m := marks{left: left}
		s := &engine.Status{Deployment: m.text(), State: engine.State(m.text()), Since: m.time()}
		d := deployment{w: w, entry: entry{s: s}, marked: m.text()}
		s.Backend = m.text()
		return d, m.ok()
	},
}

func compareNames(a, b deployment) int { return strings.Compare(a.s.Deployment, b.s.Deployment) }

type deploymentFilter struct {
	Name, App, Version, Flavour, Backend, User, State, Commit, File *[]string
	Not                                                             *deploymentFilter
}

func (f *deploymentFilter) filter(depth int) (filter[deployment], error) {
	if f == nil {
		return filter[deployment]{}, nil
	}
	var c conditions[deployment]
	c.text("name", f.Name, deployment.Name)
	c.text("app", f.App, deployment.AppIdentifier)
	c.text("version", f.Version, deployment.Version)
	c.text("flavour", f.Flavour, deployment.FlavourName)
	c.text("backend", f.Backend, deployment.BackendName)
	c.text("user", f.User, deployment.User)
	c.enum("state", f.State, deployment.State)
	c.text("commit", f.Commit, func(d deployment) string { return d.s.Commit })
	c.text("file", f.File, func(d deployment) string { return d.s.Source })
	if f.Not != nil {
		c.not(depth, f.Not.filter)
	}
	return c.filter()
}

func (w *world) listDeployments(of []entry, f *deploymentFilter, words *string, by *orderBy, p paging) (*connection[deployment], error) {
	keep, err := f.filter(0)
	if err != nil {
		return nil, err
	}
	if keep, err = search(keep, words, func(d deployment) []string {
		return []string{d.s.Deployment, d.AppIdentifier(), d.s.Release, d.s.Flavour, d.s.Backend, d.User(), d.s.Reason, d.s.Source}
	}); err != nil {
		return nil, err
	}
	return deployments.page(w, all(of, "NAME", w.of), keep, by, p)
}
