// Package docker runs pods on a Docker Engine.
//
// A pod is a container. Its labels say all that must be remembered of it
// (labels.go); its name says whether it was given up. Nothing is kept elsewhere:
// what this package holds in memory only saves calls.
//
//   - host.go, ssh.go, bounded.go: how an engine is reached
//   - capacity.go, gpu.go: what it offers
//   - labels.go: what a pod remembers
//   - pods.go, cache.go: what is there
//   - events.go, acts.go: what changes, and by whom
//   - apply.go, act.go, drift.go: the steps towards a workload
//   - container.go, allow.go, network.go, volume.go: what a container is made of
//   - image.go, pull.go, auth.go, prune.go: images
//   - remove.go, forget.go: what is taken away
//   - logs.go, logstream.go, usage.go: what pods write and use
//   - errors.go: what the engine's errors mean
package docker

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// How long a call may take. Creating and starting are slow on a busy engine.
const (
	callTimeout = time.Minute
	makeTimeout = 5 * time.Minute
	// atOnce is how many calls are made at the same time where many are needed.
	atOnce = 8
)

// Options are what the configuration does not say.
type Options struct {
	Logger       *slog.Logger     // default: none
	Now          func() time.Time // default: time.Now
	DockerConfig string           // the folder of Docker's config.json, for registry credentials; default: DOCKER_CONFIG, or ~/.docker
	SSH          SSH
}

// A Backend is one Docker Engine, seen by one instance. It implements
// [backends.Backend] and [backends.ImagePruner].
type Backend struct {
	cfg      schema.BackendConfig
	instance string
	opts     Options
	log      *slog.Logger
	endpoint *endpoint
	session  atomic.Pointer[session]

	about  about
	cache  *cache
	acts   *acts
	net    network
	images images
	gpus   sync.Mutex // held from choosing GPUs until a container holds them
}

var (
	_ backends.Backend     = (*Backend)(nil)
	_ backends.ImagePruner = (*Backend)(nil)
)

// New returns the backend that cfg describes. It does not call the engine, which
// may be away: only a configuration that can never work is an error. What runs in
// the background (pulls) ends with ctx, or with Close.
func New(ctx context.Context, cfg schema.BackendConfig, instance string, opts Options) (*Backend, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if !dnsLabel.MatchString(instance) {
		return nil, invalid("open backend", cfg.Name, "use letters, digits and dashes", "the instance's name %q is no DNS label", instance)
	}
	e, err := resolve(cfg, opts)
	if err != nil {
		return nil, err
	}
	b := &Backend{
		cfg: cfg, instance: instance, opts: opts, endpoint: e,
		log:   opts.Logger.With("backend", cfg.Name),
		cache: newCache(), acts: newActs(opts.Now),
	}
	b.images.pulls = map[string]*pull{}
	b.images.ctx, b.images.cancel = context.WithCancel(ctx)
	s, err := e.open()
	if err != nil {
		return nil, err
	}
	b.session.Store(s)
	return b, nil
}

// reopen starts a new session if the engine answers. Calls that are under way end
// with the old one.
func (b *Backend) reopen(ctx context.Context) error {
	s, err := b.endpoint.open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := s.negotiate(ctx); err != nil {
		s.close()
		return classify("reach", "Docker Engine "+b.endpoint.name, err)
	}
	b.session.Swap(s).close()
	return nil
}

// api returns the client of the engine. Whoever uses it has negotiated:
// call does.
func (b *Backend) api() *session { return b.session.Load() }

// Name implements [backends.Backend].
func (b *Backend) Name() string { return b.cfg.Name }

// Close implements [backends.Backend].
func (b *Backend) Close() error {
	b.images.wait()
	b.api().close()
	if b.endpoint.ssh != nil {
		b.endpoint.ssh.close()
	}
	return nil
}

// call makes one call with a time limit, and classifies its error.
func (b *Backend) call(ctx context.Context, limit time.Duration, op, resource string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := b.api().negotiate(ctx); err != nil {
		return classify(op, resource, err)
	}
	return classify(op, resource, f(ctx))
}
