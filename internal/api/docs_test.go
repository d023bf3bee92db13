package api

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/graph-gophers/graphql-go/ast"

	"github.com/berthdev/berth/internal/access"
)

var graphqlBlock = regexp.MustCompile("(?s)```graphql\n(.*?)```")

// TestDocs asks every question of docs/api.md, each in a world of its own. None
// may be answered with an error, and every field of Query is shown there.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := graphqlBlock.FindAllSubmatch(page, -1)
	if n := strings.Count(string(page), "```graphql"); n != len(blocks) || n == 0 {
		t.Fatalf("%d of %d blocks were found", len(blocks), n)
	}
	shown := map[string]bool{}
	for _, block := range blocks {
		query := string(block[1])
		inWorld(t, func(r *rig) {
			got := r.first(query)
			if len(got.Errors) > 0 {
				r.t.Errorf("%s\n%+v", query, got.Errors)
			}
			data, _ := got.Data.(map[string]any)
			for field, value := range data {
				if shown[field] = true; value == nil {
					r.t.Errorf("%s\nthere is no %s in the world of the tests", query, field)
				}
			}
		})
	}
	a, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.schema.AST().Types["Query"].(*ast.ObjectTypeDefinition).Fields {
		if !shown[f.Name] {
			t.Errorf("docs/api.md does not show %s", f.Name)
		}
	}
}

// first returns the answer to an operation; of a subscription, the first one.
func (r *rig) first(document string) answer {
	ctx, cancel := context.WithCancel(access.With(r.t.Context(), access.Caller{Name: "test", Role: access.Admin}))
	defer cancel()
	if operationKind(document, "") != "subscription" {
		text, err := json.Marshal(r.api.Execute(ctx, document, "", nil))
		if err != nil {
			r.t.Fatal(err)
		}
		return read(r.t, text)
	}
	answers, err := r.api.Subscribe(ctx, document, "", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	text, err := json.Marshal(<-answers)
	if err != nil {
		r.t.Fatal(err)
	}
	cancel()
	for range answers { // until it ended
	}
	return read(r.t, text)
}
