// Package client asks a running Berth over its API. The command line is its first user.
//
// It trusts nothing of what answers: answers are bounded, redirects are not
// followed, so that a token goes to the server that was named and nowhere else,
// and what is not Berth is told from it.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/berthdev/berth/schema"
)

// DefaultServer is where "berth serve" listens unless it is told otherwise.
const DefaultServer = "http://127.0.0.1:8484"

// Bounds on what a server may make the client hold or wait for.
const (
	maxAnswer     = 64 << 20 // bytes of one answer to a query
	maxLine       = 8 << 20  // bytes of one line of a stream
	maxReason     = 64 << 10 // bytes of an answer that tells an error
	dialTime      = 5 * time.Second
	handshakeTime = 20 * time.Second // somebody answers; a busy machine takes its time
	queryTime     = time.Minute
	quietTime     = time.Minute // a stream of events tells every 15 s that it lives
)

// Options say which server is asked, and as whom.
type Options struct {
	Server string // http://HOST:PORT or https://…; empty: DefaultServer
	Token  string // empty: none, which is enough on the server's own machine
	CAFile string // certificate authorities to trust besides the system's
}

// Client is safe for concurrent use.
type Client struct {
	server    string // as it is shown
	base      *url.URL
	token     string
	http      *http.Client
	quietTime time.Duration // how long a stream of events may be silent
}

// New returns a client; it asks nothing yet. The error is a [schema.Error].
func New(o Options) (*Client, error) {
	base, err := serverURL(o.Server)
	if err != nil {
		return nil, err
	}
	trust, err := trusted(o.CAFile)
	if err != nil {
		return nil, err
	}
	token := strings.TrimSpace(o.Token)
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, &schema.Error{Op: "ask", Resource: base.String(), Kind: schema.Terminal,
			Err: errors.New("the token holds characters that no token has"), Hint: "give the token alone, as 'berth token' printed it"}
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTime}).DialContext,
		TLSHandshakeTimeout: handshakeTime,
		TLSClientConfig:     trust,
		ForceAttemptHTTP2:   true,
		IdleConnTimeout:     queryTime,
		MaxIdleConnsPerHost: 4,
	}
	return &Client{
		server: base.String(), base: base, token: token, quietTime: quietTime,
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// serverURL reads the address of a server; what has no scheme is http.
func serverURL(text string) (*url.URL, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		text = DefaultServer
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "":
		// The text is not told: somebody may have put a token there.
		return nil, &schema.Error{Op: "ask", Resource: "the server", Kind: schema.Terminal,
			Err: errors.New("its address cannot be understood"), Hint: "write it as http://HOST:PORT or https://HOST"}
	case u.User != nil:
		return nil, &schema.Error{Op: "ask", Resource: u.Scheme + "://" + u.Host, Kind: schema.Terminal,
			Err: errors.New("the address holds a user or password"), Hint: "leave it out; a token goes into BERTH_SERVER_TOKEN"}
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

// Server is the address that is asked.
func (c *Client) Server() string { return c.server }

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Query asks one GraphQL query or mutation and decodes its data into into, which
// may be nil. The error is a [schema.Error]: one of kind transient when no server
// is there.
func (c *Client) Query(ctx context.Context, query string, variables map[string]any, into any) error {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	resp, err := c.post(ctx, query, variables, "application/graphql-response+json, application/json;q=0.9")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return c.lost(ctx, err)
	}
	if len(body) > maxAnswer {
		return c.failed(schema.Invalid, errors.New("the answer is larger than 64 MiB"), "ask for less at once, with first or a filter")
	}
	data, err := c.data(body)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return c.failed(schema.Terminal, errors.New("the answer is not what was asked for"), "the server may be of another version: compare 'berth version'")
	}
	return nil
}

// answer is the JSON form of every answer: to a query, of one event of a
// subscription, and of what the server refuses.
type answer struct {
	Data   json.RawMessage `json:"data"`
	Errors []answerError   `json:"errors"`
}

type answerError struct {
	Message    string `json:"message"`
	Path       []any  `json:"path"`
	Extensions struct {
		Code string `json:"code"`
		Hint string `json:"hint"`
	} `json:"extensions"`
}

// data returns what an answer to a query says, or its first error.
func (c *Client) data(body []byte) (json.RawMessage, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil || len(a.Errors) == 0 && len(a.Data) == 0 {
		return nil, c.notBerth("the answer is no answer to a query")
	}
	if len(a.Errors) > 0 {
		return nil, c.refused(a.Errors[0])
	}
	return a.Data, nil
}

// post asks a query and returns the answer's body, which the caller closes, once
// it is known that it is one.
func (c *Client) post(ctx context.Context, query string, variables map[string]any, accept string) (*http.Response, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return nil, c.failed(schema.Invalid, err, "")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.JoinPath("graphql").String(), bytes.NewReader(body))
	if err != nil {
		return nil, c.failed(schema.Invalid, err, "")
	}
	req.Header.Set("Content-Type", "application/json")
	return c.send(req, accept)
}

// send makes a request. An answer that is not of a type that was asked for is
// made an error, which says what is wrong.
func (c *Client) send(req *http.Request, accept string) (*http.Response, error) {
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "berth")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreached(req.Context(), err)
	}
	if kind := mediaType(resp); resp.StatusCode == http.StatusOK && kind != "" && strings.Contains(accept, kind) {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, c.rejected(resp)
}
