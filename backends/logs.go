package backends

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/berthdev/berth/schema"
)

// MaxLogLine is how long a line of a log may be, in bytes; what is longer is cut
// there, and goes on as a line of its own.
const MaxLogLine = 64 << 10

// LogOptions say what of a pod's log is asked for.
type LogOptions struct {
	Follow bool      // go on with what the pod writes, until it ends
	Tail   int       // at most so many of the last lines; negative: all
	Since  time.Time // only what was written at this time or later; zero: from the beginning
}

// A LogLine is a line that a pod wrote.
type LogLine struct {
	Time   time.Time // when, as the engine tells
	Stderr bool      // to standard error, as far as the engine tells them apart
	Text   string    // valid UTF-8, without the line's end
}

// Usage is what a running pod uses at a moment.
type Usage struct {
	Pod        string
	Deployment string
	CPU        schema.CPU
	Memory     schema.Bytes // without what the system may take back at once, as caches of files
}

// A LineCutter makes lines of the pieces in which an engine hands over what a pod
// wrote to one of its outputs. It holds no more than [MaxLogLine] bytes.
type LineCutter struct {
	Stderr bool                // what it sets in the lines
	Each   func(LogLine) error // is called for every line; its error is returned at once

	time time.Time // of the line that has begun
	rest []byte    // of the line that has begun; not longer than MaxLogLine
}

// Write takes a piece, which need not end with a line, and the time at which the
// pod wrote it.
func (c *LineCutter) Write(at time.Time, piece []byte) error {
	for len(piece) > 0 {
		line, rest, ended := bytes.Cut(piece, []byte{'\n'})
		if len(c.rest) == 0 {
			c.time = at
		}
		if err := c.add(line); err != nil {
			return err
		}
		if ended {
			if err := c.tell(bytes.TrimSuffix(c.rest, []byte{'\r'})); err != nil {
				return err
			}
			c.rest = c.rest[:0]
		}
		piece = rest
	}
	return nil
}

// End tells of a last line that has no end.
func (c *LineCutter) End() error {
	if len(c.rest) == 0 {
		return nil
	}
	defer func() { c.rest = c.rest[:0] }()
	return c.tell(c.rest)
}

// add lengthens the line, and cuts it where it becomes too long.
func (c *LineCutter) add(part []byte) error {
	for len(part) > 0 {
		if len(c.rest) == MaxLogLine {
			whole := len(c.rest) - unfinished(c.rest)
			if err := c.tell(c.rest[:whole]); err != nil {
				return err
			}
			c.rest = append(c.rest[:0], c.rest[whole:]...)
		}
		n := min(len(part), MaxLogLine-len(c.rest))
		c.rest, part = append(c.rest, part[:n]...), part[n:]
	}
	return nil
}

// unfinished tells how many bytes at the end begin a character and do not end it.
func unfinished(raw []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(raw); n++ {
		if tail := raw[len(raw)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}

// tell tells of one line; of more if it becomes too long by what stands for bytes
// that are no UTF-8.
func (c *LineCutter) tell(raw []byte) error {
	text := strings.ToValidUTF8(string(raw), string(utf8.RuneError))
	for len(text) > MaxLogLine {
		cut := MaxLogLine
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		if err := c.Each(LogLine{c.time, c.Stderr, text[:cut]}); err != nil {
			return err
		}
		text = text[cut:]
	}
	return c.Each(LogLine{c.time, c.Stderr, text})
}
