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
	width      int               // of the longest label
	codes      map[logKey]string // the colour of a pod
	homes      map[string]int    // on how many backends pods of a name are known
}

// newLogPrinter returns a printer that knows these pods; others may come.
func newLogPrinter(out io.Writer, o logsOptions, pods []logKey) *logPrinter {
	p := &logPrinter{
		out: out, json: o.output == "json", timestamps: o.timestamps, prefix: o.prefix,
		colours: coloursOf(out), codes: map[logKey]string{}, homes: map[string]int{},
	}
	for _, pod := range pods {
		p.know(pod)
	}
	return p
}

// know gives a pod the next colour.
func (p *logPrinter) know(pod logKey) {
	if _, known := p.codes[pod]; known {
		return
	}
	p.codes[pod] = podColours[len(p.codes)%len(podColours)]
	p.homes[pod.pod]++
	for known := range p.codes { // the name of another may have become longer
		p.width = max(p.width, textWidth(p.label(known)))
	}
}

// label names a pod; one whose name is on several backends, with its backend.
func (p *logPrinter) label(pod logKey) string {
	if p.homes[pod.pod] > 1 {
		return pod.backend + "/" + pod.pod
	}
	return pod.pod
}

func (p *logPrinter) print(l client.LogLine) error {
	if p.json {
		return writeLine(p.out, l)
	}
	pod := keyOfLine(l)
	p.know(pod)
	var b strings.Builder
	if p.prefix == "always" || p.prefix == "auto" && len(p.codes) > 1 {
		label := p.label(pod)
		pad := strings.Repeat(" ", p.width-textWidth(label))
		b.WriteString(p.colours.paint(p.codes[pod], printable(label)+pad+" |") + " ")
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
