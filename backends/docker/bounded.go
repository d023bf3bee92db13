package docker

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	// mostAnswer bounds an answer of the engine. A listing of ten thousand
	// containers has some 30 MB.
	mostAnswer = 64 << 20
	// mostMessage bounds one message of a stream: events, the progress of a pull.
	mostMessage = 1 << 20
)

// bounded is a transport whose answers end with an error where they become
// longer than any engine in its senses makes them.
type bounded struct{ http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err != nil || resp.Body == nil || resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, err
	}
	if resp.StatusCode == http.StatusOK && strings.HasSuffix(req.URL.Path, "/logs") {
		return resp, nil // may be endless, and is never held as a whole
	}
	stream := strings.HasSuffix(req.URL.Path, "/events") || strings.HasSuffix(req.URL.Path, "/images/create")
	most := mostAnswer
	if stream {
		most = mostMessage
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, stream: stream, most: most, left: most}
	return resp, nil
}

// A boundedBody bounds the whole of a body or, in a stream, each line.
type boundedBody struct {
	io.ReadCloser
	stream     bool
	most, left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if i := bytes.LastIndexByte(p[:n], '\n'); b.stream && i >= 0 {
		b.left = b.most - (n - 1 - i)
	} else {
		b.left -= n
	}
	if b.left < 0 {
		return 0, fmt.Errorf("the engine's answer is longer than %d bytes", b.most)
	}
	return n, err
}
