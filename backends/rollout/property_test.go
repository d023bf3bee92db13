package rollout_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/rollout"
	"github.com/berthdev/berth/schema"
)

// From any world that deployments, time, tampering and deaths of Berth can lead
// to, no step breaks a promise, and what was asked for last is reached.
func TestConvergesFromAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel()
		m.check = func(w backends.Workload, s rollout.Step) { checkStep(t, m, w, s) }
		w := drawWorkload(t)
		for range rapid.IntRange(0, 12).Draw(t, "events") {
			switch rapid.SampledFrom([]string{"deploy", "time", "tamper", "apply", "die", "converge"}).Draw(t, "event") {
			case "deploy":
				w = drawWorkload(t)
			case "time":
				m.advance(m.now.Add(time.Duration(rapid.IntRange(0, 90_000).Draw(t, "ms")) * time.Millisecond))
			case "tamper":
				tamper(t, m)
			case "apply":
				mustApply(t, m, w)
			case "die":
				m.dieIn = rapid.IntRange(1, 6).Draw(t, "at step")
				if _, err := m.apply(w); err != nil && !errors.Is(err, errDied) && w.Pod.Image != missing && w.Pod.Image != broken {
					t.Fatal(err)
				}
				m.dieIn = 0
			case "converge":
				mustConverge(t, m, w)
			}
		}
		mustConverge(t, m, w)
	})
}

// While nobody tampers, a rollout that fails leaves every replica that was good
// with a good pod, wherever Berth dies in between.
func TestFailedRolloutKeepsWhatWorked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel()
		m.check = func(w backends.Workload, s rollout.Step) { checkStep(t, m, w, s) }
		replicas := rapid.IntRange(1, 3).Draw(t, "replicas")
		strategy := rapid.SampledFrom([]schema.Strategy{rolling, recreate}).Draw(t, "strategy")
		good := workload(rapid.SampledFrom([]string{well, checked}).Draw(t, "good"), replicas, strategy)
		mustConverge(t, m, good)
		bad := workload(rapid.SampledFrom([]string{crashing, sick, slow, broken, missing, badJob}).Draw(t, "bad"), replicas, strategy)
		for range rapid.IntRange(0, 8).Draw(t, "deaths") {
			m.dieIn = rapid.IntRange(1, 4).Draw(t, "at step")
			_, _ = m.apply(bad)
			m.dieIn = 0
			m.advance(m.now.Add(time.Duration(rapid.IntRange(0, 30_000).Draw(t, "ms")) * time.Millisecond))
		}
		mustConverge(t, m, bad)
		for i := range replicas {
			if !m.served(i, "") {
				t.Fatalf("replica %d is not served: %s", i, m.standing())
			}
		}
		for _, c := range m.pods {
			if c.Image != good.Pod.Image && c.State != backends.PodFailed {
				t.Fatalf("the rollout of %s did not go back: %s", bad.Pod.Image, m.standing())
			}
		}
	})
}

// Next answers any pods at all, and what it says does not depend on their order.
func TestNextTakesAnything(t *testing.T) {
	states := []backends.PodState{
		backends.PodCreated, backends.PodRunning, backends.PodRestarting, backends.PodExited,
		backends.PodPaused, backends.PodFailed, backends.PodGoing, "",
	}
	now := newModel().now
	rapid.Check(t, func(t *rapid.T) {
		w, other := drawWorkload(t), drawWorkload(t)
		var pods []backends.Pod
		for i := range rapid.IntRange(0, 8).Draw(t, "pods") {
			from := rapid.SampledFrom([]backends.Workload{w, other}).Draw(t, "of")
			pods = append(pods, backends.Pod{
				ID: string(rune('a' + i)), Ordinal: rapid.IntRange(-1, 4).Draw(t, "ordinal"),
				SpecHash: from.SpecHash(), InputHash: from.InputHash(), Restart: from.Pod.Restart,
				State:     rapid.SampledFrom(states).Draw(t, "state"),
				Health:    rapid.SampledFrom([]backends.Health{"", backends.HealthStarting, backends.HealthHealthy}).Draw(t, "health"),
				ExitCode:  rapid.IntRange(0, 1).Draw(t, "exit code"),
				Restarts:  rapid.IntRange(0, 4).Draw(t, "restarts"),
				CreatedAt: now.Add(-time.Duration(rapid.IntRange(0, 300).Draw(t, "created")) * time.Second),
				StartedAt: now.Add(-time.Duration(rapid.IntRange(0, 300).Draw(t, "started")) * time.Second),
			})
		}
		steps, progress := rollout.Next(w, pods, now)
		seen := map[rollout.Step]bool{}
		for _, s := range steps {
			s.Reason = ""
			if seen[s] {
				t.Fatalf("twice: %+v", s)
			}
			seen[s] = true
		}
		if !progress.Again.IsZero() && !progress.Again.After(now) {
			t.Fatalf("again at %s, which is not after %s", progress.Again, now)
		}
		again, _ := rollout.Next(w, rapid.Permutation(pods).Draw(t, "other order"), now)
		if len(steps) != len(again) {
			t.Fatalf("%+v in one order, %+v in another", steps, again)
		}
		for i := range steps {
			if steps[i] != again[i] {
				t.Fatalf("%+v in one order, %+v in another", steps, again)
			}
		}
	})
}

func drawWorkload(t *rapid.T) backends.Workload {
	image := rapid.SampledFrom([]string{well, checked, crashing, sick, slow, broken, missing, job, badJob}).Draw(t, "image")
	strategy := rapid.SampledFrom([]schema.Strategy{rolling, recreate}).Draw(t, "strategy")
	w := workload(image, rapid.IntRange(0, 3).Draw(t, "replicas"), strategy)
	w.Rollout.Rollback = rapid.Bool().Draw(t, "rollback")
	w.Pod.Workdir = rapid.SampledFrom([]string{"", "/a"}).Draw(t, "workdir")
	return w
}

func tamper(t *rapid.T, m *model) {
	if len(m.pods) == 0 {
		return
	}
	c := m.pods[rapid.IntRange(0, len(m.pods)-1).Draw(t, "victim")]
	switch rapid.SampledFrom([]string{"kill", "stop", "remove", "pause", "double"}).Draw(t, "how") {
	case "kill":
		if c.State == backends.PodRunning || c.State == backends.PodRestarting {
			m.stop(c, 137)
		}
	case "stop":
		if c.State == backends.PodRunning || c.State == backends.PodRestarting {
			m.stop(c, 0)
		}
	case "remove":
		m.remove(c.ID)
	case "pause":
		if c.State == backends.PodRunning {
			c.State = backends.PodPaused
		}
	case "double":
		double := *c
		m.made++
		double.ID += "'"
		m.pods = append(m.pods, &double)
	}
}

// checkStep holds what no step may ever do.
func checkStep(t *rapid.T, m *model, w backends.Workload, s rollout.Step) {
	switch s.Verb {
	case rollout.Create, rollout.Make:
		for _, c := range m.pods {
			if c.State == backends.PodFailed && c.InputHash == w.InputHash() {
				t.Fatalf("tried again what failed: %+v: %s", s, m.standing())
			}
			if c.Ordinal == s.Ordinal && c.SpecHash == w.SpecHash() && c.State != backends.PodFailed {
				t.Fatalf("two pods for one replica: %+v: %s", s, m.standing())
			}
		}
	case rollout.Start:
		if w.Rollout.Strategy != recreate {
			return
		}
		for _, c := range m.pods {
			if c.Ordinal == s.Ordinal && c.ID != s.Pod && (c.State == backends.PodRunning || c.State == backends.PodRestarting) {
				t.Fatalf("%+v runs beside another: %s", s, m.standing())
			}
		}
	case rollout.GiveUp:
		if ready, _ := m.pod(s.Pod).Ready(m.now); ready {
			t.Fatalf("gave up a ready pod: %+v: %s", s, m.standing())
		}
	case rollout.Stop, rollout.Remove:
		ready, _ := m.pod(s.Pod).Ready(m.now)
		if ready && w.Rollout.Strategy == rolling && s.Ordinal < w.Replicas && !m.served(s.Ordinal, s.Pod) {
			t.Fatalf("one less ready: %+v: %s", s, m.standing())
		}
	}
}

// served tells whether the replica has a good pod besides the one named.
func (m *model) served(ordinal int, besides string) bool {
	for _, c := range m.pods {
		ready, _ := c.Ready(m.now)
		done := c.Restart == schema.RestartNo && c.State == backends.PodExited && c.ExitCode == 0
		if c.Ordinal == ordinal && c.ID != besides && (ready || done) {
			return true
		}
	}
	return false
}

func mustApply(t *rapid.T, m *model, w backends.Workload) {
	if _, err := m.apply(w); err != nil && w.Pod.Image != missing {
		t.Fatal(err)
	}
	if w.Pod.Image == missing {
		return // is tried again each time
	}
	pods, _ := m.Pods(context.Background(), w.Deployment)
	if steps, _ := rollout.Next(w, pods, m.now); len(steps) > 0 {
		t.Fatalf("steps are left after Apply: %+v: %s", steps, m.standing())
	}
}

func mustConverge(t *rapid.T, m *model, w backends.Workload) {
	p, err := m.converge(w)
	if err != nil && w.Pod.Image != missing {
		t.Fatal(err)
	}
	mustApply(t, m, w)
	switch p.Phase {
	case backends.PhaseReady:
		if len(m.pods) != w.Replicas {
			t.Fatalf("ready with other pods: %s", m.standing())
		}
		for i := range w.Replicas {
			if !m.served(i, "") {
				t.Fatalf("replica %d is not served: %s", i, m.standing())
			}
		}
	case backends.PhaseProgressing:
		// Only what cannot be pulled, and crashes or illness that look as if they
		// had begun late.
		for _, c := range m.pods {
			if ready, _ := c.Ready(m.now); !ready && (c.Image == well || c.Image == checked) && c.SpecHash == w.SpecHash() {
				t.Fatalf("not ready: %s", m.standing())
			}
		}
		if w.Pod.Image == well || w.Pod.Image == checked || w.Pod.Image == broken {
			t.Fatalf("still progressing (%s): %s", p.Reason, m.standing())
		}
	}
}
