package statuses

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

func TestACommitThatRuns(t *testing.T) {
	bubble(t, func(r *rig) {
		r.publish("1.0.0")
		r.expect("apps a1 berth/manifest success: 1 release in the catalog")
		r.declare("one two", hello("one"), hello("two"))
		r.settle()
		r.expect(
			"desired d1 berth success: 2 of 2 running",
			"desired d1 berth/one success: 1.0.0 cpu runs on lab, pods: 1",
			"desired d1 berth/two success: 1.0.0 cpu runs on lab, pods: 1",
		)
		r.declare("one", hello("one", func(d *schema.Deployment) { d.Env = map[string]string{"A": "b"} }), hello("two"))
		r.settle()
		r.expect(
			"desired d2 berth success: 2 of 2 running",
			"desired d2 berth/one success: 1.0.0 cpu runs on lab, pods: 1",
		)
		r.declare("two", hello("one", func(d *schema.Deployment) { d.Env = map[string]string{"A": "b"} }))
		r.settle()
		r.expect(
			"desired d3 berth success: 1 of 1 running",
			"desired d3 berth/two success: removed",
		)
		r.declare("", hello("one", func(d *schema.Deployment) { d.Env = map[string]string{"A": "b"} }))
		r.settle()
		r.expect(
			"desired d4 berth success: 1 of 1 running",
		)
	})
}

func TestACommitThatFails(t *testing.T) {
	bubble(t, func(r *rig) {
		r.machine.SetImage("hello:1.0.0", memory.Image{StartError: "exec: no such file"})
		r.publish("1.0.0")
		r.expect("apps a1 berth/manifest success: 1 release in the catalog")
		r.declare("one", hello("one"))
		r.settle()
		r.expect(
			"desired d1 berth failure: 0 of 1 running; one: 1.0.0 cpu was given up: replica 0: it cannot be started: exec: no such file; not tried again until the input changes",
			"desired d1 berth/one failure: 1.0.0 cpu was given up: replica 0: it cannot be started: exec: no such file; not tried again until the input changes",
		)
	})
}

func TestACommitThatIsOvertaken(t *testing.T) {
	bubble(t, func(r *rig) {
		r.machine.SetImage("hello:1.0.0", memory.Image{HealthCheck: true, After: time.Minute})
		r.publish("1.0.0")
		r.expect("apps a1 berth/manifest success: 1 release in the catalog")
		r.declare("one", hello("one"))
		r.settle()
		r.declare("two", hello("one"), hello("two"))
		r.settle()
		r.expect(
			"desired d1 berth error: superseded by d2",
			"desired d1 berth/one error: superseded by d2",
			"desired d2 berth pending: 0 of 2 running; one: 0 of 1 replicas ready; replica 0 is running, not healthy yet (and 1 more)",
			"desired d2 berth/two pending: 0 of 1 replicas ready; replica 0 is running, not healthy yet",
		)
	})
}

func TestAPodThatDiesLater(t *testing.T) {
	bubble(t, func(r *rig) {
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		r.settle()
		r.outbox.take()
		r.machine.Kill(r.pod("one").ID)
		r.settle()
		r.expect(
			"desired d1 berth failure, success: 1 of 1 running",
			"desired d1 berth/one failure, success: 1.0.0 cpu runs on lab, pods: 1",
		)
		r.machine.Cut()
		r.settle()
		for _, deployment := range []string{"", "one"} {
			if state, ok := r.reporter.Standing("d1", deployment); state != forge.Error || !ok {
				t.Errorf("%q stands at %q, %t", deployment, state, ok)
			}
		}
		if state, ok := r.reporter.Standing("d0", ""); ok {
			t.Errorf("a commit that is not in force stands at %q", state)
		}
		r.machine.Restore()
		r.settle()
		r.expect(
			"desired d1 berth error, success: 1 of 1 running",
			"desired d1 berth/one error, success: 1.0.0 cpu runs on lab, pods: 1",
		)
	})
}

func TestScalingIsNoFailure(t *testing.T) {
	bubble(t, func(r *rig) {
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		r.settle()
		r.outbox.take()
		two := 2
		r.declare("one", hello("one", func(d *schema.Deployment) { d.Replicas = &two }))
		r.settle()
		r.expect(
			"desired d2 berth success: 1 of 1 running",
			"desired d2 berth/one success: 1.0.0 cpu runs on lab, pods: 2",
		)
	})
}

func TestAnAppPush(t *testing.T) {
	bubble(t, func(r *rig) {
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		r.settle()
		r.outbox.take()
		r.publish("1.0.0", "1.1.0")
		r.expect(
			"apps a2 berth/manifest success: hello 1.1.0 in the catalog; 1 deployment updated",
			"desired d1 berth success: 1 of 1 running",
			"desired d1 berth/one success: 1.1.0 cpu runs on lab, pods: 1",
		)
		var p schema.Publication
		p.Problems = schema.Problems{{File: "manifest.yaml", Line: 3, Column: 7, Message: "unknown field colour"}}
		r.push(p, "1.0.0", "1.1.0")
		r.expect(
			"apps a12 berth/manifest failure: manifest.yaml:3:7: unknown field colour",
		)
	})
}

// After a restart nothing is taken back, and what a former process left pending
// of older commits is superseded.
func TestARestart(t *testing.T) {
	bubble(t, func(r *rig) {
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		r.settle()
		r.stop()
		r.outbox.take()
		r.start()
		r.settle()
		r.expect()

		r.stop()
		r.outbox.fail = &schema.Error{Op: "list", Kind: schema.Transient, Err: errors.New("it does not answer")}
		r.commits = append([]string{"d2"}, r.commits...)
		r.outbox.has["d2"] = []forge.Status{{Context: "berth", State: forge.Pending}, {Context: "berth/one", State: forge.Pending}, {Context: "ci", State: forge.Pending}}
		r.start()
		r.declare("one", hello("one", func(d *schema.Deployment) { d.Env = map[string]string{"A": "b"} }))
		synctest.Wait()
		r.outbox.mu.Lock()
		r.outbox.fail = nil
		r.outbox.mu.Unlock()
		time.Sleep(5 * time.Minute)
		r.expect(
			"desired d2 berth error: superseded by d3",
			"desired d2 berth/one error: superseded by d3",
			"desired d3 berth success: 1 of 1 running",
			"desired d3 berth/one success: 1.0.0 cpu runs on lab, pods: 1",
		)
	})
}

// What another Berth says, whose context looks like that of a deployment, is its own.
func TestAnotherBerthsPendingStays(t *testing.T) {
	bubble(t, func(r *rig) {
		r.commits = []string{"d1"}
		r.outbox.has["d1"] = []forge.Status{
			{Context: "berth", State: forge.Pending, URL: "https://formerly.example/commits/d1"},
			{Context: "berth/lab", State: forge.Pending, URL: "https://lab.example/commits/d1"},
			{Context: "berth/lab/one", State: forge.Pending, URL: "https://lab.example/commits/d1"},
			{Context: "berth/one", State: forge.Pending, URL: "https://berth.example/commits/d1"},
			{Context: "berth/two", State: forge.Pending},
		}
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		r.settle()
		r.expect(
			"apps a1 berth/manifest success: 1 release in the catalog",
			"desired d1 berth error: superseded by d2", "desired d1 berth/one error: superseded by d2", "desired d1 berth/two error: superseded by d2",
			"desired d2 berth success: 1 of 1 running", "desired d2 berth/one success: 1.0.0 cpu runs on lab, pods: 1",
		)
	})
}

// Where there is no forge nothing is said of older commits, until there is one.
func TestWhatAForgeDoesNotServe(t *testing.T) {
	bubble(t, func(r *rig) {
		r.outbox.fail = forge.ErrNone
		r.commits = []string{"d1"}
		r.outbox.has["d1"] = []forge.Status{{Context: "berth", State: forge.Pending}}
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		time.Sleep(time.Hour)
		r.expect("desired d2 berth success: 1 of 1 running", "desired d2 berth/one success: 1.0.0 cpu runs on lab, pods: 1")
		r.outbox.mu.Lock()
		r.outbox.fail = nil
		r.outbox.mu.Unlock()
		time.Sleep(5 * time.Minute)
		r.expect("apps a1 berth/manifest success: 1 release in the catalog", "desired d1 berth error: superseded by d2")
	})
}
