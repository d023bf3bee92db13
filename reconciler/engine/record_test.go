package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

// recorded runs a test with n engines, Berth serving with a journal.
func recorded(t *testing.T, n int, test func(r *rig, j *journal.Journal)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, n)
		j := journal.New(journal.Options{})
		r.start(func(o *engine.Options) { o.Journal = j })
		test(r, j)
		r.stop()
	})
}

// lines renders events, the oldest first, as "kind state message".
func lines(events []*journal.Event) string {
	var b strings.Builder
	for _, e := range slices.Backward(events) {
		fmt.Fprintf(&b, "%s %s %s\n", e.Kind, e.State, e.Message)
	}
	return b.String()
}

func ofKind(j *journal.Journal, kind journal.Kind) []*journal.Event {
	return j.Events(func(e *journal.Event) bool { return e.Kind == kind })
}

// rolloutsOf renders the rollouts of a deployment as "0.1.1 failed, 0.1.0 ready".
func rolloutsOf(j *journal.Journal, name string) string {
	var parts []string
	for _, r := range j.Rollouts(name) {
		parts = append(parts, r.Version+" "+string(r.State))
	}
	return strings.Join(parts, ", ")
}

func (r *rig) expectRollouts(j *journal.Journal, name, want string) {
	r.t.Helper()
	synctest.Wait()
	if got := rolloutsOf(j, name); got != want {
		r.t.Errorf("rollouts of %s: %q, want %q", name, got, want)
	}
}

func TestTheJournalTellsTheStory(t *testing.T) {
	recorded(t, 1, func(r *rig, j *journal.Journal) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.engines[0].Kill(r.pods("one")[0].ID)
		r.settle()
		commit := r.sources.desired.State.Commit
		want := `state progressing create: no pod is there
step  create
step  start
state progressing 0 of 1 replicas ready; replica 0 is running, not ready yet
state ready 1 of 1 running 0.1.0 cpu on b0
pod  container killed
`
		if got := lines(j.Of("one")); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "state ready 1 of 1 running 0.1.0 cpu on b0\n") {
			t.Errorf("the story is\n%s\nwant it to begin with\n%s", got, want)
		}
		for _, e := range j.Of("one") {
			if want := map[bool]journal.Severity{true: journal.Warning, false: journal.Info}[e.Kind == journal.Pod]; e.Severity != want {
				t.Errorf("%s is told as %s, want %s", e.Message, e.Severity, want)
			}
			if e.App != "hello" || e.Commit != commit || e.Backend != "b0" || e.Time.IsZero() {
				t.Errorf("%+v", e)
			}
		}
		r.declare()
		if e := j.Of("one")[0]; e.Message != "removed" || e.Commit != r.sources.desired.State.Commit {
			t.Errorf("the last event is %+v", e)
		}
	})
}

func TestRolloutsAreRemembered(t *testing.T) {
	recorded(t, 1, func(r *rig, j *journal.Journal) {
		slow := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		r.engines[0].SetImage("hello:0.2.0", memory.Image{StartError: "exec: no such file"})
		r.engines[0].SetImage("hello:0.3.0", memory.Image{Pull: slow})
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.expectRollouts(j, "one", "0.1.0 ready")
		r.engines[0].Delete(r.pods("one")[0].ID)
		r.settle()
		r.expectRollouts(j, "one", "0.1.0 ready") // it was only put right
		r.publish("0.2.0")
		r.settle()
		r.expectRollouts(j, "one", "0.2.0 failed, 0.1.0 ready")
		if last, _ := j.Rollout("one"); !strings.Contains(last.Reason, "no such file") || last.Commit != r.sources.desired.State.Commit || last.Backend != "b0" {
			t.Errorf("%+v", last)
		}
		r.publish("0.3.0")
		r.expectRollouts(j, "one", "0.3.0 progressing, 0.2.0 failed, 0.1.0 ready")
		r.publish("0.4.0")
		r.expectRollouts(j, "one", "0.4.0 ready, 0.3.0 superseded, 0.2.0 failed, 0.1.0 ready")
		r.declare()
		r.declare(hello("one"))
		r.expectRollouts(j, "one", "0.4.0 ready, 0.4.0 ready, 0.3.0 superseded, 0.2.0 failed, 0.1.0 ready")
	})
}

func TestARolloutThatIsTakenBack(t *testing.T) {
	recorded(t, 1, func(r *rig, j *journal.Journal) {
		r.engines[0].SetImage("hello:0.2.0", memory.Image{Pull: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.publish("0.1.0", "0.2.0")
		r.expectRollouts(j, "one", "0.2.0 progressing, 0.1.0 ready")
		r.publish("0.1.0")
		r.expectRollouts(j, "one", "0.2.0 superseded, 0.1.0 ready")
		r.publish("0.1.0", "0.2.0")
		r.expectRollouts(j, "one", "0.2.0 progressing, 0.2.0 superseded, 0.1.0 ready")
	})
}

// Where the release that failed is withdrawn, and somebody removed its pod, what
// ran before is what was asked for.
func TestWhatRanBeforeIsAskedForAgain(t *testing.T) {
	recorded(t, 1, func(r *rig, j *journal.Journal) {
		r.engines[0].SetImage("hello:0.2.0", memory.Image{StartError: "exec: no such file"})
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.publish("0.1.0", "0.2.0")
		r.expectRollouts(j, "one", "0.2.0 failed, 0.1.0 ready")
		r.declare(hello("one", func(d *schema.Deployment) { d.Suspend = true }))
		for _, c := range r.pods("one") {
			if c.State == backends.PodFailed {
				r.engines[0].Delete(c.ID)
			}
		}
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.expect("one", engine.StateReady, "0.1.0")
		r.expectRollouts(j, "one", "0.1.0 ready, 0.2.0 failed, 0.1.0 ready")
	})
}

// Without replicas everything is ready: whether it can run shows later.
func TestTheFirstReplicasAreARollout(t *testing.T) {
	recorded(t, 1, func(r *rig, j *journal.Journal) {
		r.engines[0].SetImage("hello:0.1.0", memory.Image{StartError: "exec: no such file"})
		r.publish("0.1.0")
		none := 0
		r.declare(hello("one", func(d *schema.Deployment) { d.Replicas = &none }))
		r.declare(hello("one"))
		r.expect("one", engine.StateFailed, "no such file")
		r.expectRollouts(j, "one", "0.1.0 failed")
	})
}

func TestARolloutThatCanNeverWorkFailed(t *testing.T) {
	recorded(t, 1, func(r *rig, j *journal.Journal) {
		r.engines[0].SetImage("hello:0.1.0", memory.Image{Pull: func(context.Context) error { return fmt.Errorf("unreachable") }})
		r.publish("0.1.0")
		r.declare(hello("one", func(d *schema.Deployment) { d.Pull = schema.PullNever }), hello("two"))
		time.Sleep(time.Hour)
		r.expectRollouts(j, "one", "0.1.0 failed")
		r.expectRollouts(j, "two", "0.1.0 progressing") // the registry may answer again
		if last, _ := j.Rollout("two"); !strings.Contains(last.Reason, "unreachable") {
			t.Errorf("%+v", last)
		}
		r.declare(hello("one"))
		r.expectRollouts(j, "two", "0.1.0 superseded")
	})
}

func TestWhatPodsTellAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.start()
		r.engines[0].SetImage("hello:0.2.0", memory.Image{StartError: "exec: no such file"})
		r.publish("0.1.0")
		r.declare(hello("good", func(d *schema.Deployment) { d.Version = "0.1.0" }), hello("bad"))
		made := r.pods("bad")[0]
		r.publish("0.1.0", "0.2.0")
		r.settle()
		r.stop()

		j := journal.New(journal.Options{})
		r.start(func(o *engine.Options) { o.Journal = j })
		r.engine.Changed(engine.Change{Everything: true})
		r.settle()
		r.expectRollouts(j, "good", "0.1.0 ready")
		r.expectRollouts(j, "bad", "0.2.0 failed, 0.1.0 ready")
		all := j.Rollouts("bad")
		if !strings.Contains(all[0].Reason, "no such file") || all[0].Commit != made.Commit || !all[1].Started.Equal(made.CreatedAt) || all[1].Ended.IsZero() {
			t.Errorf("%+v", all)
		}
		c := j.Commits()
		if len(c) != 1 || c[0].Hash != made.Commit || c[0].Verdict != journal.VerdictFailure || !c[0].Since.Equal(made.CreatedAt) || !slices.Equal(c[0].Changed, []string{"bad", "good"}) {
			t.Errorf("%+v", c)
		}
		r.publish("0.1.0", "0.2.0", "0.2.1")
		r.expectRollouts(j, "bad", "0.2.1 ready, 0.2.0 failed, 0.1.0 ready")
		r.stop()
	})
}

func TestCommitsAreRemembered(t *testing.T) {
	recorded(t, 1, func(r *rig, j *journal.Journal) {
		r.engines[0].SetImage("hello:0.2.0", memory.Image{StartError: "exec: no such file"})
		r.engines[0].SetImage("hello:0.3.0", memory.Image{HealthCheck: true, After: time.Minute})
		r.publish("0.1.0", "0.2.0", "0.3.0")
		at := func(version string) *schema.Deployment {
			return hello("one", func(d *schema.Deployment) { d.Version = version })
		}
		r.declare(at("0.1.0"))
		r.declare(at("0.3.0"))
		r.declare(at("0.2.0"))
		r.settle()
		r.declare(at("0.1.0"), hello("two", func(d *schema.Deployment) { d.Version = "0.3.0" }))
		var got []string
		for _, c := range j.Commits() {
			got = append(got, c.Hash[39:]+" "+c.Verdict)
		}
		if want := []string{"4 pending", "3 failure", "2 superseded", "1 success"}; !slices.Equal(got, want) {
			t.Errorf("commits %v, want %v", got, want)
		}
		c := j.Commits()[0]
		if !slices.Equal(c.Changed, []string{"one", "two"}) || time.Since(c.Since) != 10*time.Second {
			t.Errorf("%+v", c)
		}
		text := lines(ofKind(j, journal.Commit))
		for _, want := range []string{"it is in force", "it comes into force, and changes one\n", "changes one, two\n", "success: 1 of 1 running", "failure: 0 of 1 running; one: "} {
			if !strings.Contains(text, want) {
				t.Errorf("nothing tells %q:\n%s", want, text)
			}
		}
	})
}

func TestACrashingPodTellsEachStateAndNothingTwice(t *testing.T) {
	recorded(t, 1, func(r *rig, j *journal.Journal) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		time.Sleep(10 * time.Minute)
		const crashes = 100 // more than the quota of lines
		for range crashes {
			r.engines[0].Crash(r.pods("one")[0].ID, 1)
			time.Sleep(10 * time.Minute)
		}
		turns := 0
		events := j.Events(func(e *journal.Event) bool { return e.Deployment == "one" })
		for i, e := range events {
			if e.Kind == journal.State && e.State == string(engine.StateReady) {
				turns++
			}
			if i > 0 && e.Kind == events[i-1].Kind && e.Message == events[i-1].Message && e.State == events[i-1].State {
				t.Errorf("told twice: %+v", e)
			}
		}
		if turns < crashes {
			t.Errorf("it was ready %d times, the journal knows of %d", crashes, turns)
		}
		if n := len(ofKind(j, journal.Commit)); n > 5 {
			t.Errorf("%d events about a commit that stays a success:\n%s", n, lines(ofKind(j, journal.Commit)))
		}
		before := j.Last()
		for range 10 {
			r.engine.Changed(engine.Change{Everything: true})
			r.settle()
		}
		if j.Last() != before {
			t.Errorf("%d events though nothing happened", j.Last()-before)
		}
	})
}

func TestBackendsThatComeAndGo(t *testing.T) {
	recorded(t, 1, func(r *rig, j *journal.Journal) {
		r.declare()
		r.engines[0].Cut()
		time.Sleep(time.Hour)
		r.engines[0].Restore()
		time.Sleep(time.Minute)
		events := ofKind(j, journal.Backend)
		if got := lines(events); len(events) != 3 || events[1].Severity != journal.Warning || events[1].Backend != "b0" || !strings.Contains(got, "it does not answer, its pods run on") || !strings.HasSuffix(got, "it answers: memory, 0 pods\n") {
			t.Errorf("told:\n%s", got)
		}
	})
}

func TestAnOutageInOtherWordsIsNotToldForEveryTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1)
		j := journal.New(journal.Options{})
		r.start(func(o *engine.Options) {
			o.Journal, o.Backends[0].Backend = j, &fickleBackend{Backend: o.Backends[0].Backend}
		})
		time.Sleep(time.Hour)
		if n := len(j.Events(nil)); n > 30 {
			t.Errorf("%d events in an hour", n)
		}
		r.stop()
	})
}

func TestReleasesThatComeAndGo(t *testing.T) {
	recorded(t, 1, func(r *rig, j *journal.Journal) {
		r.publish("0.1.0")
		r.declare(hello("one"))
		r.publish("0.1.0", "0.1.1", "0.2.0")
		r.publish("0.1.0", "0.2.0", "0.3.0")
		r.publish()
		want := "app  releases 0.2.0, 0.1.1 came\napp  releases 0.3.0 came, 0.1.1 went\napp  releases 0.3.0, 0.2.0, 0.1.0 went\n"
		events := ofKind(j, journal.App)
		if got := lines(events); got != want || events[0].App != "hello" {
			t.Errorf("told\n%s\nwant\n%s", got, want)
		}
		var ids []string
		for i := range 30 {
			ids = append(ids, fmt.Sprintf("app%d", i))
		}
		r.sources.set(func() { r.sources.catalog = catalog.New() })
		r.engine.Changed(engine.Change{Identifiers: ids})
		synctest.Wait()
		if e := ofKind(j, journal.App)[0]; len(ofKind(j, journal.App)) != 4 || !strings.Contains(e.Message, "of 30 apps") {
			t.Errorf("the last one is %+v", e)
		}
	})
}

func TestMovesAreRollouts(t *testing.T) {
	recorded(t, 2, func(r *rig, j *journal.Journal) {
		r.publish("0.1.0")
		r.declare(hello("one", on("b0")))
		r.declare(hello("one", on("b1")))
		r.settle()
		r.expectRollouts(j, "one", "0.1.0 ready, 0.1.0 ready")
		if all := j.Rollouts("one"); all[0].Backend != "b1" || all[1].Backend != "b0" {
			t.Errorf("%+v", all)
		}
	})
}
