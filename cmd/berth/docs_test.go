package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
)

// shape is what the tables in docs/documents show of a JSON Schema.
type shape struct {
	Ref         string            `json:"$ref"`
	Type        json.RawMessage   `json:"type"`
	Description string            `json:"description"`
	Default     json.RawMessage   `json:"default"`
	Enum        []string          `json:"enum"`
	Properties  properties        `json:"properties"`
	Required    []string          `json:"required"`
	Items       *shape            `json:"items"`
	AnyOf       []*shape          `json:"anyOf"`
	Defs        map[string]*shape `json:"$defs"`
}

// properties are fields in the order in which the schema lists them: that of the Go types.
type properties struct {
	names  []string
	byName map[string]*shape
}

func (p *properties) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, &p.byName); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		p.names = append(p.names, name.(string))
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
	}
	return nil
}

// TestDocumentsPages holds the field tables of docs/documents to the types.
// "go test ./cmd/berth -update" rewrites them.
func TestDocumentsPages(t *testing.T) {
	marks := regexp.MustCompile(`(?s)<!-- fields (\S+) -->\n.*?<!-- end -->`)
	pages, err := filepath.Glob("../../docs/documents/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		want := marks.ReplaceAllStringFunc(string(text), func(old string) string {
			path := marks.FindStringSubmatch(old)[1]
			return fmt.Sprintf("<!-- fields %s -->\n%s<!-- end -->", path, fieldTable(t, path))
		})
		if want == string(text) {
			continue
		}
		if !*update {
			t.Errorf("%s is out of date: run go test ./cmd/berth -update", page)
			continue
		}
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// fieldTable renders the fields of KIND or KIND.field.
func fieldTable(t *testing.T, path string) string {
	t.Helper()
	kind, rest, _ := strings.Cut(path, ".")
	text, err := schema.JSONSchema(kind)
	if err != nil {
		t.Fatal(err)
	}
	var root shape
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	s := root.resolve(&root)
	for part := range strings.SplitSeq(rest, ".") {
		if part == "" {
			continue
		}
		s = root.resolve(s.Properties.byName[part])
		if s.Items != nil {
			s = root.resolve(s.Items)
		}
	}
	var b strings.Builder
	b.WriteString("| field | means | default |\n|---|---|---|\n")
	for _, name := range s.Properties.names {
		f := s.Properties.byName[name]
		means := f.Description
		if len(f.Enum) > 0 {
			means += " One of `" + strings.Join(f.Enum, "`, `") + "`."
		}
		fallback := strings.Trim(string(f.Default), `"`)
		if slices.Contains(s.Required, name) {
			fallback = "required"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, strings.ReplaceAll(means, "|", "\\|"), fallback)
	}
	return b.String()
}

// resolve follows a reference; of a text or a mapping it takes the mapping.
func (root *shape) resolve(s *shape) *shape {
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		return root.Defs[name]
	}
	for _, one := range s.AnyOf {
		if one.Ref != "" {
			return root.resolve(one)
		}
	}
	return s
}
