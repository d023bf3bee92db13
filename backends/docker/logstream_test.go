package docker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/pkg/stdcopy"

	"github.com/berthdev/berth/backends"
)

const stampA, stampB = "2026-01-02T03:04:05.000000001Z ", "2026-01-02T03:04:05.100000000Z "

var timeA, timeB = time.Date(2026, 1, 2, 3, 4, 5, 1, time.UTC), time.Date(2026, 1, 2, 3, 4, 5, 1e8, time.UTC)

// A message is what the engine hands over at once.
type message struct {
	output stdcopy.StdType
	text   string
}

// multiplex writes messages as the engine does.
func multiplex(t testing.TB, messages ...message) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, m := range messages {
		if _, err := stdcopy.NewStdWriter(&out, m.output).Write([]byte(m.text)); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// readAll reads the streams one after the other.
func readAll(l *logReader, terminal bool, streams ...[]byte) error {
	for _, s := range streams {
		if err := l.read(bytes.NewReader(s), terminal); err != nil {
			return err
		}
	}
	return nil
}

func TestLogStream(t *testing.T) {
	part := strings.Repeat("x", 16<<10)
	long := strings.Repeat("y", 3*mostPiece)
	out := func(at time.Time, text string) backends.LogLine { return backends.LogLine{Time: at, Text: text} }
	for _, test := range []struct {
		name     string
		terminal bool
		since    time.Time
		streams  [][]byte
		want     []backends.LogLine
	}{
		{name: "nothing", streams: [][]byte{nil}},
		{name: "two outputs", streams: [][]byte{multiplex(t,
			message{stdcopy.Stdout, stampA + "one\n"}, message{stdcopy.Stderr, stampB + "\n"}, message{stdcopy.Stdin, stampB + "two"},
		)}, want: []backends.LogLine{out(timeA, "one"), {Time: timeB, Stderr: true}, out(timeB, "two")}},
		{name: "parts of lines that mix", streams: [][]byte{multiplex(t,
			message{stdcopy.Stdout, stampA + part}, message{stdcopy.Stderr, stampB + "err\n"}, message{stdcopy.Stdout, stampA + "end\n"},
		)}, want: []backends.LogLine{{Time: timeB, Stderr: true, Text: "err"}, out(timeA, part+"end")}},
		{name: "a long message", streams: [][]byte{multiplex(t, message{stdcopy.Stdout, stampA + long + "\n"})},
			want: []backends.LogLine{out(timeA, long[:backends.MaxLogLine]), out(timeA, long[backends.MaxLogLine:])}},
		{name: "no times", since: timeA, streams: [][]byte{multiplex(t, message{stdcopy.Stdout, "one two\n"}, message{stdcopy.Stdout, ""}, message{stdcopy.Stdout, "\n"})},
			want: []backends.LogLine{out(time.Time{}, "one two"), out(time.Time{}, "")}},
		{name: "since", since: timeB, streams: [][]byte{multiplex(t, message{stdcopy.Stdout, stampA + long + "\n"}, message{stdcopy.Stdout, stampB + "two\n"})},
			want: []backends.LogLine{out(timeB, "two")}},
		{name: "goes on", streams: [][]byte{
			multiplex(t, message{stdcopy.Stdout, stampA + "one\n"}, message{stdcopy.Stdout, stampA + "no end"}),
			multiplex(t, message{stdcopy.Stdout, stampA + "no end"}, message{stdcopy.Stdout, stampB + "two\n"}),
		}, want: []backends.LogLine{out(timeA, "one"), out(timeA, "no end"), out(timeB, "two")}},
		{name: "terminal", terminal: true, streams: [][]byte{[]byte(stampA + "one\r\n" + stampB + "\r\n" + stampB + "2026 \x1b[0m")},
			want: []backends.LogLine{out(timeA, "one"), out(timeB, ""), out(timeB, "2026 \x1b[0m")}},
		{name: "parts on a terminal", terminal: true, streams: [][]byte{[]byte(stampA + part + stampA + part + stampA + "end\r\n" + stampB + "two\r\n")},
			want: []backends.LogLine{out(timeA, part+part+"end"), out(timeB, "two")}},
		{name: "since on a terminal", terminal: true, since: timeB, streams: [][]byte{[]byte(stampA + long + "\r\n" + stampB + "two\r\n")},
			want: []backends.LogLine{out(timeB, "two")}},
		{name: "no times on a terminal", terminal: true, streams: [][]byte{[]byte("one\r\n\r\n")},
			want: []backends.LogLine{out(time.Time{}, "one"), out(time.Time{}, "")}},
	} {
		var got []backends.LogLine
		l := newLogReader(test.since, func(line backends.LogLine) error { got = append(got, line); return nil })
		if err := readAll(l, test.terminal, test.streams...); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, %.300v, want %.300v", test.name, err, got, test.want)
		}
	}
}

func TestLogStreamBreaks(t *testing.T) {
	whole := multiplex(t, message{stdcopy.Stdout, stampA + "one\n"}, message{stdcopy.Stdout, stampA + "two\n"})
	enough := errors.New("enough")
	for _, test := range []struct {
		name   string
		stream []byte
		each   error
		want   string
	}{
		{"in a header", whole[:len(whole)/2+3], nil, io.ErrUnexpectedEOF.Error()},
		{"in a message", whole[:len(whole)-2], nil, io.ErrUnexpectedEOF.Error()},
		{"after a header", whole[:len(whole)/2+headerSize], nil, io.ErrUnexpectedEOF.Error()},
		{"longer than it is", binary.BigEndian.AppendUint32([]byte{1, 0, 0, 0}, 1<<32-1), nil, io.ErrUnexpectedEOF.Error()},
		{"no multiplexed stream", []byte("hello, world"), nil, "unknown output 104"},
		{"the engine's error", multiplex(t, message{stdcopy.Systemerr, "Error grabbing logs:\xff disk\n"}), nil, "Error grabbing logs: disk"},
		{"reader's error at the ends", multiplex(t, message{stdcopy.Stdout, "one"}, message{stdcopy.Stderr, "two"}), enough, "enough"},
		{"reader's error", whole, enough, "enough"},
	} {
		lines := 0
		l := newLogReader(time.Time{}, func(backends.LogLine) error { lines++; return test.each })
		err := l.read(bytes.NewReader(test.stream), false)
		if err == nil || !strings.Contains(err.Error(), test.want) || lines > 1 {
			t.Errorf("%s: %v after %d lines", test.name, err, lines)
		}
		if !errors.Is(l.stopped, test.each) {
			t.Errorf("%s: stopped by %v", test.name, l.stopped)
		}
	}
}

// Whatever an engine sends, the reader neither panics nor holds much of it, and
// tells of nothing twice.
func FuzzLogStream(f *testing.F) {
	f.Add(multiplex(f, message{stdcopy.Stdout, stampA + "one\n"}, message{stdcopy.Stderr, stampB + "two"}), false)
	f.Add([]byte(stampA+"one\r\n"+stampB+"two"), true)
	f.Add(multiplex(f, message{stdcopy.Systemerr, "Error grabbing logs"}), false)
	f.Add([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 'a'}, false)
	f.Fuzz(func(t *testing.T, data []byte, terminal bool) {
		var first, second []backends.LogLine
		to := &first
		l := newLogReader(time.Time{}, func(line backends.LogLine) error {
			if len(line.Text) > backends.MaxLogLine {
				t.Fatalf("a line of %d bytes", len(line.Text))
			}
			*to = append(*to, line)
			return nil
		})
		failed := l.read(bytes.NewReader(data), terminal)
		to = &second
		again := l.read(bytes.NewReader(data), terminal)
		if (failed == nil) != (again == nil) {
			t.Fatalf("%v, and then %v", failed, again)
		}
		for _, line := range second {
			if !line.Time.IsZero() {
				t.Fatalf("told twice: %+v", line)
			}
		}
	})
}
