package main

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// writeJSON prints v indented, for programs.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// writeLine prints v in one line, for programs that read as it comes.
func writeLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// writeYAML prints v as YAML, with the keys and in the order of its JSON.
func writeYAML(w io.Writer, v any) error {
	var text bytes.Buffer
	if err := writeJSON(&text, v); err != nil {
		return err
	}
	var doc yaml.Node
	if err := yaml.Load(text.Bytes(), &doc); err != nil { // JSON is YAML
		return err
	}
	plain(&doc)
	out, err := yaml.Dump(&doc, yaml.WithIndent(2))
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}

// doubtful are texts that some reader of YAML takes for something else: words that
// are truth values in YAML 1.1, and what looks like a number, as 8e33557 of a hash or
// the port 22:22, though the library sees that it is none that it can hold.
var doubtful = regexp.MustCompile(`(?i)^(y|n|yes|no|on|off|[-+.]?[0-9][0-9_]*(\.[0-9_]*|(:[0-5]?[0-9])+)?(e[-+]?[0-9]+)?)$`)

// plain takes the marks of JSON off: braces, and quotes where none are needed.
func plain(n *yaml.Node) {
	n.Style = 0
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!str" && doubtful.MatchString(n.Value):
		n.Style = yaml.SingleQuotedStyle
	case n.Kind != yaml.ScalarNode && len(n.Content) == 0:
		n.Style = yaml.FlowStyle // [] and {}
	}
	for _, child := range n.Content {
		plain(child)
	}
}

// writeAs prints v in one of the formats for programs.
func writeAs(format string, w io.Writer, v any) error {
	if format == "yaml" {
		return writeYAML(w, v)
	}
	return writeJSON(w, v)
}

// word is a word of an enumeration, as Berth writes it: in lower case.
type word string

// UnmarshalJSON reads it as GraphQL writes it.
func (w *word) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	*w = word(lowerWord(s))
	return nil
}

// lowerWord writes a word of an enumeration as Berth does.
func lowerWord(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }

// enumWord writes it as GraphQL does.
func enumWord(s string) string { return strings.ReplaceAll(strings.ToUpper(s), "-", "_") }
