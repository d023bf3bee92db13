package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/internal/api"
)

// TestDocuments holds every query that the commands ask to the schema.
func TestDocuments(t *testing.T) {
	s, err := graphql.ParseSchema(api.Schema, nil)
	if err != nil {
		t.Fatal(err)
	}
	check := func(name, document string) {
		t.Helper()
		for _, e := range s.ValidateWithVariables(document, anyVariables(document)) {
			t.Errorf("%s: %s\n%s", name, e.Message, document)
		}
	}
	for _, r := range resources {
		check(r.name, r.listDocument())
		if r.nameBy != "" {
			check(r.name+" by name", r.namesDocument())
		}
		if r.args != nil {
			check(r.one, r.oneDocument("...item")+r.fragment())
		}
		if r.live != "" {
			check(r.name+" live", r.liveDocument())
		}
	}
	for name, document := range documents {
		check(name, document)
	}
	for name, document := range documents {
		check(name, document)
	}
	for name, tale := range stories {
		check("the story of a "+name, tale.document)
	}
	for name, fields := range map[string]string{"pods": treePodFields, "deployments": treeDeploymentFields} {
		r, err := resourceOf(name)
		if err != nil {
			t.Fatal(err)
		}
		check("tree, "+name, r.pageDocument(fields))
	}
}

// anyVariables gives a value to every variable that must have one.
func anyVariables(document string) map[string]any {
	out := map[string]any{}
	for _, m := range regexp.MustCompile(`\$(\w+): (\w+)!`).FindAllStringSubmatch(document, -1) {
		out[m[1]] = "x"
		if m[2] == "Int" {
			out[m[1]] = 1
		}
	}
	return out
}

// TestFields holds what is asked for to what is read and printed: a field that is
// not asked for would silently be empty, and one that is not read is asked in vain.
func TestFields(t *testing.T) {
	for _, r := range resources {
		i, err := r.read(json.RawMessage("{}"))
		if err != nil {
			t.Fatal(err)
		}
		asked := selectionPaths(t, r.fields)
		got := fieldsOf(reflect.TypeOf(i))
		if diff := cmp.Diff(asked, got); diff != "" {
			t.Errorf("%s: asked and read differ:\n%s", r.name, diff)
		}
		if n := len(i.cells(time.Now())); n != len(r.columns) {
			t.Errorf("%s: %d cells for %d columns", r.name, n, len(r.columns))
		}
	}
}

// TestStoryFields does the same for what "berth describe" asks.
func TestStoryFields(t *testing.T) {
	for name, tale := range stories {
		told, err := tale.read(json.RawMessage("{}"))
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		for _, path := range selectionPaths(t, strings.TrimPrefix(tale.document, "query")) {
			asked = append(asked, strings.TrimPrefix(strings.TrimPrefix(path, "."), name+"."))
		}
		slices.Sort(asked)
		got := slices.Compact(fieldsOf(reflect.TypeOf(told)))
		if diff := cmp.Diff(asked, got); diff != "" {
			t.Errorf("%s: asked and read differ:\n%s", name, diff)
		}
	}
}

// selectionPaths lists the paths of a selection, sorted.
func selectionPaths(t *testing.T, text string) []string {
	t.Helper()
	text = regexp.MustCompile(`\([^)]*\)|\w+: `).ReplaceAllString(text, "") // arguments and aliases
	var at, out []string
	last := ""
	for _, token := range regexp.MustCompile(`[{}]|[A-Za-z0-9]+`).FindAllString(text, -1) {
		switch token {
		case "{":
			at = append(at, last)
			out = slices.DeleteFunc(out, func(s string) bool { return s == strings.Join(at, ".") })
		case "}":
			at = at[:len(at)-1]
		default:
			last = token
			out = append(out, strings.Join(append(slices.Clone(at), token), "."))
		}
	}
	slices.Sort(out)
	return out
}

// fieldsOf lists the paths of the JSON fields of a type, sorted.
func fieldsOf(typ reflect.Type) []string {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]() {
		return nil
	}
	var out []string
	for f := range typ.Fields() {
		name, inner := f.Tag.Get("json"), fieldsOf(f.Type)
		switch {
		case f.Anonymous && name == "":
			out = append(out, inner...)
		case len(inner) == 0:
			out = append(out, name)
		}
		for _, path := range inner {
			if name != "" {
				out = append(out, fmt.Sprintf("%s.%s", name, path))
			}
		}
	}
	slices.Sort(out)
	return out
}
