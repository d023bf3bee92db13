package api

import (
	"context"

	"github.com/berthdev/berth/reconciler/journal"
)

// query resolves the fields of Query.
type query struct{ api *API }

func (q *query) Instance(ctx context.Context) instance {
	return *one(worldOf(ctx), instance{worldOf(ctx)})
}

func (q *query) Repos(ctx context.Context, args struct {
	Filter *repoFilter
	Search *string
	Order  *orderBy
	paging
}) (*connection[repo], error) {
	return worldOf(ctx).listRepos(args.Filter, args.Search, args.Order, args.paging)
}

func (q *query) Repo(ctx context.Context, args struct{ Name string }) *repo {
	return worldOf(ctx).repo(args.Name)
}

func (q *query) Apps(ctx context.Context, args struct {
	Filter *appFilter
	Search *string
	Order  *orderBy
	paging
}) (*connection[app], error) {
	return worldOf(ctx).listApps(args.Filter, args.Search, args.Order, args.paging)
}

func (q *query) App(ctx context.Context, args struct{ Identifier string }) *app {
	return worldOf(ctx).app(args.Identifier)
}

func (q *query) Releases(ctx context.Context, args struct {
	Filter *releaseFilter
	Search *string
	Order  *orderBy
	paging
}) (*connection[release], error) {
	w := worldOf(ctx)
	return w.listReleases(w.allReleases(args.Order), args.Filter, args.Search, args.Order, args.paging)
}

func (q *query) Release(ctx context.Context, args struct{ App, Version string }) *release {
	return worldOf(ctx).release(args.App, args.Version)
}

func (q *query) Flavours(ctx context.Context, args struct {
	Filter *flavourFilter
	Search *string
	Order  *orderBy
	paging
}) (*connection[flavour], error) {
	return worldOf(ctx).listFlavours(args.Filter, args.Search, args.Order, args.paging)
}

func (q *query) Flavour(ctx context.Context, args struct{ App, Version, Name string }) *flavour {
	return worldOf(ctx).flavour(args.App, args.Version, args.Name)
}

func (q *query) Deployments(ctx context.Context, args struct {
	Filter *deploymentFilter
	Search *string
	Order  *orderBy
	paging
}) (*connection[deployment], error) {
	w := worldOf(ctx)
	return w.listDeployments(w.index.deployments(), args.Filter, args.Search, args.Order, args.paging)
}

func (q *query) Deployment(ctx context.Context, args struct{ Name string }) *deployment {
	return worldOf(ctx).deployment(args.Name)
}

func (q *query) Pods(ctx context.Context, args struct {
	Filter *podFilter
	Search *string
	Order  *orderBy
	paging
}) (*connection[pod], error) {
	w := worldOf(ctx)
	return w.listPods(w.index.allPods(), args.Filter, args.Search, args.Order, args.paging)
}

func (q *query) Pod(ctx context.Context, args struct {
	Name    string
	Backend *string
}) *pod {
	return worldOf(ctx).pod(args.Name, value(args.Backend))
}

func (q *query) Backends(ctx context.Context, args struct {
	Filter *backendFilter
	Search *string
	Order  *orderBy
	paging
}) (*connection[backend], error) {
	return worldOf(ctx).listBackends(args.Filter, args.Search, args.Order, args.paging)
}

func (q *query) Backend(ctx context.Context, args struct{ Name string }) *backend {
	return worldOf(ctx).backend(args.Name)
}

func (q *query) Sources(ctx context.Context, args struct {
	Filter *sourceFilter
	Search *string
	Order  *orderBy
	paging
}) (*connection[source], error) {
	return worldOf(ctx).listSources(args.Filter, args.Search, args.Order, args.paging)
}

func (q *query) Source(ctx context.Context, args struct{ Name string }) *source {
	return worldOf(ctx).source(args.Name)
}

func (q *query) Commits(ctx context.Context, args struct {
	Filter *commitFilter
	Search *string
	paging
}) (*connection[commit], error) {
	return worldOf(ctx).listCommits(args.Filter, args.Search, args.paging)
}

func (q *query) Commit(ctx context.Context, args struct{ Hash string }) *commit {
	return worldOf(ctx).findCommit(args.Hash)
}

func (q *query) Events(ctx context.Context, args struct {
	Filter *eventFilter
	Search *string
	Order  string
	paging
}) (*connection[event], error) {
	w := worldOf(ctx)
	all := q.api.o.Journal.Events(func(*journal.Event) bool { return true })
	if err := w.meter.spend(len(all)); err != nil {
		return nil, err
	}
	return w.listEvents(all, args.Filter, args.Search, args.Order, args.paging)
}

func (q *query) Plan(ctx context.Context) plan { return *one(worldOf(ctx), plan{worldOf(ctx)}) }

func (q *query) MatchFlavour(ctx context.Context, args matchArgs) (*explanation, error) {
	return worldOf(ctx).match(args)
}

func (q *query) Explain(ctx context.Context, args struct{ Deployment string }) (*explanation, error) {
	return worldOf(ctx).explain(args.Deployment)
}

func (q *query) Usage(ctx context.Context, args struct{ Deployment, Backend *string }) (*usageReport, error) {
	return worldOf(ctx).usage(args.Deployment, args.Backend)
}
