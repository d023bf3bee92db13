package forge

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const ellipsis = "…"

// Line makes text fit to be a description: one line without control characters,
// of at most so many letters (Unicode code points, as forges count).
func Line(text string, letters int) string {
	text = strings.Join(strings.FieldsFunc(clean(text), unicode.IsSpace), " ")
	if utf8.RuneCountInString(text) <= letters {
		return text
	}
	return strings.TrimSpace(string([]rune(text)[:letters-1])) + ellipsis
}

// Body makes text fit to be a comment: of at most [MaxComment] bytes, with lines
// that end alike, and without what databases of forges refuse. A comment is the
// one that was written if the body of both is the same.
func Body(text string) string {
	text = strings.TrimSpace(clean(strings.ReplaceAll(text, "\r\n", "\n")))
	if len(text) <= MaxComment {
		return text
	}
	end := MaxComment - len(ellipsis)
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.TrimSpace(text[:end]) + ellipsis
}

// clean drops what is no text: control characters, and bytes that are no letter.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || r == utf8.RuneError {
			return -1
		}
		return r
	}, text)
}
