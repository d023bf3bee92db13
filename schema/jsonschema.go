package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// kinds are the documents that have a JSON Schema. Those of the desired state
// say their kind.
var kinds = []struct {
	name  string
	value any
	says  bool
	doc   string
}{
	{"App", App{}, false, "An app's manifest: the identity of one release of an app, and its flavours."},
	{KindDeployment, Deployment{}, true, "Declares that a release of an app shall run."},
	{KindRepo, Repo{}, true, "An app repository to follow."},
	{"Config", Config{}, false, "The configuration of the server."},
}

// Kinds lists the kinds of documents that [JSONSchema] knows.
func Kinds() []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

// JSONSchema returns the JSON Schema (draft 2020-12) of a kind of document,
// indented. It holds what the shape of a document must be, and what names and
// numbers may be; other rules about values, such as what is a range of versions,
// are the decoder's alone.
func JSONSchema(kind string) ([]byte, error) {
	for _, k := range kinds {
		if k.name != kind {
			continue
		}
		s := reflectSchema(reflect.TypeOf(k.value))
		s.ID = jsonschema.ID("https://berth.dev/schema/" + kind + ".json")
		s.Title, s.Description = kind, k.doc
		if k.says {
			sayKind(s, kind)
		}
		data, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		var out bytes.Buffer
		err = json.Indent(&out, data, "", "  ")
		out.WriteByte('\n')
		return out.Bytes(), err
	}
	return nil, fmt.Errorf("%s is no kind of document: %s", quote(kind), allowedHint(kind, Kinds()))
}

// sayKind adds the key kind, before the others.
func sayKind(s *jsonschema.Schema, kind string) {
	properties := jsonschema.NewProperties()
	properties.Set("kind", &jsonschema.Schema{Const: kind, Description: "What the document is."})
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		properties.Set(p.Key, p.Value)
	}
	s.Properties = properties
	s.Required = append([]string{"kind"}, s.Required...)
}

// reflectSchema returns the schema of a document's type.
func reflectSchema(t reflect.Type) *jsonschema.Schema {
	types := map[string]reflect.Type{}
	r := jsonschema.Reflector{
		Anonymous: true, ExpandedStruct: true, Mapper: leafSchema,
		Namer: func(t reflect.Type) string {
			if shapes()[t] != nil {
				types[t.Name()] = t
			}
			return t.Name()
		},
	}
	s := r.ReflectFromType(t)
	describe(s, shapes()[t])
	for name, def := range s.Definitions {
		if shape := shapes()[types[name]]; shape != nil {
			describe(def, shape)
		}
	}
	return s
}

// describe adds what the struct tags of a shape say to the schema of its mapping.
func describe(s *jsonschema.Schema, shape *shape) {
	for i := range shape.fields {
		f := &shape.fields[i]
		property, ok := s.Properties.Get(f.key)
		if !ok {
			continue
		}
		addRule(property, f)
		property = otherForms(property, f)
		property.Description = f.doc
		if f.required && deref(f.typ).Kind() == reflect.String && len(f.enum) == 0 {
			one := uint64(1)
			property.MinLength = &one
		}
		if len(f.enum) > 0 && property.Enum == nil {
			property.Enum = anyList(f.enum)
		}
		if f.example != "" && f.accept == "" {
			property.Examples = []any{exampleValue(f)}
		}
		setSchemaDefault(property, f)
		s.Properties.Set(f.key, property)
	}
}

// otherForms returns the schema of a field with the other forms that it accepts.
func otherForms(s *jsonschema.Schema, f *field) *jsonschema.Schema {
	switch {
	case f.accept == acceptPairs:
		pair := &jsonschema.Schema{Type: "string", Pattern: strings.TrimSuffix(envPattern.String(), "$") + "="}
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{s, {Type: "array", Items: pair}}}
	case f.accept == acceptShell:
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{s, textSchema()}}
	case baseType(f.typ) == volumeType:
		text := &jsonschema.Schema{Type: "string", Pattern: "^[^:]+:/[^:]*(:(ro|rw))?$"}
		s.Items = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{text, s.Items}}
	}
	return s
}

// setSchemaDefault sets the default of a field where it is a value; where it is
// words, they join the description.
func setSchemaDefault(s *jsonschema.Schema, f *field) {
	if f.def == "" {
		return
	}
	v := reflect.New(deref(f.typ)).Elem()
	if strings.Contains(f.def, " ") || setText(v, f.def, f) != nil {
		s.Description += " Default: " + f.def + "."
		return
	}
	s.Default = v.Interface()
}

// exampleValue returns the example of a field as a value.
func exampleValue(f *field) any {
	if f.typ.Kind() == reflect.Slice {
		return []string{f.example}
	}
	return f.example
}

// textSchema is the schema of text: any scalar, for its text is taken as it is
// written.
func textSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Extras: map[string]any{"type": []string{"string", "number", "boolean"}}}
}

// Patterns of the text of quantities.
const (
	bytesPattern    = `^\s*[0-9]+(\.[0-9]*)?\s*([kKmMgGtT]([iI]?[bB]?)?|[bB])?\s*$`
	cpuPattern      = `^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)m?\s*$`
	durationPattern = `^\s*\+?(0|([0-9]+(\.[0-9]*)?(ns|us|µs|μs|ms|s|m|h))+)\s*$`
	portPattern     = `^\s*((([0-9.]+|\[[0-9a-fA-F:.]+\]):)?([0-9]*:))?[0-9]+(/([tT][cC][pP]|[uU][dD][pP]))?\s*$`
)

// leafSchema returns the schema of a type that is not made of others, or nil.
func leafSchema(t reflect.Type) *jsonschema.Schema {
	switch {
	case t == selectorType:
		return selectorSchema()
	case t == reflect.TypeFor[Bytes]():
		return textOrNumber(bytesPattern, "number")
	case t == reflect.TypeFor[CPU]():
		return textOrNumber(cpuPattern, "number")
	case t == reflect.TypeFor[Port]():
		return textOrNumber(portPattern, "integer")
	case t == reflect.TypeFor[Duration]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string", Pattern: durationPattern}, {Const: 0}}}
	case t.Implements(enumType):
		return &jsonschema.Schema{Type: "string", Enum: anyList(reflect.Zero(t).Interface().(enum).Values())}
	case t.Kind() == reflect.String:
		return textSchema()
	}
	return nil
}

func textOrNumber(pattern, number string) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		{Type: "string", Pattern: pattern},
		{Type: number, Minimum: "0"},
	}}
}

// selectorSchema is the schema of a selector: one form for each kind.
func selectorSchema() *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object"}
	for _, kind := range SelectorKind("").Values() {
		form := &jsonschema.Schema{
			Title: kind, Type: "object", Properties: jsonschema.NewProperties(),
			AdditionalProperties: jsonschema.FalseSchema,
			OneOf:                []*jsonschema.Schema{{Required: []string{"kind"}}, {Required: []string{"type"}}},
		}
		form.Properties.Set("kind", &jsonschema.Schema{Const: kind})
		form.Properties.Set("type", &jsonschema.Schema{Const: kind, Deprecated: true})
		for _, f := range SelectorFields(SelectorKind(kind)) {
			addSelectorField(form, f)
		}
		s.OneOf = append(s.OneOf, form)
	}
	return s
}

// addSelectorField adds a key of a selector in all its spellings, of which at
// most one may be there.
func addSelectorField(form *jsonschema.Schema, f SelectorField) {
	spellings := append([]string{f.Name}, f.Aliases...)
	for i, name := range spellings {
		property := selectorFieldSchema(f.Type)
		property.Description, property.Deprecated = f.Doc, i > 0
		if f.Example != "" && i == 0 {
			property.Examples = []any{f.Example}
		}
		form.Properties.Set(name, property)
		if i > 0 {
			form.AllOf = append(form.AllOf, &jsonschema.Schema{Not: &jsonschema.Schema{Required: []string{spellings[0], name}}})
		}
	}
	if f.Required {
		one := uint64(1)
		form.Properties.Value(f.Name).MinLength = &one
		form.Required = append(form.Required, f.Name)
	}
}

func selectorFieldSchema(t SelectorFieldType) *jsonschema.Schema {
	switch t {
	case SelectorVersion:
		return textOrNumber(`^[0-9]+(\.[0-9]+)*$`, "number")
	case SelectorCount:
		return textOrNumber(`^[0-9]+$`, "integer")
	case SelectorMemory:
		return textOrNumber(bytesPattern, "number")
	case SelectorFlag:
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "boolean"}, {Enum: []any{"true", "false"}}}}
	default:
		return textSchema()
	}
}

func anyList(texts []string) []any {
	list := make([]any, 0, len(texts))
	for _, s := range texts {
		list = append(list, s)
	}
	return list
}
