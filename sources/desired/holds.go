package desired

import "github.com/berthdev/berth/schema"

// Holds tells whether a deployment that is not validly declared must yet be left
// as it is, and why. It must, where what cannot be read may declare it:
//
//   - a document of this name is declared, and invalid
//   - the file that declared it, as its pods remember, has errors; where nothing
//     remembers, any file has
//   - some file with errors names it, or may name anything, for its text is not
//     known
//
// For a deployment that is validly declared the answer is no.
func (s *State) Holds(deployment, sourceFile string) (reason string, hold bool) {
	if s.deployments.Get(deployment) != nil {
		return "", false
	}
	return s.holds(schema.Ref{Kind: schema.KindDeployment, Name: deployment}, sourceFile)
}

// HoldsRepo tells the same of a repo: it must be followed on as it was.
func (s *State) HoldsRepo(name, sourceFile string) (reason string, hold bool) {
	if s.repos.Get(name) != nil {
		return "", false
	}
	return s.holds(schema.Ref{Kind: schema.KindRepo, Name: name}, sourceFile)
}

func (s *State) holds(ref schema.Ref, sourceFile string) (string, bool) {
	if p, broken := s.Broken(ref); broken {
		return "it is declared, but cannot be used: " + p.Error(), true
	}
	if f := s.bad.Get(sourceFile); f != nil {
		return "the file that declared it has errors: " + f.bad.Error(), true
	}
	for f := range s.bad.Values() {
		if sourceFile == "" {
			return "a file with errors may have declared it: " + f.bad.Error(), true
		}
		if !f.mentions(ref.Name) {
			continue
		}
		if f.opaque {
			return "a file that cannot be read may declare it: " + f.bad.Error(), true
		}
		return "a file with errors names it: " + f.bad.Error(), true
	}
	return "", false
}
