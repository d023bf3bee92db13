package api

import (
	"bufio"
	"encoding/json"
	"net/http"
	"time"

	"github.com/berthdev/berth/internal/client"
)

const logBuffer = 32 << 10 // bytes that are sent at once

// A logWriter tells lines as a client wants them. The answer begins with the
// first line, so that until then an error can be told by its status.
type logWriter struct {
	open   func() *stream
	stream *stream // nil until the answer began
	buffer *bufio.Writer
	json   *json.Encoder // nil until the answer began, and for text
	kind   string        // of the answer
	names  bool          // text: each line begins with its pod
	times  bool          // text: each line has its time
}

func (h *Handler) newLogWriter(w http.ResponseWriter, q *logQuery, several bool) *logWriter {
	kind := q.answer
	if kind == plainText {
		kind += "; charset=utf-8"
	}
	return &logWriter{open: func() *stream { return h.open(w, kind) }, kind: q.answer, names: several, times: q.timestamps}
}

// begin begins the answer, if it did not.
func (l *logWriter) begin() {
	if l.stream != nil {
		return
	}
	l.stream = l.open()
	l.buffer = bufio.NewWriterSize(l.stream, logBuffer)
	if l.kind == lineJSON {
		l.json = json.NewEncoder(l.buffer)
		l.json.SetEscapeHTML(false)
	}
}

func (l *logWriter) line(line client.LogLine, label string) error {
	l.begin()
	line.Time = line.Time.UTC() // wherever the server is
	if l.json != nil {
		return l.json.Encode(line)
	}
	if l.names {
		_, _ = l.buffer.WriteString("[" + label + "] ") // a buffer keeps its first error
	}
	if l.times {
		_, _ = l.buffer.WriteString(line.Time.Format(time.RFC3339Nano) + " ")
	}
	_, _ = l.buffer.WriteString(line.Text)
	return l.buffer.WriteByte('\n')
}

// fail tells an error among the lines.
func (l *logWriter) fail(e *Error) error {
	l.begin()
	if l.json == nil {
		text := "berth: " + e.Message
		if e.Hint != "" {
			text += " (" + e.Hint + ")"
		}
		_, err := l.buffer.WriteString(text + "\n")
		return err
	}
	return l.json.Encode(map[string]any{"error": failed(e).Errors[0]})
}

// alive tells a client that takes JSON, and proxies before it, that there is
// nothing to tell.
func (l *logWriter) alive() error {
	l.begin()
	if l.json == nil {
		return nil
	}
	return l.buffer.WriteByte('\n')
}

func (l *logWriter) flush() error {
	l.begin()
	return l.buffer.Flush()
}
