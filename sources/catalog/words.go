package catalog

import (
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// fold makes words comparable: case, accents and forms of letters do not count.
func fold(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	unmarked := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(s))
	return cases.Fold().String(unmarked)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// wordsOf yields the words of a text as they are written, and where they begin:
// runs of letters and digits, and of those in camelCase also their parts.
func wordsOf(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for start, word := range runs(text) {
			if !yield(start, word) {
				return
			}
			parts := humps(word)
			if len(parts) < 2 {
				continue
			}
			for _, part := range parts {
				if !yield(start, part) {
					return
				}
				start += len(part)
			}
		}
	}
}

// runs yields the runs of letters, digits and marks of a text.
func runs(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		start := -1
		for i, r := range text {
			switch inside := unicode.In(r, unicode.L, unicode.N, unicode.M); {
			case inside && start < 0:
				start = i
			case !inside && start >= 0:
				if !yield(start, text[start:i]) {
					return
				}
				start = -1
			}
		}
		if start >= 0 {
			yield(start, text[start:])
		}
	}
}

// humps splits camelCase: starDist is star Dist, HTTPServer is HTTP Server.
func humps(word string) []string {
	var parts []string
	start := 0
	letters := []rune(word)
	at := 0 // the byte at which letters[i] begins
	for i, r := range letters {
		upper := unicode.IsUpper(r)
		afterLower := i > 0 && !unicode.IsUpper(letters[i-1])
		beforeLower := i+1 < len(letters) && unicode.IsLower(letters[i+1])
		if upper && at > start && (afterLower || beforeLower) {
			parts = append(parts, word[start:at])
			start = at
		}
		at += utf8.RuneLen(r)
	}
	return append(parts, word[start:])
}

// A token is a word of a text, folded.
type token struct {
	word   string
	text   int32 // in which text it stands
	offset int32 // where in that text
}

// A text is a piece of text about a release.
type text struct {
	field field
	text  string
}

// A corpus is all that can be found of a release.
type corpus struct {
	texts  []text
	tokens []token // no word twice in one field
	joined string  // all words, each after a line break: tells fast what is not there
}

const (
	maxTextSearched = 4096 // bytes of one text
	maxTokens       = 4096 // of one release
)

func newCorpus(texts []text) *corpus {
	type known struct {
		field field
		word  string
	}
	c := &corpus{texts: texts}
	seen := map[known]bool{}
	var joined strings.Builder
	for i, t := range texts {
		for offset, word := range wordsOf(clip(t.text, maxTextSearched)) {
			folded := fold(word)
			if folded == "" || seen[known{t.field, folded}] || len(c.tokens) == maxTokens {
				continue
			}
			seen[known{t.field, folded}] = true
			joined.WriteString("\n" + folded)
			c.tokens = append(c.tokens, token{folded, int32(i), int32(offset)})
		}
	}
	c.joined = joined.String()
	at := 0
	for i := range c.tokens { // let the tokens share the memory of joined
		end := at + 1 + len(c.tokens[i].word)
		c.tokens[i].word = c.joined[at+1 : end]
		at = end
	}
	c.tokens = slices.Clip(c.tokens)
	return c
}
