// Package desired holds the desired state: the Deployment and Repo documents at
// one commit of the desired-state repository. A [State] is an immutable value;
// a new one is made from the old one and the files that changed, sharing all
// that did not.
//
// A state also knows what it does not know: [State.Holds] tells whether a
// deployment that is declared nowhere may yet stand in a file that cannot be
// read.
package desired

import (
	"iter"
	"sync"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/sorted"
)

// A State is the desired state at one commit. It is immutable: any number of
// readers may use it while [State.With] makes the next one.
type State struct {
	URL    string // of the repository, without password
	Commit string

	files       sorted.Map[file]              // all, by path
	bad         sorted.Map[file]              // those with errors, by path
	names       sorted.Map[name]              // all that is declared or depended on, by key
	broken      sorted.Map[name]              // those that are declared and cannot be used, by key
	deployments sorted.Map[schema.Deployment] // the valid ones, by name
	repos       sorted.Map[schema.Repo]       // the valid ones, by name
	problems    func() schema.Problems        // gathered when first asked for
}

// New returns the state of a repository of which nothing was read yet. The URL
// holds no password.
func New(url string) *State {
	s := &State{URL: url}
	s.problems = sync.OnceValue(s.gather)
	return s
}

// Of returns a state that holds the documents, as if each stood in the file
// that its position names.
func Of(url, commit string, deployments []*schema.Deployment, repos ...*schema.Repo) *State {
	changes := map[string]*FileChange{}
	in := func(at schema.Position) *schema.DesiredFile {
		if changes[at.File] == nil {
			changes[at.File] = &FileChange{Path: at.File}
		}
		return &changes[at.File].Parsed
	}
	for _, d := range deployments {
		f := in(d.Position)
		f.Deployments = append(f.Deployments, d)
	}
	for _, r := range repos {
		f := in(r.Position)
		f.Repos = append(f.Repos, r)
	}
	files := make([]FileChange, 0, len(changes))
	for _, c := range changes {
		files = append(files, *c)
	}
	s, _ := New(url).With(commit, files...)
	return s
}

// Deployment returns a valid deployment by name.
func (s *State) Deployment(name string) (*schema.Deployment, bool) {
	d := s.deployments.Get(name)
	return d, d != nil
}

// Deployments yields the valid deployments in the order of their names.
func (s *State) Deployments() iter.Seq2[string, *schema.Deployment] { return s.deployments.All() }

// Len counts the valid deployments.
func (s *State) Len() int { return s.deployments.Len() }

// Dependents returns the names of the declared deployments that depend on a
// deployment, sorted. The slice is the state's own: it is read only.
func (s *State) Dependents(deployment string) []string {
	if n := s.names.Get(key(schema.Ref{Kind: schema.KindDeployment, Name: deployment})); n != nil {
		return n.dependents
	}
	return nil
}

// Repo returns a valid repo by name.
func (s *State) Repo(name string) (*schema.Repo, bool) {
	r := s.repos.Get(name)
	return r, r != nil
}

// Repos yields the valid repos in the order of their names.
func (s *State) Repos() iter.Seq2[string, *schema.Repo] { return s.repos.All() }

// Broken tells why a document that is declared cannot be used.
func (s *State) Broken(ref schema.Ref) (schema.Problem, bool) {
	if n := s.broken.Get(key(ref)); n != nil {
		return n.problem(), true
	}
	return schema.Problem{}, false
}

// AllBroken yields the documents that are declared and cannot be used, and why,
// in the order of kinds and names.
func (s *State) AllBroken() iter.Seq2[schema.Ref, schema.Problem] {
	return func(yield func(schema.Ref, schema.Problem) bool) {
		for n := range s.broken.Values() {
			if !yield(n.ref, n.problem()) {
				return
			}
		}
	}
}

// Problems returns all errors and notices, in the order of files and lines. The
// slice is the state's own: it is read only.
func (s *State) Problems() schema.Problems { return s.problems() }

// Errors returns the problems that are no mere notices, in the order of files and
// lines. It looks only at what has errors, not at every file.
func (s *State) Errors() schema.Problems {
	var all schema.Problems
	for f := range s.bad.Values() {
		all = append(all, f.problems.Errors()...)
	}
	for n := range s.broken.Values() {
		all = append(all, n.problems.Errors()...)
	}
	all.Sort()
	return all
}

func (s *State) gather() schema.Problems {
	var all schema.Problems
	for f := range s.files.Values() {
		all = append(all, f.problems...)
	}
	for n := range s.broken.Values() {
		all = append(all, n.problems...)
	}
	all.Sort()
	return all
}
