package api

import (
	"regexp"
	"slices"
	"strings"
)

// Bounds on filters and searches, besides those of the query.
const (
	maxValues  = 500 // of one field of a filter
	maxNot     = 3   // filters within filters
	maxSearch  = 16  // words
	maxWatched = 500 // values of all fields of a subscription's filter: every change is held against them
)

// A filter tells which things are kept; its zero value keeps all.
type filter[T any] struct {
	admits func(T) bool // nil: all
	size   int          // how much work it is to look at one thing, roughly
	values int          // that it holds, with those of filters within it
}

// conditions gather what a filter asks for.
type conditions[T any] struct {
	tests  []func(T) bool
	size   int
	values int
	err    error
}

func (c *conditions[T]) add(size int, test func(T) bool) {
	c.tests = append(c.tests, test)
	c.size += size
}

// allows tells whether a field of a filter has no more values than it may.
func (c *conditions[T]) allows(field string, values int) bool {
	c.values += values
	if values > maxValues && c.err == nil {
		c.err = badInput("ask for fewer, or use * for any text", "filter: %s has more than %d values", field, maxValues)
	}
	return values <= maxValues
}

// text asks that a text is one of those that are wanted, which may hold *.
func (c *conditions[T]) text(field string, want *[]string, of func(T) string) {
	if want == nil || !c.allows(field, len(*want)) {
		return
	}
	match := anyOf(*want)
	c.add(1+len(*want)/8, func(t T) bool { return match(of(t)) })
}

// texts asks that one of several texts is.
func (c *conditions[T]) texts(field string, want *[]string, of func(T) []string) {
	if want == nil || !c.allows(field, len(*want)) {
		return
	}
	match := anyOf(*want)
	c.add(2+len(*want)/4, func(t T) bool { return slices.ContainsFunc(of(t), match) })
}

// enum asks that a value is one of those that are wanted.
func (c *conditions[T]) enum(field string, want *[]string, of func(T) string) {
	if want == nil || !c.allows(field, len(*want)) {
		return
	}
	c.add(1, func(t T) bool { return slices.Contains(*want, of(t)) })
}

// flag asks that something is so, or is not.
func (c *conditions[T]) flag(field string, want *[]bool, of func(T) bool) {
	if want == nil || !c.allows(field, len(*want)) {
		return
	}
	c.add(1, func(t T) bool { return slices.Contains(*want, of(t)) })
}

// test asks for anything else.
func (c *conditions[T]) test(want bool, test func(T) bool) {
	if want {
		c.add(1, test)
	}
}

// not asks that another filter does not keep it.
func (c *conditions[T]) not(depth int, other func(depth int) (filter[T], error)) {
	if c.err != nil {
		return
	}
	if depth >= maxNot {
		c.err = badInput("say it with fewer of them", "filter: more than %d filters named `not` are within each other", maxNot)
		return
	}
	f, err := other(depth + 1)
	if err != nil {
		c.err = err
		return
	}
	c.values += f.values
	c.add(f.size, func(t T) bool { return f.admits != nil && !f.admits(t) })
}

// filter returns the filter that asks for all of it.
func (c *conditions[T]) filter() (filter[T], error) {
	if c.err != nil || len(c.tests) == 0 {
		return filter[T]{}, c.err
	}
	return filter[T]{size: c.size, values: c.values, admits: func(t T) bool {
		for _, test := range c.tests {
			if !test(t) {
				return false
			}
		}
		return true
	}}, nil
}

// watching returns the test of a subscription's filter, which is never nil.
func watching[T any](f filter[T], err error) (func(T) bool, error) {
	switch {
	case err != nil:
		return nil, err
	case f.values > maxWatched:
		return nil, badInput("ask for fewer, or use * for any text", "filter: a subscription's has more than %d values", maxWatched)
	case f.admits == nil:
		return func(T) bool { return true }, nil
	}
	return f.admits, nil
}

// search asks that every word of a text is found in one of a thing's own texts,
// whatever the case of its letters.
func search[T any](f filter[T], words *string, of func(T) []string) (filter[T], error) {
	if words == nil {
		return f, nil
	}
	want := strings.Fields(strings.ToLower(*words))
	if len(want) > maxSearch {
		return f, badInput("ask for the words that matter", "search: more than %d words", maxSearch)
	}
	found := func(t T) bool {
		texts := strings.ToLower(strings.Join(of(t), "\n"))
		return !slices.ContainsFunc(want, func(word string) bool { return !strings.Contains(texts, word) })
	}
	if len(want) == 0 {
		return f, nil
	}
	first := f.admits
	return filter[T]{size: f.size + 4 + len(want), admits: func(t T) bool { return (first == nil || first(t)) && found(t) }}, nil
}

// asterisks that follow each other say no more than one, and cost more.
var asterisks = regexp.MustCompile(`\*+`)

// anyOf returns what tells whether a text is one of those that are wanted.
func anyOf(want []string) func(string) bool {
	exact := make(map[string]bool, len(want))
	var patterns [][]string
	for _, w := range want {
		if strings.Contains(w, "*") {
			patterns = append(patterns, strings.Split(asterisks.ReplaceAllString(w, "*"), "*"))
		} else {
			exact[w] = true
		}
	}
	return func(text string) bool {
		return exact[text] || slices.ContainsFunc(patterns, func(parts []string) bool { return matches(parts, text) })
	}
}

// matches tells whether a text is what stands between asterisks, with any text
// for each asterisk.
func matches(parts []string, text string) bool {
	first, last := parts[0], parts[len(parts)-1]
	rest, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	if rest, ok = strings.CutSuffix(rest, last); !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		if _, rest, ok = strings.Cut(rest, part); !ok {
			return false
		}
	}
	return true
}
