package statuses

import (
	"context"
	"fmt"
	"slices"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

// maxRecalled is how many commits before the one in force are looked at after a
// start: a former process may have left them pending.
const maxRecalled = 10

// desiredReport is what was said of the commit of the desired state in force.
type desiredReport struct {
	commit string
	// recalled tells that the forge has said what it has of the commit. Until then,
	// and until every backend was asked, nothing is called pending: a restart must
	// not take back what stands there.
	recalled bool
	planned  bool              // what the commit changed is known
	named    []string          // deployments with a context of their own, sorted
	said     map[string]saying // by what the context adds to that of the instance

	ready  map[string]placed      // deployments that were ready, as what
	fallen map[string]forge.State // those that were, and are not though nothing else is asked of them
}

// placed is what a deployment was asked to be: while it is the same, not to be
// ready any more is no rollout but a failure.
type placed struct{ commit, release, flavour, backend string }

func newDesiredReport() desiredReport {
	return desiredReport{said: map[string]saying{}, ready: map[string]placed{}, fallen: map[string]forge.State{}}
}

func (r *Reporter) updateDesired(ctx context.Context, v *engine.View, names []string) {
	d := &r.desired
	o := r.o.Engine.Outcome()
	if o.Commit == "" {
		return
	}
	if o.Commit != d.commit {
		r.turnTo(ctx, o.Commit)
	}
	for _, name := range names {
		d.note(v, name)
	}
	if v.State == nil || v.State.Commit != d.commit {
		r.sayDesired(ctx, v, "", forge.Pending, o.Summary)
		return
	}
	if !d.planned {
		d.planned = true
		d.name(r.changed(d.commit))
	}
	r.sayDesired(ctx, v, "", d.overall(o.Verdict), o.Summary)
	for _, name := range d.named {
		r.sayDesired(ctx, v, name, d.ofDeployment(v, name), describe(v, name))
	}
}

// turnTo begins with another commit. What is pending of the former one will not
// be decided any more.
func (r *Reporter) turnTo(ctx context.Context, commit string) {
	d := &r.desired
	for context, s := range d.said {
		if s.state == forge.Pending {
			r.supersede(ctx, d.commit, context, commit)
		}
	}
	first := d.commit == ""
	d.commit, d.planned, d.named, d.said = commit, false, nil, map[string]saying{}
	d.recalled = !first
	if !first {
		return
	}
	r.recall(ctx, r.o.Repo, commit, func(known []forge.Status) {
		if d.commit == commit {
			d.recalled = true
			d.take(r, known)
		}
		r.updateDesired(ctx, r.o.Engine.View(), nil)
	})
	r.running.Go(func() {
		r.nameFirst(ctx, commit)
		r.recallFormer(ctx, commit)
	})
}

// nameFirst names the deployments that the first commit changed.
func (r *Reporter) nameFirst(ctx context.Context, commit string) {
	names, err := r.o.Changed(ctx, commit)
	if err != nil {
		r.o.Logger.Debug("what the commit changed is not known: it has no statuses for each deployment", "commit", short(commit), "error", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.desired.commit == commit {
		r.desired.name(names)
		r.updateDesired(ctx, r.o.Engine.View(), nil)
	}
}

// take notes what the forge has of the commit in force: what a former process said.
func (d *desiredReport) take(r *Reporter, known []forge.Status) {
	var names []string
	for _, s := range known {
		context, ours := r.below(s.Context)
		if !ours || context == ContextManifest || context == ContextPlan {
			continue
		}
		if _, said := d.said[context]; !said {
			d.said[context] = saying{state: s.State, text: s.Description}
		}
		if context != "" {
			names = append(names, context)
		}
	}
	d.name(names)
}

// recallFormer supersedes what a former process left pending of older commits.
func (r *Reporter) recallFormer(ctx context.Context, inForce string) {
	commits, err := r.o.History(ctx, 1+maxRecalled)
	if err != nil {
		r.o.Logger.Debug("the history of the desired state cannot be read: statuses of older commits stay as they are", "error", err)
		return
	}
	for _, c := range commits {
		if c.Hash == inForce {
			continue
		}
		known, err := r.known(ctx, r.o.Repo, c.Hash)
		if err != nil {
			return
		}
		r.mu.Lock()
		for _, s := range known {
			context, ours := r.below(s.Context)
			if ours && s.State == forge.Pending && c.Hash != r.desired.commit && context != ContextPlan {
				r.supersede(ctx, c.Hash, context, r.desired.commit)
			}
		}
		r.mu.Unlock()
	}
}

func (r *Reporter) supersede(ctx context.Context, commit, context, by string) {
	r.say(ctx, r.o.Repo, commit, context, saying{}, forge.Error, "superseded by "+short(by))
}

// changed returns the deployments that a commit changed, as far as is known.
func (r *Reporter) changed(commit string) []string {
	for _, c := range r.o.Journal.Commits() {
		if c.Hash == commit {
			return c.Changed
		}
	}
	return nil
}

// name gives deployments a context of their own, until there are too many.
func (d *desiredReport) name(names []string) {
	for _, name := range slices.Sorted(slices.Values(names)) {
		at, found := slices.BinarySearch(d.named, name)
		if found || len(d.named) == MaxContexts || name == ContextManifest || name == ContextPlan {
			continue
		}
		d.named = slices.Insert(d.named, at, name)
	}
}

// note takes in where a deployment stands.
func (d *desiredReport) note(v *engine.View, name string) {
	s, there := v.Status(name)
	now := placed{s.Commit, s.Release, s.Flavour, s.Backend}
	switch was, known := d.ready[name]; {
	case !there:
		delete(d.ready, name)
		delete(d.fallen, name)
	case s.Verdict() == engine.Success:
		d.ready[name] = now
		delete(d.fallen, name)
	case s.Verdict() == engine.Failure, !known || was != now:
		delete(d.fallen, name)
	case silent(v, s.Backend):
		d.fallen[name] = forge.Error // nobody knows
	default:
		d.fallen[name] = forge.Failure
	}
}

// silent tells whether a backend does not answer.
func silent(v *engine.View, backend string) bool {
	for _, b := range v.Backends {
		if b.Name == backend {
			return b.Problem != ""
		}
	}
	return false
}

// overall is the state of the commit.
func (d *desiredReport) overall(verdict engine.Verdict) forge.State {
	switch verdict {
	case engine.Success:
		return forge.Success
	case engine.Failure:
		return forge.Failure
	}
	state := forge.Pending
	for _, fallen := range d.fallen {
		if fallen == forge.Failure {
			return forge.Failure
		}
		state = fallen
	}
	return state
}

// ofDeployment is the state of one deployment.
func (d *desiredReport) ofDeployment(v *engine.View, name string) forge.State {
	s, there := v.Status(name)
	_, declared := v.State.Deployment(name)
	switch {
	case !there && !declared:
		if _, broken := v.State.Broken(schema.Ref{Kind: schema.KindDeployment, Name: name}); broken {
			return forge.Failure
		}
		return forge.Success
	case !there:
		return forge.Pending
	case s.Verdict() == engine.Success:
		return forge.Success
	case s.Verdict() == engine.Failure:
		return forge.Failure
	}
	if fallen := d.fallen[name]; fallen != "" {
		return fallen
	}
	return forge.Pending
}

// describe says in words where a deployment stands.
func describe(v *engine.View, name string) string {
	s, there := v.Status(name)
	_, declared := v.State.Deployment(name)
	switch {
	case !there && !declared:
		if p, broken := v.State.Broken(schema.Ref{Kind: schema.KindDeployment, Name: name}); broken {
			return p.Error()
		}
		return "removed"
	case !there:
		return "it was not planned yet"
	case s.State == engine.StateReady && len(s.Pods) > 0:
		return fmt.Sprintf("%s %s runs on %s, pods: %d", s.Release, s.Flavour, s.Backend, len(s.Pods))
	}
	return s.Reason
}

// sayDesired says something of the commit in force, unless it was said already or
// it is too early to.
func (r *Reporter) sayDesired(ctx context.Context, v *engine.View, context string, state forge.State, text string) {
	d := &r.desired
	if early := !d.recalled || !v.Asked() && len(d.said) > 0; early && state == forge.Pending {
		return
	}
	d.said[context] = r.say(ctx, r.o.Repo, d.commit, context, d.said[context], state, text)
}
