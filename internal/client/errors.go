package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"unicode"

	"github.com/berthdev/berth/schema"
)

const (
	hintNoServer = "start one with 'berth serve URL' or name another with --server or BERTH_SERVER"
	hintOther    = "name Berth's address with --server or BERTH_SERVER, and look at proxies before it"
)

// trusted returns which servers are trusted: the system's authorities and those of a file.
func trusted(caFile string) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile == "" {
		return out, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	pem, err := readFile(caFile)
	if err == nil && !pool.AppendCertsFromPEM(pem) {
		err = errors.New("it holds no certificate in PEM form")
	}
	if err != nil {
		return nil, &schema.Error{Op: "read certificate authorities", Resource: caFile, Kind: schema.Terminal, Err: err,
			Hint: "name a file of certificates in PEM form"}
	}
	out.RootCAs = pool
	return out, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err // the name stands beside it
		}
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxLine))
}

func (c *Client) failed(kind schema.ErrorKind, err error, hint string) error {
	return &schema.Error{Op: "ask", Resource: c.server, Kind: kind, Err: err, Hint: hint}
}

// unreached explains why a request got no answer.
func (c *Client) unreached(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	var (
		authority   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		return c.failed(schema.Terminal, errors.New("its certificate is signed by an unknown authority"), "name the authority's file with --ca-file or BERTH_SERVER_CA_FILE")
	case errors.As(err, &hostname):
		return c.failed(schema.Terminal, hostname, "name the server as its certificate does")
	case errors.As(err, &certificate):
		return c.failed(schema.Terminal, certificate.Err, "the server's certificate must be renewed, or its authority named with --ca-file or BERTH_SERVER_CA_FILE")
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return c.failed(schema.Terminal, errors.New("it does not speak TLS"), "write http:// instead of https://")
	}
	return c.failed(schema.Transient, cause(err), hintNoServer)
}

// cause strips what Go's HTTP client and dialer repeat: the address stands beside it.
func cause(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var name *net.DNSError
	var op *net.OpError
	var call *os.SyscallError
	switch {
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return errors.New("it does not answer in time")
	case errors.As(err, &name):
		return fmt.Errorf("there is no host %s", printable(name.Name))
	case errors.As(err, &call):
		return call.Err
	case errors.As(err, &op):
		return op.Err
	case errors.Is(err, io.EOF):
		return errors.New("it closed the connection without an answer")
	}
	return err
}

// lost explains why an answer broke off.
func (c *Client) lost(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Cause(ctx)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the server closed it")
	}
	return c.failed(schema.Transient, fmt.Errorf("the connection was lost: %w", cause(err)), "ask again; the server may have stopped")
}

// rejected explains an answer that is not what was asked for. Berth tells its
// errors in JSON; anything else comes from another service.
func (c *Client) rejected(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxReason)) // what is there of it
	if kind := mediaType(resp); strings.HasSuffix(kind, "json") {
		var a answer
		if json.Unmarshal(body, &a) == nil && len(a.Errors) > 0 {
			return c.refused(a.Errors[0])
		}
	}
	switch code := resp.StatusCode; {
	case code >= 300 && code < 400:
		return c.failed(schema.Terminal, errors.New("it redirects elsewhere, and a token must not follow"), "name the address that it leads to with --server or BERTH_SERVER")
	case code == http.StatusBadRequest && strings.Contains(string(body), "HTTP request to an HTTPS server"):
		return c.failed(schema.Terminal, errors.New("it speaks TLS only"), "write https:// instead of http://")
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return c.failed(schema.Terminal, fmt.Errorf("what stands before it refuses (HTTP %d)", code), hintOther)
	case code == http.StatusBadGateway || code == http.StatusServiceUnavailable || code == http.StatusGatewayTimeout:
		return c.failed(schema.Transient, fmt.Errorf("what stands before it cannot reach it (HTTP %d)", code), "look whether 'berth serve' runs behind it")
	default:
		return c.notBerth(fmt.Sprintf("HTTP %d, %s", code, orNone(mediaType(resp))))
	}
}

func (c *Client) notBerth(why string) error {
	return c.failed(schema.Terminal, fmt.Errorf("what answers there is not Berth's API (%s)", why), hintOther)
}

// kinds says what happens after an error of the server, by its code; what is not
// here goes away when the question changes.
var kinds = map[string]schema.ErrorKind{
	"UNAUTHENTICATED": schema.Terminal,
	"FORBIDDEN":       schema.Terminal,
	"TOO_MANY":        schema.Transient,
	"UNAVAILABLE":     schema.Transient,
	"TIMEOUT":         schema.Transient,
	"INTERNAL":        schema.Terminal,
}

// refused makes an error of what the server says is wrong.
func (c *Client) refused(e answerError) error {
	kind, ok := kinds[e.Extensions.Code]
	if !ok {
		kind = schema.Invalid
	}
	return c.failed(kind, errors.New(printable(e.Message)), printable(e.Extensions.Hint))
}

// printable makes one line for a terminal of what a server says.
func printable(s string) string {
	const most = 2000
	s = strings.ToValidUTF8(s[:min(len(s), most)], "")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// mediaType is the type of an answer, without parameters.
func mediaType(resp *http.Response) string {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

func orNone(s string) string {
	if s == "" {
		return "no content type"
	}
	return printable(s)
}
