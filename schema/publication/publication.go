// Package publication reads any file of an app repository: Berth's own
// manifests, strictly, and every form of Arkitekt's, leniently. Which of them a
// document is, its content tells, never the name of its file.
package publication

import (
	"fmt"
	"slices"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/schema/arkitekt"
)

// Read reads a file of an app repository. It may hold several documents, of
// several forms; Form is that of the first that publishes a release, or else of
// the first that is known. What cannot be read or used is among the problems,
// of which there are at most [schema.MaxProblems] and one that tells how many
// more there are.
func Read(file string, data []byte) schema.Publication {
	docs, problems := schema.ParseDocuments(file, data)
	all := schema.Publication{Form: schema.FormUnknown, Problems: problems}
	for _, doc := range docs {
		one := read(file, doc)
		if all.Form == schema.FormUnknown || len(all.Releases) == 0 && len(one.Releases) > 0 {
			all.Form = one.Form
		}
		all.Releases = append(all.Releases, one.Releases...)
		all.Identities = append(all.Identities, one.Identities...)
		all.Problems = append(all.Problems, one.Problems...)
	}
	if len(docs) == 0 && len(problems) == 0 {
		all.Problems = schema.Problems{{File: file, Message: "the file is empty", Notice: true}}
	}
	all.Problems = bounded(all.Problems)
	return all
}

// read reads one document.
func read(file string, doc schema.Document) schema.Publication {
	if doc.Root == nil {
		return schema.Publication{Form: schema.FormUnknown, Problems: doc.Problems}
	}
	switch form := detect(doc.Root); form {
	case schema.FormApp:
		return readApp(file, doc)
	case schema.FormDesired, schema.FormConfig, schema.FormUnknown:
		return schema.Publication{Form: form, Problems: append(notices(doc), passedOver(file, doc, form))}
	}
	pub, _ := arkitekt.Read(file, doc.Root)
	pub.Problems = append(notices(doc), pub.Problems...)
	return pub
}

// readApp reads Berth's own manifest, which publishes nothing while anything is
// wrong with it.
func readApp(file string, doc schema.Document) schema.Publication {
	release, problems := schema.DecodeApp(file, doc.Root)
	pub := schema.Publication{Form: schema.FormApp, Problems: append(doc.Problems, problems...)}
	switch {
	case len(pub.Problems.Errors()) > 0:
	case len(release.Flavours) > 0:
		pub.Releases = []schema.Release{release}
	default:
		pub.Form, pub.Identities = schema.FormAppIdentity, []schema.Release{release}
	}
	return pub
}

// passedOver tells of a document that publishes nothing.
func passedOver(file string, doc schema.Document, form schema.Form) schema.Problem {
	message := map[schema.Form]string{
		schema.FormDesired: "this document is told by its kind; it publishes no app",
		schema.FormConfig:  "this is a server's configuration; it publishes no app",
		schema.FormUnknown: "this document publishes no app",
	}[form]
	return schema.Problem{
		File: file, Line: doc.Root.Line, Column: doc.Root.Column, Message: message,
		Hint: "an app's manifest has identifier, version and flavours", Notice: true,
	}
}

// notices makes notices of the problems of a document of others: of a key that
// stands twice, say, of which the last value is taken. Where something could not
// be read at all, they stay errors.
func notices(doc schema.Document) schema.Problems {
	if doc.Damaged {
		return slices.Clone(doc.Problems)
	}
	mild := make(schema.Problems, len(doc.Problems))
	for i, p := range doc.Problems {
		p.Notice = true
		mild[i] = p
	}
	return mild
}

// bounded sorts the problems and leaves out those that are too many to read,
// notices before errors.
func bounded(problems schema.Problems) schema.Problems {
	problems.Sort()
	more := len(problems) - schema.MaxProblems
	if more <= 0 {
		return problems
	}
	errors := problems.Errors()
	rest := schema.Problem{
		File: problems[0].File, Message: fmt.Sprintf("there are %d more problems", more),
		Hint: "correct those above first", Notice: len(errors) <= schema.MaxProblems,
	}
	if len(errors) >= schema.MaxProblems {
		return append(errors[:schema.MaxProblems:schema.MaxProblems], rest)
	}
	kept, room := schema.Problems{}, schema.MaxProblems-len(errors)
	for _, p := range problems {
		if !p.Notice || room > 0 {
			kept = append(kept, p)
		}
		if p.Notice {
			room--
		}
	}
	return append(kept, rest)
}
