package docker_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/docker/docker/client"

	"github.com/berthdev/berth/backends"
)

// A proxy stands between a backend and the engine: it counts and can interfere.
type proxy struct {
	host    string // for the configuration
	writes  atomic.Int64
	reads   atomic.Int64
	server  *http.Server
	handler http.Handler

	mu        sync.Mutex
	interfere func(http.ResponseWriter, *http.Request) bool // true: answered
}

// newProxy starts a proxy in front of the local engine.
func newProxy(t testing.TB) *proxy {
	t.Helper()
	socket, err := url.Parse(client.DefaultDockerHost)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket.Path)
	}}
	p := &proxy{handler: &httputil.ReverseProxy{
		Transport:     transport,
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "engine" },
		FlushInterval: -1,
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}}
	p.serve(t, p)
	t.Cleanup(transport.CloseIdleConnections)
	return p
}

// serve serves on a socket of its own until the test ends.
func (p *proxy) serve(t testing.TB, handler http.Handler) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	p.host, p.server = "unix://"+path, &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.server.Serve(l) // until it is closed
	}()
	t.Cleanup(func() {
		p.server.Close()
		<-done
	})
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		p.reads.Add(1)
	} else {
		p.writes.Add(1)
	}
	p.mu.Lock()
	interfere := p.interfere
	p.mu.Unlock()
	if interfere != nil && interfere(w, r) {
		return
	}
	p.handler.ServeHTTP(w, r)
}

// set sets what interferes; nil: nothing.
func (p *proxy) set(interfere func(http.ResponseWriter, *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.interfere = interfere
}

// counters counts the writes of several backends.
type counters struct {
	mu       sync.Mutex
	proxies  map[string]*proxy
	backends map[backends.Backend]*proxy
}

func newCounters() *counters {
	return &counters{proxies: map[string]*proxy{}, backends: map[backends.Backend]*proxy{}}
}

// proxy returns the host of the instance's proxy.
func (c *counters) proxy(t testing.TB, instance string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.proxies[instance] == nil {
		c.proxies[instance] = newProxy(t)
	}
	return c.proxies[instance].host
}

func (c *counters) of(b backends.Backend, instance string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.backends[b] = c.proxies[instance]
}

func (c *counters) count(b backends.Backend) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.backends[b].writes.Load())
}
