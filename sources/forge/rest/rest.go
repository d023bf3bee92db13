// Package rest asks the JSON API of a forge, as little trusting as a stranger
// deserves: answers are bounded in size and time, redirects go to the same host
// only, and errors say what happens next, without a secret. It knows no forge.
package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
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
}

// A Client asks one API. All repositories of a host share one, and with it the
// waits that the forge asks for.
type Client struct {
	base  *url.URL
	http  *http.Client
	token func(context.Context) (string, error)
	pause pause
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
		base: base, token: o.Token,
		http: &http.Client{Transport: o.Transport, Timeout: requestTimeout, CheckRedirect: checkRedirect},
	}, nil
}

// Host is the host and port of the API, for messages.
func (c *Client) Host() string { return c.base.Host }

// Close closes the connections that nothing uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// checkRedirect follows what moved on the same host. A write is not sent twice:
// http would make a GET of it.
func checkRedirect(req *http.Request, via []*http.Request) error {
	from := via[0].URL
	if via[0].Method != http.MethodGet || len(via) > maxRedirects || req.URL.Scheme != from.Scheme || req.URL.Host != from.Host {
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
	Body     any // sent as JSON; nil: nothing is
}

// Do makes a request and decodes the answer's body into the value that into
// points to, unless it is nil. What is wrong is a [schema.Error]; if the forge
// itself refused, there is a [Refusal] in it, and where it asks to wait, a
// [forge.Limited]. Until then nothing is asked, and the same error returned.
func (c *Client) Do(ctx context.Context, call Call, into any) (http.Header, error) {
	if err := ctx.Err(); err != nil {
		return nil, call.fail(schema.Transient, "", err)
	}
	if until, waits := c.pause.until(time.Now()); waits {
		return nil, call.limited(until)
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, call.pass(err)
	}
	header, err := c.ask(ctx, call, token, into)
	if err == nil {
		return header, nil
	}
	var known *schema.Error
	if !errors.As(err, &known) {
		known = call.fail(web.Explain(err))
	}
	known.Err = web.Scrub(known.Err, []string{token})
	return header, known
}

// ask makes the request. Its error may repeat the token.
func (c *Client) ask(ctx context.Context, call Call, token string, into any) (http.Header, error) {
	req, err := c.request(ctx, call, token)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() {
		_, _ = io.CopyN(io.Discard, res.Body, 4<<10) // so that the connection is used again
		res.Body.Close()
	}()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return res.Header, c.refused(call, res)
	}
	if into == nil {
		return res.Header, nil
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, forge.MaxResponse+1))
	if err != nil {
		return res.Header, err
	}
	if len(data) > forge.MaxResponse {
		return res.Header, call.fail(schema.Transient, "", fmt.Errorf("the answer is longer than %d bytes", forge.MaxResponse))
	}
	if err := json.Unmarshal(data, into); err != nil {
		return res.Header, call.fail(schema.Transient, "check that "+c.Host()+" is the forge that it is taken for", errors.New("the answer is not the JSON of a forge"))
	}
	return res.Header, nil
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
	if call.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}
