package schema

import (
	"encoding"
	"reflect"
	"strings"
	"sync"
)

// A shape is what the fields of a struct say about the mapping that it is
// decoded from. Fields of anonymous structs count as the struct's own.
type shape struct {
	name   string
	fields []field
	index  map[string]int // of a field by key
}

// A field is one key of a mapping. Its struct tags say:
//
//	json      the key
//	required  whether it must be there
//	doc       what it means
//	default   what holds where it is not set
//	example   a value, or an item of a list
//	enum      the values that it may take, separated by commas
//	accept    another form that it may take: pairs or shell
//	rule      what its text, or that of each item, must be: one of schemaRules
//	range     the least and the most that its number may be, with a comma between
type field struct {
	key      string
	at       []int // for reflect.Value.FieldByIndex
	typ      reflect.Type
	required bool
	doc      string
	def      string
	example  string
	enum     []string
	accept   string
	rule     string
	span     string
}

// The forms that the accept tag names.
const (
	acceptPairs = "pairs" // a mapping may be a list of NAME=value
	acceptShell = "shell" // a list may be text, which a shell runs
)

var (
	selectorType = reflect.TypeFor[Selector]()
	volumeType   = reflect.TypeFor[Volume]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	enumType     = reflect.TypeFor[enum]()
)

// An enum is a text type that has few values.
type enum interface{ Values() []string }

// shapes returns the shape of every struct of Berth's own documents.
var shapes = sync.OnceValue(func() map[reflect.Type]*shape {
	all := map[reflect.Type]*shape{}
	for _, root := range []any{App{}, Deployment{}, Repo{}, Config{}} {
		addShape(all, reflect.TypeOf(root))
	}
	return all
})

// addShape adds the shape of t, or of what t is made of, if it is a struct that
// is decoded from a mapping.
func addShape(all map[reflect.Type]*shape, t reflect.Type) {
	t = baseType(t)
	if t.Kind() != reflect.Struct || t == selectorType || isText(t) || all[t] != nil {
		return
	}
	s := &shape{name: t.Name(), index: map[string]int{}}
	all[t] = s
	s.addFields(t, nil)
	for _, f := range s.fields {
		addShape(all, f.typ)
	}
}

func (s *shape) addFields(t reflect.Type, at []int) {
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(at[:len(at):len(at)], i)
		if sf.Anonymous {
			s.addFields(sf.Type, at)
			continue
		}
		key, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if key == "-" {
			continue
		}
		f := field{
			key: key, at: at, typ: sf.Type,
			required: sf.Tag.Get("required") == "true",
			doc:      sf.Tag.Get("doc"),
			def:      sf.Tag.Get("default"),
			example:  sf.Tag.Get("example"),
			accept:   sf.Tag.Get("accept"),
			rule:     sf.Tag.Get("rule"),
			span:     sf.Tag.Get("range"),
		}
		if tag := sf.Tag.Get("enum"); tag != "" {
			f.enum = strings.Split(tag, ",")
		} else if t := baseType(sf.Type); t.Implements(enumType) {
			f.enum = reflect.Zero(t).Interface().(enum).Values()
		}
		s.index[key] = len(s.fields)
		s.fields = append(s.fields, f)
	}
}

// has tells whether the shape has a field of that key.
func (s *shape) has(key string) bool {
	_, ok := s.index[key]
	return ok
}

// keys returns the keys of the shape, in the order of the struct.
func (s *shape) keys() []string {
	keys := make([]string, len(s.fields))
	for i, f := range s.fields {
		keys[i] = f.key
	}
	return keys
}

// baseType returns what t points to or is a list of.
func baseType(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

// isText tells whether values of t are read from text by themselves.
func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }
