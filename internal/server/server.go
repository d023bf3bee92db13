// Package server is Berth's HTTP side: health, metrics and webhooks. Further
// parts mount themselves on it.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

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
	// and if not, what it waits for.
	Ready    func() (ok bool, why string)
	Metrics  prometheus.Gatherer
	Webhooks http.Handler // mounted at /webhooks/; nil: none
	Logger   *slog.Logger
}

// Server listens from New on and serves in Run.
type Server struct {
	listener net.Listener
	http     *http.Server
}

// New binds the address, so that a taken port is told before anything runs.
func New(o Options) (*Server, error) {
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, &schema.Error{
			Op: "listen on", Resource: o.Listen, Kind: schema.Terminal, Err: cause(err),
			Hint: "another Berth may run here; choose another address with --listen",
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if ok, why := o.Ready(); !ok {
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{}))
	if o.Webhooks != nil {
		mux.Handle("/webhooks/", o.Webhooks)
	}
	return &Server{listener: listener, http: &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      requestTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}}, nil
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

// Run serves until ctx ends, then lets requests finish for a few seconds.
func (s *Server) Run(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- s.http.Serve(s.listener) }()
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
