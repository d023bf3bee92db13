package sources

import (
	"strings"
	"time"
	"unicode"
)

// MaxHistory bounds how many commits [Source.History] returns.
const MaxHistory = 1000

// A Commit is what is told of one commit of a source's history.
type Commit struct {
	Hash    string    // 40 hex digits
	Author  string    // the name without the address, as [Line] bounds it
	Time    time.Time // when it was committed, in UTC; zero: it says none that can be
	Message string    // its first line, as [Line] bounds it
}

// maxLine is how many letters of a line are kept.
const maxLine = 120

// Line returns the first line of what a stranger wrote, fit to be shown
// anywhere: valid UTF-8, without control or invisible characters, at most 120
// letters and an ellipsis.
func Line(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	var out strings.Builder
	kept := 0
	for _, r := range strings.TrimSpace(line) {
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case !unicode.IsPrint(r):
			continue
		}
		if kept++; kept > maxLine {
			return out.String() + "…"
		}
		out.WriteRune(r) // of bytes that are no UTF-8: U+FFFD
	}
	return out.String()
}
