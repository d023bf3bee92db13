package schema

import (
	"fmt"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v4"
)

// The kinds of desired-state documents.
const (
	KindDeployment = "Deployment"
	KindRepo       = "Repo"
)

var desiredKinds = []string{KindDeployment, KindRepo}

// DecodeDesired reads a file of the desired-state repository, strictly. A
// document in which anything is wrong is left out and named in Broken, and so
// are two documents of one kind and name.
func DecodeDesired(file string, data []byte) DesiredFile {
	docs, problems := ParseDocuments(file, data)
	r := desiredReader{file: file, seen: map[Ref][]*yaml.Node{}}
	r.out.Problems = problems
	for _, doc := range docs {
		r.document(doc)
	}
	r.dropTwins()
	r.out.Problems = tidy(r.out.Problems)
	return r.out
}

// A desiredReader collects the documents of one file.
type desiredReader struct {
	file  string
	out   DesiredFile
	seen  map[Ref][]*yaml.Node // every document by its name, broken ones included
	order []Ref                // the keys of seen, in the order of the file
}

// document reads one document.
func (r *desiredReader) document(doc Document) {
	if doc.Root == nil {
		r.out.Problems = append(r.out.Problems, doc.Problems...)
		if ref, ok := refInText(doc.text); ok {
			r.broken(ref)
		}
		return
	}
	kind, problem := r.kind(doc.Root)
	if problem != nil {
		r.out.Problems = append(append(r.out.Problems, doc.Problems...), *problem)
		if ref := refOf(doc.Root, Nearest(kind, desiredKinds)); ref.Kind != "" && ref.Name != "" {
			r.broken(ref)
		}
		return
	}
	var problems Problems
	at := Position{File: r.file, Line: doc.Root.Line, Column: doc.Root.Column}
	switch kind {
	case KindDeployment:
		d := &Deployment{Position: at}
		problems = decodeDocument(r.file, doc, "kind", d, d.validate)
		r.out.Deployments = keep(r.out.Deployments, d, problems)
	case KindRepo:
		d := &Repo{Position: at}
		problems = decodeDocument(r.file, doc, "kind", d, d.validate)
		r.out.Repos = keep(r.out.Repos, d, problems)
	}
	r.out.Problems = append(r.out.Problems, problems...)
	if ref := refOf(doc.Root, kind); ref.Name != "" {
		if r.seen[ref] == nil {
			r.order = append(r.order, ref)
		}
		r.seen[ref] = append(r.seen[ref], doc.Root)
		if len(problems.Errors()) > 0 {
			r.broken(ref)
		}
	}
}

// keep adds a document that has no errors.
func keep[T any](docs []*T, doc *T, problems Problems) []*T {
	if len(problems.Errors()) > 0 {
		return docs
	}
	return append(docs, doc)
}

// kind returns the kind of a document, or what is wrong with it; then kind is
// what was written, if anything.
func (r *desiredReader) kind(root *yaml.Node) (string, *Problem) {
	p := Problem{File: r.file, Line: root.Line, Column: root.Column}
	if root.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(root.Content); i += 2 {
			key, value := root.Content[i], root.Content[i+1]
			switch {
			case key.Value == "kind":
				return r.knownKind(value)
			case Nearest(key.Value, []string{"kind"}) != "" && refOf(root, "").Name != "":
				p.Line, p.Column = key.Line, key.Column
				p.Message, p.Hint = fmt.Sprintf("unknown key %q", clip(key.Value)), "did you mean kind?"
				return value.Value, &p
			}
		}
	}
	p.Message, p.Hint = "the document says no kind and is passed over", "if it is Berth's, begin it with kind: Deployment or kind: Repo"
	p.Notice = true
	return "", &p
}

// knownKind returns the kind that a node names, or what is wrong with it.
func (r *desiredReader) knownKind(node *yaml.Node) (string, *Problem) {
	p := Problem{File: r.file, Line: node.Line, Column: node.Column, Path: "kind"}
	switch {
	case node.Kind != yaml.ScalarNode || node.Tag == nullTag:
		p.Message, p.Hint = "must be text, not "+kindName(node), allowedHint("", desiredKinds)
	case node.Value == KindDeployment || node.Value == KindRepo:
		return node.Value, nil
	case node.Value == "App":
		p.Message, p.Hint = "an app's manifest is no document of the desired state", "push it to an app repository that a kind: Repo document names"
	default:
		p.Message, p.Hint = fmt.Sprintf("%q is no known kind", clip(node.Value)), allowedHint(node.Value, desiredKinds)
	}
	return node.Value, &p
}

// dropTwins drops documents of one kind and name: neither can be preferred.
func (r *desiredReader) dropTwins() {
	for _, ref := range r.order {
		nodes := r.seen[ref]
		if len(nodes) < 2 {
			continue
		}
		r.broken(ref)
		for i, n := range nodes {
			other := nodes[0]
			if i == 0 {
				other = nodes[1]
			}
			name := lookup(n, "name")
			r.out.Problems = append(r.out.Problems, Problem{
				File: r.file, Line: name.Line, Column: name.Column, Path: "name",
				Message: fmt.Sprintf("several documents declare the %s %q; none of them is used", ref.Kind, clip(ref.Name)),
				Hint:    fmt.Sprintf("another stands on line %d", lookup(other, "name").Line),
			})
		}
	}
	r.out.Deployments = slices.DeleteFunc(r.out.Deployments, func(d *Deployment) bool { return len(r.seen[Ref{KindDeployment, d.Name}]) > 1 })
	r.out.Repos = slices.DeleteFunc(r.out.Repos, func(d *Repo) bool { return len(r.seen[Ref{KindRepo, d.Name}]) > 1 })
}

// broken notes a name that is declared but cannot be used, once.
func (r *desiredReader) broken(ref Ref) {
	if !slices.Contains(r.out.Broken, ref) {
		r.out.Broken = append(r.out.Broken, ref)
	}
}

// refOf returns the name of a document of that kind, as far as it has one.
func refOf(root *yaml.Node, kind string) Ref {
	ref := Ref{Kind: kind}
	if root.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(root.Content); i += 2 {
			if value := root.Content[i+1]; root.Content[i].Value == "name" && value.Kind == yaml.ScalarNode && len(value.Value) <= MaxKey {
				ref.Name = value.Value
			}
		}
	}
	return ref
}

var (
	kindLine = regexp.MustCompile(`(?m)^kind:[ \t]*["']?(Deployment|Repo)["']?[ \t]*(?:#.*)?\r?$`)
	nameLine = regexp.MustCompile(`(?m)^name:[ \t]*["']?([a-z0-9][a-z0-9-]{0,62})["']?[ \t]*(?:#.*)?\r?$`)
)

// refInText looks for the name of a document whose YAML is not well-formed.
func refInText(text []byte) (Ref, bool) {
	kind, name := kindLine.FindSubmatch(text), nameLine.FindSubmatch(text)
	if kind == nil || name == nil {
		return Ref{}, false
	}
	return Ref{Kind: string(kind[1]), Name: string(name[1])}, true
}
