package api

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// nested wraps a query in relations that lead back to where they came from.
func nested(depth int) string {
	open, end := strings.Repeat("{ nodes { deployments { nodes { pods ", depth), strings.Repeat("} } } }", depth)
	return "{ pods(first: 1) { nodes { release { deployments { nodes { app { releases " + open + "{ id }" + end + " } } } } } } }"
}

func TestHostileQueries(t *testing.T) {
	aliases := func(n int, field string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, " a%d: %s", i, field)
		}
		return "{" + b.String() + " }"
	}
	var bomb strings.Builder // fragments that double
	bomb.WriteString("{ ...f0 }")
	for i := range 30 {
		fmt.Fprintf(&bomb, " fragment f%d on Query { ...f%d ...f%d }", i, i+1, i+1)
	}
	bomb.WriteString(" fragment f30 on Query { instance { name } }")
	not := strings.Repeat("{not: ", 10) + "{}" + strings.Repeat("}", 10)
	tests := []struct {
		name, query string
		code        Code
		message     string
	}{
		{"no query", "", BadInput, "no operations"},
		{"no GraphQL", "{{{", BadInput, "syntax error"},
		{"no such field", "{ secrets { name } }", BadInput, "secrets"},
		{"too deep", nested(20), TooMuch, "depth"},
		{"too long", "{" + strings.Repeat(" instance { name }", 5000) + "}", TooMuch, "length"},
		{"aliases", aliases(1500, "instance { name }"), TooMuch, "selections"},
		{"wide", aliases(30, "releases(first: 500) { nodes { id } }"), "", ""},
		{"fragments in a circle", "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }", BadInput, "itself"},
		{"fragments that double", bomb.String(), TooMuch, ""},
		{"first of none", "{ apps(first: 0) { totalCount } }", BadInput, "first: 0"},
		{"first below none", "{ apps(first: -1) { totalCount } }", BadInput, "first: -1"},
		{"first beyond a page", "{ apps(first: 501) { totalCount } }", BadInput, "first: 501"},
		{"first beyond numbers", "{ apps(first: 99999999999) { totalCount } }", BadInput, ""},
		{"a cursor of nothing", `{ apps(after: "!") { totalCount } }`, BadInput, "no cursor"},
		{"a cursor of another list", fmt.Sprintf("{ apps(after: %q) { totalCount } }", writeCursor("pod", orderBy{"NAME", ascending}, []string{"x"})), BadInput, "another list"},
		{"a cursor that is too long", fmt.Sprintf("{ apps(after: %q) { totalCount } }", strings.Repeat("A", maxCursor+1)), BadInput, "no cursor"},
		{"a cursor with other marks", fmt.Sprintf("{ apps(after: %q) { totalCount } }", writeCursor("app", orderBy{"IDENTIFIER", ascending}, []string{"x"})), BadInput, "no cursor"},
		{"filters within filters", "{ apps(filter: " + not + ") { totalCount } }", BadInput, "not"},
		{"many values", `{ apps(filter: {identifier: [` + strings.Repeat(`"a" `, maxValues+1) + `]}) { totalCount } }`, BadInput, "values"},
		{"many words", `{ apps(search: "x") { totalCount } pods(search: "` + strings.Repeat("w ", 100) + `") { totalCount } }`, BadInput, "words"},
		{"a subscription", "subscription { events { id } }", BadInput, ""},
		{"a name with odd bytes", `{ repo(name: "\u0000\u001b[31m") { name } }`, "", ""},
	}
	inWorld(t, func(r *rig) {
		for _, tt := range tests {
			got := r.ask(tt.query, nil)
			if tt.code == "" {
				if len(got.Errors) > 0 {
					r.t.Errorf("%s: %+v", tt.name, got.Errors)
				}
				continue
			}
			if len(got.Errors) == 0 {
				r.t.Errorf("%s: it was answered: %v", tt.name, got.Data)
				continue
			}
			if e := got.Errors[0]; Code(e.Extensions.Code) != tt.code || !strings.Contains(e.Message, tt.message) || e.Extensions.Hint == "" {
				r.t.Errorf("%s: %+v, want %s: …%s…, with a hint", tt.name, e, tt.code, tt.message)
			}
		}
	})
}

// TestBudget asks for more than one answer may hold, in the ways that there are.
func TestBudget(t *testing.T) {
	tests := []struct{ name, query, message string }{
		{"objects", "{ releases(first: 500) { nodes { app { releases(first: 500) { nodes { app { releases { nodes { id } } } } } } } } }", "objects"},
		{"text", "{ releases(first: 500) { nodes { " + times(100, "d%d: description ") + "} } }", "text"},
		{"aliases", "{ releases(first: 500) { nodes { " + times(990, strings.Repeat("long", 11)+"%03d: version ") + "} } }", "text"},
		{"work", "{ " + times(300, `a%d: releases(first: 1, search: "x y z") { totalCount } `) + "}", "work"},
	}
	inWorld(t, func(r *rig) {
		c := benchCatalog(200, 10, strings.Repeat("a long story ", 40))
		r.feed.set(func() { r.feed.catalog = c })
		r.changed(c)
		for _, tt := range tests {
			got := r.ask(tt.query, nil)
			if got.Data != nil || len(got.Errors) != 1 || got.Errors[0].Extensions.Code != string(TooMuch) || !strings.Contains(got.Errors[0].Message, tt.message) {
				r.t.Errorf("%s: %+v", tt.name, got.Errors)
			}
		}
	})
}

func TestAliases(t *testing.T) {
	for document, want := range map[string]map[string]int{
		"{a b(first: 5, not: {c: 1}) {d}}":                    {},
		"query Q($a: Int) { long: b(x: $a) {c : d, ee:\nd} }": {"b": 4, "d": 2},
		"{ # x: y\n a(s: \") zz: b\") { zzz: b } }":           {"b": 3},
		"fragment F on T { f: a @include(if: true) }":         {"a": 1},
	} {
		if diff := cmp.Diff(want, aliases(document)); diff != "" {
			t.Errorf("%s: %s", document, diff)
		}
	}
}

// A text counts as it is written.
func TestJSONLength(t *testing.T) {
	for _, text := range []string{"", "plain", "<a & b>", "\x00\x1b[31m", "\"quoted\" \\ \n\t\r", "höher"} {
		written, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := jsonLength(text), len(written)-2; got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// times repeats a format with the numbers from 0.
func times(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// TestIntrospection asks what the usual tools ask.
func TestIntrospection(t *testing.T) {
	query, err := os.ReadFile("testdata/introspection.graphql")
	if err != nil {
		t.Fatal(err)
	}
	inWorld(t, func(r *rig) {
		got := r.ask(string(query), nil)
		if len(got.Errors) > 0 {
			r.t.Fatal(got.Errors)
		}
		types := got.Data.(map[string]any)["__schema"].(map[string]any)["types"].([]any)
		if len(types) < 80 {
			r.t.Errorf("%d types", len(types))
		}
		for _, typ := range types {
			typ := typ.(map[string]any)
			for _, f := range append(asList(typ["fields"]), asList(typ["inputFields"])...) {
				if f.(map[string]any)["name"] == "" {
					r.t.Errorf("%s has a field without a name", typ["name"])
				}
			}
		}
	})
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}

func TestTimeLimit(t *testing.T) {
	inWorld(t, func(r *rig) {
		for range cap(r.api.turns) {
			r.api.turns <- struct{}{}
		}
		begin := time.Now()
		got := r.ask("{ instance { name } }", nil)
		if len(got.Errors) != 1 || got.Errors[0].Extensions.Code != string(Timeout) || time.Since(begin) != limit {
			r.t.Errorf("after %v: %+v", time.Since(begin), got.Errors)
		}
		for range cap(r.api.turns) {
			<-r.api.turns
		}
		if got := r.ask("{ instance { name } }", nil); len(got.Errors) > 0 {
			r.t.Error("its turn was not given back:", got.Errors)
		}
	})
}

// TestBudgetOfASubscription ends a world outside of a query: nothing panics, and
// lists say why they are not there.
func TestBudgetOfASubscription(t *testing.T) {
	inWorld(t, func(r *rig) {
		ctx, cancel := context.WithCancel(r.t.Context())
		w := r.api.look(ctx)
		cancel()
		if d := w.deployment("db"); d == nil || d.Hint() != "" || len(d.Pods()) != 1 {
			r.t.Errorf("%+v", d)
		}
		if _, err := w.deployment("db").Events(paging{First: 1}); asError(err).Code != Timeout {
			r.t.Error(err)
		}
	})
}

// FuzzQuery asks anything. Whatever it is, there is an answer, and each error
// has a code.
func FuzzQuery(f *testing.F) {
	for _, query := range []string{
		"{ instance { name } }", `query Q($n: Int = 2) { apps(first: $n) { nodes { releases { nodes { id } } } } }`,
		`{ releases(filter: {app: ["*"], not: {running: [true]}}, order: {by: VERSION}) { nodes { ...r } } } fragment r on Release { id }`,
		`{ matchFlavour(release: "a@1", cpu: 1e400, memory: "-1GB", replicas: 3) { decision { reason } } }`,
		`{ events(filter: {since: "x"}) { totalCount } pod(name: "") { id } commit(hash: "aaaaaaa") { hash } }`,
		`{ __schema { types { name fields { name } } } __type(name: "Pod") { name } }`, "mutation { retry(deployment: \"x\") { time } }", "{{", "\x00",
	} {
		f.Add(query)
	}
	r := newRig(f)
	f.Fuzz(func(t *testing.T, query string) {
		text, err := json.Marshal(r.api.Execute(t.Context(), query, "", map[string]any{"n": 1.5}))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range read(t, text).Errors {
			if e.Message == "" || e.Extensions.Code == "" || e.Extensions.Code == string(Internal) {
				t.Errorf("%q: %+v", query, e)
			}
		}
	})
}
