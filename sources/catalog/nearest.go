package catalog

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
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
		d := distance(identifier, known, limit)
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

// distances are those of a text's beginnings from another one's.
type distances [64]int

// distance counts the bytes that must be inserted, removed or replaced to make b
// of a (Levenshtein). Over limit it stops
// counting, and so it does for texts that differ throughout.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d > limit || -d > limit {
		return limit + 1
	}
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(b) >= len(distances{}) {
		return limit + 1
	}
	var row distances
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		best := row[0]
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
			best = min(best, cost)
		}
		if best > limit {
			return limit + 1
		}
	}
	return row[len(b)]
}

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
