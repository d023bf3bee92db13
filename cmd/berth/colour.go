package main

import (
	"io"
	"os"
)

// colours paints words, where a person sees it who did not forbid it
// (https://no-color.org).
type colours struct{ on bool }

func coloursOf(w io.Writer) colours {
	return colours{on: interactive(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// The colours, as codes of SGR (ECMA-48).
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	bold   = "1"
	faint  = "2"
)

// stateColours are the colours of words that say how something is.
var stateColours = map[string]string{
	"ready": green, "running": green, "healthy": green, "success": green, "yes": green, "chosen": green,
	"progressing": yellow, "waiting": yellow, "pending": yellow, "starting": yellow, "restarting": yellow,
	"warning": yellow, "held": yellow, "paused": yellow, "created": yellow, "removing": yellow, "going": yellow, "rewound": yellow,
	"failed": red, "failure": red, "error": red, "unhealthy": red, "exited": red, "no": red,
	"superseded": faint, "unknown": faint, "gone": faint, "none": faint,
}

// state paints a word that says how something is; any other stays as it is.
func (c colours) state(word string) string { return c.paint(stateColours[word], word) }

func (c colours) paint(code, s string) string {
	if !c.on || code == "" || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}
