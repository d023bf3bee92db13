// Package server is Berth's HTTP side: health, metrics, webhooks and the API, over
// http or https. Who may ask what is decided here, path by path.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/berthdev/berth/internal/access"
	"github.com/berthdev/berth/internal/pages"
	"github.com/berthdev/berth/schema"
)

// Bounds on what a client may make the server hold or wait for.
const (
	maxHeader    = 64 << 10
	headerTime   = 5 * time.Second
	requestTime  = 30 * time.Second
	idleTime     = 2 * time.Minute
	shutdownTime = 5 * time.Second
)

// Options are what a server serves.
type Options struct {
	Listen string // host:port; port 0 lets the system choose
	// Ready tells whether the instance knows its desired state and its backends,
	// and if not, what it waits for; or what else is worth knowing.
	Ready    func() (ok bool, why string)
	Metrics  prometheus.Gatherer
	Webhooks http.Handler // mounted at /webhooks/; nil: none
	API      API          // mounted at /graphql and /logs; nil: none
	Pages    http.Handler // mounted at /commits/; nil: none
	Guard    *access.Guard
	TLS      schema.ServerTLS // empty: http
	Logger   *slog.Logger
}

// An API is a handler with answers that go on until the client ends them.
type API interface {
	http.Handler
	// EndStreams ends those answers, because the server stops.
	EndStreams()
}

// Server listens from New on and serves in Run.
type Server struct {
	listener net.Listener
	http     *http.Server
	tls      bool // whether it speaks https
}

// New binds the address, so that a taken port is told before anything runs, and
// reads the certificate.
func New(o Options) (*Server, error) {
	s := &Server{http: &http.Server{
		Handler:           routes(o),
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      requestTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}}
	if o.API != nil {
		s.http.RegisterOnShutdown(o.API.EndStreams)
	}
	if o.TLS.CertFile != "" {
		c, err := newCertificate(o.TLS, o.Logger, time.Now)
		if err != nil {
			return nil, err
		}
		s.http.TLSConfig, s.tls = c.config(), true
	}
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, &schema.Error{
			Op: "listen on", Resource: o.Listen, Kind: schema.Terminal, Err: cause(err),
			Hint: "another Berth may run here; choose another address with --listen",
		}
	}
	s.listener = newBounded(listener, maxConns, sparedConns, o.Logger)
	return s, nil
}

// front is told to who opens the server's address in a browser.
const front = `This is Berth. It is asked with its commands, as 'berth get deployments', or here:

/commits/HASH      what became of a commit
/graphql, /logs    the query API
/metrics           for Prometheus
/healthz, /readyz  for probes
`

// routes mounts every part behind what it needs of who asks. Health is told to
// anybody, for probes hold no token; webhooks are signed.
func routes(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, front) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		ok, why := o.Ready()
		if !ok {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, strings.TrimSuffix("ok: "+why, ": "))
	})
	mux.Handle("GET /metrics", o.Guard.Need(access.Viewer, keeping(promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}))))
	if o.Webhooks != nil {
		mux.Handle("/webhooks/", o.Webhooks)
	}
	if o.Pages != nil {
		mux.Handle("GET "+pages.Commits, o.Guard.NeedPage(access.Viewer, keeping(o.Pages)))
	}
	if o.API != nil {
		guarded := o.Guard.Need(access.Viewer, keeping(o.API))
		mux.Handle("/graphql", guarded)
		mux.Handle("/logs", guarded)
	}
	return closing(mux)
}

// cause strips what the operating system's error repeats: the address stands beside it.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is where the server listens, with how it is spoken to.
func (s *Server) URL() string {
	if s.tls {
		return "https://" + s.Addr()
	}
	return "http://" + s.Addr()
}

func (s *Server) serve() error {
	if s.tls {
		return s.http.ServeTLS(s.listener, "", "") // the configuration has the certificate
	}
	return s.http.Serve(s.listener)
}

// Run serves until ctx ends, then ends streams, and lets other requests finish
// for a few seconds.
func (s *Server) Run(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- s.serve() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	err := s.http.Shutdown(grace)
	if err != nil {
		_ = s.http.Close()
	}
	<-ended
	return nil
}
