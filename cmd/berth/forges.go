package main

import (
	"context"
	"log/slog"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/berthdev/berth/internal/pages"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/pulls"
	"github.com/berthdev/berth/reconciler/statuses"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/follow"
	"github.com/berthdev/berth/sources/forge/dial"
	"github.com/berthdev/berth/sources/git"
)

// forges tells forges what becomes of commits, and what pull requests would do.
type forges struct {
	dialer *dial.Dialer
	status schema.StatusConfig
	hub    *follow.Hub
	engine *engine.Engine

	// Nil where another replica tells, or a dry run tells nobody.
	sender   *statuses.Sender
	reporter *statuses.Reporter
	pulls    *pulls.Follower
}

// newDialer returns a dialer with the credentials of the configuration; it also
// has those for git.
func newDialer(cfg *schema.Config, log *slog.Logger) *dial.Dialer {
	home, _ := os.UserHomeDir() // without one there are no files of the user to look at
	return dial.New(dial.Options{
		Credentials: cfg.Credentials, Logger: log,
		Resolve: git.ConfiguredCredentials(cfg.Credentials, git.Environment{Getenv: os.Getenv, Home: home}),
	})
}

func newForges(cfg *schema.Config, log *slog.Logger) *forges {
	return &forges{dialer: newDialer(cfg, log), status: cfg.Status}
}

// tell has the forges told of what the parts of an instance do, if it works.
func (f *forges) tell(i *instance, works bool, metrics prometheus.Registerer, log *slog.Logger) {
	f.hub, f.engine = i.hub, i.engine
	if !works {
		return
	}
	f.sender = statuses.NewSender(statuses.Options{Open: f.dialer.Repo, Logger: log, Metrics: statuses.NewMetrics(metrics)})
	f.reporter = statuses.NewReporter(statuses.ReporterOptions{
		Engine: i.engine, Journal: i.journal, Outbox: f.sender, History: i.hub.History, Changed: i.hub.ChangedBy,
		Repo: i.cfg.Desired.URL, Context: f.status.Context, Page: f.page, Logger: log,
	})
	f.pulls = pulls.New(pulls.Options{
		Repos: f.repos, Open: f.dialer.Repo, Outbox: f.sender, Admit: f.sender.Admit,
		Marker: "<!-- berth: " + i.cfg.Instance + " -->", Logger: log,
	})
}

// run tells until ctx ends.
func (f *forges) run(ctx context.Context) error {
	if f.sender == nil {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return f.sender.Run(ctx) })
	group.Go(func() error { return f.reporter.Run(ctx) })
	group.Go(func() error { return f.pulls.Run(ctx) })
	group.Go(func() error { return f.watch(ctx) })
	return group.Wait()
}

// changed says that the sources changed.
func (f *forges) changed() {
	if f.pulls != nil {
		f.pulls.Changed()
	}
}

// proposed says that a pull request to a source moved.
func (f *forges) proposed(source string) {
	if f.pulls != nil {
		f.pulls.Wake(source)
	}
}

// standing returns what forges are told of the commit in force, or of one of its
// deployments; false: nothing.
func (f *forges) standing(commit, deployment string) (string, bool) {
	if f.reporter == nil {
		return "", false
	}
	state, ok := f.reporter.Standing(commit, deployment)
	return string(state), ok
}

// page returns where people read more of a commit.
func (f *forges) page(commit string) string {
	if f.status.URL == "" {
		return ""
	}
	return strings.TrimRight(f.status.URL, "/") + pages.Commits + commit
}
