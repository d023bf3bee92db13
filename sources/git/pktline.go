package git

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/berthdev/berth/sources/web"
)

// maxPkt is the longest line of the protocol, its four digits included.
const maxPkt = 65520

// errProtocol is an answer that is not git's protocol.
var errProtocol = errors.New("the answer is not git's protocol")

// remoteError is what the server itself says is wrong. Its text is the server's.
type remoteError string

func (e remoteError) Error() string { return "the server says: " + web.Clean(string(e)) }

var errorPrefix = []byte("ERR ")

// pktReader reads the lines of git's protocol without copying or allocating.
type pktReader struct {
	r    *bufio.Reader
	last int // bytes of the line given out, to be skipped
}

func newPktReader(r io.Reader) *pktReader {
	return &pktReader{r: bufio.NewReaderSize(r, maxPkt)}
}

// next returns the next line, valid until the next call. A flush is nil. A line
// in which the server reports an error becomes a remoteError.
func (p *pktReader) next() ([]byte, error) {
	if _, err := p.r.Discard(p.last); err != nil {
		return nil, err
	}
	p.last = 0
	digits, err := p.r.Peek(4)
	if err != nil {
		if len(digits) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	size, err := pktSize(digits)
	if err != nil {
		return nil, err
	}
	if size == 0 {
		p.last = 4
		return nil, nil
	}
	line, err := p.r.Peek(size)
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	p.last = size
	line = line[4:]
	if text, ok := bytes.CutPrefix(line, errorPrefix); ok {
		return nil, remoteError(text)
	}
	return line, nil
}

func pktSize(digits []byte) (int, error) {
	var size int
	for _, c := range digits {
		n := strings.IndexByte("0123456789abcdef", c|0x20)
		if n < 0 {
			return 0, errProtocol
		}
		size = size<<4 | n
	}
	if size != 0 && size < 4 || size > maxPkt {
		return 0, errProtocol
	}
	return size, nil
}

// appendPkt appends one line of the protocol.
func appendPkt(b []byte, format string, args ...any) []byte {
	line := fmt.Sprintf(format, args...)
	return append(b, fmt.Sprintf("%04x%s", len(line)+4, line)...)
}

// flushPkt ends a section of the protocol.
const flushPkt = "0000"

// capabilities are what a server says it can do, as far as we care.
type capabilities struct {
	sideBand, ofsDelta, noProgress, shallow, multiAck, thinPack, agent bool

	anyCommit    bool   // commits that no ref points to can be asked for
	head         string // the branch that HEAD points to
	objectFormat string
}

func parseCapabilities(list string) capabilities {
	c := capabilities{}
	for word := range strings.FieldsSeq(list) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "side-band-64k":
			c.sideBand = true
		case "ofs-delta":
			c.ofsDelta = true
		case "no-progress":
			c.noProgress = true
		case "thin-pack":
			c.thinPack = true
		case "shallow":
			c.shallow = true
		case "multi_ack_detailed":
			c.multiAck = true
		case "agent":
			c.agent = true
		case "allow-reachable-sha1-in-want", "allow-any-sha1-in-want":
			c.anyCommit = true
		case "object-format":
			c.objectFormat = value
		case "symref":
			if name, ok := strings.CutPrefix(value, headName+":"); ok && c.head == "" {
				c.head = name
			}
		}
	}
	return c
}

// request is the list of capabilities that we ask the server to use.
func (c capabilities) request() string {
	var b strings.Builder
	for _, want := range []struct {
		on   bool
		name string
	}{
		{c.sideBand, "side-band-64k"},
		{c.ofsDelta, "ofs-delta"},
		{c.noProgress, "no-progress"},
		{c.thinPack, "thin-pack"},
		{c.multiAck, "multi_ack_detailed"}, // some servers talk to nobody without it
		{c.agent, "agent=" + agentName},
	} {
		if want.on {
			b.WriteString(" " + want.name)
		}
	}
	return b.String()
}

// agentName is how we introduce ourselves. Servers tell git from browsers by
// its first word.
const agentName = "git/berth"
