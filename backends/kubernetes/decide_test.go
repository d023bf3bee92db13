package kubernetes

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

func replicas(n int) func(*backends.Workload) {
	return func(w *backends.Workload) { w.Replicas = n }
}

func strategy(s schema.Strategy) func(*backends.Workload) {
	return func(w *backends.Workload) { w.Rollout.Strategy = s }
}

// changed returns the workload with changes, and leaves the other one alone.
func changed(w backends.Workload, changes ...func(*backends.Workload)) backends.Workload {
	for _, change := range changes {
		change(&w)
	}
	return w
}

func TestCreate(t *testing.T) {
	c := newCluster(t)
	w := workload(replicas(2))
	if d := c.apply(w); d.Drift || d.Progress.Phase != backends.PhaseProgressing || d.Progress.Reason == "" {
		t.Errorf("%+v", d)
	}
	c.expect(w, backends.PhaseProgressing, "0 of 2 replicas ready")
	set := c.control()
	c.rolling(2, 0)
	c.pod(set)
	c.pod(set, waiting("ContainerCreating", ""))
	c.expect(w, backends.PhaseProgressing, "1 of 2 replicas ready; pod "+c.Pods[1].Name+": being started")
	c.Pods = c.Pods[:1]
	c.pod(set)
	c.expect(w, backends.PhaseProgressing, "2 of 2 replicas ready") // the controller waits for MinReady
	c.available()
	c.expect(w, backends.PhaseReady, "")
}

func TestIdle(t *testing.T) {
	c := newCluster(t)
	w := workload(replicas(0))
	c.up(w)
	two := changed(w, replicas(2))
	if d := c.apply(two); d.Drift || !strings.Contains(d.Why, "berth.dev/replicas") {
		t.Errorf("scaling is told as %q, drift %t", d.Why, d.Drift)
	}
	c.up(changed(two, release("2.0.0")))
	c.up(changed(w, release("2.0.0")))
}

// A restart of Berth, an upgrade of it, another configuration and a file that
// moved change nothing.
func TestNothingToDo(t *testing.T) {
	for name, change := range map[string]func(*cluster, *backends.Workload){
		"restart":       func(*cluster, *backends.Workload) {},
		"moved":         func(_ *cluster, w *backends.Workload) { w.Source, w.Commit = "other.yaml", "f00" },
		"others' field": func(c *cluster, _ *backends.Workload) { c.Deployment = theirs(c.Deployment) },
		"configured": func(c *cluster, _ *backends.Workload) {
			c.s.cfg.ServiceAccount, c.s.cfg.ImagePullSecrets = "apps", []string{"x"}
		},
	} {
		c := newCluster(t)
		w := workload()
		c.up(w)
		change(c, &w)
		if d := c.decide(w); d.Apply != nil || d.Progress.Phase != backends.PhaseReady {
			t.Errorf("%s: applied for %q, %s %s", name, d.Why, d.Progress.Phase, d.Progress.Reason)
		}
	}
}

// What else must be written keeps a template that was made by another Berth, and
// tells of the commit that wanted it.
func TestUpgradeKeepsTheTemplate(t *testing.T) {
	c := newCluster(t)
	w := workload()
	c.up(w)
	c.s.cfg.ServiceAccount = "apps"
	w = changed(w, replicas(2), func(w *backends.Workload) { w.Commit = "f00" })
	d := c.apply(w)
	if p := d.Apply.Spec.Template.Spec; p.ServiceAccountName != "" || *d.Apply.Spec.Replicas != 2 || d.Apply.Annotations[annotationCommit] != "f00" {
		t.Errorf("%+v", d.Apply)
	}
	if d := c.apply(changed(w, release("2.0.0"))); d.Apply.Spec.Template.Spec.ServiceAccountName != "apps" {
		t.Error("the next release does not take the new configuration")
	}
}

func TestDrift(t *testing.T) {
	for says, edit := range map[string]func(*appsv1.Deployment){
		"spec.replicas: it is 5, not 1": func(d *appsv1.Deployment) { d.Spec.Replicas = ptr[int32](5) },
		"image: it is evil:1, not":      func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "evil:1" },
		"strategy.type: it is Recreate": func(d *appsv1.Deployment) { d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType },
	} {
		c := newCluster(t)
		w := workload()
		c.up(w)
		edit(c.Deployment)
		d := c.apply(w)
		if !d.Drift || !strings.Contains(d.Why, says) || d.Progress.Phase != backends.PhaseProgressing {
			t.Errorf("%q, drift %t; want %q", d.Why, d.Drift, says)
		}
		c.expectSoon(w, backends.PhaseReady, "")
	}
	// Somebody's template ran: its pods are not taken for ours.
	c := newCluster(t)
	w := workload()
	c.up(w)
	c.Deployment.Spec.Template.Spec.Containers[0].Image = "evil:1"
	c.pod(c.control())
	c.apply(w)
	c.control()
	for _, p := range c.s.pods(c.observation) {
		if ours := p.ID == "p1"; (p.SpecHash == w.SpecHash()) != ours {
			t.Errorf("pod %s: %q", p.ID, p.SpecHash)
		}
	}
}

func TestRolling(t *testing.T) {
	c := newCluster(t)
	w := workload(replicas(2))
	c.up(w)
	next := changed(w, release("2.0.0"))
	if d := c.apply(next); d.Drift || d.Apply.Annotations[annotationGood] != w.SpecHash() {
		t.Errorf("drift %t, good %q", d.Drift, d.Apply.Annotations[annotationGood])
	}
	c.expect(next, backends.PhaseProgressing, "0 of 2 replicas ready") // the controller has not seen it
	set := c.control()
	c.rolling(1, 2)
	c.pod(set, waiting("ContainerCreating", ""))
	c.expect(next, backends.PhaseProgressing, "0 of 2 replicas ready; pod "+c.Pods[2].Name+": being started")
	c.Pods = c.Pods[:2]
	c.pod(set)
	c.pod(set)
	c.expect(next, backends.PhaseProgressing, "2 of 2 replicas ready; 2 old ones are still there")
	for _, p := range c.Pods[:2] {
		p.DeletionTimestamp = &p.CreationTimestamp
	}
	c.available()
	c.expect(next, backends.PhaseReady, "") // what is going is gone for the cluster
	c.Pods = c.Pods[2:]
	c.expect(next, backends.PhaseReady, "")
}

func TestRecreate(t *testing.T) {
	c := newCluster(t)
	w := workload(strategy(schema.Recreate))
	c.up(w)
	next := changed(w, release("2.0.0"))
	c.apply(next)
	c.control()
	c.Pods[0].DeletionTimestamp = &c.Pods[0].CreationTimestamp
	c.rolling(0, 0)
	c.expect(next, backends.PhaseProgressing, "0 of 1 replicas ready")
	c.Pods = nil
	c.pod(c.ReplicaSets[1])
	c.available()
	c.expect(next, backends.PhaseReady, "")
}

// crash is a pod of which nothing good is to be expected.
var crash = ended(3, corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error"})

const crashes = "crashing, it ended with exit code 3 (4 times)"

// fail rolls to a release whose pod crashes, beside one that was good, up to the
// moment when it is given up.
func (c *cluster) fail(bad backends.Workload) decision {
	c.Helper()
	c.apply(bad)
	set := c.control()
	c.rolling(1, 1)
	c.pod(set, crash)
	d := c.apply(bad)
	if !d.GiveUp || d.Drift {
		c.Fatalf("not given up: %+v", d)
	}
	return d
}

// restored does what the controller does after a rollout was given up.
func (c *cluster) restored() {
	c.control()
	kept := c.Pods[:0]
	for _, p := range c.Pods {
		if set := c.setOf(p); set.Annotations[annotationSpecHash] == c.Deployment.Annotations[annotationSpecHash] {
			kept = append(kept, p)
		}
	}
	c.Pods = kept
	c.available()
}

func TestGoesBack(t *testing.T) {
	c := newCluster(t)
	w := workload()
	c.up(w)
	bad := changed(w, release("2.0.0"))
	d := c.fail(bad)
	crashed := c.Pods[1].Name
	why := "pod " + crashed + ": " + crashes
	if d.Why != why || d.Progress.Phase != backends.PhaseProgressing || d.Progress.Reason != "it goes back to 1.2.0: "+why {
		t.Errorf("%q, %s %q", d.Why, d.Progress.Phase, d.Progress.Reason)
	}
	if v := c.Deployment.Labels[labelVersion]; v != "1.2.0" || c.Deployment.Spec.Template.Labels[appsv1.DefaultDeploymentUniqueLabelKey] != "" {
		t.Errorf("it went back to %s, %v", v, c.Deployment.Spec.Template.Labels)
	}
	c.expect(bad, backends.PhaseProgressing, "it goes back to 1.2.0: "+why)
	c.restored()
	again := c.expect(bad, backends.PhaseFailed, why+"; not tried again until the input changes")
	var failed, serving []backends.Pod
	for _, p := range again.Progress.Pods {
		if p.State == backends.PodFailed {
			failed = append(failed, p)
		} else {
			serving = append(serving, p)
		}
	}
	if len(serving) != 1 || serving[0].ID != "p1" || serving[0].SpecHash != w.SpecHash() {
		t.Errorf("serving %+v", serving)
	}
	if len(failed) != 1 || failed[0].ID != "p2" || failed[0].Name != crashed || failed[0].SpecHash != bad.SpecHash() || failed[0].InputHash != bad.InputHash() ||
		failed[0].Release != "2.0.0" || failed[0].ExitCode != 3 || failed[0].Ordinal != 0 || failed[0].Reason != why {
		t.Errorf("failed %+v", failed)
	}

	// By hand it cannot be brought up either.
	c.Deployment.Spec.Replicas = ptr[int32](4)
	if d := c.apply(bad); !d.Drift || d.Apply.Spec.Template.Spec.Containers[0].Image != w.Pod.Image || d.Apply.Annotations[annotationFailedInput] == "" {
		t.Errorf("drift of what was restored: %+v", d)
	}
	c.expect(bad, backends.PhaseProgressing, "it goes back to 1.2.0: "+why)
	c.restored()
	c.expect(bad, backends.PhaseFailed, why+"; not tried again until the input changes")

	// Another input is tried; it knows what was good.
	fixed := changed(w, release("3.0.0"))
	d = c.apply(fixed)
	if d.Apply.Annotations[annotationGood] != w.SpecHash() || d.Apply.Annotations[annotationFailedInput] != "" {
		t.Errorf("%v", d.Apply.Annotations)
	}
	c.Deployment = d.Apply.DeepCopy()
	c.Deployment.UID, c.Deployment.Annotations[revision] = "d1", "9"
	c.Pods = nil
	c.pod(c.control())
	c.available()
	c.expect(fixed, backends.PhaseReady, "")
}

// Going back to the very release that runs only forgets the failure.
func TestBackToTheFormerInput(t *testing.T) {
	c := newCluster(t)
	w := workload()
	c.up(w)
	c.fail(changed(w, release("2.0.0")))
	c.restored()
	d := c.decide(w)
	if d.Apply == nil || d.Drift || hashOf(&d.Apply.Spec.Template) != d.Apply.Annotations[annotationApplied] {
		t.Errorf("%+v", d)
	}
	for _, key := range failedAnnotations {
		if d.Apply.Annotations[key] != "" {
			t.Errorf("%s is kept", key)
		}
	}
}

// Without replicas, nothing is tried, so nothing failed.
func TestFailedThenScaledToZero(t *testing.T) {
	c := newCluster(t)
	w := workload()
	c.up(w)
	bad := changed(w, release("2.0.0"))
	c.fail(bad)
	c.restored()
	if d := c.apply(changed(bad, replicas(0))); d.Apply.Annotations[annotationFailedInput] != "" || *d.Apply.Spec.Replicas != 0 {
		t.Errorf("%+v", d.Apply)
	}
}

func TestForget(t *testing.T) {
	c := newCluster(t)
	w := workload()
	c.up(w)
	if merge, pods := c.s.forget(c.observation); merge != nil || pods != nil {
		t.Errorf("nothing failed: %s, %v", merge, pods)
	}
	c.fail(changed(w, release("2.0.0")))
	c.restored()
	merge, pods := c.s.forget(c.observation)
	var sent struct {
		Metadata struct{ Annotations map[string]*string }
	}
	if err := json.Unmarshal(merge, &sent); err != nil || len(pods) > 0 {
		t.Fatalf("%s, %v, %v", merge, pods, err)
	}
	for key, value := range sent.Metadata.Annotations {
		if value != nil {
			t.Errorf("%s is set", key)
		}
		delete(c.Deployment.Annotations, key)
	}
	if c.failure() != nil {
		t.Errorf("it is not forgotten: %v", c.Deployment.Annotations)
	}
}

// At first there is nothing to go back to: the pods are the memory, and are
// removed with it. What recovers is not failed any more.
func TestFailsAtFirst(t *testing.T) {
	c := newCluster(t)
	w := workload()
	c.apply(w)
	set := c.control()
	c.rolling(1, 0)
	p := c.pod(set, crash)
	reason := "0 of 1 replicas ready; pod " + p.Name + ": " + crashes
	c.expect(w, backends.PhaseProgressing, reason)
	c.stuck()
	if d := c.expect(w, backends.PhaseProgressing, reason); !d.Progress.Again.Equal(p.CreationTimestamp.Add(w.Rollout.Timeout)) {
		t.Errorf("again at %s", d.Progress.Again) // another pod may have used up the controller's patience
	}
	c.now = c.now.Add(w.Rollout.Timeout)
	why := "pod " + p.Name + ": not ready within 2m0s: " + crashes
	if d := c.apply(w); !d.GiveUp || d.Why != why {
		t.Fatalf("%+v", d)
	}
	d := c.expectSoon(w, backends.PhaseFailed, why+"; not tried again until the input changes")
	if len(d.Progress.Pods) != 1 || d.Progress.Pods[0].State != backends.PodFailed || d.Progress.Pods[0].ID != "p1" || d.Progress.Pods[0].ExitCode != 3 {
		t.Errorf("%+v", d.Progress.Pods)
	}
	if _, pods := c.s.forget(c.observation); len(pods) != 1 || pods[0] != p.Name {
		t.Errorf("forgetting removes %v", pods)
	}
	c.Pods = nil
	c.pod(set)
	c.available()
	if d := c.apply(w); d.Apply.Annotations[annotationFailedInput] != "" {
		t.Errorf("it recovered, and is still said to have failed: %+v", d)
	}
	c.expectSoon(w, backends.PhaseReady, "")
}

// expectSoon is expect once the controller has seen what was applied.
func (c *cluster) expectSoon(w backends.Workload, phase backends.Phase, reason string) decision {
	c.Helper()
	c.Deployment.Status.ObservedGeneration = c.Deployment.Generation
	return c.expect(w, phase, reason)
}

// Without rollback, what failed is left as it is.
func TestNoRollback(t *testing.T) {
	c := newCluster(t)
	w := workload(func(w *backends.Workload) { w.Rollout.Rollback = false })
	c.up(w)
	bad := changed(w, release("2.0.0"))
	d := c.fail(bad)
	if d.Apply.Spec.Template.Spec.Containers[0].Image != bad.Pod.Image {
		t.Errorf("it went back: %+v", d.Apply.Spec.Template.Spec)
	}
	got := c.expectSoon(bad, backends.PhaseFailed, "pod "+c.Pods[1].Name+": "+crashes+"; not tried again until the input changes")
	if p := got.Progress.Pods; len(p) != 2 || p[0].State != backends.PodRunning || p[1].State != backends.PodFailed {
		t.Errorf("%+v", p)
	}
	// Then it knows still which release was good.
	if d := c.apply(changed(w, release("3.0.0"))); d.Apply.Annotations[annotationGood] != w.SpecHash() {
		t.Errorf("good: %v", d.Apply.Annotations)
	}
}

// What a new pod may be given up for, and when.
func TestTrial(t *testing.T) {
	const timeout, pulling = 2 * time.Minute, 10 * time.Minute
	starts := waiting("ContainerCreating", "")
	noImage := waiting("ImagePullBackOff", noSuchHost)
	noCommand := ended(1, corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError", Message: noSuchFile})
	for _, test := range []struct {
		name   string
		first  bool // nothing was good before
		pod    func(*corev1.Pod)
		stuck  bool
		after  time.Duration
		failed string // what it says; empty: it is waited for
		again  time.Duration
	}{
		{name: "runs", pod: sick(false, 0)},
		{name: "runs, late", pod: sick(false, 0), stuck: true, after: timeout, failed: "not ready within 2m0s: running, not healthy yet"},
		{name: "runs, the controller is not patient", pod: sick(false, 0), stuck: true, after: time.Second, again: timeout},
		{name: "runs, the controller is patient", pod: sick(false, 0), after: time.Hour},
		{name: "is unhealthy, late", pod: sick(true, time.Minute), stuck: true, after: timeout, failed: "not ready within 2m0s: unhealthy"},
		{name: "crashed twice", pod: ended(1, corev1.ContainerStateTerminated{ExitCode: 1})},
		{name: "crashed three times", pod: ended(2, corev1.ContainerStateTerminated{ExitCode: 1}), failed: "crashing, it ended with exit code 1 (3 times)"},
		{name: "crashed often", pod: crash, failed: crashes},
		{name: "crashed often, at first", first: true, pod: crash},
		{name: "crashed often, at first, late", first: true, pod: crash, stuck: true, after: timeout, failed: crashes},
		{name: "no such command", pod: noCommand, failed: "it cannot be started: exec"},
		{name: "no such command, at first", first: true, pod: noCommand},
		{name: "no configuration", pod: waiting("CreateContainerConfigError", "no such secret"), failed: "it cannot be started: no such secret"},
		{name: "no image", pod: noImage},
		{name: "no image, late", pod: noImage, stuck: true, after: timeout, failed: "not ready within 2m0s: the image registry.example.org/web:2.0.0 cannot be pulled"},
		{name: "pulls", pod: starts, stuck: true, after: timeout, again: pulling},
		{name: "pulls for too long", pod: starts, stuck: true, after: pulling, failed: "its image was not there within 10m0s"},
		{name: "no node", pod: homeless(noRoom)},
		{name: "no node, late", pod: homeless(noRoom), stuck: true, after: timeout, failed: "not ready within 2m0s: no node fits: 0/3 nodes"},
		{name: "no node, at first, late", first: true, pod: homeless(noRoom), stuck: true, after: time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t)
			c.s.cfg.PullTimeout = ptr(schema.Duration(pulling))
			w := workload(func(w *backends.Workload) {
				w.Pod.Healthcheck = &schema.Healthcheck{Command: []string{"check"}}
			})
			if !test.first {
				c.up(w)
				w = changed(w, release("2.0.0"))
			}
			c.apply(w)
			set := c.control()
			c.rolling(1, 1)
			p := c.pod(set, test.pod)
			if test.stuck {
				c.stuck()
			}
			c.now = p.CreationTimestamp.Add(test.after)
			d := c.decide(w)
			if d.GiveUp != (test.failed != "") || !strings.Contains(d.Why, test.failed) {
				t.Errorf("given up: %t, %q; want %q", d.GiveUp, d.Why, test.failed)
			}
			switch again := d.Progress.Again; {
			case test.again == 0 && !again.IsZero(), test.again != 0 && !again.Equal(p.CreationTimestamp.Add(test.again)):
				t.Errorf("again at %s, want %s after its creation", again, test.again)
			}
		})
	}
}

// The controller takes what has no pods for complete, and watches over no deadline
// once it is scaled up: the pods' own time counts. What has served for long is left
// to Kubernetes, and nothing goes back.
func TestFailsScaledUp(t *testing.T) {
	crashed := func(times int32) func(*corev1.Pod) {
		return ended(times-1, corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error"})
	}
	for _, test := range []struct {
		name   string
		from   int // replicas
		pod    func(*corev1.Pod)
		after  time.Duration
		failed string // what it says; empty: it is waited for
		again  time.Duration
	}{
		{name: "crashes", pod: crashed(3), again: 2 * time.Minute},
		{name: "crashes, late", pod: crashed(3), after: 2 * time.Minute, failed: "not ready within 2m0s: crashing, it ended with exit code 3 (3 times)"},
		{name: "another one crashes, late", from: 1, pod: crashed(3), after: 2 * time.Minute, failed: "not ready within 2m0s: crashing"},
		{name: "crashed twice", pod: crashed(2), after: 3 * time.Minute},
		{name: "crashes since long after", pod: crashed(3), after: time.Hour},
		{name: "never healthy", pod: sick(false, 0), after: 2 * time.Minute, failed: "not ready within 2m0s: running, not healthy yet"},
		{name: "healthy once", pod: sick(true, time.Minute), after: 2 * time.Minute},
		{name: "no image", pod: waiting("ImagePullBackOff", noSuchHost), after: 2 * time.Minute, failed: "not ready within 2m0s: the image"},
		{name: "no node", pod: homeless(noRoom), after: 2 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t)
			c.up(workload(served))
			w := workload(served, release("2.0.0"), replicas(test.from))
			set := c.up(w)
			w = changed(w, replicas(test.from+1))
			c.apply(w)
			c.Deployment.Status.ObservedGeneration = c.Deployment.Generation
			p := c.pod(set, test.pod)
			c.now = p.CreationTimestamp.Add(test.after)
			d := c.decide(w)
			if d.GiveUp != (test.failed != "") || !strings.Contains(d.Why, test.failed) {
				t.Fatalf("given up: %t, %q; want %q", d.GiveUp, d.Why, test.failed)
			}
			if again := d.Progress.Again; test.again != 0 && !again.Equal(p.CreationTimestamp.Add(test.again)) {
				t.Errorf("again at %s, want %s after its creation", again, test.again)
			}
			if test.failed == "" {
				return
			}
			if c.apply(w); c.Deployment.Annotations[annotationSpecHash] != w.SpecHash() {
				t.Error("it goes back, although it had come up")
			}
			c.expectSoon(w, backends.PhaseFailed, d.Why+"; not tried again until the input changes")
		})
	}
}

// A quota or a policy may keep the controller from making pods at all.
func TestPodsCannotBeMade(t *testing.T) {
	c := newCluster(t)
	w := workload()
	c.apply(w)
	c.control()
	c.rolling(0, 0)
	refused := appsv1.DeploymentCondition{
		Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota: small",
	}
	c.Deployment.Status.Conditions = append(c.Deployment.Status.Conditions, refused)
	c.expect(w, backends.PhaseProgressing, "0 of 1 replicas ready; pods cannot be made: exceeded quota: small")
	c.stuck()
	c.Deployment.Status.Conditions = append(c.Deployment.Status.Conditions, refused)
	if d := c.apply(w); !d.GiveUp || d.Why != "pods cannot be made: exceeded quota: small" {
		t.Fatalf("%+v", d)
	}
	d := c.expectSoon(w, backends.PhaseFailed, "pods cannot be made: exceeded quota: small; not tried again until the input changes")
	if p := d.Progress.Pods; p[0].State != backends.PodFailed || p[0].ID == "" || p[0].Name == "" {
		t.Errorf("%+v", p)
	}
}

// Where a former ReplicaSet is found again, the controller takes what is not there for
// complete, and says nothing of lateness.
func TestPodsCannotBeMadeAgain(t *testing.T) {
	c := newCluster(t)
	w := workload()
	set := c.up(w)
	c.up(changed(w, release("2.0.0")))
	c.apply(w)
	if c.control() != set {
		t.Fatal("the former ReplicaSet is not found again")
	}
	c.Deployment.Status.UpdatedReplicas = 0
	const says = "0 of 1 replicas ready; pods cannot be made: exceeded quota: small"
	c.Deployment.Status.Conditions = append(c.Deployment.Status.Conditions, appsv1.DeploymentCondition{
		Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota: small",
	})
	c.expect(w, backends.PhaseProgressing, says)
	set.Status.Conditions = []appsv1.ReplicaSetCondition{{
		Type: appsv1.ReplicaSetReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", LastTransitionTime: metav1.NewTime(c.now),
	}}
	if d := c.expect(w, backends.PhaseProgressing, says); !d.Progress.Again.Equal(c.now.Add(w.Rollout.Timeout)) {
		t.Errorf("again at %s", d.Progress.Again)
	}
	c.now = c.now.Add(w.Rollout.Timeout)
	if d := c.apply(w); !d.GiveUp || d.Why != "pods cannot be made: exceeded quota: small" {
		t.Fatalf("%+v", d)
	}
	c.expectSoon(w, backends.PhaseFailed, "pods cannot be made: exceeded quota: small; not tried again until the input changes")

	// Room is made: Kubernetes goes on trying.
	set.Status.Conditions = nil
	c.Pods = nil
	c.pod(set)
	c.available()
	if d := c.apply(w); d.Apply.Annotations[annotationFailedInput] != "" {
		t.Errorf("it recovered, and is still said to have failed: %+v", d)
	}
	c.expectSoon(w, backends.PhaseReady, "")
}

// A release that came up once is not given up for crashes later: that is for
// Kubernetes, and for people.
func TestCrashesLater(t *testing.T) {
	c := newCluster(t)
	w := workload()
	c.up(w)
	next := changed(w, release("2.0.0"))
	set := c.up(next)
	c.Pods = nil
	p := c.pod(set, crash)
	c.Deployment.Status.AvailableReplicas = 0
	c.now = c.now.Add(time.Hour)
	c.expect(next, backends.PhaseProgressing, "0 of 1 replicas ready; pod "+p.Name+": "+crashes)
}

// A pod that is back before anybody saw it gone must first prove itself again.
func TestStartedAgain(t *testing.T) {
	c := newCluster(t)
	w := workload()
	set := c.up(w)
	c.Pods = nil
	p := c.pod(set)
	p.Status.ContainerStatuses[0].RestartCount = 1
	c.expect(w, backends.PhaseProgressing, "a pod was just started again")
	c.now = c.now.Add(2 * w.Rollout.MinReady)
	c.expect(w, backends.PhaseReady, "")
}

// A Deployment that somebody has paused does not roll, and is said to be paused.
func TestPaused(t *testing.T) {
	c := newCluster(t)
	c.up(workload())
	next := workload(release("2.0.0"))
	c.apply(next)
	c.Deployment.Spec.Paused = true
	c.rolling(0, 1)
	c.expect(next, backends.PhaseProgressing, "0 of 1 replicas ready; somebody has paused it: kubectl rollout resume lets it go on")
}

// Pods that crash while they are scaled away fail no rollout.
func TestNothingIsTriedWithoutReplicas(t *testing.T) {
	c := newCluster(t)
	w := workload(replicas(0))
	c.apply(w)
	p := c.pod(c.control(), crash)
	c.rolling(1, 0)
	c.stuck()
	c.now = p.CreationTimestamp.Add(time.Hour)
	c.expect(w, backends.PhaseProgressing, "0 of 0 replicas ready; pod "+p.Name+": "+crashes)
}
