package desired

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/berthdev/berth/schema"
)

// A name is all that is known of the documents of one kind and name.
type name struct {
	ref        schema.Ref
	declared   []declaration   // in the order of files and lines
	dependents []string        // deployments that depend on it, sorted
	cycle      []string        // deployments that wait for each other, this one among them, sorted
	problems   schema.Problems // what is wrong between documents; not in any file's own problems
}

// A declaration is one document. Exactly one of deployment, repo and broken is set.
type declaration struct {
	at         schema.Position
	deployment *schema.Deployment
	repo       *schema.Repo
	broken     *schema.Problem // why it cannot be used by itself
}

func key(ref schema.Ref) string { return ref.Kind + "/" + ref.Name }

// declarations calls each with what the file declares; a nil file declares nothing.
func (f *file) declarations(each func(schema.Ref, declaration)) {
	if f == nil {
		return
	}
	at := func(p schema.Position) schema.Position {
		p.File = f.path
		return p
	}
	for _, d := range f.deployments {
		each(schema.Ref{Kind: schema.KindDeployment, Name: d.Name}, declaration{at: at(d.Position), deployment: d})
	}
	for _, r := range f.repos {
		each(schema.Ref{Kind: schema.KindRepo, Name: r.Name}, declaration{at: at(r.Position), repo: r})
	}
	for _, ref := range f.broken {
		why := f.bad
		if why == nil { // a decoder that names a broken document names its error too
			why = &schema.Problem{File: f.path, Message: "the document cannot be used"}
		}
		each(ref, declaration{at: schema.Position{File: f.path}, broken: why})
	}
}

func compareDeclarations(a, b declaration) int {
	return cmp.Or(
		cmp.Compare(a.at.File, b.at.File),
		cmp.Compare(a.at.Line, b.at.Line),
		cmp.Compare(a.at.Column, b.at.Column),
	)
}

// usable returns the one document that counts; nothing where there is none.
func (n *name) usable() (*schema.Deployment, *schema.Repo) {
	if n == nil || len(n.declared) != 1 || len(n.problems) > 0 {
		return nil, nil
	}
	return n.declared[0].deployment, n.declared[0].repo
}

// isBroken tells whether the name is declared and cannot be used.
func (n *name) isBroken() bool {
	d, r := n.usable()
	return n != nil && len(n.declared) > 0 && d == nil && r == nil
}

// problem returns why a broken name cannot be used.
func (n *name) problem() schema.Problem {
	for _, d := range n.declared {
		if d.broken != nil {
			return *d.broken
		}
	}
	return n.problems[0]
}

// dependsOn returns what the deployment of this name depends on. One that is
// declared several times, or invalid, depends on nothing.
func (n *name) dependsOn() []string {
	if n == nil || len(n.declared) != 1 || n.declared[0].deployment == nil {
		return nil
	}
	return n.declared[0].deployment.DependsOn
}

// check returns what is wrong with the name's documents beyond each by itself.
// declared tells whether there is a deployment of a name, valid or not.
func (n *name) check(stateIsLocal bool, declared func(deployment string) bool) schema.Problems {
	switch {
	case len(n.declared) > 1:
		return n.duplicates()
	case len(n.declared) == 0:
		return nil
	}
	d := n.declared[0]
	if d.repo != nil && !stateIsLocal && local(d.repo.URL) {
		return schema.Problems{d.error("url", "a repository on this machine is followed only where the desired state is on this machine too",
			"name it by https or ssh")}
	}
	if d.deployment == nil {
		return nil
	}
	var out schema.Problems
	for i, other := range d.deployment.DependsOn {
		if !declared(other) {
			out = append(out, d.error(fmt.Sprintf("dependsOn[%d]", i), fmt.Sprintf("there is no deployment %q", other),
				"declare it, or remove it here"))
		}
	}
	if len(n.cycle) > 0 {
		out = append(out, d.error("dependsOn", cycleMessage(n.cycle), "remove one dependency of them"))
	}
	return out
}

func cycleMessage(members []string) string {
	const most = 8
	switch {
	case len(members) == 1:
		return "it depends on itself"
	case len(members) > most:
		return fmt.Sprintf("%s and %d more wait for each other", strings.Join(members[:most], ", "), len(members)-most)
	default:
		return strings.Join(members, ", ") + " wait for each other"
	}
}

// duplicates returns an error for each of several documents, that names another.
func (n *name) duplicates() schema.Problems {
	var out schema.Problems
	for i, d := range n.declared {
		if d.broken != nil {
			continue // its own error is in its file
		}
		other := n.declared[0]
		if i == 0 {
			other = n.declared[1]
		}
		message := fmt.Sprintf("%s %q is declared also at %s", n.ref.Kind, n.ref.Name, position(other.at))
		if more := len(n.declared) - 2; more > 0 {
			message += fmt.Sprintf(" and %d more times", more)
		}
		out = append(out, d.error("name", message, "remove or rename one; until then neither counts"))
	}
	return out
}

func (d declaration) error(path, message, hint string) schema.Problem {
	return schema.Problem{File: d.at.File, Line: d.at.Line, Column: d.at.Column, Path: path, Message: message, Hint: hint}
}

func position(at schema.Position) string {
	return schema.Problem{File: at.File, Line: at.Line, Column: at.Column}.Position()
}

// local tells whether a repository's URL names this machine's file system:
// file:// or a path, neither scheme://host nor host:path.
func local(url string) bool {
	if scheme, _, ok := strings.Cut(url, "://"); ok {
		return strings.EqualFold(scheme, "file")
	}
	colon, slash := strings.IndexByte(url, ':'), strings.IndexByte(url, '/')
	return colon < 0 || slash >= 0 && slash < colon
}
