package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// historyPause is how long it takes until a history that could not be read is
// asked again.
const historyPause = 30 * time.Second

// rewind is what was found out about the history of the desired state: whether
// pods that nothing declares any more were made by commits that come after the
// head. Then the desired state went back, and Berth may have slept through it.
// Where the instance has no name of its own, it is also whether they were made by
// commits that are not known: then they may be another instance's.
type rewind struct {
	head   string
	asked  map[string]bool // commits that made such pods
	why    string          // empty: it did not go back, and nothing is another's
	unread string          // why the history could not be read: until it is, nothing is removed
	again  time.Time       // when it is asked again then
	news   bool            // the answers changed since the last plan
}

// follow forgets the answers about another head, and those that could not be had.
func (r *rewind) follow(head string, now time.Time) {
	switch {
	case r.head != head || r.asked == nil:
		*r = rewind{head: head, asked: map[string]bool{}, news: r.news || r.why != "" || r.unread != ""}
	case r.unread != "" && !now.Before(r.again):
		*r = rewind{head: head, asked: map[string]bool{}, why: r.why, news: true}
	}
}

// askHistory asks whether the commits come after the head. The caller holds mu,
// which is not held meanwhile.
func (e *Engine) askHistory(ctx context.Context, head string, commits []string) {
	for _, commit := range commits {
		e.mu.Unlock()
		later, err := e.sources.Contains(ctx, commit, head)
		strange := false
		if err == nil && !later && e.derived {
			var known bool
			known, err = e.sources.Contains(ctx, commit, commit)
			strange = !known
		}
		e.mu.Lock()
		r := &e.rewind
		r.asked[commit] = true
		switch {
		case err != nil:
			r.unread = "the history of the desired state cannot be read: " + err.Error()
			r.again, r.news = time.Now().Add(historyPause), true
		case later:
			r.why = cmp.Or(r.why, "the desired state went back from "+short(commit)+" to "+short(head))
			r.news = true
		case strange:
			r.why = cmp.Or(r.why, "there are pods of commit "+short(commit)+", which this desired state never had: "+
				"another one may share the instance's name, which is derived from the URL (give each its own by \"instance\")")
			r.news = true
		}
	}
}

// unasked returns the commits, not asked about yet, that made pods which nothing
// declares, of deployments that are about to be planned. The caller holds mu.
func (e *Engine) unasked(v view) []string {
	if v.State == nil || v.State.Commit == "" {
		return nil
	}
	e.rewind.follow(v.State.Commit, time.Now())
	found := map[string]bool{}
	look := func(name string) {
		if len(e.world.pods[name]) == 0 {
			return
		}
		if _, declared := v.State.Deployment(name); declared {
			return
		}
		for _, p := range e.world.pods[name] {
			if p.Commit != "" && p.Commit != v.State.Commit && !e.rewind.asked[p.Commit] {
				found[p.Commit] = true
			}
		}
	}
	if e.replan || e.plan == nil || e.plan.Guard().Orphans > 0 && (v != e.view || e.rewind.news) {
		for name := range e.world.pods {
			look(name)
		}
	} else {
		for name := range e.dirty {
			look(name)
		}
	}
	return slices.Sorted(maps.Keys(found))
}
