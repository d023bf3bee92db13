package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/berthdev/berth/schema"
)

// A transport opens sessions with the upload-pack service of one repository.
type transport interface {
	// open starts a session. Its first answer is the list of refs.
	open(ctx context.Context) (session, error)
	// secrets are what must not be seen in any text.
	secrets() []string
	close()
}

// A session is one conversation: the refs are read, then at most one request is
// sent. The context of open bounds all of it.
type session interface {
	refs() io.Reader
	request(body []byte) (io.Reader, error)
	// explain adds what the transport knows about an error in the answer.
	explain(err error) error
	close()
}

// Bounds on the list of refs.
const (
	maxRefs     = 1_000_000
	maxRefBytes = 256 << 20
)

// readRefs reads the list of refs that a server begins with and hands each to
// the resolver. It allocates nothing that grows with the list.
func readRefs(r io.Reader, res *resolver) (capabilities, error) {
	p := newPktReader(io.LimitReader(r, maxRefBytes))
	var caps capabilities
	first, began := true, false
	for {
		line, err := p.next()
		switch {
		case errors.Is(err, io.EOF):
			return caps, io.ErrUnexpectedEOF
		case err != nil:
			return caps, err
		case line == nil: // a flush alone means: no refs at all
			return caps, nil
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		if !began && bytes.HasPrefix(line, []byte("# service=")) {
			if flush, err := p.next(); err != nil || flush != nil {
				return caps, errProtocol
			}
			continue
		}
		began = true
		if bytes.Equal(line, []byte("version 1")) || bytes.HasPrefix(line, []byte("shallow ")) {
			continue
		}
		if first {
			var list []byte
			line, list, _ = bytes.Cut(line, []byte{0})
			caps = parseCapabilities(string(list))
			res.headName = caps.head
			first = false
		}
		if err := addRefLine(res, line); err != nil {
			return caps, err
		}
	}
}

func addRefLine(res *resolver, line []byte) error {
	hex, name, ok := bytes.Cut(line, []byte(" "))
	if !ok || len(hex) != 40 && len(hex) != 64 {
		return errProtocol
	}
	if len(hex) == 64 {
		return errSHA256
	}
	if string(name) == "capabilities^{}" { // the server's way to say: no refs
		return nil
	}
	if res.seen >= maxRefs {
		return fail(schema.Terminal, "", fmt.Errorf("the repository has more than %d refs", maxRefs))
	}
	var hash plumbing.Hash
	if !decodeHash(&hash, hex) {
		return errProtocol
	}
	res.add(hash, name)
	return nil
}

var errSHA256 = fail(schema.Terminal, "use a repository with SHA-1 objects", errors.New("repositories with SHA-256 objects are not supported"))

// decodeHash reads 40 hex digits without allocating.
func decodeHash(h *plumbing.Hash, hex []byte) bool {
	if len(hex) != 2*len(h) {
		return false
	}
	for i, c := range hex {
		var n byte
		switch {
		case c >= '0' && c <= '9':
			n = c - '0'
		case c >= 'a' && c <= 'f':
			n = c - 'a' + 10
		default:
			return false
		}
		h[i/2] = h[i/2]<<4 | n
	}
	return true
}

// A packRequest asks for commits and what belongs to them.
type packRequest struct {
	wants   []plumbing.Hash
	haves   []plumbing.Hash
	shallow []plumbing.Hash // commits here whose parents are not here
	depth   int             // 0: with all history
}

// encode writes the request in one piece, so that it works in one round trip.
func (q packRequest) encode(c capabilities) []byte {
	var b []byte
	for i, want := range q.wants {
		list := ""
		if i == 0 {
			list = c.request()
		}
		b = appendPkt(b, "want %s%s\n", want, list)
	}
	for _, commit := range q.shallow {
		b = appendPkt(b, "shallow %s\n", commit)
	}
	if q.depth > 0 {
		b = appendPkt(b, "deepen %d\n", q.depth)
	}
	b = append(b, flushPkt...)
	for _, have := range q.haves {
		b = appendPkt(b, "have %s\n", have)
	}
	return appendPkt(b, "done\n")
}

// A packReader yields the pack in the answer to a request.
type packReader struct {
	p       *pktReader
	shallow []plumbing.Hash // commits whose parents the server leaves out
	pending []byte
	began   bool
	err     error
}

// maxShallow bounds the commits that one answer may call shallow.
const maxShallow = 10_000

// readAnswer reads what comes before the pack.
func readAnswer(r io.Reader, depth int) (*packReader, error) {
	pr := &packReader{p: newPktReader(r)}
	for depth > 0 {
		line, err := pr.p.next()
		if err != nil {
			return nil, err
		}
		if line == nil {
			break
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		hex, shallow := bytes.CutPrefix(line, []byte("shallow "))
		if !shallow {
			if bytes.HasPrefix(line, []byte("unshallow ")) {
				continue
			}
			return nil, errProtocol
		}
		var hash plumbing.Hash
		if !decodeHash(&hash, hex) || len(pr.shallow) >= maxShallow {
			return nil, errProtocol
		}
		pr.shallow = append(pr.shallow, hash)
	}
	return pr, nil
}

// The bands that an answer is multiplexed in.
const (
	bandPack     = 1
	bandProgress = 2
	bandError    = 3
)

// Read gives the bytes of the pack.
func (r *packReader) Read(b []byte) (int, error) {
	for len(r.pending) == 0 && r.err == nil {
		r.pending, r.err = r.nextPack()
	}
	if len(r.pending) == 0 {
		return 0, r.err
	}
	n := copy(b, r.pending)
	r.pending = r.pending[n:]
	return n, nil
}

func (r *packReader) nextPack() ([]byte, error) {
	line, err := r.p.next()
	if err != nil {
		return nil, err
	}
	if line == nil {
		if !r.began {
			return nil, errProtocol
		}
		return nil, io.EOF
	}
	if !r.began && (bytes.HasPrefix(line, []byte("ACK ")) || bytes.HasPrefix(line, []byte("NAK"))) {
		return nil, nil
	}
	if len(line) == 0 {
		return nil, nil
	}
	switch line[0] {
	case bandPack:
		r.began = true
		return line[1:], nil
	case bandProgress:
		return nil, nil
	case bandError:
		return nil, remoteError(line[1:])
	}
	return nil, errProtocol
}
