package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeServer answers queries as it is told.
type fakeServer struct {
	query     func(document string, variables map[string]any) (string, error)
	subscribe func(ctx context.Context, each func(json.RawMessage) error) error
}

func (f fakeServer) Query(_ context.Context, document string, variables map[string]any, into any) error {
	answer, err := f.query(document, variables)
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal([]byte(answer), into)
}

func (f fakeServer) Subscribe(ctx context.Context, _ string, _ map[string]any, each func(json.RawMessage) error) error {
	return f.subscribe(ctx, each)
}

// pageOf is the answer to a query for a page.
func pageOf(next string, nodes ...string) string {
	return fmt.Sprintf(`{"page": {"nodes": [%s], "totalCount": 0, "pageInfo": {"hasNextPage": %t, "endCursor": %q}}}`, strings.Join(nodes, ","), next != "", next)
}

// A list is asked for page by page, and no further than is asked for.
func TestPages(t *testing.T) {
	r, err := resourceOf("deployments")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		total, limit int
		want         []string // first after
	}{
		{0, 0, []string{"500 <nil>"}},
		{500, 0, []string{"500 <nil>"}},
		{1100, 0, []string{"500 <nil>", "500 500", "500 1000"}},
		{1100, 3, []string{"3 <nil>"}},
		{1100, 500, []string{"500 <nil>"}},
		{1100, 700, []string{"500 <nil>", "200 500"}},
		{600, 700, []string{"500 <nil>", "200 500"}},
	} {
		var asked []string
		given := 0
		server := fakeServer{query: func(_ string, v map[string]any) (string, error) {
			asked = append(asked, fmt.Sprint(v["first"], " ", v["after"]))
			var nodes []string
			for range min(v["first"].(int), tc.total-given) {
				nodes = append(nodes, fmt.Sprintf(`{"name": "d%04d"}`, given))
				given++
			}
			next := ""
			if given < tc.total {
				next = fmt.Sprint(given)
			}
			return pageOf(next, nodes...), nil
		}}
		items, err := r.list(t.Context(), server, listing{limit: tc.limit})
		if err != nil {
			t.Fatal(err)
		}
		want := tc.total
		if tc.limit > 0 {
			want = min(want, tc.limit)
		}
		if len(items) != want || cmp.Diff(tc.want, asked) != "" {
			t.Errorf("%d of %d: %d things, asked %v", tc.limit, tc.total, len(items), asked)
		}
	}
}

// A server that says that there is more but gives nothing is not asked forever.
func TestPagesEnd(t *testing.T) {
	r, err := resourceOf("pods")
	if err != nil {
		t.Fatal(err)
	}
	server := fakeServer{query: func(string, map[string]any) (string, error) { return pageOf("again"), nil }}
	if items, err := r.list(t.Context(), server, listing{}); err != nil || len(items) != 0 {
		t.Errorf("%v, %v", items, err)
	}
}

func TestMissing(t *testing.T) {
	r, err := resourceOf("deployments")
	if err != nil {
		t.Fatal(err)
	}
	server := fakeServer{query: func(document string, _ map[string]any) (string, error) {
		switch {
		case document == pingQuery:
			return knows, nil
		case strings.Contains(document, "item: deployment("):
			return `{"item": null}`, nil
		}
		return pageOf("", `{"name": "stardist-john"}`, `{"name": "stardist-jane"}`, `{"name": "fiji"}`), nil
	}}
	for name, want := range map[string]string{
		"stardist-jon": "did you mean stardist-john?",
		"stardist":     "did you mean stardist-john or stardist-jane?",
		"napari":       "'berth get deployments' lists what there is",
		"x\x1b[31m":    "'berth get deployments' lists what there is",
	} {
		_, err := r.find(t.Context(), server, name, "query { item: deployment(name: $name) { name } }")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: %v, want %s", name, err, want)
		}
	}
}

// What is nothing, unknown or odd in an answer makes no command fall over.
func TestEmptyThings(t *testing.T) {
	for _, r := range resources {
		i, err := r.read(json.RawMessage("{}"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = i.key(), i.cells(time.Now())
	}
	for name, tale := range stories {
		told, err := tale.read(json.RawMessage(`{"name": "x", "identifier": "x"}`))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		s := newStory(&out, time.Now())
		told.tell(s)
		if err := s.flush(); err != nil || !strings.Contains(out.String(), ":") {
			t.Errorf("%s: %v\n%s", name, err, out.String())
		}
	}
}
