package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"
)

// gap stands between two columns, so that a program can split a line at it.
const gap = "   "

// A table prints rows under a header; a cell that is empty shows as "-". On a
// terminal it fits the width: sentences are cut with "…", then columns are left
// out that matter least, and names are cut only where that is not enough; a line
// never breaks. Elsewhere it is complete, so that it can be searched and split.
type table struct {
	out     io.Writer
	colours colours
	width   int    // of the terminal; 0: no limit
	indent  string // before each line

	header []string
	rows   [][]string // that were not printed yet
	widths []int      // of the columns that were printed; leftOut for those that were not
}

// freeText are the columns that are cut first: sentences, not names.
var freeText = words("REASON WHY MESSAGE SUMMARY DESCRIPTION PROBLEM SELECTORS FOUND NEEDS URL IMAGE CHANGED ENDPOINTS")

// leftOut is the width of a column that is not printed.
const leftOut = -1

// spareColumns are left out where a terminal is too narrow, in this order: half a
// name of a row helps nobody, and what is missing is told by describe and -o wide.
var spareColumns = strings.Split("PRIORITY,CHANNELS,SCOPES,CPU LIMIT,MEMORY LIMIT,TOOK,ENDPOINTS,IMAGE,HEALTH,DECLARED,ASKED,USER,"+
	"REF,BACKEND,FLAVOUR,FLAVOURS,REPO,AUTHOR,APP,RESTARTS,DEPLOYMENT,COMMIT,VERSION,IN FORCE", ",")

// nameColumns name a row together where an app is the first of them.
var nameColumns = words("APP VERSION FLAVOUR")

// stateColumns are those whose words are coloured.
var stateColumns = words("STATE VERDICT SEVERITY ACTION HEALTH ANSWERS CHOICE READY")

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

func newTable(out io.Writer, header ...string) *table {
	return &table{out: out, colours: coloursOf(out), width: terminalWidth(out), header: header}
}

// terminalWidth is how many columns a terminal has; 0 when w is none.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

func (t *table) row(cells ...string) {
	row := make([]string, len(t.header))
	for i, cell := range cells {
		row[i] = oneLine(cell)
	}
	for i := range row {
		if row[i] == "" {
			row[i] = "-"
		}
	}
	t.rows = append(t.rows, row)
}

// oneLine keeps a cell a line, whatever a document or an engine put into it.
func oneLine(s string) string { return printable(strings.Join(strings.Fields(s), " ")) }

// flush prints the rows, the first time under the header. Rows that come later
// stand under the same columns.
func (t *table) flush() error {
	var b strings.Builder
	first := t.widths == nil
	if first {
		t.widths = make([]int, len(t.header))
		t.measure(t.header)
	}
	t.measure(t.rows...)
	t.shrink(first)
	if first {
		t.write(&b, t.header, colours{})
	}
	for _, row := range t.rows {
		t.write(&b, row, t.colours)
	}
	t.rows = nil
	_, err := io.WriteString(t.out, b.String())
	return err
}

// measure makes the columns as wide as their widest cell.
func (t *table) measure(rows ...[]string) {
	for _, row := range rows {
		for i, cell := range row {
			if t.widths[i] != leftOut {
				t.widths[i] = max(t.widths[i], textWidth(cell))
			}
		}
	}
}

// shrink makes the columns fit the terminal: sentences first, then, as long as no
// header was printed, by leaving out columns, then the widest ones.
func (t *table) shrink(first bool) {
	if t.width == 0 {
		return
	}
	sentence := func(i int) bool { return freeText[t.header[i]] && t.widths[i] > 12 }
	whole := slices.Clone(t.widths)
	over := t.cut(t.total()-t.width, sentence)
	if first && over > 0 {
		// Sentences get the room that is left over.
		t.widths = t.leaveOut(over, whole)
		over = t.cut(t.total()-t.width, sentence)
	}
	t.cut(over, func(i int) bool { return t.widths[i] > 1 })
}

// total is how wide a line is.
func (t *table) total() int {
	total := len(t.indent) - len(gap)
	for _, w := range t.widths {
		if w != leftOut {
			total += w + len(gap)
		}
	}
	return total
}

// cut takes from the widest of the columns that may be cut, until a line is that
// much shorter; it returns how much it still is too long.
func (t *table) cut(over int, may func(i int) bool) int {
	for ; over > 0; over-- {
		i := t.widest(may)
		if i < 0 {
			break
		}
		t.widths[i]--
	}
	return over
}

// leaveOut returns the widths without as many spare columns as make a line that
// much shorter.
func (t *table) leaveOut(over int, widths []int) []int {
	names := 1
	for t.header[0] == "APP" && names < len(t.header) && nameColumns[t.header[names]] {
		names++
	}
	for _, spare := range spareColumns {
		if i := slices.Index(t.header, spare); over > 0 && i >= names {
			over -= t.widths[i] + len(gap)
			widths[i] = leftOut
		}
	}
	return widths
}

// widest is the widest column that may be cut; -1 when none may.
func (t *table) widest(may func(i int) bool) int {
	best := -1
	for i, w := range t.widths {
		if may(i) && (best < 0 || w > t.widths[best]) {
			best = i
		}
	}
	return best
}

func (t *table) write(b *strings.Builder, row []string, c colours) {
	b.WriteString(t.indent)
	pad := ""
	for i, word := range row {
		if t.widths[i] == leftOut {
			continue
		}
		cell := cut(word, t.widths[i])
		b.WriteString(pad)
		pad = strings.Repeat(" ", t.widths[i]-textWidth(cell)) + gap
		if stateColumns[t.header[i]] {
			cell = c.paint(stateColours[word], cell) // a word that is cut says the same
		}
		b.WriteString(cell)
	}
	b.WriteByte('\n')
}

// cut shortens a text to so many columns of a terminal, and shows that it did.
func cut(s string, most int) string {
	if textWidth(s) <= most {
		return s
	}
	used := 0
	for i, r := range s {
		w := runeWidth(r)
		if used+w > most-1 {
			return s[:i] + "…"
		}
		used += w
	}
	return s
}

// textWidth is how many columns of a terminal a text takes.
func textWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	if r < 0x300 {
		return 1 // the most are Latin letters
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
