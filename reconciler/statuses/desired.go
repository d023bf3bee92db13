package statuses

import (
	"context"
	"slices"
	"strings"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/sources/forge"
)

// Bounds on what is asked of the forge about other commits than the one in force.
const (
	// After a start the commits before it are looked at, for a former process may
	// have left them pending: so many, or until so many were found that have
	// statuses of ours. The others came while nobody looked.
	maxRecalled = 100
	maxFound    = 5
	// maxRecalls is how many commits that came into force may wait for the forge's
	// answer; then the oldest is given up.
	maxRecalls = 32
)

// desiredReport is what was said of the commit of the desired state in force.
type desiredReport struct {
	commit string
	// recalled tells that the forge has said what it has of the first commit of this
	// process. Until then, and until every backend was asked, nothing is called
	// pending: a restart must not take back what stands there.
	recalled bool
	recalls  []context.CancelFunc // of those that the forge was asked about, the newest last
	planned  bool                 // what the commit changed is known
	named    []string             // deployments with a context of their own, sorted
	known    map[string]bool      // contexts that the forge had of the commit
	said     map[string]saying    // by what the context adds to that of the instance

	ready  map[string]placed      // deployments that were ready, as what
	fallen map[string]forge.State // those that were, and are not though nothing else is asked of them
	dead   int                    // of these, the failures
}

func newDesiredReport() desiredReport {
	return desiredReport{
		said: map[string]saying{}, known: map[string]bool{}, ready: map[string]placed{}, fallen: map[string]forge.State{},
	}
}

func (r *Reporter) updateDesired(ctx context.Context, v *engine.View, o engine.Outcome, names []string) {
	d := &r.desired
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
		d.nameKnown(v)
	}
	r.sayDesired(ctx, v, "", d.overall(o.Verdict), o.Summary)
	for _, name := range d.named {
		r.sayDesired(ctx, v, name, d.ofDeployment(v, name), describe(v, name))
	}
}

// turnTo begins with another commit. What is pending of the former one will not
// be decided any more. Of the new one the forge may know something: it may have
// been in force before.
func (r *Reporter) turnTo(ctx context.Context, commit string) {
	d := &r.desired
	for context, s := range d.said {
		if s.state == forge.Pending {
			r.supersede(ctx, d.commit, context, commit)
		}
	}
	first := d.commit == ""
	d.commit, d.planned, d.named = commit, false, nil
	d.said, d.known = map[string]saying{}, map[string]bool{}
	d.recalled = d.recalled || !first
	asking, cancel := context.WithCancel(ctx)
	if d.recalls = append(d.recalls, cancel); len(d.recalls) > maxRecalls {
		d.recalls[0]()
		d.recalls = slices.Delete(d.recalls, 0, 1)
	}
	r.recall(asking, r.o.Repo, commit, func(known []forge.Status) {
		cancel()
		r.take(ctx, commit, known)
	})
	if !first {
		return
	}
	r.running.Go(func() {
		r.nameFormer(ctx, commit)
		r.recallFormer(ctx, commit)
	})
}

// take notes what the forge has of a commit: what was said when it was in force
// before. If it is in force no more, that is not decided any more. The caller
// holds mu.
func (r *Reporter) take(ctx context.Context, commit string, known []forge.Status) {
	d := &r.desired
	if d.commit != commit {
		r.supersedeKnown(ctx, commit, known)
		return
	}
	if d.recalled { // not the first commit, whose changes are asked for anyway
		defer func() {
			if len(d.known) > 0 {
				r.running.Go(func() { r.nameFormer(ctx, commit) })
			}
		}()
	}
	d.recalled = true
	for _, s := range known {
		context, ours := r.ours(s.Context)
		if !ours {
			continue
		}
		if _, said := d.said[context]; !said {
			d.said[context] = saying{state: s.State, text: s.Description}
		}
		d.known[context] = true
	}
	v, o := r.look()
	if v.State != nil && v.State.Commit == commit {
		d.nameKnown(v)
	}
	r.updateDesired(ctx, v, o, nil)
}

// ours returns the deployment whose context on commits of the desired state it is;
// "" with true is the instance's own.
func (r *Reporter) ours(context string) (string, bool) {
	name, ours := r.below(context)
	return name, ours && name != ContextManifest && name != ContextPlan && !strings.Contains(name, "/")
}

// nameFormer names the deployments that a commit changed which was in force before.
func (r *Reporter) nameFormer(ctx context.Context, commit string) {
	names, err := r.o.Changed(ctx, commit)
	if err != nil {
		r.o.Logger.Debug("what the commit changed is not known: it has no statuses for each deployment", "commit", short(commit), "error", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.desired.commit == commit {
		r.desired.name(names)
		v, o := r.look()
		r.updateDesired(ctx, v, o, nil)
	}
}

// recallFormer supersedes what a former process left pending of older commits.
func (r *Reporter) recallFormer(ctx context.Context, inForce string) {
	commits, err := r.o.History(ctx, 1+maxRecalled)
	if err != nil {
		r.o.Logger.Debug("the history of the desired state cannot be read: statuses of older commits stay as they are", "error", err)
		return
	}
	found := 0
	for _, c := range commits {
		if c.Hash == inForce {
			continue
		}
		known, err := r.known(ctx, r.o.Repo, c.Hash)
		if err != nil || found == maxFound {
			return
		}
		if slices.ContainsFunc(known, func(s forge.Status) bool { _, ours := r.ours(s.Context); return ours }) {
			found++
		}
		r.mu.Lock()
		if c.Hash != r.desired.commit {
			r.supersedeKnown(ctx, c.Hash, known)
		}
		r.mu.Unlock()
	}
}

// supersedeKnown supersedes what the forge has as pending of a commit that is not
// in force. The caller holds mu.
func (r *Reporter) supersedeKnown(ctx context.Context, commit string, known []forge.Status) {
	for _, s := range known {
		if context, ours := r.ours(s.Context); ours && s.State == forge.Pending && !r.elsewhere(commit, s) {
			r.supersede(ctx, commit, context, r.desired.commit)
		}
	}
}

// elsewhere tells that a status links to another page than ours: that of a Berth
// whose context lies below ours.
func (r *Reporter) elsewhere(commit string, s forge.Status) bool {
	page := r.o.Page(commit)
	return page != "" && s.URL != "" && s.URL != page && s.Context != r.o.Context
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
		if found || len(d.named) >= MaxContexts && !d.known[name] || name == ContextManifest || name == ContextPlan {
			continue
		}
		d.named = slices.Insert(d.named, at, name)
	}
}

// nameKnown gives deployments the context that the forge has of them already,
// whether or not there are many.
func (d *desiredReport) nameKnown(v *engine.View) {
	for name := range d.known {
		at, found := slices.BinarySearch(d.named, name)
		if _, declared := v.State.Deployment(name); declared && !found {
			d.named = slices.Insert(d.named, at, name)
		}
	}
}

// sayDesired says something of the commit in force, unless it was said already or
// it is too early to.
func (r *Reporter) sayDesired(ctx context.Context, v *engine.View, context string, state forge.State, text string) {
	d := &r.desired
	if state == forge.Pending && d.early(v, context) {
		return
	}
	d.said[context] = r.say(ctx, r.o.Repo, d.commit, context, d.said[context], state, text)
}

// early tells whether it is too early to call something pending: after a start,
// what the forge has stands until more is known.
func (d *desiredReport) early(v *engine.View, context string) bool {
	s, said := d.said[context]
	switch {
	case !d.recalled:
		return true
	case !v.Asked():
		return len(d.said) > 0
	case !said || !s.at.IsZero() || s.state != forge.Success || v.State == nil || v.State.Commit != d.commit:
		return false
	case context != "":
		s, _ := v.Status(context)
		return waits(v, &s)
	}
	for s := range v.Statuses() {
		if s.Verdict() != engine.Success && !waits(v, s) {
			return false
		}
	}
	return true
}
