package follow

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

// followRepos starts, restarts and stops followers as a desired state says. It
// returns what that changes in the catalog, and the repos for which that was done.
// It is called with swapping held.
func (h *Hub) followRepos(state *desired.State) (changes []catalog.Change, names []string) {
	followed := maps.Clone(h.repos)
	for name, doc := range state.Repos() {
		old := followed[name]
		delete(followed, name)
		if old != nil && old.doc == doc {
			continue
		}
		if old == nil || !sameSource(old.doc, doc) {
			h.follow(doc, old)
			names = append(names, name)
		} else {
			h.keep(old, doc)
		}
		changes = append(changes, catalog.Change{Repo: h.repoOf(doc)})
	}
	for name, r := range followed {
		if _, hold := state.HoldsRepo(name, r.doc.Position.File); hold {
			continue // it is followed on as it was
		}
		h.forget(r)
		names = append(names, name)
		changes = append(changes, catalog.Change{Repo: catalog.Repo{Name: name}, Gone: true})
	}
	h.publishFollowers()
	return changes, names
}

// sameSource tells whether two documents ask for the same files.
func sameSource(a, b *schema.Repo) bool {
	return a.URL == b.URL && a.Ref == b.Ref && slices.Equal(a.Paths, b.Paths)
}

// follow starts to follow a repo, in the place of an old follower if there is
// one. What that one published stays until the new one was read.
func (h *Hub) follow(doc *schema.Repo, old *followedRepo) {
	f := h.newFollower(doc.Name, Spec{URL: doc.URL, Ref: doc.Ref})
	f.interval.Store(int64(interval(doc.Interval, defaultRepoInterval, f.dir != "")))
	f.selected = manifests(doc.Paths)
	f.take = func(ctx context.Context, before, now *sources.Snapshot, read func(string)) (outcome, error) {
		update, err := h.readManifests(ctx, f.selected, before, now)
		if err != nil {
			return outcome{}, err
		}
		return h.takeRepo(f, update, read)
	}
	f.troubled = func(problem string) { h.troubledRepo(f, problem) }
	if old != nil {
		f.after = old.done
		old.stop()
	}
	h.repos[doc.Name] = &followedRepo{follower: f, doc: doc}
	h.start(f)
}

// keep goes on following a repo of which only the rights, the rank or the
// interval changed.
func (h *Hub) keep(r *followedRepo, doc *schema.Repo) {
	r.setInterval(interval(doc.Interval, defaultRepoInterval, r.dir != ""))
	h.repos[doc.Name] = &followedRepo{follower: r.follower, doc: doc}
}

// forget stops following a repo.
func (h *Hub) forget(r *followedRepo) {
	r.stop()
	delete(h.repos, r.name)
	h.options.Logger.Info("repo is followed no more", "source", r.name)
}

// repoOf returns a repo as the catalog shall know it.
func (h *Hub) repoOf(doc *schema.Repo) catalog.Repo {
	r, _ := h.Catalog().Repo(doc.Name) // of a new repo: nothing
	r.Name, r.URL, r.Priority, r.Apps = doc.Name, h.options.Redact(doc.URL), doc.Priority, doc.Apps
	return r
}

// current tells whether a follower still is who follows its repo. It is called
// with swapping held.
func (h *Hub) current(f *follower) (catalog.Repo, bool) {
	r := h.repos[f.name]
	if r == nil || r.follower != f {
		return catalog.Repo{}, false
	}
	return h.repoOf(r.doc), true
}

// readManifests reads the manifests that differ between two snapshots.
func (h *Hub) readManifests(ctx context.Context, s selection, before, now *sources.Snapshot) (catalog.Change, error) {
	found, err := scan(ctx, before, now, s)
	if err != nil {
		return catalog.Change{}, err
	}
	gone, files := apart(found)
	readings, err := h.manifests.read(ctx, now.Tree, files)
	if err != nil {
		return catalog.Change{}, err
	}
	// A folder that is no repository has no commit, but was read all the same.
	commit := cmp.Or(now.Commit, now.Tree.Hash().String())
	update := catalog.Change{Repo: catalog.Repo{Commit: commit}, Reset: before == nil, Removed: gone}
	for i, r := range readings {
		update.Files = append(update.Files, catalog.File{Path: files[i].Path, Unreadable: r.unreadable, Publication: r.value, Raw: r.raw})
	}
	return update, nil
}

// takeRepo puts what changed in an app repository into the catalog.
func (h *Hub) takeRepo(f *follower, update catalog.Change, read func(string)) (outcome, error) {
	h.swapping.Lock()
	defer h.swapping.Unlock()
	repo, current := h.current(f)
	if !current {
		return outcome{}, f.fail("read", schema.Transient, errors.New("its document changed meanwhile"))
	}
	repo.Commit, repo.Problem = update.Repo.Commit, ""
	update.Repo = repo
	change := Change{Sources: []string{f.name}}
	h.swapCatalog(&change, update)
	read("")
	h.notify(change)
	return outcome{files: len(update.Files) + len(update.Removed), what: "apps", changed: change.Identifiers}, nil
}

// troubledRepo lets the catalog know why a repo cannot be read, or that it can.
func (h *Hub) troubledRepo(f *follower, problem string) {
	h.swapping.Lock()
	defer h.swapping.Unlock()
	repo, current := h.current(f)
	if !current {
		return
	}
	change := Change{Sources: []string{f.name}}
	if repo.Problem != problem {
		repo.Problem = problem
		h.swapCatalog(&change, catalog.Change{Repo: repo})
	}
	h.notify(change)
}

// swapCatalog swaps the catalog and adds to the change what became different.
// It is called with swapping held.
func (h *Hub) swapCatalog(change *Change, changes ...catalog.Change) {
	if len(changes) == 0 {
		return
	}
	next, diff := h.Catalog().With(changes...)
	h.catalog.Store(next)
	change.Identifiers = diff.Apps
	change.Readiness = diff.Readiness
	change.Holds = change.Holds || diff.Holds
	h.logNotices(diff)
}
