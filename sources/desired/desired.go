// Package desired holds the desired state: the Deployment and Repo documents at
// one commit of the desired-state repository. A [State] is an immutable value;
// a new one is made from the old one and the files that changed.
package desired

import "github.com/berthdev/berth/schema"

// A State is the desired state at one commit.
type State struct {
	URL    string // of the repository, without password
	Commit string
	// Deployments by name: the valid ones only.
	Deployments map[string]*schema.Deployment
	// Repos by name: the valid ones only.
	Repos map[string]*schema.Repo
	// Problems are all errors and notices, in the order of files and lines.
	Problems schema.Problems
	// Broken tells why a name is declared but cannot be used, by kind and name.
	Broken map[schema.Ref]schema.Problem

	files map[string]*file
}
