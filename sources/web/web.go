// Package web is what all that speaks http to git hosts shares, be it git or the
// API of a forge: connections that trust whom they shall, failures told apart by
// what a person must do, and text of others made fit to show.
package web

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/berthdev/berth/schema"
)

// ErrRedirect is returned by a client's CheckRedirect for where it does not go.
var ErrRedirect = errors.New("the server redirects to where Berth does not follow")

const (
	dialTimeout = 20 * time.Second
	idleTimeout = 90 * time.Second
	maxHeader   = 256 << 10 // bytes of an answer's header
)

// Transport returns connections to one host. They trust the system's authorities
// and those in ca, PEM, which may be empty, and go through what proxy names for a
// request; nil means the proxies of the environment.
func Transport(ca []byte, proxy func(*http.Request) (*url.URL, error)) (*http.Transport, error) {
	var roots *x509.CertPool // nil: the system's
	if len(ca) > 0 {
		var err error
		if roots, err = x509.SystemCertPool(); err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(ca) {
			return nil, errors.New("caFile holds no certificate")
		}
	}
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	return &http.Transport{
		Proxy:                  quietProxy(proxy),
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    dialTimeout,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		ForceAttemptHTTP2:      true,
	}, nil
}

// Connections are those to one host. They are made once, and again when the
// authorities to trust change. The zero value is ready for use.
type Connections struct {
	Proxy func(*http.Request) (*url.URL, error) // as for [Transport]
	Idle  int                                   // how many are kept at most; 0: one

	mu   sync.Mutex
	base *http.Transport
	ca   []byte // that base trusts
}

// Trusting returns the connections that trust ca.
func (c *Connections) Trusting(ca []byte) (*http.Transport, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base != nil && bytes.Equal(c.ca, ca) {
		return c.base, nil
	}
	base, err := Transport(ca, c.Proxy)
	if err != nil {
		return nil, err
	}
	base.MaxIdleConnsPerHost = max(c.Idle, base.MaxIdleConnsPerHost)
	if c.base != nil {
		c.base.CloseIdleConnections()
	}
	c.base, c.ca = base, ca
	return base, nil
}

// Close closes those that nothing uses.
func (c *Connections) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base != nil {
		c.base.CloseIdleConnections()
	}
}

// quietProxy keeps the text of a broken proxy setting, which may hold a password,
// out of errors.
func quietProxy(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(req *http.Request) (*url.URL, error) {
		u, err := proxy(req)
		if err != nil {
			return nil, errors.New("the proxy setting is no URL")
		}
		return u, nil
	}
}

// Explain tells of a request that got no answer what a person must fix from what
// passes. The cause leaves out the URL, which a redirect may have filled with
// anything.
func Explain(err error) (kind schema.ErrorKind, hint string, cause error) {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var wrongName x509.HostnameError
	switch {
	case errors.Is(err, ErrRedirect):
		return schema.Terminal, "use the repository's new URL", ErrRedirect
	case errors.As(err, &unknown):
		return schema.Terminal, "set caFile in the credentials of the host to the authority's certificate", errors.New("the server's certificate is signed by an unknown authority")
	case errors.As(err, &invalid), errors.As(err, &wrongName):
		return schema.Terminal, "the server needs a valid certificate for this name", err
	}
	return schema.Transient, "", err
}
