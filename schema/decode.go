package schema

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A decoder decodes nodes into Go values, strictly, and notes all that is wrong.
type decoder struct {
	file     string
	path     []step
	around   []*shape // of the mappings that the path goes through
	ignore   string   // a key of the root that is not a field; empty: none
	problems Problems
}

// A step of a path is a key of a mapping or an index of a list.
type step struct {
	key   string
	index int
}

// decode decodes the root of a document into the struct that v points to.
func (d *decoder) decode(root *yaml.Node, v any) {
	d.value(root, reflect.ValueOf(v).Elem(), &field{})
}

// value decodes node into v. f is the field that v belongs to.
func (d *decoder) value(node *yaml.Node, v reflect.Value, f *field) {
	t := v.Type()
	switch {
	case !d.usable(node):
	case t.Kind() == reflect.Pointer:
		before := len(d.problems)
		elem := reflect.New(t.Elem())
		if d.value(node, elem.Elem(), f); len(d.problems) == before {
			v.Set(elem)
		}
	case t == selectorType:
		d.selector(node, v)
	case t == volumeType && node.Kind == yaml.ScalarNode:
		d.volume(node, v)
	case isText(t):
		d.quantity(node, v)
	case t.Kind() == reflect.Struct:
		d.mapping(node, v, f)
	case t.Kind() == reflect.Slice:
		d.list(node, v, f)
	case t.Kind() == reflect.Map:
		d.pairs(node, v, f)
	default:
		d.scalar(node, v, f)
	}
}

// coreTags are the tags of YAML's own types.
var coreTags = map[string]bool{
	"": true, "!": true, "!!str": true, "!!int": true, "!!float": true, "!!bool": true, "!!null": true,
	"!!timestamp": true, "!!merge": true, "!!map": true, "!!seq": true,
}

// usable tells of nodes that stand for no value of any type.
func (d *decoder) usable(node *yaml.Node) bool {
	switch {
	case !coreTags[node.Tag]:
		d.problem(node, fmt.Sprintf("the tag %s is not supported", clip(node.Tag)), "remove it, or put text that begins with ! in quotes")
	case node.Kind == yaml.ScalarNode && node.Tag == nullTag:
		d.problem(node, "has no value", `give it one or remove it; empty text is ""`)
	case strings.IndexByte(node.Value, 0) >= 0:
		d.problem(node, "holds a zero byte", "remove it")
	default:
		return true
	}
	return false
}

// mapping decodes a mapping into a struct, all its fields at once.
func (d *decoder) mapping(node *yaml.Node, v reflect.Value, f *field) {
	s := shapes()[v.Type()]
	if node.Kind != yaml.MappingNode {
		d.wrongKind(node, "a mapping", mappingHint(s, f))
		return
	}
	d.around = append(d.around, s)
	seen := make([]bool, len(s.fields))
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at, known := s.index[key.Value]
		switch {
		case known:
			seen[at] = true
			f := &s.fields[at]
			d.push(step{key: f.key})
			d.value(value, v.FieldByIndex(f.at), f)
			d.pop()
		case len(d.path) > 0 || d.ignore == "" || key.Value != d.ignore:
			if at, known := s.index[d.unknownKey(key, s)]; known {
				seen[at] = true // it was meant, and need not be missed too
			}
		}
	}
	for i := range s.fields {
		if s.fields[i].required && !seen[i] {
			d.problem(node, s.fields[i].key+" is missing", fieldExample(&s.fields[i]))
		}
	}
	d.around = d.around[:len(d.around)-1]
}

// list decodes a list. An item that is wrong keeps its place, so that indexes
// are those of the document.
func (d *decoder) list(node *yaml.Node, v reflect.Value, f *field) {
	if node.Kind == yaml.ScalarNode && f.accept == acceptShell {
		v.Set(reflect.ValueOf([]string{"/bin/sh", "-c", node.Value}))
		return
	}
	if node.Kind != yaml.SequenceNode {
		d.wrongKind(node, "a list", listHint(node, f))
		return
	}
	if len(node.Content) > MaxItems {
		d.problem(node, fmt.Sprintf("has more than %d items", MaxItems), "")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(node.Content), len(node.Content)))
	item := field{typ: f.typ.Elem(), example: f.example, enum: f.enum}
	for i, c := range node.Content {
		d.push(step{index: i})
		d.value(c, v.Index(i), &item)
		d.pop()
	}
}

// scalar decodes a scalar into text, a number or a truth value.
func (d *decoder) scalar(node *yaml.Node, v reflect.Value, f *field) {
	if node.Kind != yaml.ScalarNode {
		d.wrongKind(node, scalarName(v.Type()), fieldExample(f))
		return
	}
	quoted := node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	switch {
	case v.Kind() != reflect.String && quoted:
		d.problem(node, "must be "+scalarName(v.Type())+", not text", "remove the quotes")
	case v.Kind() == reflect.String && f.required && node.Value == "":
		d.problem(node, "is empty", fieldExample(f))
	default:
		if message, hint := setScalar(v, node.Value, f); message != "" {
			d.problem(node, message, hint)
		}
	}
}

// setScalar sets v from the text of a scalar. It returns what is wrong with it.
func setScalar(v reflect.Value, text string, f *field) (message, hint string) {
	switch v.Kind() {
	case reflect.String:
		if len(f.enum) > 0 && !slices.Contains(f.enum, text) {
			return fmt.Sprintf("%q is not allowed", clip(text)), allowedHint(text, f.enum)
		}
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Sprintf("%q is no truth value", clip(text)), "write true or false"
		}
		v.SetBool(text == "true")
	default:
		n, err := strconv.ParseInt(text, 10, 32)
		switch {
		case errors.Is(err, strconv.ErrRange):
			return fmt.Sprintf("%q is out of range", clip(text)), fmt.Sprintf("use at most %d", math.MaxInt32)
		case err != nil:
			return fmt.Sprintf("%q is no whole number", clip(text)), "write digits alone"
		}
		v.SetInt(n)
	}
	return "", ""
}

// quantity decodes a type that reads its own text.
func (d *decoder) quantity(node *yaml.Node, v reflect.Value) {
	if node.Kind != yaml.ScalarNode {
		d.wrongKind(node, "text", "")
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(node.Value)); err != nil {
		message, hint := splitHint(err.Error())
		d.problem(node, message, hint)
	}
}

// splitHint cuts what the text types say, MESSAGE: HINT, in two.
func splitHint(text string) (message, hint string) {
	if i := strings.LastIndex(text, ": "); i >= 0 {
		return text[:i], text[i+2:]
	}
	return text, ""
}

// selector decodes a selector, which has spellings of its own.
func (d *decoder) selector(node *yaml.Node, v reflect.Value) {
	s, problems := DecodeSelector(node, d.pathString(), true)
	for _, p := range problems {
		if p.File = d.file; !d.full() {
			d.problems = append(d.problems, p)
		}
	}
	v.Set(reflect.ValueOf(s))
}

func (d *decoder) push(s step) { d.path = append(d.path, s) }
func (d *decoder) pop()        { d.path = d.path[:len(d.path)-1] }

// full tells whether more problems than can be shown are noted already.
func (d *decoder) full() bool { return len(d.problems) > MaxProblems }

// problem notes what is wrong with a node at the path.
func (d *decoder) problem(node *yaml.Node, message, hint string) {
	if d.full() {
		return
	}
	d.problems = append(d.problems, Problem{
		File: d.file, Line: node.Line, Column: node.Column,
		Path: d.pathString(), Message: message, Hint: hint,
	})
}

// wrongKind notes that a node is of another kind than it must be.
func (d *decoder) wrongKind(node *yaml.Node, want, hint string) {
	d.problem(node, "must be "+want+", not "+kindName(node), hint)
}

// pathString renders the path, as flavours[0].image.
func (d *decoder) pathString() string {
	var b strings.Builder
	for _, s := range d.path {
		switch {
		case s.key == "":
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case b.Len() > 0:
			b.WriteString("." + clip(s.key))
		default:
			b.WriteString(clip(s.key))
		}
	}
	return b.String()
}

// scalarName names what a scalar of type t must be.
func scalarName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	default:
		return "a whole number"
	}
}
