package schema

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// A Problem is one thing that is wrong in a document.
type Problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line"`           // 1-based; 0 when the whole file is meant
	Column  int    `json:"column"`         // 1-based; 0 when the whole line is meant
	Path    string `json:"path,omitempty"` // the field, as flavours[0].image
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"` // what to do: nearest key, allowed values, an example
	Notice  bool   `json:"notice,omitempty"`
}

// Error renders the problem as file:line:column: path: message (hint).
func (p Problem) Error() string {
	var b strings.Builder
	if at := p.Position(); at != "" {
		b.WriteString(at + ": ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// Position renders where the problem is, as file:line:column, leaving out what is not known.
func (p Problem) Position() string {
	at := p.File
	for _, n := range []int{p.Line, p.Column} {
		if n == 0 {
			break
		}
		if at != "" {
			at += ":"
		}
		at += fmt.Sprint(n)
	}
	return at
}

// Problems are all that is wrong in one or more documents.
type Problems []Problem

// Error joins the problems, one on a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Errors returns the problems that are no mere notices.
func (ps Problems) Errors() Problems {
	var out Problems
	for _, p := range ps {
		if !p.Notice {
			out = append(out, p)
		}
	}
	return out
}

// Sort orders the problems by file and position.
func (ps Problems) Sort() {
	sort.SliceStable(ps, func(i, j int) bool {
		a, b := ps[i], ps[j]
		if a.File != b.File {
			return a.File < b.File
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
}

// ErrorKind says what happens after an error: who or what can make it go away.
type ErrorKind string

// The kinds of errors.
const (
	// Transient errors go away by themselves: tried again with backoff and jitter.
	Transient ErrorKind = "transient"
	// Waiting errors go away by an event that will be seen: a pod, a backend, a release.
	Waiting ErrorKind = "waiting"
	// Invalid errors go away when the input changes: a document, a release, an image.
	Invalid ErrorKind = "invalid"
	// Terminal errors go away when a person acts outside of Berth: a lock, a permission.
	Terminal ErrorKind = "terminal"
)

// ErrorKinds are all of them.
var ErrorKinds = []ErrorKind{Transient, Waiting, Invalid, Terminal}

// Error is the error that crosses a boundary between layers: what was tried on
// what, why it failed, what happens next and what a person can do.
// It never holds a secret.
type Error struct {
	Op       string    // what was tried: "fetch", "pull image", "create pod"
	Resource string    // on what: a URL without password, an image, a pod name
	Kind     ErrorKind // what happens next
	Hint     string    // what a person can do; may be empty
	Err      error     // why it failed
}

// Error renders the error in one line, the hint last.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Resource != "" {
		b.WriteString(" " + e.Resource)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the outermost [Error] in err's chain, Invalid for
// [Problem] and [Problems], and Transient for any other error.
func KindOf(err error) ErrorKind {
	var e *Error
	if errors.As(err, &e) && e.Kind != "" {
		return e.Kind
	}
	var p Problem
	var ps Problems
	if errors.As(err, &p) || errors.As(err, &ps) {
		return Invalid
	}
	return Transient
}
