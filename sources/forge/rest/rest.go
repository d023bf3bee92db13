// Package rest asks the JSON API of a forge, as little trusting as a stranger
// deserves: answers are bounded in size and time, redirects go to the same host
// only, and errors say what happens next, without a secret. It knows no forge.
package rest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/web"
)

const (
	requestTimeout = 20 * time.Second // from the connection to the last byte
	maxRedirects   = 5
)

// Options configure a [Client].
type Options struct {
	// Base is the URL of the API's root, as https://gitlab.example.org/api/v4.
	Base string
	// Transport carries the requests; nil: one with the system's authorities and
	// the environment's proxies.
	Transport http.RoundTripper
	// Token returns what is sent as bearer token; it is asked at each request, so
	// that the token may change. Nil, or an empty token: none is sent.
	Token func(context.Context) (string, error)
	// Username has the token sent as the password of that user instead.
	Username string
}

// A Client asks one API. All repositories of a host that have the same limit share
// one, and with it the waits that the forge asks for.
type Client struct {
	base     *url.URL
	http     *http.Client
	header   http.Header
	username string
	token    func(context.Context) (string, error)
	renew    func(token string) bool // nil: there is no other
	pause    *pause
}

// New returns a client. Nothing is asked yet.
func New(o Options) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(o.Base, "/"))
	if err != nil || base.Host == "" || base.User != nil || base.Scheme != "https" && base.Scheme != "http" {
		return nil, errors.New("the API's address is no URL") // the cause quotes it
	}
	if o.Transport == nil {
		if o.Transport, err = web.Transport(nil, nil); err != nil {
			return nil, err
		}
	}
	if o.Token == nil {
		o.Token = func(context.Context) (string, error) { return "", nil }
	}
	return &Client{
		base: base, username: o.Username, token: o.Token, pause: &pause{},
		http: &http.Client{Transport: o.Transport, Timeout: requestTimeout, CheckRedirect: checkRedirect},
	}, nil
}

// With returns a client with another token that shares all else: the connections,
// and the waits. Renew is told of a token that was refused, and tells whether
// there may be another.
func (c *Client) With(token func(context.Context) (string, error), renew func(refused string) bool) *Client {
	other := *c
	other.username, other.token, other.renew = "", token, renew
	return &other
}

// Apart returns a client that shares all but the waits: for what the forge counts
// apart.
func (c *Client) Apart() *Client {
	other := *c
	other.pause = &pause{}
	return &other
}

// WithHeader returns a client that sends this with each request, and shares all
// else.
func (c *Client) WithHeader(header http.Header) *Client {
	other := *c
	other.header = header
	return &other
}

// Host is the host and port of the API, for messages.
func (c *Client) Host() string { return c.base.Host }

// Close closes the connections that nothing uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// checkRedirect follows what moved on the same host, as GitHub moves renamed
// repositories, as long as the request stays what it is: of a write, http may
// make a GET.
func checkRedirect(req *http.Request, via []*http.Request) error {
	from := via[0]
	if req.Method != from.Method || len(via) > maxRedirects || req.URL.Scheme != from.URL.Scheme || req.URL.Host != from.URL.Host {
		return web.ErrRedirect
	}
	return nil
}

// A Call is one request.
type Call struct {
	Op       string // what is tried, for errors: "list merge requests"
	Resource string // on what, for errors
	Method   string // empty: GET
	Path     string // below the root, escaped: /projects/lab%2Fdesired
	Query    url.Values
	Body     any    // sent as JSON; nil: nothing is
	ETag     string // of an answer that is known: 304 [Refusal] if it still holds
	Limit    int    // bytes of the answer that are read; 0: [forge.MaxResponse]
}

// Do makes a request and decodes the answer's body into the value that into
// points to, unless it is nil; a [Reader] reads it instead. What is wrong is a
// [schema.Error]; if the forge itself refused, there is a [Refusal] in it, and
// where it asks to wait, a [forge.Limited]. Until then nothing is asked, and the
// same error returned.
func (c *Client) Do(ctx context.Context, call Call, into any) (http.Header, error) {
	header, token, err := c.ask(ctx, call, into)
	if StatusOf(err) == http.StatusUnauthorized && token != "" && c.renew != nil && c.renew(token) {
		header, token, err = c.ask(ctx, call, into)
	}
	if err == nil {
		return header, nil
	}
	if ctx.Err() != nil {
		err = call.fail(schema.Transient, "", ctx.Err()) // also where a body broke off
	}
	var known *schema.Error
	if !errors.As(err, &known) {
		known = call.fail(web.Explain(err))
	}
	known.Err = web.Scrub(known.Err, []string{token, basic(c.username, token)})
	return header, known
}

// ask makes the request, and returns with which token. Its error may repeat that.
func (c *Client) ask(ctx context.Context, call Call, into any) (header http.Header, token string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	if until, waits := c.pause.until(time.Now()); waits {
		return nil, "", call.limited(until)
	}
	if token, err = c.token(ctx); err != nil {
		return nil, "", call.pass(err)
	}
	req, err := c.request(ctx, call, token)
	if err != nil {
		return nil, token, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, token, err
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection is used again
		res.Body.Close()
	}()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return res.Header, token, c.refused(call, res)
	}
	c.pause.passed(res.Header, time.Now())
	return res.Header, token, c.read(call, res.Body, into)
}

func (c *Client) request(ctx context.Context, call Call, token string) (*http.Request, error) {
	target := c.base.String() + call.Path
	if len(call.Query) > 0 {
		target += "?" + call.Query.Encode()
	}
	var body io.Reader
	if call.Body != nil {
		data, err := json.Marshal(call.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	method := call.Method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, errors.New("the URL cannot be asked")
	}
	req.Header.Set("User-Agent", "berth")
	req.Header.Set("Accept", "application/json")
	for name, values := range c.header {
		req.Header[name] = values
	}
	if call.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if call.ETag != "" {
		req.Header.Set("If-None-Match", call.ETag)
	}
	switch {
	case token != "" && c.username != "":
		req.Header.Set("Authorization", "Basic "+basic(c.username, token))
	case token != "":
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

func basic(username, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(username + ":" + password))
}
