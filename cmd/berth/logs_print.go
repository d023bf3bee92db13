package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/berthdev/berth/internal/client"
)

// podColours tell pods apart; red stays for what is wrong.
var podColours = []string{"36", "33", "32", "35", "34", "96", "93", "92", "95", "94"}

// logTime is RFC 3339 with as many digits always, so that lines stand under each other.
const logTime = "2006-01-02T15:04:05.000Z"

// A logPrinter prints lines of pods.
type logPrinter struct {
	out        io.Writer
	json       bool
	timestamps bool
	prefix     string
	colours    colours
	width      int               // of the longest name
	codes      map[string]string // the colour of a pod, by its name
}

// newLogPrinter returns a printer that knows these pods; others may come.
func newLogPrinter(out io.Writer, o logsOptions, pods []string) *logPrinter {
	p := &logPrinter{
		out: out, json: o.output == "json", timestamps: o.timestamps, prefix: o.prefix,
		colours: coloursOf(out), codes: map[string]string{},
	}
	for _, pod := range pods {
		p.know(pod)
	}
	return p
}

// know gives a pod the next colour.
func (p *logPrinter) know(pod string) {
	if _, known := p.codes[pod]; !known {
		p.codes[pod] = podColours[len(p.codes)%len(podColours)]
		p.width = max(p.width, textWidth(pod))
	}
}

func (p *logPrinter) print(l client.LogLine) error {
	if p.json {
		return writeLine(p.out, l)
	}
	p.know(l.Pod)
	var b strings.Builder
	if p.prefix == "always" || p.prefix == "auto" && len(p.codes) > 1 {
		pad := strings.Repeat(" ", p.width-textWidth(l.Pod))
		b.WriteString(p.colours.paint(p.codes[l.Pod], printable(l.Pod)+pad+" |") + " ")
	}
	if p.timestamps {
		b.WriteString(p.colours.paint(faint, l.Time.UTC().Format(logTime)) + " ")
	}
	text := l.Text
	if interactive(p.out) {
		text = forTerminal(text)
	}
	_, err := fmt.Fprintln(p.out, b.String()+text)
	return err
}

// forTerminal lets a pod write letters, tabs and colours to a terminal, and
// nothing that moves the cursor, answers for the person or changes the title.
func forTerminal(s string) string {
	var b strings.Builder
	coloured := false
	for i := 0; i < len(s); {
		if n := colourAt(s[i:]); n > 0 {
			b.WriteString(s[i : i+n])
			coloured = true
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\t':
			b.WriteRune(r)
		case r < ' ' || r >= 0x7f && r < 0xa0:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	if coloured {
		b.WriteString("\x1b[0m") // the next line is another's
	}
	return b.String()
}

// colourAt returns how long the SGR sequence (ECMA-48) is with which s begins; 0
// when it begins with none.
func colourAt(s string) int {
	rest, ok := strings.CutPrefix(s, "\x1b[")
	if !ok {
		return 0
	}
	n := len(rest) - len(strings.TrimLeft(rest, "0123456789;:"))
	if n < len(rest) && rest[n] == 'm' {
		return len("\x1b[") + n + 1
	}
	return 0
}
