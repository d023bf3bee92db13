package engine

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/reconciler/planner"
)

// beginRollout notes that a rollout begins, when work begins that is a way to
// something else than the last one was. The caller holds mu.
func (e *Engine) beginRollout(d planner.Decision, task string) {
	s := e.statuses[d.Deployment]
	if e.journal == nil || s == nil || d.Action != planner.Create && d.Action != planner.Replace {
		return
	}
	input, _, _ := strings.Cut(task, "*")
	last, known := e.journal.Rollout(d.Deployment)
	if known && last.Input == input && last.Backend == d.Backend && last.State != journal.Superseded && !s.anew {
		return
	}
	s.anew = false
	e.journal.Begin(rolloutTo(d, s.Commit, string(d.Action)+": "+d.Reason))
}

func rolloutTo(d planner.Decision, commit, reason string) journal.Rollout {
	return journal.Rollout{
		Deployment: d.Deployment, Version: d.Release, Flavour: d.Flavour, Backend: d.Backend,
		Commit: commit, Input: d.Workload.InputHash(), Reason: reason,
	}
}

// turnRollout notes where the rollout stands that a decision leads to. One to
// something else will not be heard of any more.
func (e *Engine) turnRollout(d planner.Decision, to journal.RolloutState, reason string) {
	last, known := e.journal.Rollout(d.Deployment)
	switch {
	case !known, d.Workload == nil, last.State != journal.Progressing && (last.State != journal.Failed || to != journal.Ready):
		return
	case last.Backend == d.Backend && last.Input == d.Workload.InputHash():
	case last.State == journal.Failed: // what ran before is asked for again, and runs on
		e.journal.Begin(rolloutTo(d, e.statuses[d.Deployment].Commit, "what failed is not asked for any more"))
	default:
		to, reason = journal.Superseded, last.Reason
	}
	e.journal.Turn(d.Deployment, to, reason)
}

// rolloutAfter is where an error leaves a rollout.
func rolloutAfter(err error) journal.RolloutState {
	if stateAfter(err) == StateFailed {
		return journal.Failed
	}
	return journal.Progressing
}

// recallRollouts tells the journal of the rollouts that led to the pods of a
// backend which is listed for the first time.
func (e *Engine) recallRollouts(pods []backends.Pod, now time.Time) {
	if e.journal == nil {
		return
	}
	made := slices.DeleteFunc(slices.Clone(pods), absent) // of an object without pods, nothing is to be told
	slices.SortStableFunc(made, func(a, b backends.Pod) int {
		return cmp.Or(cmp.Compare(a.Deployment, b.Deployment), cmp.Compare(a.InputHash, b.InputHash), a.CreatedAt.Compare(b.CreatedAt))
	})
	var rollouts []journal.Rollout
	for len(made) > 0 {
		p := &made[0]
		n := slices.IndexFunc(made, func(o backends.Pod) bool { return o.Deployment != p.Deployment || o.InputHash != p.InputHash })
		if n < 0 {
			n = len(made)
		}
		if p.InputHash != "" && p.Deployment != "" {
			rollouts = append(rollouts, recalled(made[:n], now))
		}
		made = made[n:]
	}
	e.journal.Remember(settled(rollouts))
}

// recalled is the rollout that led to pods of one input, as far as they tell of
// it: not when it ended, but when the last of them was made.
func recalled(pods []backends.Pod, now time.Time) journal.Rollout {
	p, last := &pods[0], &pods[len(pods)-1]
	r := journal.Rollout{
		Deployment: p.Deployment, Version: p.Release, Flavour: p.Flavour, Backend: p.Backend,
		Commit: p.Commit, Input: p.InputHash, Started: p.CreatedAt, State: journal.Progressing,
	}
	failed := slices.IndexFunc(pods, func(p backends.Pod) bool { return p.State == backends.PodFailed })
	switch {
	case failed >= 0:
		r.State, r.Reason = journal.Failed, cmp.Or(pods[failed].Reason, "pod "+pods[failed].Name+" did not become ready")
	case good(pods, now) == len(pods):
		r.State, r.Reason = journal.Ready, "it was running when Berth started"
	}
	if r.State != journal.Progressing {
		r.Ended = last.CreatedAt.Add(last.MinReady)
	}
	return r
}

// settled completes what pods tell of rollouts by what they tell of each other.
// A pod that was given up is kept until another rollout begins: what runs beside it
// was there before, even if it was made again since. One that does not seem to
// have ended, and was followed by another one, was ready once: what fails is marked.
func settled(rollouts []journal.Rollout) []journal.Rollout {
	failed, newest := map[string]time.Time{}, map[string]time.Time{}
	for _, r := range rollouts {
		if r.State == journal.Failed {
			failed[r.Deployment] = later(r.Started, failed[r.Deployment])
		}
	}
	for i := range rollouts {
		r := &rollouts[i]
		if end, ok := failed[r.Deployment]; ok && r.State == journal.Ready && r.Started.After(end) {
			r.Started, r.Ended = end, end
		}
		newest[r.Deployment] = later(r.Started, newest[r.Deployment])
	}
	for i := range rollouts {
		r := &rollouts[i]
		if end := newest[r.Deployment]; r.State == journal.Progressing && r.Started.Before(end) {
			r.State, r.Reason, r.Ended = journal.Ready, "another one followed", end
		}
	}
	slices.SortStableFunc(rollouts, func(a, b journal.Rollout) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(rank(a), rank(b)))
	})
	return rollouts
}

// rank orders rollouts that pods of one moment tell of.
func rank(r journal.Rollout) int {
	return slices.Index([]journal.RolloutState{journal.Ready, journal.Failed, journal.Progressing}, r.State)
}
