package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/berthdev/berth/reconciler/proposal"
	"github.com/berthdev/berth/reconciler/pulls"
	"github.com/berthdev/berth/reconciler/statuses"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/follow"
	"github.com/berthdev/berth/sources/git"
)

// repos returns the repositories whose pull requests are told about: those of
// which a branch is followed.
func (f *forges) repos() []pulls.Repo {
	all := f.hub.Sources()
	var out []pulls.Repo
	if s := all[0]; s.Branch != "" {
		out = append(out, pulls.Repo{
			Name: s.Name, URL: s.URL, Base: s.Branch, Context: f.status.Context + "/" + statuses.ContextPlan,
			Against: f.against(), Plan: f.plan,
		})
	}
	for _, group := range alike(all[1:]) {
		out = append(out, f.manifests(group))
	}
	return out
}

// alike puts together the app repos that are one branch of one repository, each
// with paths of its own: a commit of it has one status between them.
func alike(all []follow.Status) [][]follow.Status {
	type place struct{ repo, branch string }
	var out [][]follow.Status
	at := map[place][]int{}
	for _, s := range all {
		if s.Branch == "" {
			continue
		}
		here := place{git.RepoKey(s.URL), s.Branch}
		same := slices.IndexFunc(at[here], func(n int) bool { return git.SameRepo(out[n][0].URL, s.URL) })
		if same < 0 {
			at[here] = append(at[here], len(out))
			out = append(out, []follow.Status{s})
			continue
		}
		n := at[here][same]
		out[n] = append(out[n], s)
	}
	return out
}

// manifests returns one repository with the app repos that are read from it.
func (f *forges) manifests(group []follow.Status) pulls.Repo {
	var names []string
	var against strings.Builder
	known := f.hub.Catalog()
	for _, s := range group {
		names = append(names, s.Name)
		repo, _ := known.Repo(s.Name)
		fmt.Fprintf(&against, "%s %s %d %q\n", s.Name, s.Commit, repo.Priority, repo.Apps)
	}
	first := group[0]
	return pulls.Repo{
		Name: first.Name, Also: names[1:], URL: first.URL, Base: first.Branch,
		Context: f.status.Context + "/" + statuses.ContextManifest, Against: against.String(),
		Plan: func(ctx context.Context, pr pulls.Request) (pulls.Plan, error) {
			return f.planManifests(ctx, names, pr)
		},
	}
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

// watch has pull requests to the desired state planned again as soon as the engine
// shows that what they are planned against is another.
func (f *forges) watch(ctx context.Context) error {
	var last basis
	err := f.engine.Follow(ctx, func([]string) error {
		if now := f.against(); now != last {
			last = now
			f.changed()
		}
		return nil
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// plan returns what a pull request to the desired state would do.
func (f *forges) plan(ctx context.Context, pr pulls.Request) (pulls.Plan, error) {
	p, err := f.hub.Propose(ctx, follow.Ref{Name: pr.Ref, Head: pr.Head})
	if err != nil {
		return pulls.Plan{}, err
	}
	v := f.engine.View()
	switch {
	case p.Head != pr.Head:
		return pulls.Plan{}, notYet(pr, notServed)
	case v.Plan == nil || v.State.Commit != p.Base:
		return pulls.Plan{}, notYet(pr, "what it is compared with is being planned")
	}
	report := proposal.New(v.Input(time.Now()), v.Plan, proposal.Proposed{
		State: p.State, Branch: pr.Base, Base: p.Base, Head: p.Head, MergeBase: p.MergeBase, Conflicts: p.Conflicts, Problems: p.Problems(),
	})
	return pulls.Plan{State: report.Verdict(), Summary: report.Summary(), Comment: report.Markdown()}, nil
}

// Why a pull request is not planned yet.
const (
	notServed = "the forge does not serve its newest commit yet"
	inForce   = "its newest commit is in its base already, and has a status of its own there"
)

func notYet(pr pulls.Request, why string) error {
	return &schema.Error{Op: "plan", Resource: fmt.Sprintf("pull request %d", pr.Number), Kind: schema.Waiting, Err: errors.New(why)}
}

// planManifests returns what a pull request would publish in the app repos that are
// read from its repository.
func (f *forges) planManifests(ctx context.Context, repos []string, pr pulls.Request) (pulls.Plan, error) {
	ref := follow.Ref{Name: pr.Ref, Head: pr.Head, MergeBase: pr.MergeBase}
	all := newBringing()
	against := ""
	for _, repo := range repos {
		p, err := f.hub.ProposeManifests(ctx, repo, ref)
		switch {
		case err != nil:
			return pulls.Plan{}, err
		case p.Head != pr.Head:
			return pulls.Plan{}, notYet(pr, notServed)
		case p.Head == p.Base || p.Head == p.MergeBase:
			return pulls.Plan{}, notYet(pr, inForce)
		case p.MergeBase == "":
			against = pr.Base
		}
		all.add(p)
	}
	for _, s := range f.hub.Sources() { // which may have moved meanwhile
		if s.Commit == pr.Head && slices.Contains(repos, s.Name) {
			return pulls.Plan{}, notYet(pr, inForce)
		}
	}
	state, summary := proposal.Manifests(all.problems, all.releases, against)
	return pulls.Plan{State: state, Summary: summary}, nil
}

// A bringing is what a pull request brings to several app repos, whose paths may
// have files in common.
type bringing struct {
	problems schema.Problems
	releases []*catalog.Release

	told map[schema.Problem]bool
	at   map[release]int // in releases
}

type release struct{ app, version string }

func newBringing() *bringing {
	return &bringing{told: map[schema.Problem]bool{}, at: map[release]int{}}
}

func (b *bringing) add(p *follow.ManifestProposal) {
	for _, one := range p.Problems {
		if !b.told[one] {
			b.told[one] = true
			b.problems = append(b.problems, one)
		}
	}
	for _, r := range p.Releases {
		key := release{r.Identifier, r.Version}
		switch n, known := b.at[key]; {
		case !known:
			b.at[key] = len(b.releases)
			b.releases = append(b.releases, r)
		case r.ShadowedBy == "":
			b.releases[n] = r
		}
	}
}
