package forgetest

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// A front is the proxy between the client and the forge.
type front struct {
	api string // of the forge, by way of the proxy

	mu       sync.Mutex
	instead  http.HandlerFunc     // answers in place of the forge; nil: the forge does
	modify   func(*http.Response) // what becomes of the forge's answers
	requests int
	writes   int
}

func newFront(t testing.TB, api string) *front {
	target, err := url.Parse(api)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	f := &front{}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
		},
		ModifyResponse: f.modified,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if instead := f.count(r); instead != nil {
			instead(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		transport.CloseIdleConnections()
	})
	f.api = server.URL + target.Path
	return f
}

// count notes a request, and says who answers it.
func (f *front) count(r *http.Request) http.HandlerFunc {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	if r.Method != http.MethodGet {
		f.writes++
	}
	return f.instead
}

func (f *front) modified(res *http.Response) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.modify != nil {
		f.modify(res)
	}
	return nil
}

// answer has all requests answered so from now on; nil: by the forge.
func (f *front) answer(instead http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instead = instead
}

// change has the forge's answers changed from now on.
func (f *front) change(modify func(*http.Response)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.modify = modify
}

// seen returns how many requests came, and how many of them to write, since it
// was asked last.
func (f *front) seen() (requests, writes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	requests, writes = f.requests, f.writes
	f.requests, f.writes = 0, 0
	return requests, writes
}
