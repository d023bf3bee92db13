package api

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// maxCursor is the most bytes of a cursor.
const maxCursor = 8 << 10

// writeCursor returns the text that stands for a place in a list: the kind of
// things, the order, and what is remembered of the thing there.
func writeCursor(noun string, by orderBy, marks []string) string {
	text, _ := json.Marshal(append([]string{noun, by.By, by.Direction}, marks...)) // texts can always be written
	return base64.RawURLEncoding.EncodeToString(text)
}

// readCursor returns what is remembered of the thing at the place.
func readCursor(cursor, noun string, by orderBy) ([]string, error) {
	if len(cursor) > maxCursor {
		return nil, errCursor()
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, errCursor()
	}
	var parts []string
	if json.Unmarshal(text, &parts) != nil || len(parts) < 4 {
		return nil, errCursor()
	}
	if !slices.Equal(parts[:3], []string{noun, by.By, by.Direction}) {
		return nil, badInput("give `after` the endCursor of the same list in the same order, or leave it out", "after: the cursor is of another list, or of another order")
	}
	return parts[3:], nil
}

func errCursor() *Error {
	return badInput("give `after` the endCursor of the page before, or leave it out", "after: this is no cursor")
}

// The marks of numbers and times are texts too.

func markInt[N int | int64 | uint64](n N) string { return strconv.FormatInt(int64(n), 10) }

func markTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// A marks reader reads the marks of a thing one after the other.
type marks struct {
	left []string
	bad  bool // something was missing, too much or of another kind
}

func (m *marks) text() string {
	if len(m.left) == 0 {
		m.bad = true
		return ""
	}
	text := m.left[0]
	m.left = m.left[1:]
	return text
}

func (m *marks) int() int {
	n, err := strconv.Atoi(m.text())
	m.bad = m.bad || err != nil
	return n
}

func (m *marks) time() time.Time {
	text := m.text()
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	m.bad = m.bad || err != nil
	return t
}

// ok tells whether the marks were all that was asked for, and no more.
func (m *marks) ok() bool { return !m.bad && len(m.left) == 0 }
