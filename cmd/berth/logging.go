package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/berthdev/berth/schema"
)

// newLogger returns the logger that the configuration asks for.
func newLogger(w io.Writer, cfg schema.LogConfig) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Level)) // validated with the configuration; empty is info
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(&lineHandler{w: w, level: level, mu: &sync.Mutex{}, colour: interactive(w)})
}

// lineHandler writes lines that a person can follow: the time, the level where it
// is not INFO, what the line is about, what happened, and the rest as key=value.
type lineHandler struct {
	w      io.Writer
	level  slog.Level
	mu     *sync.Mutex
	colour bool
	attrs  []slog.Attr
}

func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }

// subjects are the keys whose value stands before the message: what it is about.
var subjects = []string{"deployment", "source", "backend", "commit"}

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	attrs := append([]slog.Attr(nil), h.attrs...)
	r.Attrs(func(a slog.Attr) bool { attrs = append(attrs, a); return true })
	var b bytes.Buffer
	b.WriteString(r.Time.Format("15:04:05.000 "))
	h.writeLevel(&b, r.Level)
	about := -1
	for _, key := range subjects {
		for i, a := range attrs {
			if a.Key == key && about < 0 {
				about = i
				b.WriteString(printable(a.Value.String()) + ": ")
			}
		}
	}
	b.WriteString(printable(r.Message))
	for i, a := range attrs {
		if i != about && a.Value.String() != "" {
			fmt.Fprintf(&b, " %s=%s", a.Key, quoted(a.Value.String()))
		}
	}
	b.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.w.Write(b.Bytes())
	return err
}

func (h *lineHandler) writeLevel(b *bytes.Buffer, l slog.Level) {
	text, colour := fmt.Sprintf("%-5s ", l), ""
	switch {
	case l >= slog.LevelError:
		colour = "\x1b[31m"
	case l >= slog.LevelWarn:
		colour = "\x1b[33m"
	}
	if h.colour && colour != "" {
		text = colour + text + "\x1b[0m"
	}
	b.WriteString(text)
}

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	c.attrs = append(append([]slog.Attr(nil), h.attrs...), attrs...)
	return &c
}

// WithGroup leaves groups out: no line of ours has any.
func (h *lineHandler) WithGroup(string) slog.Handler { return h }

// quoted quotes a value that would not be told from its neighbours.
func quoted(s string) string {
	if strings.ContainsAny(s, " =\"\t\r\n\x1b") {
		return strconv.Quote(s)
	}
	return printable(s)
}

// printable keeps a line a line: what comes from documents and engines may hold
// anything, escape sequences of terminals included.
func printable(s string) string {
	unclean := func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }
	if strings.IndexFunc(s, unclean) < 0 && utf8.ValidString(s) {
		return s
	}
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}
