package catalog

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/berthdev/berth/schema"
)

// nearest returns at most three identifiers that someone may have meant: those
// that end in the same word, or differ in few letters.
func (c *Catalog) nearest(identifier string) []string {
	const most = 3
	if len(identifier) > 128 {
		return nil
	}
	type candidate struct {
		identifier string
		distance   int
	}
	var near []candidate
	limit := min(1+len(identifier)/8, 3)
	for known, a := range c.apps.All() {
		if !a.listed || known == identifier {
			continue
		}
		d := schema.Distance(identifier, known, limit)
		if d > limit && strings.EqualFold(lastWord(identifier), lastWord(known)) {
			d = limit
		}
		if d <= limit {
			near = append(near, candidate{known, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var out []string
	for _, n := range near[:min(len(near), most)] {
		out = append(out, n.identifier)
	}
	return out
}

// lastWord returns what stands after the last dot.
func lastWord(identifier string) string { return identifier[strings.LastIndexByte(identifier, '.')+1:] }

// clip shortens a text to at most so many bytes, at the end of a letter.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}
