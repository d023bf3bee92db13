package api

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/follow"
)

// emptyWorld is a world in which there is nothing.
func emptyWorld(t interface{ Context() context.Context }) *world {
	w := &world{api: &API{o: Options{Journal: journal.New(journal.Options{})}}, view: &engine.View{Catalog: catalog.New()}, now: time.Unix(0, 0)}
	w.meter = &meter{ctx: t.Context()}
	return w
}

var (
	someNames    = rapid.SampledFrom([]string{"", "a", "a-b", "b", "org.x", "ä", "z\x00\"\n"})
	someVersions = rapid.SampledFrom([]string{"1.0.0", "v1.0.0", "1.0.0-rc.1", "1.0.0-rc.10", "1.0.0+build", "0.10.2", "2", "nightly", ""})
	someTimes    = rapid.Custom(func(t *rapid.T) time.Time {
		n := rapid.IntRange(0, 3).Draw(t, "time")
		if n == 0 {
			return time.Time{}
		}
		return time.Unix(int64(n), int64(n)).UTC()
	})
)

func someRelease(t *rapid.T) *catalog.Release {
	r := &catalog.Release{
		Release: schema.Release{Identifier: someNames.Draw(t, "identifier"), Version: someVersions.Draw(t, "version"), CreatedAt: someTimes.Draw(t, "created")},
		Repo:    someNames.Draw(t, "repo"),
	}
	if published := someTimes.Draw(t, "published"); !published.IsZero() {
		r.Flavours = []schema.Flavour{{PublishedAt: published}}
	}
	r.SemVer = catalog.ParseSemVer(r.Version)
	return r
}

// TestPages turns the pages of every kind of list, in every order, while things
// come and go. What was there all the while is told once, in its order.
func TestPages(t *testing.T) {
	t.Run("releases", testPages(&releases, func(w *world, t *rapid.T) release { return release{w, someRelease(t)} }))
	t.Run("flavours", testPages(&flavours, func(w *world, t *rapid.T) flavour {
		f := &schema.Flavour{Name: someNames.Draw(t, "name"), Image: someNames.Draw(t, "image"), Priority: rapid.IntRange(-1, 2).Draw(t, "priority")}
		return flavour{w, someRelease(t), f}
	}))
	t.Run("apps", testPages(&apps, func(w *world, t *rapid.T) app {
		return app{w: w, a: &catalog.App{Identifier: someNames.Draw(t, "identifier"), Name: someNames.Draw(t, "name")}, score: rapid.IntRange(0, 2).Draw(t, "score")}
	}))
	t.Run("repos", testPages(&repos, func(w *world, t *rapid.T) repo {
		return repo{w, catalog.Repo{Name: someNames.Draw(t, "name"), Priority: rapid.IntRange(-1, 2).Draw(t, "priority")}}
	}))
	t.Run("deployments", testPages(&deployments, func(w *world, t *rapid.T) deployment {
		state := rapid.SampledFrom(states).Draw(t, "state")
		s := &engine.Status{Deployment: someNames.Draw(t, "name"), State: state, Since: someTimes.Draw(t, "since"), Backend: someNames.Draw(t, "backend")}
		s.Pods = []backends.Pod{{App: someNames.Draw(t, "app")}}
		return w.of(entry{s: s})
	}))
	t.Run("pods", testPages(&pods, func(w *world, t *rapid.T) pod {
		return pod{w, &backends.Pod{
			Name: someNames.Draw(t, "name"), Backend: someNames.Draw(t, "backend"), Deployment: someNames.Draw(t, "deployment"),
			Ordinal: rapid.IntRange(0, 2).Draw(t, "ordinal"), Restarts: rapid.IntRange(0, 2).Draw(t, "restarts"),
			State:     rapid.SampledFrom([]backends.PodState{backends.PodRunning, backends.PodFailed}).Draw(t, "state"),
			CreatedAt: someTimes.Draw(t, "created"), StartedAt: someTimes.Draw(t, "started"),
		}}
	}))
	t.Run("backends", testPages(&listedBackends, func(w *world, t *rapid.T) backend {
		return backend{w, &planner.Backend{Name: someNames.Draw(t, "name"), Priority: rapid.IntRange(-1, 2).Draw(t, "priority")}}
	}))
	t.Run("sources", testPages(&listedSources, func(w *world, t *rapid.T) source {
		return source{w: w, s: &follow.Status{Name: someNames.Draw(t, "name"), Problem: someNames.Draw(t, "problem"), Commit: someNames.Draw(t, "commit"), Success: someTimes.Draw(t, "success")}}
	}))
	t.Run("decisions", testPages(&decisions, func(w *world, t *rapid.T) decision {
		return decision{w, &planner.Decision{Deployment: someNames.Draw(t, "name")}}
	}))
	t.Run("events", testPages(&events, func(w *world, t *rapid.T) event {
		return event{w, &journal.Event{ID: uint64(rapid.IntRange(1, 50).Draw(t, "id"))}}
	}))
}

func testPages[T any](n *noun[T], some func(*world, *rapid.T) T) func(*testing.T) {
	return rapid.MakeCheck(func(t *rapid.T) {
		w := emptyWorld(t)
		by := orderBy{rapid.SampledFrom(slices.Sorted(maps.Keys(n.orders))).Draw(t, "by"), rapid.SampledFrom([]string{ascending, descending}).Draw(t, "direction")}
		compare := n.orders[by.By]
		draw := rapid.Custom(func(t *rapid.T) T { return some(w, t) })
		var there []T // no two of which are equal
		add := func(things []T) {
			for _, thing := range things {
				if !slices.ContainsFunc(there, func(other T) bool { return compare(thing, other) == 0 }) {
					there = append(there, thing)
				}
			}
		}
		add(rapid.SliceOfN(draw, 0, 20).Draw(t, "things"))
		stays := slices.Clone(there)
		var told []T
		var after *string
		for {
			p := paging{First: int32(rapid.IntRange(1, 5).Draw(t, "first")), After: after}
			c, err := n.page(w, all(there, "", func(t T) T { return t }), filter[T]{}, &by, p)
			if err != nil {
				t.Fatal(err)
			}
			if int(c.TotalCount) != len(there) || len(c.Nodes) > int(p.First) {
				t.Fatalf("%d nodes of %d, there are %d", len(c.Nodes), c.TotalCount, len(there))
			}
			told = append(told, c.Nodes...)
			if !c.PageInfo.HasNextPage {
				break
			}
			after = c.PageInfo.EndCursor
			add(rapid.SliceOfN(draw, 0, 3).Draw(t, "come"))
			if len(there) > 0 && rapid.Bool().Draw(t, "one goes") {
				gone := rapid.IntRange(0, len(there)-1).Draw(t, "gone")
				thing := there[gone]
				there = slices.Delete(there, gone, gone+1)
				stays = slices.DeleteFunc(stays, func(other T) bool { return compare(thing, other) == 0 })
			}
		}
		for i := 1; i < len(told); i++ {
			if c := compare(told[i-1], told[i]); c == 0 || (c < 0) != (by.Direction == ascending) {
				t.Fatalf("%d and %d of what was told are not in order", i-1, i)
			}
		}
		for _, thing := range stays {
			if !slices.ContainsFunc(told, func(other T) bool { return compare(thing, other) == 0 }) {
				t.Fatalf("%v was there all the while, and was not told", n.mark(thing))
			}
		}
	})
}

// TestPagesOfCommits turns pages while the history is rewritten.
func TestPagesOfCommits(t *testing.T) {
	inWorld(t, func(r *rig) {
		var history []journal.CommitRecord
		for n := range 10 {
			history = append(history, journal.CommitRecord{Hash: commitHash(n + 20), Time: time.Now().Add(time.Duration(n-20) * time.Minute)})
		}
		slices.Reverse(history)
		r.journal.Seed(history)
		var told []string
		for after := "null"; ; {
			got := r.ask(fmt.Sprintf(`{ commits(first: 3, after: %s) { nodes { hash } pageInfo { hasNextPage endCursor } } }`, after), nil)
			page := got.Data.(map[string]any)["commits"].(map[string]any)
			for _, node := range page["nodes"].([]any) {
				told = append(told, node.(map[string]any)["hash"].(string))
			}
			info := page["pageInfo"].(map[string]any)
			if info["hasNextPage"] == false {
				break
			}
			after = fmt.Sprintf("%q", info["endCursor"])
			r.journal.InForce(commitHash(len(told)+40), time.Now(), nil) // a newer one comes
		}
		for _, c := range history {
			if n := len(slices.DeleteFunc(slices.Clone(told), func(h string) bool { return h != c.Hash })); n != 1 {
				r.t.Errorf("%s was told %d times", c.Hash, n)
			}
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add("WyJhcHAiLCJJREVOVElGSUVSIiwiQVNDIiwiYSIsIkEiLCIwIl0")
	f.Add("")
	f.Add("!!!")
	by := orderBy{"IDENTIFIER", ascending}
	f.Add(writeCursor("app", by, []string{"x", "y", "99999999999999999999"}))
	f.Fuzz(func(t *testing.T, cursor string) {
		w := emptyWorld(t)
		left, err := readCursor(cursor, "app", by)
		if err != nil {
			if asError(err).Code != BadInput {
				t.Error(err)
			}
			return
		}
		if a, ok := apps.probe(w, left); ok && writeCursor("app", by, apps.mark(a)) != writeCursor("app", by, left) {
			t.Errorf("%q became %q", left, apps.mark(a))
		}
		for _, probe := range []func(){
			func() { releases.probe(w, left) }, func() { flavours.probe(w, left) }, func() { pods.probe(w, left) },
			func() { deployments.probe(w, left) }, func() { commits.probe(w, left) }, func() { events.probe(w, left) },
		} {
			probe()
		}
	})
}
