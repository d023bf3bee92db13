package engine

import (
	"context"
	"maps"
	"slices"

	"github.com/berthdev/berth/sources/desired"
)

// rewind is what was found out about the history of the desired state: whether
// pods that nothing declares any more were made by commits that come after the
// head. Then the desired state went back, and Berth may have slept through it.
type rewind struct {
	head    string
	checked map[string]bool // commits that made such pods
	why     string          // empty: it did not go back
}

// checkRewind asks the history about pods of deployments that were dropped.
func (e *Engine) checkRewind(ctx context.Context, d Desired) {
	head := d.State.Commit
	if head == "" {
		return
	}
	e.mu.Lock()
	if e.rewind.head != head {
		e.replan = e.replan || e.rewind.why != "" // what was held may go now
		e.rewind = rewind{head: head, checked: map[string]bool{}}
	}
	commits := e.orphanCommits(d.State)
	e.mu.Unlock()
	for _, commit := range commits {
		later, err := e.sources.Contains(ctx, commit, head)
		if err != nil {
			e.log.Warn("the history cannot be read", "commit", short(commit), "error", err)
			continue
		}
		e.mu.Lock()
		e.rewind.checked[commit] = true
		if later && e.rewind.why == "" {
			e.rewind.why = "the desired state went back from " + short(commit) + " to " + short(head)
			e.replan = true
		}
		e.mu.Unlock()
	}
}

// orphanCommits returns the commits, not asked about yet, that made pods of
// dirty deployments which nothing declares. The caller holds mu.
func (e *Engine) orphanCommits(state *desired.State) []string {
	found := map[string]bool{}
	look := func(name string) {
		if len(e.world.pods[name]) == 0 {
			return
		}
		if _, declared := state.Deployment(name); declared {
			return
		}
		for _, p := range e.world.pods[name] {
			if p.Commit != "" && p.Commit != e.rewind.head && !e.rewind.checked[p.Commit] {
				found[p.Commit] = true
			}
		}
	}
	if e.replan {
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
