package git

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/web"
)

const (
	maxRedirects = 5
	infoRefs     = "/info/refs"
	refsQuery    = "service=git-upload-pack"
	refsType     = "application/x-git-upload-pack-advertisement"
	requestType  = "application/x-git-upload-pack-request"
	resultType   = "application/x-git-upload-pack-result"
)

// httpTransport speaks git's smart protocol over http and https.
type httpTransport struct {
	loc         Location
	credentials Credentials
	connections web.Connections

	mu   sync.Mutex
	cred Credential
}

func newHTTPTransport(loc Location, credentials Credentials, proxy func(*http.Request) (*url.URL, error)) *httpTransport {
	return &httpTransport{loc: loc, credentials: credentials, connections: web.Connections{Proxy: proxy}}
}

// open asks for the refs.
func (t *httpTransport) open(ctx context.Context) (session, error) {
	cred, err := t.credential()
	if err != nil {
		return nil, err
	}
	base, err := t.connections.Trusting(cred.CA)
	if err != nil {
		return nil, fail(schema.Terminal, "put PEM certificates into the caFile of "+t.loc.Host, err)
	}
	s := &httpSession{ctx: ctx, hasToken: cred.Token != ""}
	s.client = &http.Client{
		Transport:     &authorizer{base: base, origin: t.loc, header: basicAuth(cred)},
		CheckRedirect: checkRedirect,
	}
	s.url = url.URL{Scheme: string(t.loc.Kind), Host: t.loc.hostPort(), Path: strings.TrimSuffix(t.loc.Path, "/")}
	target := s.url
	target.Path += infoRefs
	target.RawQuery = refsQuery
	res, err := s.do(http.MethodGet, target, nil, refsType) //nolint:bodyclose // the session closes it
	if err != nil {
		return nil, err
	}
	// What a redirect led to holds for the request that follows.
	s.url = *res.Request.URL
	s.url.Path = strings.TrimSuffix(s.url.Path, infoRefs)
	s.url.RawPath, s.url.RawQuery = "", ""
	s.body = res.Body
	return s, nil
}

// credential is what goes to the location: what the URL says, then what is
// configured.
func (t *httpTransport) credential() (Credential, error) {
	cred := Credential{}
	if t.credentials != nil {
		var err error
		if cred, err = t.credentials(t.loc); err != nil {
			return Credential{}, err
		}
	}
	switch {
	case t.loc.password != "":
		cred.Username, cred.Token = t.loc.User, t.loc.password
	case t.loc.User != "" && cred.Token == "": // a token in place of the user name
		cred.Username, cred.Token = "", t.loc.User
	case cred.Username == "":
		cred.Username = t.loc.User
	}
	t.mu.Lock()
	t.cred = cred
	t.mu.Unlock()
	return cred, nil
}

func (t *httpTransport) secrets() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := []string{t.cred.Token, t.loc.password}
	if header := basicAuth(t.cred); header != "" {
		list = append(list, strings.TrimPrefix(header, "Basic "))
	}
	if t.loc.password == "" && t.cred.Token == t.loc.User {
		list = append(list, t.loc.User)
	}
	return list
}

func (t *httpTransport) close() { t.connections.Close() }

func basicAuth(cred Credential) string {
	if cred.Token == "" {
		return ""
	}
	user := cred.Username
	if user == "" {
		user = tokenUser
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+cred.Token))
}

// An authorizer adds the credential to requests for the origin it belongs to,
// and takes whatever looks like one off all others.
type authorizer struct {
	base   http.RoundTripper
	origin Location
	header string
}

// RoundTrip sends one request; redirects come here one by one.
func (a *authorizer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	for _, name := range []string{"Authorization", "Cookie", "Referer"} {
		req.Header.Del(name)
	}
	if a.header != "" && a.isOrigin(req.URL) {
		req.Header.Set("Authorization", a.header)
	}
	return a.base.RoundTrip(req)
}

func (a *authorizer) isOrigin(u *url.URL) bool {
	hop := Location{Kind: Kind(u.Scheme), Host: strings.ToLower(u.Hostname()), Port: u.Port()}
	return hop.Kind == a.origin.Kind && strings.TrimSuffix(hop.Host, ".") == a.origin.Host && portOf(hop) == portOf(a.origin)
}

func portOf(l Location) string {
	if l.Port == "" {
		return l.defaultPort()
	}
	return l.Port
}

// checkRedirect follows a moved repository and nothing else: only the list of
// refs, only to a list of refs, never from https to http.
func checkRedirect(req *http.Request, via []*http.Request) error {
	from := via[len(via)-1].URL
	switch {
	case via[0].Method != http.MethodGet, len(via) > maxRedirects:
		return web.ErrRedirect
	case req.URL.Scheme != "https" && (req.URL.Scheme != "http" || from.Scheme != "http"):
		return web.ErrRedirect
	case !strings.HasSuffix(req.URL.Path, infoRefs) || req.URL.RawQuery != refsQuery:
		return web.ErrRedirect
	}
	req.URL.User = nil
	return nil
}

type httpSession struct {
	ctx      context.Context
	client   *http.Client
	url      url.URL // of the repository
	body     io.ReadCloser
	hasToken bool
}

func (s *httpSession) refs() io.Reader { return s.body }

func (s *httpSession) request(body []byte) (io.Reader, error) {
	s.close()
	target := s.url
	target.Path += "/git-upload-pack"
	res, err := s.do(http.MethodPost, target, body, resultType) //nolint:bodyclose // the session closes it
	if err != nil {
		return nil, err
	}
	s.body = res.Body
	return res.Body, nil
}

func (s *httpSession) explain(err error) error { return err }

func (s *httpSession) close() {
	if s.body != nil {
		// What is left of a short answer is read, so that the connection is used again.
		_, _ = io.CopyN(io.Discard, s.body, 4<<10)
		s.body.Close()
		s.body = nil
	}
}

// do sends one request and returns the answer if it is what git's protocol says.
func (s *httpSession) do(method string, target url.URL, body []byte, wantType string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(s.ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the URL cannot be asked")
	}
	req.Header.Set("User-Agent", agentName)
	req.Header.Set("Accept", wantType)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", requestType)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, fail(web.Explain(err))
	}
	if err := s.checkAnswer(res, wantType); err != nil {
		res.Body.Close()
		return nil, err
	}
	return res, nil
}

func (s *httpSession) checkAnswer(res *http.Response, wantType string) error {
	status := fmt.Errorf("the server answers %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	host := res.Request.URL.Hostname()
	switch code := res.StatusCode; {
	case code == http.StatusOK:
		if got, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";"); strings.TrimSpace(got) != wantType {
			return fail(schema.Terminal, "check the URL: it is not the address of a git repository", errors.New("the answer is not from a git server"))
		}
		return nil
	case code == http.StatusUnauthorized && !s.hasToken:
		return fail(schema.Terminal, "no credentials are configured for "+host+"; add them under credentials, or check the URL", status)
	case code == http.StatusUnauthorized:
		return fail(schema.Terminal, "check the token for "+host+": it may be wrong or expired", status)
	case code == http.StatusTooManyRequests, code == http.StatusForbidden && res.Header.Get("Retry-After") != "":
		return fail(schema.Transient, "the server limits how often it is asked; a longer interval helps", status)
	case code == http.StatusForbidden:
		return fail(schema.Terminal, "the token for "+host+" may not read this repository", status)
	case code == http.StatusNotFound, code == http.StatusGone:
		return fail(schema.Terminal, "check the URL; a private repository needs credentials for "+host+" that may read it", status)
	case code == http.StatusProxyAuthRequired:
		return fail(schema.Terminal, "put user and password into the proxy setting", status)
	default:
		return fail(schema.Transient, "", status)
	}
}
