package engine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/journal"
)

// What runs beside a pod that was given up was there before it, even if its engine
// made it again since, or both were made at one moment.
func TestAFailureIsTheNewestRolloutAfterARestart(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	pod := func(id, release string, state backends.PodState, made time.Duration) backends.Pod {
		return backends.Pod{ID: id, Deployment: "one", Release: release, InputHash: release, State: state, CreatedAt: start.Add(made), StartedAt: start.Add(made)}
	}
	failed := pod("c2", "0.2.0", backends.PodFailed, time.Minute)
	failed.InputHash = "0" // not in the order of time
	for name, test := range map[string]struct {
		live backends.Pod
		want []string
	}{
		"in order":         {pod("c1", "0.1.0", backends.PodRunning, 0), []string{"0.2.0 failed", "0.1.0 ready"}},
		"at one moment":    {pod("c1", "0.1.0", backends.PodRunning, time.Minute), []string{"0.2.0 failed", "0.1.0 ready"}},
		"made again":       {pod("c3", "0.1.0", backends.PodRunning, time.Hour), []string{"0.2.0 failed", "0.1.0 ready"}},
		"another followed": {pod("c3", "0.1.0", backends.PodRestarting, time.Hour), []string{"0.1.0 progressing", "0.2.0 failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			j := journal.New(journal.Options{})
			(&Engine{journal: j}).recallRollouts([]backends.Pod{test.live, failed}, start.Add(2*time.Hour))
			var got []string
			for _, r := range j.Rollouts("one") {
				got = append(got, r.Version+" "+string(r.State))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
