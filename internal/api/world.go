package api

import (
	"context"
	"time"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/follow"
)

// A world is what was known when a query began. All that answers the query looks
// at it, and at nothing else that changes.
type world struct {
	api     *API
	view    *engine.View
	sources []follow.Status
	now     time.Time
	meter   *meter

	known   lazy[*history]
	use     lazy[*usageReport]
	ready   lazy[readiness]
	reading reading
	catalog *catalogIndex
	index   *viewIndex
}

// look takes a snapshot for one query, or for one answer of a subscription. The
// work on it ends when ctx does.
func (a *API) look(ctx context.Context) *world {
	w := &world{api: a, view: a.o.Engine.View(), sources: a.o.Hub.Sources(), now: time.Now(), meter: &meter{ctx: ctx}}
	w.catalog, w.index = a.views.ofCatalog(w.view.Catalog), a.views.ofView(w.view)
	return w
}

// key is what a context carries a world under.
type key struct{}

func with(ctx context.Context, w *world) context.Context { return context.WithValue(ctx, key{}, w) }

// worldOf returns the world of a query.
func worldOf(ctx context.Context) *world { return ctx.Value(key{}).(*world) }

// one counts an object that becomes part of the answer.
func one[T any](w *world, t T) *T {
	w.meter.takeObjects(1)
	return &t
}

// app returns an app; nil when no repo publishes it.
func (w *world) app(identifier string) *app {
	if a, ok := w.view.Catalog.App(identifier); ok {
		return one(w, app{w: w, a: a})
	}
	return nil
}

// findRelease returns a release by its version's exact text; nil when there is
// none that counts.
func (w *world) findRelease(identifier, version string) *catalog.Release {
	a, ok := w.view.Catalog.App(identifier)
	if !ok {
		return nil
	}
	for _, r := range a.Releases {
		if r.Version == version {
			return r
		}
	}
	return nil
}

func (w *world) release(identifier, version string) *release {
	if r := w.findRelease(identifier, version); r != nil {
		return one(w, release{w, r})
	}
	return nil
}

func (w *world) flavour(identifier, version, name string) *flavour {
	r := w.findRelease(identifier, version)
	if r == nil {
		return nil
	}
	for i := range r.Flavours {
		if r.Flavours[i].Name == name {
			return one(w, flavour{w, r, &r.Flavours[i]})
		}
	}
	return nil
}

// repo returns a repo; nil when it is not followed.
func (w *world) repo(name string) *repo {
	if r, ok := w.view.Catalog.Repo(name); ok {
		return one(w, repo{w, r})
	}
	return nil
}

// declared returns the document of a deployment; nil when it is not validly declared.
func (w *world) declared(name string) *schema.Deployment {
	if w.view.State == nil {
		return nil
	}
	d, _ := w.view.State.Deployment(name)
	return d
}

// deployment returns a deployment; nil when it is neither declared nor there.
func (w *world) deployment(name string) *deployment {
	if s, ok := w.view.Status(name); ok {
		return one(w, w.of(entry{&s, w.declared(name)}))
	}
	return nil
}

// pod returns a pod by its name and backend, or by its name alone if the backend
// is empty; nil when there is none.
func (w *world) pod(name, backend string) *pod {
	for _, p := range w.index.allPods() {
		if p.Name == name && (backend == "" || p.Backend == backend) {
			return one(w, pod{w, p})
		}
	}
	return nil
}

// backend returns a backend; nil when none of this name is configured.
func (w *world) backend(name string) *backend {
	for i := range w.view.Backends {
		if b := &w.view.Backends[i]; b.Name == name {
			return one(w, backend{w, b})
		}
	}
	return nil
}

// source returns a source; nil when none of this name is followed.
func (w *world) source(name string) *source {
	for i := range w.sources {
		if s := &w.sources[i]; s.Name == name {
			return one(w, source{w: w, s: s})
		}
	}
	return nil
}

// decision returns what the plan says of a deployment; nil when it says nothing.
func (w *world) decision(name string) *decision {
	if w.view.Plan == nil {
		return nil
	}
	if d, ok := w.view.Plan.Decision(name); ok {
		return one(w, decision{w, &d})
	}
	return nil
}

// event returns an event as it is told in this world.
func (w *world) event(e *journal.Event) *event { return one(w, event{w, e}) }

// history is what is known of the commits of the desired state.
type history struct {
	commits []journal.CommitRecord // the newest first
	at      map[string]int         // by hash
}

func (w *world) history() *history {
	return w.known.get(func() *history {
		h := &history{commits: w.api.o.Journal.Commits(), at: map[string]int{}}
		for i := range h.commits {
			h.at[h.commits[i].Hash] = i
		}
		return h
	})
}

// commit returns a commit of the desired state, of which not more may be known
// than its hash; nil for no hash.
func (w *world) commit(hash string) *commit {
	if hash == "" {
		return nil
	}
	h := w.history()
	if i, ok := h.at[hash]; ok {
		return one(w, commit{w: w, c: &h.commits[i], at: 2 * i})
	}
	return one(w, commit{w: w, c: &journal.CommitRecord{Hash: hash, Verdict: journal.VerdictUnknown}})
}
