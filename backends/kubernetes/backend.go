package kubernetes

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// Options are what the configuration does not say.
type Options struct {
	Logger  *slog.Logger     // default: none
	Now     func() time.Time // default: time.Now
	Version string           // Berth's, for the user agent
	REST    *rest.Config     // how the cluster is reached; default: as the configuration says
}

// A Backend is one cluster, seen by one instance. It implements [backends.Backend].
//
// A namespace that it made stays, also when the instance is uninstalled: others
// may have put into it what Berth must not remove.
type Backend struct {
	settings

	log  *slog.Logger
	now  func() time.Time
	api  *api
	host string // of the API server, for people

	ctx    context.Context //nolint:containedctx // what runs in the background ends with it
	cancel context.CancelFunc

	mu      sync.Mutex
	current *session       // nil: none was begun
	kept    []keptLog      // of pods that failed and are gone, the oldest first
	ended   sync.WaitGroup // sessions that are ending
}

var _ backends.Backend = (*Backend)(nil)

// New returns the backend that cfg describes. It does not call the cluster, which
// may be away: only a configuration that can never work is an error. What runs in
// the background ends with ctx, or with Close.
func New(ctx context.Context, cfg schema.BackendConfig, instance string, o Options) (*Backend, error) {
	fail := func(hint string, err error) (*Backend, error) {
		return nil, &schema.Error{Op: "open backend", Resource: cfg.Name, Kind: schema.Invalid, Hint: hint, Err: err}
	}
	if !dnsLabel.MatchString(instance) {
		return fail("use lower-case letters, digits and dashes", errors.New("the instance's name is no DNS label"))
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	reach, err := reachOf(cfg, o)
	if err != nil {
		return nil, err
	}
	b := &Backend{
		settings: settings{instance: instance, cfg: cfg, namespace: reach.namespace},
		log:      o.Logger.With("backend", cfg.Name), now: o.Now, host: reach.config.Host,
	}
	if b.api, err = newAPI(reach.config, func(next http.RoundTripper) http.RoundTripper { return b.watched(next, reach.config, o) }); err != nil {
		return fail("check its kubeconfig", err)
	}
	b.ctx, b.cancel = context.WithCancel(ctx)
	return b, nil
}

// Name implements [backends.Backend].
func (b *Backend) Name() string { return b.cfg.Name }

// Close implements [backends.Backend].
func (b *Backend) Close() error {
	b.cancel()
	b.mu.Lock()
	b.retire()
	b.mu.Unlock()
	b.ended.Wait()
	utilnet.CloseIdleConnectionsFor(b.api.http.Transport)
	return nil
}

// session returns the session whose caches hold what is there, once they do. A
// former one that broke is replaced.
func (b *Backend) session(ctx context.Context) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, b.classify("reach", err)
	}
	b.mu.Lock()
	if b.ctx.Err() != nil {
		b.mu.Unlock()
		return nil, b.classify("reach", errClosed)
	}
	if b.current == nil || b.current.ctx.Err() != nil {
		b.retire()
		b.current = b.open()
	}
	s := b.current
	b.mu.Unlock()
	select {
	case <-s.synced:
		return s, nil
	case <-s.ctx.Done():
		return nil, s.broken()
	case <-ctx.Done():
		return nil, b.classify("reach", ctx.Err())
	}
}

// retire ends the current session. The caller holds mu.
func (b *Backend) retire() {
	if s := b.current; s != nil {
		b.current = nil
		s.cancel(errClosed)
		b.ended.Go(s.running.Wait)
	}
}

// lost ends the current session because a watch could not be begun: what its
// caches hold may be old.
func (b *Backend) lost(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.current != nil {
		b.current.cancel(err)
	}
}

// classify makes an error of the API into one that crosses the boundary.
func (b *Backend) classify(op string, err error) error {
	return classify(op, "cluster "+b.host, err)
}

// watching tells of watches that cannot be begun because the API server is not
// reached: the caches would go on trying in silence.
type watching struct {
	next http.RoundTripper
	lost func(error)
}

// RoundTrip implements [http.RoundTripper].
func (w *watching) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.next.RoundTrip(r)
	if err != nil && r.Context().Err() == nil && r.URL.Query().Has("watch") {
		w.lost(err)
	}
	return resp, err
}

// watched returns how the cluster is spoken to, over a transport that was made of a
// configuration.
func (b *Backend) watched(next http.RoundTripper, config *rest.Config, o Options) http.RoundTripper {
	if o.REST == nil {
		read := func() (*rest.Config, error) {
			r, err := reachOf(b.cfg, o)
			return r.config, err
		}
		next = &renewing{read: read, config: config, next: next}
	}
	return &watching{next, b.lost}
}

// WrappedRoundTripper lets connections be closed.
func (w *watching) WrappedRoundTripper() http.RoundTripper { return w.next }
