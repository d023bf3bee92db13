package desired

import (
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/sorted"
)

// A Diff is what [State.With] changed.
type Diff struct {
	Deployments []string // names whose deployment is new, changed, gone, broken or broken no more; sorted
	Repos       []string // likewise
	// Holds tells that the answers of [State.Holds] and [State.HoldsRepo] may
	// have changed for any name, also for those that are declared nowhere.
	Holds bool
}

// With returns the state at a commit, after the changes, and what they changed.
// Of several changes of one path the last counts; otherwise their order does
// not matter. What the changes point to must not be changed later.
func (s *State) With(commit string, changes ...FileChange) (*State, Diff) {
	e := edit{
		old: s, files: map[string]*file{}, bad: map[string]*file{},
		names: map[string]*name{}, redepend: map[string]bool{},
	}
	for _, c := range changes {
		e.files[c.Path] = nil
		if !c.Removed {
			e.files[c.Path] = newFile(c)
		}
	}
	e.redeclare()
	e.recheckDependents()
	e.recheckCycles()
	return e.finish(commit)
}

// An edit is a state in the making.
type edit struct {
	old      *State
	files    map[string]*file // changed files, by path; nil: gone
	bad      map[string]*file // those of them with errors; nil: without, or gone
	names    map[string]*name // copies of the names that may change, by key
	redepend map[string]bool  // deployments that depend on others than before
	diff     Diff
}

// look returns a name as it is now; nil: nothing is known of it.
func (e *edit) look(key string) *name {
	if n := e.names[key]; n != nil {
		return n
	}
	return e.old.names.Get(key)
}

// touch returns a name's copy, which may be changed by replacing its fields.
func (e *edit) touch(ref schema.Ref) *name {
	k := key(ref)
	if e.names[k] == nil {
		n := name{ref: ref}
		if old := e.old.names.Get(k); old != nil {
			n = *old
		}
		e.names[k] = &n
	}
	return e.names[k]
}

func (e *edit) touchDeployment(name string) *name {
	return e.touch(schema.Ref{Kind: schema.KindDeployment, Name: name})
}

func (e *edit) dependsOn(deployment string) []string {
	return e.look(key(schema.Ref{Kind: schema.KindDeployment, Name: deployment})).dependsOn()
}

func (e *edit) declared(deployment string) bool {
	n := e.look(key(schema.Ref{Kind: schema.KindDeployment, Name: deployment}))
	return n != nil && len(n.declared) > 0
}

// redeclare replaces what the changed files declared by what they declare now.
func (e *edit) redeclare() {
	touched := map[*name]bool{}
	for path, f := range e.files {
		old := e.old.files.Get(path)
		e.bad[path] = f
		if f == nil || f.bad == nil {
			e.bad[path] = nil
		}
		e.diff.Holds = e.diff.Holds || e.bad[path] != nil || old != nil && old.bad != nil
		old.declarations(func(ref schema.Ref, _ declaration) {
			if n := e.touch(ref); !touched[n] {
				touched[n] = true
				n.declared = e.elsewhere(n)
			}
		})
		f.declarations(func(ref schema.Ref, d declaration) {
			n := e.touch(ref)
			if !touched[n] {
				touched[n] = true
				n.declared = e.elsewhere(n)
			}
			n.declared = append(n.declared, d)
		})
	}
	for n := range touched {
		slices.SortStableFunc(n.declared, compareDeclarations)
	}
}

// elsewhere returns the declarations of a name that stand in no changed file.
func (e *edit) elsewhere(n *name) []declaration {
	var out []declaration
	for _, d := range n.declared {
		if _, changed := e.files[d.at.File]; !changed {
			out = append(out, d)
		}
	}
	return out
}

// recheckDependents brings the reverse of dependsOn up to date, and touches the
// deployments that depend on one that came or went.
func (e *edit) recheckDependents() {
	changes := map[string]map[string]bool{} // by dependency: its dependents that came (true) or went
	for k, n := range maps.Clone(e.names) {
		if n.ref.Kind != schema.KindDeployment {
			continue
		}
		old := e.old.names.Get(k)
		before, now := old.dependsOn(), n.dependsOn()
		if !slices.Equal(before, now) {
			e.redepend[n.ref.Name] = true
			note(changes, before, n.ref.Name, false)
			note(changes, now, n.ref.Name, true)
		}
		if was := old != nil && len(old.declared) > 0; was != (len(n.declared) > 0) {
			for _, dependent := range n.dependents {
				e.touchDeployment(dependent)
			}
		}
	}
	for dependency, dependents := range changes {
		n := e.touchDeployment(dependency)
		var all []string
		for _, d := range n.dependents {
			if _, changed := dependents[d]; !changed {
				all = append(all, d)
			}
		}
		for d, came := range dependents {
			if came {
				all = append(all, d)
			}
		}
		slices.Sort(all)
		n.dependents = all
	}
}

func note(changes map[string]map[string]bool, dependencies []string, dependent string, came bool) {
	for _, d := range dependencies {
		if changes[d] == nil {
			changes[d] = map[string]bool{}
		}
		changes[d][dependent] = came
	}
}

// recheckCycles finds the cycles anew that a changed dependency may be part of:
// those that go through the deployments that changed, now or before.
func (e *edit) recheckCycles() {
	roots := maps.Clone(e.redepend)
	for deployment := range e.redepend {
		for _, member := range e.touchDeployment(deployment).cycle {
			roots[member] = true
		}
	}
	for deployment, cycle := range cycles(slices.Sorted(maps.Keys(roots)), e.dependsOn) {
		n := e.look(key(schema.Ref{Kind: schema.KindDeployment, Name: deployment}))
		if n != nil && !slices.Equal(n.cycle, cycle) {
			e.touchDeployment(deployment).cycle = cycle
		}
	}
}

// finish checks every touched name and returns the new state.
func (e *edit) finish(commit string) (*State, Diff) {
	names, broken := map[string]*name{}, map[string]*name{}
	deployments, repos := map[string]*schema.Deployment{}, map[string]*schema.Repo{}
	stateIsLocal := local(e.old.URL)
	for k, n := range e.names {
		n.problems = n.check(stateIsLocal, e.declared)
		old := e.old.names.Get(k)
		d, r := n.usable()
		oldD, oldR := old.usable()
		names[k], broken[k] = n, nil
		if len(n.declared) == 0 && len(n.dependents) == 0 {
			names[k] = nil
		}
		if n.isBroken() {
			broken[k] = n
		}
		same := n.isBroken() == old.isBroken() && (!n.isBroken() || n.problem() == old.problem())
		switch n.ref.Kind {
		case schema.KindDeployment:
			deployments[n.ref.Name] = d
			if !same || !reflect.DeepEqual(d, oldD) {
				e.diff.Deployments = append(e.diff.Deployments, n.ref.Name)
			}
		case schema.KindRepo:
			repos[n.ref.Name] = r
			if !same || !reflect.DeepEqual(r, oldR) {
				e.diff.Repos = append(e.diff.Repos, n.ref.Name)
			}
		}
	}
	slices.Sort(e.diff.Deployments)
	slices.Sort(e.diff.Repos)
	next := &State{
		URL: e.old.URL, Commit: commit,
		files: edited(e.old.files, e.files), bad: edited(e.old.bad, e.bad),
		names: edited(e.old.names, names), broken: edited(e.old.broken, broken),
		deployments: edited(e.old.deployments, deployments), repos: edited(e.old.repos, repos),
	}
	next.problems = sync.OnceValue(next.gather)
	return next, e.diff
}

// edited leaves out edits that remove what is not there: a map that does not
// change is shared.
func edited[V any](m sorted.Map[V], edits map[string]*V) sorted.Map[V] {
	maps.DeleteFunc(edits, func(key string, value *V) bool { return value == nil && m.Get(key) == nil })
	return m.With(edits)
}
