package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/docker"
	"github.com/berthdev/berth/backends/kubernetes"
	"github.com/berthdev/berth/internal/access"
	"github.com/berthdev/berth/internal/api"
	"github.com/berthdev/berth/internal/pages"
	"github.com/berthdev/berth/internal/relay"
	"github.com/berthdev/berth/internal/server"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
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
	journal  *journal.Journal
	sources  *sourceEvents
	history  *history
	forges   *forges
	server   *server.Server
	relay    *relay.Relay // to the replica that leads; nil: this one does
}

// A backendOpener opens every configured backend, read-only for a dry run.
type backendOpener func(ctx context.Context, cfg *schema.Config, log *slog.Logger, dryRun bool) ([]engine.Backend, error)

// newInstance joins the parts for a tenure; nothing runs yet. Where another replica
// leads, the backends are read-only.
func newInstance(ctx context.Context, cfg *schema.Config, open backendOpener, log *slog.Logger, t tenure, dryRun bool) (_ *instance, err error) {
	i := &instance{cfg: cfg, journal: journal.New(journal.Options{})}
	i.sources = newSourceEvents(i.journal.Record)
	defer func() {
		if err != nil {
			i.close()
		}
	}()
	if err := checkServable(cfg.Desired.URL); err != nil {
		return nil, err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if i.mirrors, err = git.OpenDir(cfg.DataDir); err != nil {
		return nil, err
	}
	i.forges = newForges(cfg, log)
	i.hub = newHub(cfg, opener(i.mirrors, i.forges.dialer.Credentials(), log), log, metrics, i.changed, i.forges.proposed)
	if i.backends, err = open(ctx, cfg, log, dryRun || !t.leads); err != nil {
		return nil, err
	}
	i.history = newHistory(i.hub.History, i.journal, log)
	i.engine = engine.New(engine.Options{
		Backends: i.backends, Sources: feed{i.hub}, Logger: log, Journal: i.journal, DryRun: dryRun, Standby: !t.leads, Metrics: engine.NewMetrics(metrics),
		Derived: cfg.Instance == schema.InstanceName(cfg.Desired.URL),
	})
	i.forges.tell(i, t.leads && !dryRun, metrics, log)
	webhooks := http.Handler(webhook.New(webhook.Options{
		Secrets: webhookSecrets(cfg.Webhooks, log), Wake: i.hub.Wake, Redact: git.Redact, Logger: log, Metrics: metrics,
	}))
	if !t.leads {
		i.relay = relay.New(t.address, cfg.TLS, log)
		webhooks = i.relay.Webhooks(webhooks)
	}
	asked, err := api.New(api.Options{
		Instance: cfg.Instance, Version: version, Started: time.Now(), Logger: log,
		Engine: i.engine, Hub: i.hub, Journal: i.journal, Backends: bare(i.backends), Leader: t.leader, Relay: i.relay,
	})
	if err != nil {
		return nil, err
	}
	warnOpen(cfg, log)
	i.server, err = server.New(server.Options{
		Listen: cfg.Listen, Ready: t.ready(i.engine.Ready), Metrics: metrics, Logger: log, TLS: cfg.TLS,
		API: api.NewHandler(asked), Guard: access.New(access.Options{Access: cfg.Access, Logger: log, Metrics: metrics}),
		Pages: pages.New(pages.Options{
			Instance: cfg.Instance, View: i.engine.View, Journal: i.journal, Standing: i.forges.standing, Logger: log,
		}),
		Webhooks: webhooks,
	})
	return i, err
}

// warnOpen says once what whoever lets others reach the server should know.
func warnOpen(cfg *schema.Config, log *slog.Logger) {
	if access.Loopback(cfg.Listen) {
		return
	}
	if cfg.TLS.CertFile == "" {
		log.Warn("the server is reached from elsewhere without TLS: tokens and logs can be read on the way", "listen", cfg.Listen, "hint", "set tls.certFile and tls.keyFile, or put a proxy with TLS before it")
	}
	if len(cfg.Access.Tokens) == 0 {
		log.Warn("no token is configured: the API answers this machine only", "listen", cfg.Listen, "hint", "make one with 'berth token NAME'")
	}
}

// bare returns backends without their configuration.
func bare(all []engine.Backend) []backends.Backend {
	out := make([]backends.Backend, len(all))
	for i, b := range all {
		out[i] = b.Backend
	}
	return out
}

// checkServable refuses a folder of plain files at once: it has no commits, and
// waiting will not make it a repository. A folder that is not there may come.
func checkServable(url string) error {
	dir, local := localPath{}.dir(url)
	info, err := os.Stat(dir)
	if !local || err != nil || !info.IsDir() || isRepository(dir) {
		return nil
	}
	return &schema.Error{Op: "serve", Resource: dir, Kind: schema.Terminal, Err: errors.New("it is a folder, but no git repository"),
		Hint: "make it one with 'git init', or look at plain files with 'berth plan'"}
}

// changed hands what is new in the sources on to the engine, and records what is
// wrong with them.
func (i *instance) changed(c follow.Change) {
	if len(c.Sources) > 0 {
		i.sources.changed(c.Sources, i.hub.Sources())
	}
	i.history.changed(c.Commit)
	i.forges.changed()
	i.engine.Changed(engine.Change{Deployments: c.Deployments, Identifiers: c.Identifiers, Everything: c.Holds || c.Readiness})
}

// run works until ctx ends or a part fails.
func (i *instance) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return i.hub.Run(ctx) })
	group.Go(func() error { return i.engine.Run(ctx) })
	group.Go(func() error { return i.history.run(ctx) })
	group.Go(func() error { return i.forges.run(ctx) })
	group.Go(func() error { return i.server.Run(ctx) })
	if i.relay != nil {
		group.Go(func() error { return i.relay.Run(ctx) })
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// close releases what newInstance opened.
func (i *instance) close() {
	closeBackends(i.backends)
	if i.forges != nil {
		i.forges.dialer.Close()
	}
	if i.mirrors != nil {
		i.mirrors.Close()
	}
}

// newHub follows the configured desired state. metrics, notify and proposed may be nil.
func newHub(cfg *schema.Config, open follow.Opener, log *slog.Logger, metrics prometheus.Registerer, notify func(follow.Change), proposed func(string)) *follow.Hub {
	if notify == nil {
		notify = func(follow.Change) {}
	}
	at := localPath{base: cfg.Desired.URL}
	return follow.New(follow.Options{
		Desired: cfg.Desired,
		Open: func(spec follow.Spec) (sources.Source, error) {
			spec.URL = at.resolve(spec.URL)
			return open(spec)
		},
		Same:     func(a, b string) bool { return git.SameRepo(at.resolve(a), at.resolve(b)) },
		Key:      func(url string) string { return git.RepoKey(at.resolve(url)) },
		LocalDir: at.dir,
		Folder:   git.Folder,
		Redact:   git.Redact, Watch: true, Logger: log, Metrics: metrics, Notify: notify, Proposed: proposed,
	})
}

// localPath finds repositories on this machine. A Repo document of a desired
// state that is local itself may name one relative to it, as ../apps.
type localPath struct{ base string }

func (p localPath) resolve(url string) string {
	if !strings.HasPrefix(url, "./") && !strings.HasPrefix(url, "../") {
		return url
	}
	if base, local := p.dir(p.base); local {
		return filepath.Join(base, url)
	}
	return url
}

// dir returns the folder of a repository on this machine.
func (p localPath) dir(url string) (dir string, local bool) {
	if url != p.base {
		url = p.resolve(url)
	}
	loc, err := git.ParseURL(url)
	if err != nil || !loc.IsLocal() {
		return "", false
	}
	return loc.Path, true
}

// feed shows the hub to the engine.
type feed struct{ *follow.Hub }

// Desired returns the desired state with what is known of its commit.
func (f feed) Desired() engine.Desired {
	// The hub swaps the view first, then says whether it is current. Asked in the
	// other order, both speak of one commit, or the view is too new to be judged.
	status := f.Sources()[0]
	view := f.View()
	if view == nil {
		return engine.Desired{}
	}
	d := engine.Desired{State: view.State, Rewound: view.Rewound, Confirmed: follow.Confirmed(view.Head.Message)}
	switch {
	case status.Stored:
		d.Stale = strings.TrimSuffix("its repository did not answer since the start: "+status.Problem, ": ")
	case status.Commit != view.Head.Commit:
		d.Stale = "it is being read"
	}
	return d
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
			backend, err = docker.New(ctx, b, cfg.Instance, docker.Options{Logger: log, SSH: engineSSH(cfg.Credentials, b.Host)})
		case schema.BackendKubernetes:
			b.Kubeconfig = expandHome(b.Kubeconfig)
			backend, err = kubernetes.New(ctx, b, cfg.Instance, kubernetes.Options{Logger: log, Version: version})
		default:
			err = &schema.Error{Op: "open backend", Resource: b.Name, Kind: schema.Invalid,
				Err: fmt.Errorf("this Berth has no backend of type %s", b.Type), Hint: "use type docker or kubernetes"}
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

// engineSSH returns the ssh keys that the configuration names for an engine's host.
func engineSSH(all []schema.Credential, host string) docker.SSH {
	u, err := url.Parse(host)
	if err != nil || u.Scheme != "ssh" {
		return docker.SSH{}
	}
	var out docker.SSH
	for _, c := range all {
		if !strings.EqualFold(c.Host, u.Host) && !strings.EqualFold(c.Host, u.Hostname()) {
			continue
		}
		if c.SSHKeyFile != "" {
			out.KeyFiles = []string{expandHome(c.SSHKeyFile)}
		}
		if c.KnownHostsFile != "" {
			out.KnownHosts = []string{expandHome(c.KnownHostsFile)}
		}
	}
	return out
}

func closeBackends(bs []engine.Backend) {
	for _, b := range bs {
		b.Close()
	}
}

// opener opens git sources with credentials.
func opener(mirrors *git.Dir, credentials git.Credentials, log *slog.Logger) follow.Opener {
	return func(spec follow.Spec) (sources.Source, error) {
		return git.Open(git.Options{
			Dir: mirrors, URL: spec.URL, Ref: spec.Ref, History: spec.History, Proposals: spec.Proposals, Credentials: credentials, Logger: log,
		})
	}
}
