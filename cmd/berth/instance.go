package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/docker"
	"github.com/berthdev/berth/internal/server"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/follow"
	"github.com/berthdev/berth/sources/git"
	"github.com/berthdev/berth/sources/webhook"
)

// instance is one running Berth: its sources, backends, engine and server.
type instance struct {
	cfg      *schema.Config
	mirrors  *git.Dir
	hub      *follow.Hub
	backends []engine.Backend
	engine   *engine.Engine
	server   *server.Server
}

// newInstance joins the parts; nothing runs yet.
func newInstance(ctx context.Context, cfg *schema.Config, log *slog.Logger, dryRun bool) (_ *instance, err error) {
	i := &instance{cfg: cfg}
	defer func() {
		if err != nil {
			i.close()
		}
	}()
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if i.mirrors, err = git.OpenDir(cfg.DataDir); err != nil {
		return nil, err
	}
	i.hub = follow.New(follow.Options{
		Desired: cfg.Desired, Open: opener(i.mirrors, cfg, log), Logger: log, Registerer: metrics, Watch: true,
		Notify: func(ch follow.Change) {
			i.engine.Changed(engine.Change{Deployments: ch.Deployments, Identifiers: ch.Identifiers, Everything: ch.Everything})
		},
	})
	if i.backends, err = openBackends(ctx, cfg, log, dryRun); err != nil {
		return nil, err
	}
	i.engine = engine.New(engine.Options{Backends: i.backends, Sources: i.hub, Logger: log, Metrics: engine.NewMetrics(metrics)})
	i.server, err = server.New(server.Options{
		Listen: cfg.Listen, Ready: i.engine.Ready, Metrics: metrics, Logger: log,
		Webhooks: webhook.New(webhook.Options{
			Secrets: webhookSecrets(cfg.Webhooks, log), Wake: i.hub.Wake, Logger: log, Registerer: metrics,
		}),
	})
	return i, err
}

// run works until ctx ends or a part fails.
func (i *instance) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return i.hub.Run(ctx) })
	group.Go(func() error { return i.engine.Run(ctx) })
	group.Go(func() error { return i.server.Run(ctx) })
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// close releases what newInstance opened.
func (i *instance) close() {
	closeBackends(i.backends)
	if i.mirrors != nil {
		i.mirrors.Close()
	}
}

// openBackends opens every configured backend. A backend that does not answer is
// no error: it is tried again for as long as the instance runs.
func openBackends(ctx context.Context, cfg *schema.Config, log *slog.Logger, dryRun bool) ([]engine.Backend, error) {
	var out []engine.Backend
	for _, b := range cfg.Backends {
		var backend backends.Backend
		var err error
		switch b.Type {
		case schema.BackendDocker:
			backend, err = docker.New(ctx, b, cfg.Instance, docker.Options{Logger: log})
		default:
			err = &schema.Error{Op: "open backend", Resource: b.Name, Kind: schema.Invalid,
				Err: fmt.Errorf("this Berth has no backend of type %s", b.Type), Hint: "use type docker"}
		}
		if err != nil {
			closeBackends(out)
			return nil, err
		}
		if dryRun {
			backend = backends.ReadOnly(backend)
		}
		out = append(out, engine.Backend{Backend: backend, Config: b})
	}
	return out, nil
}

func closeBackends(bs []engine.Backend) {
	for _, b := range bs {
		b.Close()
	}
}

// opener opens git sources with the credentials of the configuration.
func opener(mirrors *git.Dir, cfg *schema.Config, log *slog.Logger) follow.Opener {
	return func(spec follow.Spec) (sources.Source, error) {
		return mirrors.Open(git.Options{
			URL: spec.URL, Ref: spec.Ref, History: spec.History, Logger: log,
			Credentials: func(host string) (git.Credential, error) { return credential(cfg.Credentials, host) },
		})
	}
}

// credential resolves the secrets for one host, or host:port.
func credential(all []schema.Credential, host string) (git.Credential, error) {
	for _, c := range all {
		if !strings.EqualFold(c.Host, host) {
			continue
		}
		token, err := secret(c.TokenEnv, c.TokenFile)
		if err != nil {
			return git.Credential{}, err
		}
		return git.Credential{
			Username: c.Username, Secret: token,
			SSHKeyFile: expandHome(c.SSHKeyFile), KnownHostsFile: expandHome(c.KnownHostsFile), CAFile: expandHome(c.CAFile),
		}, nil
	}
	return git.Credential{}, nil
}

// webhookSecrets returns a function that reads the secrets as they are now; a
// file may hold two lines, the new secret and the former one.
func webhookSecrets(cfg schema.Webhooks, log *slog.Logger) func() [][]byte {
	return func() [][]byte {
		text, err := secret(cfg.SecretEnv, cfg.SecretFile)
		if err != nil {
			log.Error("the webhook secret cannot be read: webhooks are refused", "error", err)
			return nil
		}
		var out [][]byte
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, []byte(line))
			}
		}
		return out
	}
}
