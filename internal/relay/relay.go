// Package relay hands what only the leading replica can do to it: what came in at
// one that looks on. A Service sends requests to any replica.
//
// The leader decides for itself, by the token or the signature that the request
// carries. It is handed on once at most: a replica that does not lead refuses what
// was handed to it.
package relay

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/berthdev/berth/schema"
)

const (
	// mark is the header of a request that was handed on.
	mark = "Berth-Handed-On"
	// patience is how long the leader may take to answer, and dialTime how long to be
	// reached: the address of a pod that is gone does not answer.
	patience = 10 * time.Second
	dialTime = 2 * time.Second
	// maxAnswer bounds what is read of its answer, in bytes.
	maxAnswer = 1 << 20
)

// A Relay asks the replica that leads.
type Relay struct {
	leader func() string
	scheme string
	client *http.Client
	log    *slog.Logger
	queue  *queue
}

// New returns a relay to the replica that leader says where to find: its host and
// port, empty if that is not known. Where the server speaks TLS, files are its
// certificate: the leader must show the same one.
func New(leader func() string, files schema.ServerTLS, log *slog.Logger) *Relay {
	transport := &http.Transport{
		DialContext:       (&net.Dialer{Timeout: dialTime}).DialContext,
		DisableKeepAlives: true, // requests are rare, and leaders change
	}
	r := &Relay{leader: leader, scheme: "http", log: log, queue: newQueue()}
	r.client = &http.Client{
		Timeout: patience, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if files.CertFile != "" {
		r.scheme = "https"
		transport.TLSClientConfig = &tls.Config{
			MinVersion:         tls.VersionTLS12,
			InsecureSkipVerify: true, // an address of a pod stands in no certificate: it is the same one, or not trusted
			VerifyConnection:   func(c tls.ConnectionState) error { return sameCertificate(c, files) },
		}
	}
	return r
}

// sameCertificate holds that the other side has the certificate of this one.
func sameCertificate(c tls.ConnectionState, files schema.ServerTLS) error {
	own, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return err
	}
	if len(c.PeerCertificates) == 0 || !bytes.Equal(c.PeerCertificates[0].Raw, own.Certificate[0]) {
		return errors.New("the leader does not have the certificate of this replica")
	}
	return nil
}

// ErrNobody says that there is nobody to hand a request to.
var ErrNobody = errors.New("it is not known where the leader is")

// An Answer is what the leader answered.
type Answer struct {
	Status int
	Kind   string // its content type
	Body   []byte
}

// Ask hands a request with this body to the leader, and returns its answer. r was
// made to this replica.
func (r *Relay) Ask(ctx context.Context, in *http.Request, body []byte) (*Answer, error) {
	return r.send(ctx, handed(in, body))
}

// A request is what is handed on.
type request struct {
	path   string
	header http.Header
	body   []byte
	again  bool // whether it was handed on already
	came   time.Time
}

// dropped are the headers that speak of the connection on which a request came.
var dropped = []string{
	"Connection", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Content-Length", "Accept-Encoding",
}

func handed(in *http.Request, body []byte) request {
	out := request{path: in.URL.EscapedPath(), header: in.Header.Clone(), body: body, again: in.Header.Get(mark) != "", came: time.Now()}
	for _, name := range dropped {
		out.header.Del(name)
	}
	out.header.Set(mark, "1")
	out.header.Add("Via", "1.1 berth") // nobody takes it for a request of its own machine
	return out
}

// size is how much memory it takes, in bytes.
func (q request) size() int {
	n := 1<<10 + len(q.path) + cap(q.body)
	for name, values := range q.header {
		for _, value := range values {
			n += len(name) + len(value)
		}
	}
	return n
}

func (r *Relay) send(ctx context.Context, q request) (*Answer, error) {
	at := r.leader()
	if at == "" || q.again {
		return nil, ErrNobody
	}
	out, err := http.NewRequestWithContext(ctx, http.MethodPost, r.scheme+"://"+at+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	out.Header = q.header
	resp, err := r.client.Do(out)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode < http.StatusOK {
		return nil, fmt.Errorf("the leader's answer has the status %d", resp.StatusCode) // which is that of none
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(text) > maxAnswer {
		err = fmt.Errorf("the leader's answer is larger than %d bytes", maxAnswer)
	}
	if err != nil {
		return nil, err
	}
	return &Answer{Status: resp.StatusCode, Kind: resp.Header.Get("Content-Type"), Body: text}, nil
}
