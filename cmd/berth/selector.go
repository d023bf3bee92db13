package main

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	graphql "github.com/graph-gophers/graphql-go"
	"github.com/graph-gophers/graphql-go/introspection"

	"github.com/berthdev/berth/internal/api"
	"github.com/berthdev/berth/schema"
)

// A filterField is a key of a selector, as the server's schema has it.
type filterField struct {
	name   string
	kind   string   // String, Boolean, Time, or the name of an enumeration
	values []string // of an enumeration or Boolean, as people write them; nil: any
	list   bool     // whether it takes several values
}

// filterFields are the keys that a selector of this kind may have.
func (r *resource) filterFields() ([]filterField, error) {
	types, err := schemaTypes()
	if err != nil {
		return nil, err
	}
	var out []filterField
	for _, in := range *types[r.graphql+"Filter"].InputFields(&struct{ IncludeDeprecated bool }{}) {
		of, list := in.Type(), false
		for of.OfType() != nil {
			list = list || of.Kind() == "LIST"
			of = of.OfType()
		}
		if of.Kind() == "INPUT_OBJECT" {
			continue // not: what != makes
		}
		f := filterField{name: in.Name(), kind: *of.Name(), list: list}
		if f.kind == "Boolean" {
			f.values = []string{"true", "false"}
		}
		f.values = append(f.values, enumWords(of)...)
		out = append(out, f)
	}
	return out, nil
}

// sortKeys are the keys by which the server sorts this kind.
func (r *resource) sortKeys() ([]string, error) {
	types, err := schemaTypes()
	if err != nil || r.unordered {
		return nil, err
	}
	return enumWords(types[r.graphql+"OrderField"]), nil
}

// schemaTypes are the types of the schema that the server speaks, by name.
var schemaTypes = sync.OnceValues(func() (map[string]*introspection.Type, error) {
	s, err := graphql.ParseSchema(api.Schema, nil)
	if err != nil {
		return nil, err
	}
	out := map[string]*introspection.Type{}
	for _, t := range s.Inspect().Types() {
		if t.Name() != nil {
			out[*t.Name()] = t
		}
	}
	return out, nil
})

func enumWords(t *introspection.Type) []string {
	values := t.EnumValues(&struct{ IncludeDeprecated bool }{})
	if values == nil {
		return nil
	}
	var out []string
	for _, v := range *values {
		out = append(out, lowerWord(v.Name()))
	}
	return out
}

// A selection is what one key must be, or must not be.
type selection struct {
	field    filterField
	is, isNo []any
}

// filter makes the filter of the query out of a selector: key=value and
// key!=value, separated by commas. One key with several values means any of them.
func (r *resource) filter(selector []string, now time.Time) (map[string]any, error) {
	if len(selector) == 0 {
		return nil, nil
	}
	fields, err := r.filterFields()
	if err != nil {
		return nil, err
	}
	selections := map[string]*selection{}
	for _, term := range selector {
		key, value, no, err := splitTerm(term)
		if err != nil {
			return nil, err
		}
		f, err := r.fieldOf(fields, key)
		if err != nil {
			return nil, err
		}
		v, err := f.value(value, now)
		if err != nil {
			return nil, err
		}
		s := selections[f.name]
		if s == nil {
			s = &selection{field: f}
			selections[f.name] = s
		}
		if no {
			s.isNo = append(s.isNo, v)
		} else {
			s.is = append(s.is, v)
		}
	}
	return joinSelections(selections)
}

// splitTerm reads key=value, key==value or key!=value.
func splitTerm(term string) (key, value string, no bool, err error) {
	key, value, ok := strings.Cut(strings.TrimSpace(term), "=")
	if !ok || key == "" || key == "!" {
		return "", "", false, usageErrorf("selector %q: write it as key=value or key!=value", term)
	}
	if key, no = strings.CutSuffix(key, "!"); !no {
		value = strings.TrimPrefix(value, "=")
	}
	return strings.TrimSpace(key), strings.TrimSpace(value), no, nil
}

func (r *resource) fieldOf(fields []filterField, key string) (filterField, error) {
	fold := strings.NewReplacer("-", "", "_", "")
	known := make([]string, len(fields))
	for i, f := range fields {
		if strings.EqualFold(fold.Replace(f.name), fold.Replace(key)) {
			return f, nil
		}
		known[i] = f.name
	}
	return filterField{}, usageErrorf("selector: %s have no key %q%s; known are %s", r.name, key, meant(key, known), strings.Join(known, ", "))
}

// meant names what a wrong word may have been meant to be.
func meant(word string, known []string) string {
	if near := schema.Nearest(word, known); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// value reads a value as the field takes it.
func (f filterField) value(text string, now time.Time) (any, error) {
	switch {
	case f.kind == "Time":
		t, err := parseSince(now, text)
		if err != nil || text == "" {
			return nil, usageErrorf("selector: %s cannot be %q: write it as 10m, 2d or 2026-11-21T12:00:00Z", f.name, text)
		}
		return t.UTC(), nil
	case f.kind == "Boolean":
		if yes, no := strings.EqualFold(text, "true") || strings.EqualFold(text, "yes"), strings.EqualFold(text, "false") || strings.EqualFold(text, "no"); yes || no {
			return yes, nil
		}
	case f.values != nil:
		if slices.Contains(f.values, lowerWord(text)) {
			return enumWord(text), nil
		}
	case f.name == "commit" && len(text) < 40 && !strings.Contains(text, "*"):
		return text + "*", nil // the beginning of a hash is enough
	default:
		return text, nil
	}
	return nil, usageErrorf("selector: %s cannot be %q%s; known are %s", f.name, text, meant(text, f.values), strings.Join(f.values, ", "))
}

// joinSelections makes one filter. A filter has one "not", and what is in it is
// turned round as a whole: so a key with known values asks for the other values,
// and only one other key can be turned round.
func joinSelections(selections map[string]*selection) (map[string]any, error) {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(selections)) {
		s := selections[name]
		switch {
		case !s.field.list && (len(s.isNo) > 0 || len(s.is) > 1):
			return nil, usageErrorf("selector: %s is one moment: write %s=TIME once", name, name)
		case !s.field.list:
			out[name] = s.is[0]
		case len(s.isNo) > 0 && s.field.values != nil:
			out[name] = s.others()
		default:
			if len(s.is) > 0 {
				out[name] = s.is
			}
			if len(s.isNo) == 0 {
				continue
			}
			if not, taken := out["not"].(map[string]any); taken {
				return nil, usageErrorf("selector: only one of %s and %s can have != at once", slices.Collect(maps.Keys(not))[0], name)
			}
			out["not"] = map[string]any{name: s.isNo}
		}
	}
	return out, nil
}

// others are the values of a key with known values that are asked for and not
// turned away.
func (s *selection) others() []any {
	out := []any{}
	for _, v := range s.field.values {
		var value any = enumWord(v)
		if s.field.kind == "Boolean" {
			value = v == "true"
		}
		if (len(s.is) == 0 || slices.Contains(s.is, value)) && !slices.Contains(s.isNo, value) {
			out = append(out, value)
		}
	}
	return out
}

// order makes the order of the query out of a sort key: KEY, -KEY or KEY:desc.
func (r *resource) order(sortBy string) (map[string]any, error) {
	if sortBy == "" {
		return nil, nil
	}
	key, direction, _ := strings.Cut(sortBy, ":")
	bare, minus := strings.CutPrefix(key, "-")
	directions := map[string]string{"": "ASC", "asc": "ASC", "desc": "DESC"}
	to, known := directions[strings.ToLower(direction)]
	if !known || minus && direction != "" {
		return nil, usageErrorf("--sort-by %q: write KEY, or -KEY or KEY:desc for the other way round", sortBy)
	}
	if minus {
		to = "DESC"
	}
	keys, err := r.sortKeys()
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, usageErrorf("--sort-by: %s come by their time; they have no other order", r.name)
	}
	if !slices.Contains(keys, lowerWord(bare)) {
		return nil, usageErrorf("--sort-by: %s cannot be sorted by %q%s; known are %s", r.name, bare, meant(bare, keys), strings.Join(keys, ", "))
	}
	return map[string]any{"by": enumWord(bare), "direction": to}, nil
}
