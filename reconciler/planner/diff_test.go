package planner

import (
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// pod changes one of john's pods.
func pod(at int, change func(*backends.Pod)) func(*world) {
	return func(w *world) { w.edit("john", at, change) }
}

func exited(code int) func(*backends.Pod) {
	return func(p *backends.Pod) { p.State, p.ExitCode = backends.PodExited, code }
}

func inState(s backends.PodState) func(*backends.Pod) {
	return func(p *backends.Pod) { p.State = s }
}

func restart(r schema.RestartPolicy) func(*schema.Deployment) {
	return func(d *schema.Deployment) { d.Restart = r }
}

// fail lets the rollout of what is declared now fail beside what runs.
func fail(w *world) {
	d, _ := New(w.input()).Decision("john")
	w.start(d.Workload, 0)
	w.edit("john", len(w.pods["john"])-1, func(p *backends.Pod) {
		p.State, p.Reason, p.GPUs = backends.PodFailed, "exit code 1", nil
	})
}

func TestDiff(t *testing.T) {
	lost := func(w *world) { delete(w.pods, "john") }
	for _, s := range []story{
		{name: "nothing runs yet", after: database(), want: want{action: Create, says: []string{"no pod is there"}}},
		{name: "it runs", before: database(), want: want{action: Keep}},
		{name: "its pod was removed", before: database(), after: lost, want: want{action: Create, says: []string{"no pod is there"}}},
		{name: "one of its pods was removed", before: database(replicas(3)), after: func(w *world) {
			w.drop("john", func(p backends.Pod) bool { return p.Ordinal == 1 })
		}, want: want{action: Create, says: []string{"2 of 3 pods are there"}}},
		{name: "its pod was killed", before: database(), after: pod(0, exited(137)), want: want{action: Create, says: []string{"exited with code 137"}}},
		{name: "its pod ended with success, and should run", before: database(), after: pod(0, exited(0)), want: want{action: Create, says: []string{"exited with code 0"}}},
		{name: "its pod is complete", before: database(restart(schema.RestartNo)), after: pod(0, exited(0)), want: want{action: Keep}},
		{name: "its pod is complete, with restarts on failure", before: database(restart(schema.RestartOnFailure)), after: pod(0, exited(0)), want: want{action: Keep}},
		{name: "its pod failed to complete", before: database(restart(schema.RestartOnFailure)), after: pod(0, exited(1)), want: want{action: Create}},
		{name: "its pod is paused", before: database(), after: pod(0, inState(backends.PodPaused)), want: want{action: Create, says: []string{"is paused"}}},
		{name: "its pod was not started", before: database(), after: pod(0, inState(backends.PodCreated)), want: want{action: Create, says: []string{"not started"}}},
		{name: "the engine restarts its pod", before: database(), after: pod(0, inState(backends.PodRestarting)), want: want{action: Keep}},
		{name: "its pod is being removed", before: database(), after: pod(0, inState(backends.PodGoing)), want: want{action: Create}},
		{name: "its pod is not ready: time will tell", before: database(), after: pod(0, func(p *backends.Pod) { p.StartedAt = noon.Add(time.Hour) }), want: want{action: Keep}},
		{name: "its pod is unhealthy: its backend sees to it", before: database(), after: pod(0, func(p *backends.Pod) { p.Health = backends.HealthUnhealthy }), want: want{action: Keep}},
		{name: "a pod is there twice", before: database(), after: func(w *world) {
			d, _ := New(w.input()).Decision("john")
			w.start(d.Workload, 0)
		}, want: want{action: Replace, says: []string{"replica 0 is there twice"}}},
		{name: "pods on two backends", before: database(on("plain")), after: func(w *world) {
			d, _ := New(w.input()).Decision("john")
			other := *d.Workload
			other.Backend = "lab"
			w.now = w.now.Add(time.Minute)
			w.start(&other, 0)
			database()(w)
		}, want: want{action: Replace, at: "vanilla@plain", says: []string{"it moves to plain, from lab"}}},
		{name: "a new release", before: database(), after: func(w *world) {
			w.publish(schema.Release{Identifier: "org.db", Version: "1.1.0", Flavours: []schema.Flavour{{Name: "vanilla", Image: "db:1.1"}}})
		}, want: want{action: Replace, says: []string{"release 1.0.0 to 1.1.0"}}},
		{name: "the image changed under the same version", before: database(), after: func(w *world) {
			w.flavour("org.db", "1.0.0", "vanilla").Image = "db:1-fixed"
		}, want: want{action: Replace, says: []string{"image db:1 to db:1-fixed"}}},
		{name: "the document changed", before: database(), after: database(env("A", "1")), want: want{action: Replace, says: []string{"its specification changed"}}},
		{name: "what does not concern a pod changed", before: database(), after: database(strategy(schema.Recreate)), want: want{action: Keep}},
		{name: "more replicas", before: database(), after: database(replicas(3)), want: want{action: Create, says: []string{"1 of 3 pods are there"}}},
		{name: "fewer replicas", before: database(replicas(3)), after: database(replicas(2)), want: want{action: Replace, says: []string{"scale from 3 to 2"}}},
		{name: "a rolling replacement of a fixed port is none", before: database(ports("8080:80"), strategy(schema.Rolling)),
			after: database(ports("8080:80"), strategy(schema.Rolling), env("A", "1")), want: want{action: Replace, says: []string{"the old pods stop first, for port 8080"}}},
		{name: "suspended", before: database(), after: database(suspended, env("A", "1")), want: want{action: Hold, kind: schema.Invalid, at: "vanilla@lab", says: []string{"suspended"}}},
		{name: "suspended, and not running", after: database(suspended), want: want{action: Hold, says: []string{"suspended"}}},
		{name: "suspended, with its pod lost", before: database(), after: all(database(suspended), lost), want: want{action: Hold}},
	} {
		s.run(t)
	}
}

func TestDiffAfterFailure(t *testing.T) {
	failed := all(database(env("A", "bad")), fail)
	for _, s := range []story{
		{name: "a rollout that failed is not tried again", before: database(), after: failed,
			want: want{action: Hold, kind: schema.Invalid, at: "vanilla@lab", says: []string{"exit code 1", "not tried again until the input changes"}}},
		{name: "nor where nothing ran before", after: failed, want: want{action: Hold, at: "vanilla@lab"}},
		{name: "its input changes", before: database(), after: all(failed, database(env("A", "good"))), want: want{action: Replace}},
		{name: "its rollout changes", before: database(), after: all(failed, database(env("A", "bad"), strategy(schema.Recreate))), want: want{action: Replace}},
		{name: "its input goes back", before: database(), after: all(failed, database()), want: want{action: Replace, says: []string{"failed with an input that has changed"}}},
		{name: "fewer replicas do without the one that failed", before: database(replicas(2)), after: all(database(replicas(2), env("A", "bad")), fail,
			pod(2, func(p *backends.Pod) { p.Ordinal = 1 }), database(env("A", "bad"))), want: want{action: Replace}},
		{name: "a move that failed goes back", before: database(), after: all(database(on("plain")), fail, database(on("lab"))),
			want: want{action: Replace, at: "vanilla@lab", says: []string{"it moves to lab, from plain"}}},
		{name: "a move that failed is not tried again", before: database(), after: all(database(on("plain")), fail),
			want: want{action: Hold, at: "vanilla@plain"}},
	} {
		s.run(t)
	}
	t.Run("the workload is told, so that the old pods are kept well", func(t *testing.T) {
		w := newWorld()
		database()(w)
		w.settle(t)
		failed(w)
		if planned(t, w).Pod.Env["A"] != "bad" {
			t.Error("another workload")
		}
	})
}

func TestDiffRollingGPU(t *testing.T) {
	rolling := func(changes ...func(*schema.Deployment)) func(*world) {
		return stardist(append(changes, flavour("cuda"), strategy(schema.Rolling))...)
	}
	alice := func(w *world) { w.declare("alice", "org.stardist", flavour("cuda")) }
	for _, s := range []story{
		{name: "with a GPU to spare", before: rolling(), after: rolling(env("A", "1")), want: want{action: Replace, at: "cuda@lab"}},
		{name: "without", before: all(rolling(), alice), after: rolling(env("A", "1")),
			want: want{action: Wait, kind: schema.Waiting, says: []string{"needs 1 more GPUs of lab than are free", "recreate"}}},
		{name: "recreated, it needs none", before: all(stardist(flavour("cuda")), alice), after: stardist(flavour("cuda"), env("A", "1")),
			want: want{action: Replace, at: "cuda@lab"}},
		{name: "the spare one is not given away meanwhile", before: all(func(w *world) { w.declare("bob", "org.stardist", flavour("cuda"), strategy(schema.Rolling)) }),
			after: all(func(w *world) {
				w.declare("bob", "org.stardist", flavour("cuda"), strategy(schema.Rolling), env("A", "1"))
			}, stardist()), want: want{action: Create, at: "cpu@lab"}},
	} {
		s.run(t)
	}
}

func TestDependsOn(t *testing.T) {
	db := func(w *world) { w.declare("db", "org.db", replicas(2)) }
	for _, s := range []story{
		{name: "not there yet", after: all(db, stardist(dependsOn("db"))),
			want: want{action: Wait, kind: schema.Waiting, at: "cuda@lab", says: []string{"db (0 of 2 ready)"}}},
		{name: "ready", before: db, after: stardist(dependsOn("db")), want: want{action: Create}},
		{name: "not for long enough", before: db, after: all(stardist(dependsOn("db")), func(w *world) {
			w.edit("db", 0, func(p *backends.Pod) { p.StartedAt = w.now.Add(-time.Second) })
		}), want: want{action: Wait, says: []string{"db (1 of 2 ready)"}}},
		{name: "what runs is kept", before: all(db, stardist(dependsOn("db"))), after: func(w *world) { delete(w.pods, "db") }, want: want{action: Keep}},
		{name: "a replacement waits", before: all(db, stardist(dependsOn("db"))), after: all(stardist(dependsOn("db"), env("A", "1")), func(w *world) { delete(w.pods, "db") }),
			want: want{action: Wait, says: []string{"db (0 of 2 ready)"}}},
		{name: "taking away does not", before: all(db, stardist(dependsOn("db"), replicas(2))), after: all(stardist(dependsOn("db")), func(w *world) { delete(w.pods, "db") }),
			want: want{action: Replace, says: []string{"scale from 2 to 1"}}},
		{name: "a dependency without replicas is ready", after: all(func(w *world) { w.declare("db", "org.db", replicas(0)) }, stardist(dependsOn("db"))),
			want: want{action: Create}},
		{name: "what waits for a dependency takes no GPU from it", after: all(func(w *world) {
			w.declare("model", "org.stardist", flavour("cuda"), replicas(2))
		}, stardist(dependsOn("model"))), want: want{action: Wait}},
	} {
		s.run(t)
	}
	w := newWorld()
	w.declare("zoe", "org.stardist", flavour("cuda"), replicas(2))
	stardist(flavour("cuda"), dependsOn("zoe"))(w)
	if d := w.decide(t, "zoe"); d.Action != Create {
		t.Errorf("the dependency must get the GPUs: %s (%s)", d.Action, d.Reason)
	}
}

func TestDecisionTellsWhatRuns(t *testing.T) {
	w := newWorld()
	stardist(version("0.4.9"), replicas(2))(w)
	w.settle(t)
	stardist(replicas(2))(w)
	d := w.decide(t, "john")
	if from := d.From; from.Release != "0.4.9" || from.Flavour != "cuda" || from.Backend != "lab" || from.Replicas != 2 || from.SpecHash == "" {
		t.Errorf("from %+v", from)
	}
	if d.Position.File != "john.yaml" || !strings.Contains(d.Why, "newest of 2 stable releases") || !strings.Contains(d.Why, "where it runs") {
		t.Errorf("why %q at %+v", d.Why, d.Position)
	}
}
