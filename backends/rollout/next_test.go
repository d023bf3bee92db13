package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/rollout"
	"github.com/berthdev/berth/schema"
)

const (
	rolling  = schema.Rolling
	recreate = schema.Recreate
)

// story renders what a model was asked to do: "create 0, remove c1".
func (m *model) story() string {
	var out []string
	for _, s := range m.steps {
		if s.Pod == "" {
			out = append(out, fmt.Sprintf("%s %d", s.Verb, s.Ordinal))
		} else {
			out = append(out, fmt.Sprintf("%s %s", s.Verb, s.Pod))
		}
	}
	m.steps = nil
	return strings.Join(out, ", ")
}

// standing renders the pods: "c1 well running".
func (m *model) standing() string {
	var out []string
	for _, c := range m.pods {
		out = append(out, fmt.Sprintf("%s %s %s", c.ID, c.Image, c.State))
	}
	return strings.Join(out, ", ")
}

func TestRollouts(t *testing.T) {
	tests := []struct {
		name      string
		first     backends.Workload // converged before
		then      backends.Workload
		wantSteps string
		wantPods  string
		wantPhase backends.Phase
		wantWhy   string
	}{{
		name:      "unchanged",
		first:     workload(well, 2, rolling),
		then:      workload(well, 2, rolling),
		wantPods:  "c1 well running, c2 well running",
		wantPhase: backends.PhaseReady,
	}, {
		name:      "fresh",
		then:      workload(well, 3, rolling),
		wantSteps: "create 0, create 1, create 2",
		wantPods:  "c1 well running, c2 well running, c3 well running",
		wantPhase: backends.PhaseReady,
	}, {
		name:      "scale down takes the highest",
		first:     workload(well, 3, rolling),
		then:      workload(well, 1, rolling),
		wantSteps: "remove c2, remove c3",
		wantPods:  "c1 well running",
		wantPhase: backends.PhaseReady,
	}, {
		name:      "scale to zero",
		first:     workload(well, 2, rolling),
		then:      workload(well, 0, rolling),
		wantSteps: "remove c1, remove c2",
		wantPhase: backends.PhaseReady,
	}, {
		name:      "rolling goes one by one",
		first:     workload(well, 2, rolling),
		then:      workload(checked, 2, rolling),
		wantSteps: "create 0, remove c1, create 1, remove c2",
		wantPods:  "c3 checked running, c4 checked running",
		wantPhase: backends.PhaseReady,
	}, {
		name:      "old pods that are not good are replaced at once",
		first:     noTimeout(workload(slow, 2, rolling)),
		then:      workload(well, 2, rolling),
		wantSteps: "create 0, create 1, remove c1, remove c2",
		wantPods:  "c3 well running, c4 well running",
		wantPhase: backends.PhaseReady,
	}, {
		name:      "recreate makes all, stops all, then starts",
		first:     workload(well, 2, recreate),
		then:      workload(checked, 2, recreate),
		wantSteps: "make 0, make 1, stop c1, stop c2, start c3, start c4, remove c1, remove c2",
		wantPods:  "c3 checked running, c4 checked running",
		wantPhase: backends.PhaseReady,
	}, {
		name:      "rolling, the new one crashes",
		first:     workload(well, 2, rolling),
		then:      workload(crashing, 2, rolling),
		wantSteps: "create 0, give-up c3",
		wantPods:  "c1 well running, c2 well running, c3 crashing failed",
		wantPhase: backends.PhaseFailed,
		wantWhy:   "exit code 1",
	}, {
		name:      "rolling, the new one is unhealthy",
		first:     workload(well, 1, rolling),
		then:      workload(sick, 1, rolling),
		wantSteps: "create 0, give-up c2",
		wantPods:  "c1 well running, c2 sick failed",
		wantPhase: backends.PhaseFailed,
		wantWhy:   "unhealthy",
	}, {
		name:      "rolling, the new one never becomes healthy",
		first:     workload(well, 1, rolling),
		then:      workload(slow, 1, rolling),
		wantSteps: "create 0, give-up c2",
		wantPods:  "c1 well running, c2 slow failed",
		wantPhase: backends.PhaseFailed,
	}, {
		name:      "rolling, the new one cannot be started",
		first:     workload(well, 1, rolling),
		then:      workload(broken, 1, rolling),
		wantSteps: "create 0, give-up c2",
		wantPods:  "c1 well running, c2 broken failed",
		wantPhase: backends.PhaseFailed,
		wantWhy:   "no such command",
	}, {
		name:      "recreate goes back",
		first:     workload(well, 2, recreate),
		then:      workload(sick, 2, recreate),
		wantSteps: "make 0, make 1, stop c1, stop c2, start c3, start c4, give-up c3, give-up c4, start c1, start c2",
		wantPods:  "c1 well running, c2 well running, c3 sick failed, c4 sick failed",
		wantPhase: backends.PhaseFailed,
	}, {
		name:      "recreate without going back",
		first:     workload(well, 1, recreate),
		then:      noRollback(workload(sick, 1, recreate)),
		wantSteps: "make 0, stop c1, start c2, give-up c2",
		wantPods:  "c1 well exited, c2 sick failed",
		wantPhase: backends.PhaseFailed,
	}, {
		name:      "rolling without going back leaves what runs",
		first:     workload(well, 1, rolling),
		then:      noRollback(workload(sick, 1, rolling)),
		wantSteps: "create 0, give-up c2",
		wantPods:  "c1 well running, c2 sick failed",
		wantPhase: backends.PhaseFailed,
	}, {
		name:      "a fixed input follows a failed one",
		first:     workload(crashing, 1, rolling),
		then:      workload(well, 1, rolling),
		wantSteps: "remove c1, create 0",
		wantPods:  "c2 well running",
		wantPhase: backends.PhaseReady,
	}, {
		name:      "a first rollout that crashes is given up",
		then:      workload(crashing, 2, rolling),
		wantSteps: "create 0, create 1, give-up c1, give-up c2",
		wantPods:  "c1 crashing failed, c2 crashing failed",
		wantPhase: backends.PhaseFailed,
	}, {
		name:      "a first rollout that stays unhealthy is given up",
		then:      workload(sick, 1, rolling),
		wantSteps: "create 0, give-up c1",
		wantPods:  "c1 sick failed",
		wantPhase: backends.PhaseFailed,
	}, {
		name:      "a job that ended well is left alone",
		then:      workload(job, 1, rolling),
		wantSteps: "create 0",
		wantPods:  "c1 job exited",
		wantPhase: backends.PhaseReady,
	}, {
		name:      "a job that failed is given up",
		then:      workload(badJob, 1, rolling),
		wantSteps: "create 0, give-up c1",
		wantPods:  "c1 badJob failed",
		wantPhase: backends.PhaseFailed,
		wantWhy:   "exit code 1",
	}, {
		name:      "a missing image stops nothing",
		first:     workload(well, 1, recreate),
		then:      workload(missing, 1, recreate),
		wantSteps: "make 0",
		wantPods:  "c1 well running",
		wantPhase: backends.PhaseProgressing,
	}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := newModel()
			if test.first.Deployment != "" {
				if _, err := m.converge(test.first); err != nil {
					t.Fatal(err)
				}
				m.steps = nil
			}
			p, err := m.converge(test.then)
			if err != nil && test.then.Pod.Image != missing {
				t.Error(err)
			}
			if diff := cmp.Diff(test.wantSteps, m.story()); diff != "" {
				t.Error("steps (-want +got):\n", diff)
			}
			if diff := cmp.Diff(test.wantPods, m.standing()); diff != "" {
				t.Error("pods (-want +got):\n", diff)
			}
			if p.Phase != test.wantPhase || !strings.Contains(p.Reason, test.wantWhy) {
				t.Errorf("phase %s (%s), want %s (%s)", p.Phase, p.Reason, test.wantPhase, test.wantWhy)
			}
		})
	}
}

func noRollback(w backends.Workload) backends.Workload {
	w.Rollout.Rollback = false
	return w
}

func noTimeout(w backends.Workload) backends.Workload {
	w.Rollout.Timeout = 0
	return w
}

func TestRestoredAtOnce(t *testing.T) {
	tampers := map[string]struct {
		tamper func(*model)
		want   string
	}{
		"stopped": {func(m *model) { m.stop(m.pod("c1"), 0) }, "start c1"},
		"killed":  {func(m *model) { m.stop(m.pod("c1"), 137) }, "start c1"},
		"removed": {func(m *model) { m.remove("c1") }, "create 0"},
		"paused":  {func(m *model) { m.pod("c1").State = backends.PodPaused }, "unpause c1"},
		"all removed": {func(m *model) {
			m.remove("c1")
			m.remove("c2")
		}, "create 0, create 1"},
	}
	for name, test := range tampers {
		t.Run(name, func(t *testing.T) {
			for _, w := range []backends.Workload{workload(well, 2, rolling), workload(checked, 2, recreate)} {
				m := newModel()
				if _, err := m.converge(w); err != nil {
					t.Fatal(err)
				}
				m.advance(m.now.Add(time.Hour))
				m.steps = nil
				test.tamper(m)
				if _, err := m.apply(w); err != nil {
					t.Fatal(err)
				}
				if got := m.story(); got != test.want {
					t.Errorf("steps %q, want %q", got, test.want)
				}
				if p, _ := m.converge(w); p.Phase != backends.PhaseReady {
					t.Errorf("phase %s: %s", p.Phase, p.Reason)
				}
			}
		})
	}
}

// What the pods look like decides, however they came to be so.
func TestNext(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := workload(well, 1, rolling)
	other := workload("other", 1, rolling)
	pod := func(w backends.Workload, id string, age time.Duration, change func(*backends.Pod)) backends.Pod {
		p := backends.Pod{
			ID: id, Deployment: "web", State: backends.PodRunning, MinReady: w.Rollout.MinReady, Restart: w.Pod.Restart,
			SpecHash: w.SpecHash(), InputHash: w.InputHash(), CreatedAt: now.Add(-age), StartedAt: now.Add(-age),
		}
		if change != nil {
			change(&p)
		}
		return p
	}
	crashed := func(times int) func(*backends.Pod) {
		return func(p *backends.Pod) {
			p.State, p.Restarts, p.ExitCode, p.StartedAt = backends.PodRestarting, times, 1, now.Add(-2*time.Second)
		}
	}
	going := func(p *backends.Pod) { p.State = backends.PodGoing }
	failed := func(p *backends.Pod) { p.State = backends.PodFailed }
	stopped := func(p *backends.Pod) { p.State = backends.PodExited }
	made := func(p *backends.Pod) { p.State, p.StartedAt = backends.PodCreated, time.Time{} }
	at1 := func(change func(*backends.Pod)) func(*backends.Pod) {
		return func(p *backends.Pod) {
			p.Ordinal = 1
			if change != nil {
				change(p)
			}
		}
	}
	inVain := func(p *backends.Pod) {
		p.State, p.StartedAt, p.Trouble = backends.PodCreated, time.Time{}, "port 80 is taken"
	}
	tests := []struct {
		name  string
		pods  []backends.Pod
		want  string
		phase backends.Phase
		again time.Duration
	}{
		{"being removed", []backends.Pod{pod(w, "a", time.Hour, going)}, "", backends.PhaseProgressing, 0},
		{"an old one being removed", []backends.Pod{pod(w, "a", time.Hour, nil), pod(other, "b", time.Hour, going)},
			"", backends.PhaseProgressing, 0},
		{"a double that is younger", []backends.Pod{pod(w, "b", time.Hour, nil), pod(w, "a", 2*time.Hour, nil)},
			"remove b", backends.PhaseProgressing, 0},
		{"a double that is ready", []backends.Pod{pod(w, "a", time.Hour, crashed(1)), pod(w, "b", time.Minute, nil)},
			"remove a", backends.PhaseProgressing, 0},
		{"ready soon", []backends.Pod{pod(w, "a", time.Second, nil)}, "", backends.PhaseProgressing, 2 * time.Second},
		{"crash loop, young", []backends.Pod{pod(w, "a", 70*time.Second, crashed(8))}, "give-up a", backends.PhaseFailed, 0},
		{"crash loop, in time", []backends.Pod{pod(w, "a", 20*time.Second, crashed(8))}, "", backends.PhaseProgressing, 40 * time.Second},
		{"crashed once, young", []backends.Pod{pod(w, "a", 70*time.Second, crashed(1))}, "", backends.PhaseProgressing, 0},
		{"crash loop, established", []backends.Pod{pod(w, "a", 24*time.Hour, crashed(50))}, "", backends.PhaseProgressing, 0},
		{"crash loop beside an old one", []backends.Pod{pod(w, "a", 24*time.Hour, crashed(1)), pod(other, "b", 48*time.Hour, nil)},
			"give-up a", backends.PhaseFailed, 0},
		{"late but well", []backends.Pod{pod(w, "a", 24*time.Hour, func(p *backends.Pod) {
			p.Restarts, p.StartedAt = 3, now.Add(-time.Second)
		}), pod(other, "b", 48*time.Hour, nil)}, "", backends.PhaseProgressing, 23 * time.Second}, // 8 times minReady after 3 restarts
		{"made long ago, started now", []backends.Pod{pod(w, "a", time.Hour, func(p *backends.Pod) {
			p.Health, p.StartedAt = backends.HealthStarting, now.Add(-time.Second)
		})}, "", backends.PhaseProgressing, 59 * time.Second},
		{"ended right after its start", []backends.Pod{pod(w, "a", 100*time.Millisecond, func(p *backends.Pod) {
			p.State = backends.PodExited
		})}, "", backends.PhaseProgressing, 900 * time.Millisecond},
		{"started in vain, in time", []backends.Pod{pod(w, "a", 20*time.Second, inVain), pod(other, "b", time.Hour, stopped)},
			"start a, start b", backends.PhaseProgressing, 40 * time.Second},
		{"started in vain, late", []backends.Pod{pod(w, "a", time.Minute, inVain), pod(other, "b", time.Hour, stopped)},
			"give-up a", backends.PhaseFailed, 0},
		{"started in vain, late, nothing to go back to", []backends.Pod{pod(w, "a", time.Hour, inVain)}, "start a", backends.PhaseProgressing, 0},
		{"not started yet, late", []backends.Pod{pod(w, "a", time.Hour, func(p *backends.Pod) { p.State, p.StartedAt = backends.PodCreated, time.Time{} }),
			pod(other, "b", 2*time.Hour, stopped)}, "start a, start b", backends.PhaseProgressing, 0},
		{"failed in another way", []backends.Pod{pod(other, "b", time.Minute, failed), pod(w, "a", time.Hour, nil)},
			"remove b", backends.PhaseProgressing, 0},
		{"failed, nothing to go back to", []backends.Pod{pod(w, "b", time.Minute, failed)}, "", backends.PhaseFailed, 0},
		{"failed, the old one was killed", []backends.Pod{pod(w, "b", time.Minute, failed), pod(other, "a", time.Hour, stopped)},
			"start a", backends.PhaseFailed, 0},
		{"failed, and another was made", []backends.Pod{pod(w, "b", time.Minute, failed), pod(w, "a", time.Minute, made)},
			"remove a", backends.PhaseFailed, 0},
		{"an old one that never ran", []backends.Pod{pod(other, "a", time.Hour, made)},
			"remove a, create 0", backends.PhaseProgressing, 0},
		{"failed, neither the old nor the current one is good", []backends.Pod{
			pod(w, "f", time.Minute, failed), pod(other, "a", time.Hour, at1(crashed(9))),
			pod(w, "b", time.Second, at1(nil)),
		}, "remove b", backends.PhaseFailed, 2 * time.Second},
		{"failed, the current one is good, the old one is not", []backends.Pod{
			pod(w, "f", time.Minute, failed), pod(other, "a", time.Hour, at1(crashed(9))),
			pod(w, "b", time.Hour, at1(nil)),
		}, "", backends.PhaseFailed, 0},
		{"no such replica", []backends.Pod{pod(w, "a", time.Hour, nil), pod(w, "b", time.Hour, func(p *backends.Pod) { p.Ordinal = -1 })},
			"remove b", backends.PhaseProgressing, 0},
		{"the last good one is the oldest", []backends.Pod{
			pod(other, "a", time.Hour, stopped),
			pod(workload("third", 1, rolling), "b", time.Minute, crashed(2)),
		}, "remove b, start a, create 0", backends.PhaseProgressing, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := w
			w.Replicas = 1
			for _, p := range test.pods {
				w.Replicas = max(w.Replicas, p.Ordinal+1)
			}
			steps, p := rollout.Next(w, test.pods, now)
			m := model{steps: steps}
			if got := m.story(); got != test.want {
				t.Errorf("steps %q, want %q", got, test.want)
			}
			if p.Phase != test.phase {
				t.Errorf("phase %s (%s), want %s", p.Phase, p.Reason, test.phase)
			}
			var again time.Duration
			if !p.Again.IsZero() {
				again = p.Again.Sub(now)
			}
			if again != test.again {
				t.Errorf("again in %s, want %s", again, test.again)
			}
		})
	}
}

func TestNextRecreate(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w, other := workload(well, 2, recreate), workload("other", 2, recreate)
	pod := func(w backends.Workload, id string, ordinal int, state backends.PodState) backends.Pod {
		return backends.Pod{
			ID: id, Ordinal: ordinal, State: state, MinReady: w.Rollout.MinReady, SpecHash: w.SpecHash(), InputHash: w.InputHash(),
			CreatedAt: now.Add(-2 * time.Second), StartedAt: now.Add(-2 * time.Second),
		}
	}
	old0, old1 := pod(other, "old0", 0, backends.PodRunning), pod(other, "old1", 1, backends.PodExited)
	tests := []struct {
		name string
		pods []backends.Pod
		want string
	}{
		{"one is made", []backends.Pod{old0, old1, pod(w, "new0", 0, backends.PodCreated)}, "start old1, make 1"},
		{"all are made", []backends.Pod{old0, old1, pod(w, "new0", 0, backends.PodCreated), pod(w, "new1", 1, backends.PodCreated)},
			"stop old0, start new0, start new1"},
		{"one runs, the other was removed", []backends.Pod{old0, old1, pod(w, "new0", 0, backends.PodRunning)}, "stop old0, make 1"},
		{"it failed", []backends.Pod{old0, old1, pod(w, "failed", 0, backends.PodFailed), pod(w, "new1", 1, backends.PodRunning)},
			"remove new1, start old1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			steps, _ := rollout.Next(w, test.pods, now)
			m := model{steps: steps}
			if got := m.story(); got != test.want {
				t.Errorf("steps %q, want %q", got, test.want)
			}
		})
	}
}

// Without going back, a failed rolling rollout still keeps up what runs.
func TestNoRollbackRestoresWhatRan(t *testing.T) {
	m := newModel()
	bad := noRollback(workload(sick, 1, rolling))
	if _, err := m.converge(workload(well, 1, rolling)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.converge(bad); err != nil {
		t.Fatal(err)
	}
	m.steps = nil
	m.stop(m.pod("c1"), 137)
	if _, err := m.converge(bad); err != nil {
		t.Fatal(err)
	}
	if got, want := m.story(), "start c1"; got != want {
		t.Errorf("steps %q, want %q", got, want)
	}
}

// A revert while the pod of the reverted release is still on trial starts what
// was stopped for it, even if it ended with success and need not be restarted.
func TestRevertDuringRecreate(t *testing.T) {
	for _, policy := range (schema.RestartPolicy("")).Values() {
		t.Run(policy, func(t *testing.T) {
			before, after := workload(well, 1, recreate), workload(slow, 1, recreate)
			before.Pod.Restart = schema.RestartPolicy(policy)
			m := newModel()
			if _, err := m.converge(before); err != nil {
				t.Fatal(err)
			}
			if _, err := m.apply(after); err != nil {
				t.Fatal(err)
			}
			m.pod("c1").ExitCode = 0
			m.steps = nil
			if got, want := m.standing(), "c1 well exited, c2 slow running"; got != want {
				t.Fatalf("pods %q, want %q", got, want)
			}
			if p, err := m.converge(before); err != nil || p.Phase != backends.PhaseReady {
				t.Errorf("phase %s (%s), %v", p.Phase, p.Reason, err)
			}
			if got, want := m.story(), "stop c2, start c1, remove c2"; got != want {
				t.Errorf("steps %q, want %q", got, want)
			}
			if got, want := m.standing(), "c1 well running"; got != want {
				t.Errorf("pods %q, want %q", got, want)
			}
		})
	}
}

// A revert after the rollout failed starts what was stopped for it, whenever Berth
// dies meanwhile: what failed is kept until then, for it alone tells that the other
// one did not end by itself.
func TestRevertAfterFailedRecreate(t *testing.T) {
	for _, policy := range (schema.RestartPolicy("")).Values() {
		for died := range 4 { // before that step; 0: never
			before, after := workload(well, 1, recreate), noRollback(workload(sick, 1, recreate))
			before.Pod.Restart = schema.RestartPolicy(policy)
			m := newModel()
			if _, err := m.converge(before); err != nil {
				t.Fatal(err)
			}
			if _, err := m.converge(after); err != nil {
				t.Fatal(err)
			}
			m.pod("c1").ExitCode = 0
			if got, want := m.standing(), "c1 well exited, c2 sick failed"; got != want {
				t.Fatalf("pods %q, want %q", got, want)
			}
			m.dieIn = died
			if _, err := m.apply(before); err != nil && died == 0 {
				t.Fatal(err)
			}
			m.dieIn = 0
			if p, err := m.converge(before); err != nil || p.Phase != backends.PhaseReady {
				t.Errorf("phase %s (%s), %v", p.Phase, p.Reason, err)
			}
			if got, want := m.standing(), "c1 well running"; got != want {
				t.Errorf("%s, died before step %d: pods %q, want %q", policy, died, got, want)
			}
		}
	}
}
