// Package desired holds the desired state: the Deployment and Repo documents at
// one commit of the desired-state repository. A [State] is an immutable value;
// a new one is made from the old one and the files that changed.
package desired

import (
	"iter"

	"github.com/berthdev/berth/schema"
)

// A State is the desired state at one commit. It is immutable: any number of
// readers may use it while [State.With] makes the next one.
type State struct {
	URL    string // of the repository, without password
	Commit string
}

// New returns the state of a repository of which nothing was read yet.
func New(url string) *State { return &State{URL: url} }

// Of returns a state that holds the documents, as if each stood in the file
// that its position names.
func Of(url, commit string, deployments []*schema.Deployment, repos ...*schema.Repo) *State {
	return &State{URL: url, Commit: commit}
}

// With returns the state at a commit, after the changes, and what they changed.
func (s *State) With(commit string, changes ...FileChange) (*State, Diff) { return s, Diff{} }

// Deployment returns a valid deployment by name.
func (s *State) Deployment(name string) (*schema.Deployment, bool) { return nil, false }

// Deployments yields the valid deployments in the order of their names.
func (s *State) Deployments() iter.Seq2[string, *schema.Deployment] {
	return func(func(string, *schema.Deployment) bool) {}
}

// Len counts the valid deployments.
func (s *State) Len() int { return 0 }

// Dependents returns the names of the valid deployments that depend on a name, sorted.
func (s *State) Dependents(name string) []string { return nil }

// Repo returns a valid repo by name.
func (s *State) Repo(name string) (*schema.Repo, bool) { return nil, false }

// Repos yields the valid repos in the order of their names.
func (s *State) Repos() iter.Seq2[string, *schema.Repo] {
	return func(func(string, *schema.Repo) bool) {}
}

// Problems returns all errors and notices, in the order of files and lines.
func (s *State) Problems() schema.Problems { return nil }

// Broken tells why a document that is declared cannot be used.
func (s *State) Broken(ref schema.Ref) (schema.Problem, bool) { return schema.Problem{}, false }

// AllBroken yields the documents that are declared and cannot be used, in the
// order of kinds and names.
func (s *State) AllBroken() iter.Seq2[schema.Ref, schema.Problem] {
	return func(func(schema.Ref, schema.Problem) bool) {}
}

// Holds tells whether a deployment that is not (validly) declared may yet not
// be removed, because what cannot be read might declare it, and why.
func (s *State) Holds(deployment, sourceFile string) (reason string, hold bool) { return "", false }

// HoldsRepo tells the same of a repo: it is followed on as it was.
func (s *State) HoldsRepo(name, sourceFile string) (reason string, hold bool) { return "", false }
