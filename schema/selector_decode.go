package schema

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// DecodeSelector reads one selector from a node of a document that [ParseYAML]
// returned. path is where it stands, for problems; they carry no file name.
//
// Both spellings of every key (cudaVersion and cuda_version, kind and type)
// and numbers in quotes are read always. Strict, for Berth's own documents,
// makes an error of whatever else is wrong. Lenient, for the documents of
// others, also passes over letter case and unknown keys, reads keys that mean the
// same and a single value in a list, takes the bare name of
// a kind for a selector, and makes a notice of a value that it cannot use, which
// is then as if it were not set.
//
// A kind that is not known cannot be honoured, but it must not be forgotten
// either: lenient turns {kind: tpu} into {kind: resource, name: tpu}. It
// matches no backend until the configuration of one offers a resource of that
// name, and the explanation of a choice names it.
//
// What is no selector at all gives the zero Selector, besides the problem.
func DecodeSelector(node *yaml.Node, path string, strict bool) (Selector, Problems) {
	d := selectorDecoder{path: path, strict: strict}
	s := d.decode(node)
	return s, d.problems
}

type selectorDecoder struct {
	path     string
	strict   bool
	problems Problems
}

func (d *selectorDecoder) decode(node *yaml.Node) Selector {
	kindNode := node
	switch {
	case node.Kind == yaml.MappingNode:
		if kindNode = d.kindNode(node); kindNode == nil {
			d.report(node, "", "a selector needs a kind", allowedHint("", SelectorKind("").Values()))
			return Selector{}
		}
	case d.strict, node.Kind != yaml.ScalarNode, isNull(node):
		d.report(node, "", "a selector is a mapping", `write it as {kind: cuda, cudaVersion: "11.2"}`)
		return Selector{}
	}
	s := Selector{Required: true, Weight: 1}
	var known bool
	if s.Kind, known = d.kind(kindNode); !known {
		if s.Name = strings.TrimSpace(kindNode.Value); d.strict || !showable(s.Name) {
			return Selector{}
		}
		s.Kind = SelectResource
		d.fields(node, &s, selectorCommon)
		return s
	}
	if !d.fields(node, &s, SelectorFields(s.Kind)) {
		return Selector{}
	}
	return s
}

// kindNode returns the value of kind or type, or nil.
func (d *selectorDecoder) kindNode(node *yaml.Node) *yaml.Node {
	var found *yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if !d.isKindKey(key.Value) || isNull(value) {
			continue
		}
		value = d.alone(value)
		switch {
		case value.Kind != yaml.ScalarNode || strings.TrimSpace(value.Value) == "":
			d.report(value, key.Value, "the kind of a selector is a word", "")
		case found == nil:
			found = value
		case d.strict:
			d.report(key, key.Value, "kind and type say the same", "keep kind")
		}
	}
	return found
}

func (d *selectorDecoder) isKindKey(key string) bool {
	if d.strict {
		return key == "kind" || key == "type"
	}
	return SameKey(key, "kind") || SameKey(key, "type")
}

// kind reads the name of a kind.
func (d *selectorDecoder) kind(node *yaml.Node) (SelectorKind, bool) {
	kinds := SelectorKind("").Values()
	name := strings.TrimSpace(node.Value)
	for _, kind := range kinds {
		if kind == name || !d.strict && SameKey(kind, name) {
			return SelectorKind(kind), true
		}
	}
	message := fmt.Sprintf("unknown kind of selector %q", clip(node.Value))
	if d.strict {
		d.report(node, "kind", message, allowedHint(name, kinds))
	} else {
		d.report(node, "kind", message, "it is taken for a resource of that name, which the configuration of a backend may offer")
	}
	return "", false
}

// showable tells whether a name can stand in an explanation.
func showable(name string) bool {
	return len(name) <= 255 && !strings.ContainsFunc(name, unicode.IsControl)
}

// fields reads the keys of a selector, and tells whether all that it cannot do
// without are there.
func (d *selectorDecoder) fields(node *yaml.Node, s *Selector, fields []SelectorField) bool {
	seen := map[string]bool{}
	if node.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			if d.isKindKey(key.Value) {
				continue
			}
			at := slices.IndexFunc(fields, func(f SelectorField) bool { return f.spelled(key.Value, d.strict) })
			if at < 0 && !d.strict {
				at = slices.IndexFunc(fields, func(f SelectorField) bool { return !seen[f.Name] && f.loosely(key.Value) })
			}
			if at < 0 {
				d.unknownKey(key, s.Kind, fields)
				continue
			}
			if f := fields[at]; d.field(f, key, value, s, seen[f.Name]) {
				seen[f.Name] = true
			}
		}
	}
	for _, f := range fields {
		if f.Required && !seen[f.Name] {
			d.report(node, "", fmt.Sprintf("a %s selector needs %s", s.Kind, f.Name), f.hint())
			return false
		}
	}
	return true
}

// field reads the value of one key, and tells whether it is set.
func (d *selectorDecoder) field(f SelectorField, key, value *yaml.Node, s *Selector, again bool) bool {
	value = d.alone(value)
	switch {
	case isNull(value):
		if d.strict {
			d.report(value, key.Value, "has no value", "give it one or remove it")
		}
		return false
	case again && d.strict:
		d.report(key, key.Value, f.Name+" is set twice, in two spellings", "keep "+f.Name)
		return true
	case value.Kind != yaml.ScalarNode:
		d.report(value, key.Value, "must be a single value, not "+kindName(value), f.hint())
		return false
	}
	text := strings.TrimSpace(value.Value)
	if f.Required && text == "" {
		return false
	}
	if err := f.set(s, text, d.strict); err != nil {
		message, hint, found := strings.Cut(err.Error(), ": ")
		if !found {
			hint = f.hint()
		}
		d.report(value, key.Value, message, hint)
		return false
	}
	return true
}

// alone returns what stands alone in a list, if lenient, and any other node itself.
func (d *selectorDecoder) alone(value *yaml.Node) *yaml.Node {
	if !d.strict && value.Kind == yaml.SequenceNode && len(value.Content) == 1 {
		return value.Content[0]
	}
	return value
}

// unknownKey makes an error of a key that the kind does not have; only strict
// minds.
func (d *selectorDecoder) unknownKey(key *yaml.Node, kind SelectorKind, fields []SelectorField) {
	if !d.strict {
		return
	}
	names := []string{"kind"}
	for _, f := range fields {
		names = append(names, f.Name)
	}
	message := fmt.Sprintf("unknown key %q in a %s selector", clip(key.Value), kind)
	if owners := selectorKindsWith(key.Value); len(owners) > 0 {
		d.report(key, key.Value, message, fmt.Sprintf("it belongs to %s; %s has %s",
			strings.Join(owners, ", "), kind, strings.Join(names, ", ")))
		return
	}
	d.report(key, key.Value, message, allowedHint(key.Value, names))
}

// selectorKindsWith returns the kinds of selectors that have a key.
func selectorKindsWith(key string) []string {
	var kinds []string
	for _, kind := range SelectorKind("").Values() {
		if slices.ContainsFunc(selectorTable[SelectorKind(kind)], func(f SelectorField) bool { return f.spelled(key, true) }) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// report notes a problem at a node; key is the field below the selector, or empty.
func (d *selectorDecoder) report(node *yaml.Node, key, message, hint string) {
	path := d.path
	if key != "" {
		path += "." + clip(key)
	}
	d.problems = append(d.problems, Problem{
		Line: node.Line, Column: node.Column, Path: path, Message: message, Hint: hint, Notice: !d.strict,
	})
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == nullTag }
