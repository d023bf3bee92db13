package statuses

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/forge"
)

// states returns, for a commit and context, every state that was said, in order.
func (r *rig) states(key string) string {
	r.outbox.mu.Lock()
	defer r.outbox.mu.Unlock()
	var out []string
	for _, s := range r.outbox.said {
		if s.key == key {
			out = append(out, string(s.State))
		}
	}
	return strings.Join(out, " ")
}

// has returns what the forge has of a commit and context.
func (r *rig) has(commit, context string) forge.Status {
	r.outbox.mu.Lock()
	defer r.outbox.mu.Unlock()
	for _, s := range r.outbox.has[commit] {
		if s.Context == context {
			return s
		}
	}
	return forge.Status{}
}

// image has the app "hello" 1.0.0 be another image, without a new version.
func (r *rig) image(commit, name string, more ...catalog.Change) {
	p := schema.Publication{Releases: []schema.Release{{Identifier: "hello", Version: "1.0.0", Flavours: []schema.Flavour{{Name: "cpu", Image: name}}}}}
	r.mu.Lock()
	r.catalog, _ = r.catalog.With(append(more, catalog.Change{
		Repo: catalog.Repo{Name: "apps", URL: "apps", Commit: commit}, Reset: true,
		Files: []catalog.File{{Path: "manifest.yaml", Publication: p}},
	})...)
	r.mu.Unlock()
	r.engine.Changed(engine.Change{Identifiers: []string{"hello"}, Everything: len(more) > 0})
	r.settle()
}

// A release that is published anew under its version is a rollout, no failure.
func TestARepublishedReleaseIsNoFailure(t *testing.T) {
	for _, strategy := range []schema.Strategy{schema.Rolling, schema.Recreate} {
		bubble(t, func(r *rig) {
			r.publish("1.0.0")
			r.declare("one", hello("one", func(d *schema.Deployment) { d.Rollout.Strategy = strategy }))
			r.settle()
			r.outbox.take()
			r.machine.SetImage("other", memory.Image{HealthCheck: true, After: 20 * time.Second})
			r.image("a2", "other")
			r.settle()
			r.settle()
			if got := r.states("desired d1 berth"); strings.Contains(got, "failure") || !strings.HasSuffix(got, "success") {
				t.Errorf("%s: it said %s", strategy, got)
			}
		})
	}
}

// What waits while its pods run, or have done what they were to do, has not failed.
func TestWhatWaitsForARepoIsNoFailure(t *testing.T) {
	for name, image := range map[string]memory.Image{"runs": {}, "is complete": {Exits: true, After: time.Second}} {
		bubble(t, func(r *rig) {
			r.machine.SetImage("hello:1.0.0", image)
			r.publish("1.0.0")
			r.declare("one", hello("one", func(d *schema.Deployment) { d.Restart = schema.RestartOnFailure }))
			r.settle()
			r.outbox.take()
			r.image("a2", "other", catalog.Change{Repo: catalog.Repo{Name: "aa", URL: "aa", Priority: 10}})
			if got := r.states("desired d1 berth"); got != "pending" {
				t.Errorf("it said %q of a deployment that %s and waits for a repo", got, name)
			}
		})
	}
}

// Nothing that stands is taken back because app repos are read after a start.
func TestARestartBeforeTheReposAreRead(t *testing.T) {
	bubble(t, func(r *rig) {
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		r.settle()
		r.stop()
		r.outbox.take()
		read := r.catalog
		r.catalog, _ = catalog.New().With(catalog.Change{Repo: catalog.Repo{Name: "apps", URL: "apps"}})
		r.start()
		r.settle()
		r.expect()
		r.machine.Delete(r.pod("one").ID) // that is known, whatever else is not
		r.settle()
		if s := r.has("d1", "berth"); s.State == forge.Success {
			t.Errorf("it is %q while the pod is gone", s)
		}
		r.mu.Lock()
		r.catalog = read
		r.mu.Unlock()
		r.engine.Changed(engine.Change{Everything: true})
		r.settle()
		if s := r.has("d1", "berth"); s.State != forge.Success {
			t.Errorf("in the end it is %q", s)
		}
	})
}

// A commit that comes back into force has what it had of each deployment brought
// up to date.
func TestACommitThatComesBack(t *testing.T) {
	bubble(t, func(r *rig) {
		r.machine.SetImage("hello:1.0.0", memory.Image{HealthCheck: true, After: time.Minute})
		r.publish("1.0.0")
		other := hello("two", func(d *schema.Deployment) { d.Env = map[string]string{"A": "b"} })
		r.declare("one two", hello("one"), hello("two"))
		r.settle()
		first := r.desired
		r.declare("two", hello("one"), other)
		r.settle()
		r.mu.Lock()
		r.desired = first
		r.mu.Unlock()
		r.engine.Changed(engine.Change{Deployments: []string{"two"}})
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		for _, context := range []string{"berth", "berth/one", "berth/two"} {
			if s := r.has("d1", context); s.State != forge.Success {
				t.Errorf("%s of the commit in force is %s: %s", context, s.State, s.Description)
			}
		}
	})
}

// A former process left a commit pending, and the next one overtakes it before the
// forge has told so.
func TestOvertakenBeforeTheForgeAnswers(t *testing.T) {
	bubble(t, func(r *rig) {
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		r.settle()
		r.stop()
		r.outbox.has["d1"] = []forge.Status{{Context: "berth", State: forge.Pending}, {Context: "berth/one", State: forge.Pending}}
		r.outbox.fail = &schema.Error{Op: "list", Kind: schema.Transient, Err: errors.New("it does not answer")}
		r.machine.SetImage("hello:1.0.0", memory.Image{HealthCheck: true, After: time.Minute})
		r.machine.Delete(r.pod("one").ID)
		r.start()
		time.Sleep(time.Second)
		r.declare("one", hello("one", func(d *schema.Deployment) { d.Env = map[string]string{"A": "b"} }))
		time.Sleep(time.Second)
		r.outbox.mu.Lock()
		r.outbox.fail = nil
		r.outbox.mu.Unlock()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		for _, context := range []string{"berth", "berth/one"} {
			if s := r.has("d1", context); s.State == forge.Pending {
				t.Errorf("%s of the overtaken commit is still pending", context)
			}
		}
	})
}

// Many commits may be pushed at once, or while Berth is away.
func TestManyCommitsAfterOneThatIsPending(t *testing.T) {
	bubble(t, func(r *rig) {
		r.stop()
		r.outbox.has["old"] = []forge.Status{{Context: "berth", State: forge.Pending}}
		r.commits = []string{"old"}
		for i := range 40 {
			r.commits = append([]string{fmt.Sprintf("c%d", i)}, r.commits...)
		}
		r.start()
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		r.settle()
		if s := r.has("old", "berth"); s.State == forge.Pending {
			t.Error("the overtaken commit is still pending")
		}
	})
}

// Contexts of others that begin as ours do are theirs.
func TestContextsOfOthers(t *testing.T) {
	bubble(t, func(r *rig) {
		r.stop()
		theirs := []forge.Status{{Context: "berth/lab", State: forge.Pending}, {Context: "berth/lab/one", State: forge.Failure}, {Context: "berthed", State: forge.Pending}}
		r.outbox.has["d1"], r.outbox.has["d0"] = theirs, []forge.Status{{Context: "berth/lab/one", State: forge.Pending}}
		r.commits = []string{"d0"}
		r.outbox.has["d2"] = theirs
		r.start()
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		r.settle()
		for _, s := range theirs {
			if got := r.has("d2", s.Context); got != s {
				t.Errorf("it said %q of another's %q", got, s)
			}
		}
		if s := r.has("d0", "berth/lab/one"); s.State != forge.Pending {
			t.Errorf("it said %q", s)
		}
	})
}

// What the forge has of deployments is brought up to date, however many there are.
func TestContextsBeyondTheCapOfAFormerProcess(t *testing.T) {
	bubble(t, func(r *rig) {
		var names []string
		var all []*schema.Deployment
		for i := range 2 * MaxContexts {
			names = append(names, fmt.Sprintf("d%03d", i))
			all = append(all, hello(names[i]))
		}
		r.publish("1.0.0")
		r.declare(strings.Join(names, " "), all...)
		r.settle()
		r.stop()
		if n := len(r.outbox.has["d1"]); n != 1+MaxContexts {
			t.Errorf("%d contexts", n)
		}
		for _, name := range names[MaxContexts : MaxContexts+10] {
			r.outbox.has["d1"] = append(r.outbox.has["d1"], forge.Status{Context: "berth/" + name, State: forge.Pending})
		}
		r.start()
		r.settle()
		r.outbox.mu.Lock()
		defer r.outbox.mu.Unlock()
		for _, s := range r.outbox.has["d1"] {
			if s.State != forge.Success {
				t.Errorf("%s is %s", s.Context, s.State)
			}
		}
	})
}

// A suspended deployment on a backend that does not answer has not failed.
func TestSuspendedWhereNobodySees(t *testing.T) {
	bubble(t, func(r *rig) {
		suspended := hello("one", func(d *schema.Deployment) { d.Suspend = true })
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		r.settle()
		r.declare("one", suspended)
		r.settle()
		r.stop()
		r.start() // so that it is not known where it ran
		r.settle()
		r.outbox.take()
		r.machine.Cut()
		r.settle()
		if s := r.has("d2", "berth"); s.State != forge.Error {
			t.Errorf("it is %q", s)
		}
		r.machine.Restore()
		r.settle()
		if s := r.has("d2", "berth"); s.State != forge.Success {
			t.Errorf("it is %q", s)
		}
	})
}

// A pod that dies all the time is no success now and then; forges take so many
// statuses of one context and no more.
func TestAPodThatDiesAgainAndAgain(t *testing.T) {
	bubble(t, func(r *rig) {
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		r.settle()
		r.outbox.take()
		for range 500 {
			r.machine.Delete(r.pod("one").ID)
			time.Sleep(20 * time.Second)
			synctest.Wait()
		}
		r.outbox.mu.Lock()
		n := len(r.outbox.said)
		r.outbox.mu.Unlock()
		if n > 200 {
			t.Errorf("%d statuses were said", n)
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		for _, context := range []string{"berth", "berth/one"} {
			if s := r.has("d1", context); s.State != forge.Success {
				t.Errorf("it is %q though it has run for long", s)
			}
		}
	})
}

// A forge that refuses is asked again: somebody may have mended it.
func TestAForgeThatRefusesAtFirst(t *testing.T) {
	bubble(t, func(r *rig) {
		r.outbox.fail = &schema.Error{Op: "list", Kind: schema.Terminal, Err: errors.New("the token is refused")}
		r.machine.SetImage("hello:1.0.0", memory.Image{HealthCheck: true, After: 100 * time.Second})
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		r.settle()
		r.outbox.mu.Lock()
		r.outbox.fail = nil
		r.outbox.mu.Unlock()
		time.Sleep(75 * time.Second)
		synctest.Wait()
		if s := r.has("d1", "berth"); s.State != forge.Pending {
			t.Errorf("it is %q", s)
		}
		if s := r.has("a1", "berth/manifest"); s.State != forge.Success {
			t.Errorf("the manifest is %q", s)
		}
	})
}

// A reporter that begins late knows what ran before.
func TestAReporterThatBeginsLate(t *testing.T) {
	bubble(t, func(r *rig) {
		r.late = 30 * time.Second
		r.stop()
		r.start()
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		time.Sleep(time.Minute)
		r.outbox.take()
		r.machine.Delete(r.pod("one").ID)
		r.settle()
		if got := r.states("desired d1 berth"); !strings.HasPrefix(got, "failure") {
			t.Errorf("it said %q", got)
		}
	})
}

// Who only looks on says nothing: another one does, or nothing is done.
func TestWhoLooksOnSaysNothing(t *testing.T) {
	for _, o := range []engine.Options{{DryRun: true}, {Standby: true}} {
		bubble(t, func(r *rig) {
			r.stop()
			r.looksOn = o
			r.start()
			r.publish("1.0.0")
			r.declare("one", hello("one"))
			r.settle()
			r.expect()
		})
	}
}
