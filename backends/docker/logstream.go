package docker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/berthdev/berth/backends"
)

// The engine hands a log over in messages. Each is a line with its end or, of a
// line that is longer than 16 KiB, a part of it; each begins with the time at which
// it was written, the parts with that of the first. What a container with a
// terminal wrote is one raw stream of messages; that of others has a header of 8
// bytes before each message, which tells its output and its length.
const (
	headerSize = 8
	// mostStamp is the length of the longest time, with a zone: the engine pads them.
	mostStamp = len("2006-01-02T15:04:05.000000000+07:00")
	// mostPiece is how much of a message is taken at once.
	mostPiece = 32 << 10
)

// The outputs that headers tell, and the engine's own errors.
const (
	streamStdin = iota // as old engines name standard output
	streamStdout
	streamStderr
	streamError
)

// A logReader makes lines of an engine's streams, one after the other.
type logReader struct {
	since    time.Time // what was written before is passed over: it was told, or not asked for
	out, err backends.LineCutter
	stopped  error // of whoever is told the lines
}

func newLogReader(since time.Time, each func(backends.LogLine) error) *logReader {
	l := &logReader{since: since}
	told := func(line backends.LogLine) error {
		if l.stopped == nil {
			l.stopped = each(line)
		}
		return l.stopped
	}
	l.out = backends.LineCutter{Each: told}
	l.err = backends.LineCutter{Each: told, Stderr: true}
	return l
}

// read reads a stream to its end. From then on, only what is newer than its newest
// message is told.
func (l *logReader) read(stream io.Reader, terminal bool) error {
	newest := l.since
	take := func(at time.Time, ok bool) bool {
		if !ok {
			return true // without a time nothing speaks against it
		}
		if at.Before(l.since) {
			return false
		}
		if !at.Before(newest) {
			newest = at.Add(time.Nanosecond)
		}
		return true
	}
	read := l.multiplexed
	if terminal {
		read = l.raw
	}
	err := read(bufio.NewReaderSize(stream, 2*mostPiece), take)
	l.since = newest
	if l.stopped == nil {
		err = errors.Join(err, l.out.End(), l.err.End())
	}
	return err
}

// multiplexed reads messages with headers.
func (l *logReader) multiplexed(stream *bufio.Reader, take func(time.Time, bool) bool) error {
	var header [headerSize]byte
	for {
		if _, err := io.ReadFull(stream, header[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		message := &io.LimitedReader{R: stream, N: int64(binary.BigEndian.Uint32(header[4:]))}
		var err error
		switch header[0] {
		case streamStdin, streamStdout:
			err = copyMessage(&l.out, message, take)
		case streamStderr:
			err = copyMessage(&l.err, message, take)
		case streamError:
			err = engineError(message)
		default:
			err = fmt.Errorf("the engine's stream holds an unknown output %d", header[0])
		}
		if err != nil {
			return err
		}
	}
}

// copyMessage gives one message to an output's lines.
func copyMessage(to *backends.LineCutter, message *io.LimitedReader, take func(time.Time, bool) bool) error {
	buf := make([]byte, min(message.N, mostPiece))
	var at time.Time
	for first, taken := true, true; message.N > 0; first = false {
		piece := buf[:min(message.N, mostPiece)]
		if _, err := io.ReadFull(message, piece); err != nil {
			return io.ErrUnexpectedEOF
		}
		if first {
			var ok bool
			at, piece, ok = cutStamp(piece)
			taken = take(at, ok)
		}
		if !taken {
			continue
		}
		if err := to.Write(at, piece); err != nil {
			return err
		}
	}
	return nil
}

// engineError returns what the engine says in place of a log.
func engineError(message io.Reader) error {
	const most = 4 << 10
	text, err := io.ReadAll(io.LimitReader(message, most))
	if err != nil {
		return err
	}
	return errors.New(plain(string(bytes.ToValidUTF8(text, nil))))
}

// raw reads messages without headers. The parts of a long line are told by the
// time of its beginning, which is repeated there.
func (l *logReader) raw(stream *bufio.Reader, take func(time.Time, bool) bool) error {
	var at time.Time
	var stamp []byte
	for begins, taken := true, true; ; {
		piece, err := stream.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
			return err
		}
		text := piece
		if begins && len(piece) > 0 {
			var ok bool
			at, text, ok = cutStamp(piece)
			stamp = bytes.Clone(piece[:len(piece)-len(text)])
			taken = take(at, ok)
		}
		begins = err == nil
		if len(stamp) > 0 {
			text = bytes.ReplaceAll(text, stamp, nil)
		}
		if taken {
			if err := l.out.Write(at, text); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// cutStamp returns the time at the beginning of a message and what follows it;
// false if there is none.
func cutStamp(message []byte) (at time.Time, rest []byte, ok bool) {
	i := bytes.IndexByte(message[:min(len(message), mostStamp+1)], ' ')
	if i < 0 {
		return time.Time{}, message, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(message[:i]))
	if err != nil {
		return time.Time{}, message, false
	}
	return at, message[i+1:], true
}
