package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/berthdev/berth/schema"
)

// querier is what the commands ask of a [client.Client].
type querier interface {
	Query(ctx context.Context, query string, variables map[string]any, into any) error
}

// A listing says which things of a kind are asked for.
type listing struct {
	filter map[string]any // of the query; nil: all
	search string
	order  map[string]any // of the query; nil: the kind's own
	limit  int            // 0: all
}

// page is an answer to [resource.pageDocument].
type page struct {
	Page struct {
		Nodes    []json.RawMessage `json:"nodes"`
		PageInfo struct {
			HasNextPage bool   `json:"hasNextPage"`
			EndCursor   string `json:"endCursor"`
		} `json:"pageInfo"`
	} `json:"page"`
}

// list asks for all that is asked for, page by page.
func (r *resource) list(ctx context.Context, c querier, l listing) ([]item, error) {
	var out []item
	err := r.pages(ctx, c, r.listDocument(), l, func(node json.RawMessage) error {
		i, err := r.read(node)
		out = append(out, i)
		return err
	})
	return out, err
}

func (r *resource) pages(ctx context.Context, c querier, document string, l listing, each func(json.RawMessage) error) error {
	variables := map[string]any{"filter": l.filter}
	if l.search != "" {
		variables["search"] = l.search
	}
	if !r.unordered && l.order != nil {
		variables["order"] = l.order
	}
	for left := l.limit; ; {
		first := r.page
		if l.limit > 0 {
			first = min(first, left)
		}
		variables["first"] = first
		var p page
		if err := c.Query(ctx, document, variables, &p); err != nil {
			return err
		}
		for _, node := range p.Page.Nodes {
			if err := each(node); err != nil {
				return err
			}
		}
		left -= len(p.Page.Nodes)
		if !p.Page.PageInfo.HasNextPage || l.limit > 0 && left <= 0 || len(p.Page.Nodes) == 0 {
			return nil
		}
		variables["after"] = p.Page.PageInfo.EndCursor
	}
}

// find asks for one by its name, with a document of [resource.oneDocument]. The
// error is a [schema.Error] when there is no such thing.
func (r *resource) find(ctx context.Context, c querier, name, document string) (json.RawMessage, error) {
	variables, err := r.split(name)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Item json.RawMessage `json:"item"`
	}
	if err := c.Query(ctx, document, variables, &answer); err != nil {
		return nil, err
	}
	if string(answer.Item) == "null" || len(answer.Item) == 0 {
		return nil, r.missing(ctx, c, name)
	}
	return answer.Item, nil
}

// errMissing is why a thing cannot be shown.
var errMissing = errors.New("there is none of this name")

// missing says that there is no such thing, and which ones were perhaps meant;
// or that the server cannot know.
func (r *resource) missing(ctx context.Context, c querier, name string) error {
	if !unplanned[r.name] {
		if err := unplannedError(ctx, c); err != nil {
			return err
		}
	}
	err := &schema.Error{Op: "find " + r.one, Resource: oneLine(name), Kind: schema.Invalid, Err: errMissing,
		Hint: "'berth get " + r.name + "' lists what there is"}
	known, listErr := r.names(ctx, c, 2000)
	if near := nearestNames(name, known); listErr == nil && len(near) > 0 {
		err.Hint = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return err
}

// names lists the names of things of this kind, at most so many.
func (r *resource) names(ctx context.Context, c querier, most int) ([]string, error) {
	if r.nameBy == "" {
		return nil, nil
	}
	var out []string
	err := r.pages(ctx, c, r.namesDocument(), listing{limit: most}, func(node json.RawMessage) error {
		var n named
		err := json.Unmarshal(node, &n)
		out = append(out, n.Name)
		return err
	})
	return out, err
}

// nearestNames returns at most three names that somebody may have meant: the
// nearest by spelling, then those that hold what was written.
func nearestNames(name string, known []string) []string {
	var out []string
	if near := schema.Nearest(name, known); near != "" {
		out = append(out, oneLine(near))
	}
	for _, k := range known {
		shown := oneLine(k)
		if len(out) < 3 && len(name) > 2 && strings.Contains(strings.ToLower(k), strings.ToLower(name)) && !slices.Contains(out, shown) {
			out = append(out, shown)
		}
	}
	return out
}
