package proposal

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// clean makes a line of any text: without control characters, and without those
// that change how others are read.
func clean(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) {
			return -1
		}
		return r
	}, s)
}

// cut shortens a text to so many letters, and shows that it did.
func cut(s string, most int) string {
	if letters := []rune(s); len(letters) > most {
		return string(letters[:most-1]) + "…"
	}
	return s
}

// join is an invisible character that no name, number or URL holds: a reference
// that it stands in is none. Forges look for references in the text that Markdown
// was turned into, where escapes do not count any more.
const join = "\u2060"

// references are what forges turn into links and notifications, each in the two
// parts between which it is broken: www.x, GH-12, URLs, and @name, #12, !12,
// ~label, $12, %12, &12, ^alert.
var references = []*regexp.Regexp{
	regexp.MustCompile(`(?i)(www)(\.)`),
	regexp.MustCompile(`(?i)(g[hl])(-\d)`),
	regexp.MustCompile(`([\pL\pN])(://)`),
	regexp.MustCompile(`([@#!~$%&^])([\pL\pN_"'.])`),
}

// special are the characters that Markdown and HTML may take for more than
// themselves inside a line.
const special = "&<>\\`*_[]{}#~|!$^@"

// escaped returns a text as Markdown that shows just it: one line, in which
// nothing is a link, a mention, an image, an end of a table's cell, or HTML.
// Numeric references of characters say the same inside and outside of tables, in
// every flavour of Markdown.
func escaped(s string) string {
	s = clean(s)
	for _, r := range references {
		s = r.ReplaceAllString(s, "${1}"+join+"${2}")
	}
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune(special, r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// mostReason is how many letters of a sentence are told.
const mostReason = 300

// prose returns a sentence as Markdown.
func prose(s string) string { return escaped(cut(clean(s), mostReason)) }

// code returns a name as Markdown; none is none.
func code(s string) string {
	if s = cut(clean(s), 80); s == "" {
		return ""
	}
	return "<code>" + escaped(s) + "</code>"
}

// short returns the first letters of a commit.
func short(commit string) string { return commit[:min(len(commit), 7)] }

// several renders a number of things: "1 pod", "2 pods".
func several(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
