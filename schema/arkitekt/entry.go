package arkitekt

import (
	"fmt"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/berthdev/berth/schema"
)

// The most bytes of what names an entry.
const (
	maxName  = 255 // an identifier, a version or a flavour
	maxImage = 1024
)

// An entry is one member of the list of a published file.
type entry struct {
	node       *yaml.Node
	path       string
	manifest   *yaml.Node // nil where the entry is flat
	inspection *yaml.Node // nil where the app was not inspected
}

func newEntry(node *yaml.Node, path string) entry {
	e := entry{node: node, path: path}
	if m := alone(field(node, "manifest")); isMapping(m) {
		e.manifest = m
	}
	if in := alone(field(node, "inspection")); isMapping(in) {
		e.inspection = in
	}
	return e
}

// field returns what the manifest says, or else the entry itself.
func (e entry) field(names ...string) *yaml.Node {
	if value := field(e.manifest, names...); value != nil {
		return value
	}
	return field(e.node, names...)
}

// publishes tells whether a document that is a mapping is an entry by itself,
// and not a mere description of an app.
func (e entry) publishes() bool {
	return text(e.field("identifier")) != "" && (imageOf(e.node) != "" || len(e.flavours()) > 0)
}

// A reader reads the entries of one document into a publication.
type reader struct {
	file string
	pub  schema.Publication
}

// problem adds what makes an entry or a flavour unusable.
func (r *reader) problem(node *yaml.Node, path, message, hint string) {
	r.pub.Problems = append(r.pub.Problems, schema.Problem{
		File: r.file, Line: node.Line, Column: node.Column, Path: path, Message: message, Hint: hint,
	})
}

// notice adds what is passed over.
func (r *reader) notice(node *yaml.Node, path, message, hint string) {
	r.problem(node, path, message, hint)
	r.pub.Problems[len(r.pub.Problems)-1].Notice = true
}

// read reads one entry: it becomes one release, or errors.
func (r *reader) read(e entry) {
	if !isMapping(e.node) {
		r.problem(e.node, e.path, "the entry is no mapping", "an entry has an identifier, a version and an image")
		return
	}
	release := r.identity(e)
	if !r.complete(e, release) {
		return
	}
	for _, v := range e.variants() {
		if flavour, ok := r.flavour(v); ok {
			release.Flavours = append(release.Flavours, flavour)
		}
	}
	if len(release.Flavours) > 0 {
		r.pub.Releases = append(r.pub.Releases, release)
	}
}

// identity reads what describes the app.
func (r *reader) identity(e entry) schema.Release {
	return schema.Release{
		Identifier:  text(e.field("identifier")),
		Version:     text(e.field("version")),
		Name:        text(e.field("name")),
		Description: text(e.field("description")),
		Author:      author(e.field("author")),
		Entrypoint:  text(e.field("entrypoint")),
		Logo:        text(e.field("logo")),
		Scopes:      r.scopes(join(e.path, "scopes"), e.field("scopes")),
		CreatedAt:   r.timestamp(join(e.path, "created_at"), e.field("created_at")),
		Line:        e.node.Line,
		Column:      e.node.Column,
	}
}

// complete makes one error of all that an entry cannot do without. In the
// documented form each flavour answers for its own image.
func (r *reader) complete(e entry, release schema.Release) bool {
	needs := []struct{ what, value, hint string }{
		{"identifier", release.Identifier, "identifier: com.example.app"},
		{"version", release.Version, "version: 0.1.0"},
		{"image", imageOf(e.node), "image: example/app:0.1.0-vanilla"},
	}
	if len(e.flavours()) > 0 {
		needs = needs[:2]
	}
	var missing, hints []string
	for _, n := range needs {
		if n.value == "" {
			missing, hints = append(missing, n.what), append(hints, n.hint)
		}
	}
	if len(missing) > 0 {
		r.problem(e.node, e.path, "the entry lacks "+strings.Join(missing, ", "), "add "+strings.Join(hints, ", "))
		return false
	}
	return r.named(e, release)
}

// named makes an error of an identifier or a version that nobody can use.
func (r *reader) named(e entry, release schema.Release) bool {
	return r.usable(e.node, e.path, "identifier", release.Identifier, maxName) &&
		r.usable(e.node, e.path, "version", release.Version, maxName)
}

// usable makes an error of a name that is too long or cannot be shown.
func (r *reader) usable(node *yaml.Node, path, what, value string, most int) bool {
	switch {
	case len(value) > most:
		r.problem(node, path, fmt.Sprintf("the %s is longer than %d bytes", what, most), "shorten it")
	case strings.ContainsFunc(value, func(c rune) bool { return unicode.IsControl(c) || c == unicode.ReplacementChar }):
		r.problem(node, path, fmt.Sprintf("the %s %q holds a character that cannot be shown", what, value), "remove it")
	default:
		return true
	}
	return false
}

// author returns who made the app: a name, a mapping with a name, or a list of them.
func author(node *yaml.Node) string {
	var names []string
	for _, i := range items(node, scalarField("name")) {
		if n := name(i.node); n != "" {
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}

// scopes returns the access rights that the app needs: of a list, of text with
// blanks or commas between them, or the keys of a mapping that are not false.
func (r *reader) scopes(path string, node *yaml.Node) []string {
	var scopes []string
	seen := map[string]bool{}
	add := func(scope string) {
		if scope != "" && !seen[scope] {
			seen[scope] = true
			scopes = append(scopes, scope)
		}
	}
	for _, i := range words(node, scalarField("name", "key", "identifier")) {
		switch {
		case i.key != nil:
			if !falsehood(i.node) {
				add(i.name())
			}
		case name(i.node) != "":
			add(name(i.node))
		case !isNull(i.node):
			r.notice(i.node, path, "a scope is a word; this one is passed over", "write it as scopes: [read]")
		}
	}
	return scopes
}
