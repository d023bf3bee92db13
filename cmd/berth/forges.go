package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/berthdev/berth/internal/pages"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/proposal"
	"github.com/berthdev/berth/reconciler/pulls"
	"github.com/berthdev/berth/reconciler/statuses"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/follow"
	"github.com/berthdev/berth/sources/forge"
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

// repos returns the repositories whose pull requests are told about: those of
// which a branch is followed.
func (f *forges) repos() []pulls.Repo {
	var out []pulls.Repo
	for n, s := range f.hub.Sources() {
		if s.Branch == "" {
			continue
		}
		r := pulls.Repo{Name: s.Name, URL: s.URL, Base: s.Branch, Context: f.status.Context + "/" + statuses.ContextManifest, Against: s.Commit}
		r.Plan = func(ctx context.Context, pr forge.PullRequest) (pulls.Plan, error) {
			return f.planManifests(ctx, r.Name, pr)
		}
		if n == 0 { // the desired state
			r.Context, r.Against = f.status.Context+"/"+statuses.ContextPlan, f.against()
			r.Plan = f.plan
		}
		out = append(out, r)
	}
	return out
}

// basis is what a plan is made against, besides the pods.
type basis struct {
	commit   string
	catalog  *catalog.Catalog
	backends string
}

func (f *forges) against() basis {
	v := f.engine.View()
	b := basis{catalog: v.Catalog}
	if v.State != nil {
		b.commit = v.State.Commit
	}
	for _, backend := range v.Backends {
		b.backends += fmt.Sprintf("%s %t %+v\n", backend.Name, backend.Problem == "", backend.Capacity)
	}
	return b
}

// plan returns what a pull request to the desired state would do.
func (f *forges) plan(ctx context.Context, pr forge.PullRequest) (pulls.Plan, error) {
	p, err := f.hub.Propose(ctx, pr.Ref)
	if err != nil {
		return pulls.Plan{}, err
	}
	v := f.engine.View()
	switch {
	case p.Head != pr.Head:
		return pulls.Plan{}, notYet(pr, "the forge does not serve its newest commit yet")
	case v.Plan == nil || v.State.Commit != p.Base:
		return pulls.Plan{}, notYet(pr, "what it is compared with is being planned")
	}
	report := proposal.New(v.Input(time.Now()), v.Plan, proposal.Proposed{
		State: p.State, Branch: pr.Base, Base: p.Base, Head: p.Head, MergeBase: p.MergeBase, Conflicts: p.Conflicts, Problems: p.Problems(),
	})
	return pulls.Plan{State: report.Verdict(), Summary: report.Summary(), Comment: report.Markdown()}, nil
}

func notYet(pr forge.PullRequest, why string) error {
	return &schema.Error{Op: "plan", Resource: fmt.Sprintf("pull request %d", pr.Number), Kind: schema.Waiting, Err: errors.New(why)}
}

// planManifests returns what a pull request to an app repo would publish.
func (f *forges) planManifests(ctx context.Context, repo string, pr forge.PullRequest) (pulls.Plan, error) {
	p, err := f.hub.ProposeManifests(ctx, repo, pr.Ref)
	if err != nil {
		return pulls.Plan{}, err
	}
	if p.Head != pr.Head {
		return pulls.Plan{}, notYet(pr, "the forge does not serve its newest commit yet")
	}
	var found schema.Problems
	var releases []string
	for _, file := range p.Files {
		found = append(found, file.Problems...)
		releases = append(releases, file.Releases...)
	}
	state, summary := proposal.Manifests(found, releases)
	return pulls.Plan{State: state, Summary: summary}, nil
}
