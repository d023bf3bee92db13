package kubernetes

import (
	"fmt"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// settle applies until nothing is to be applied, and holds that this is soon.
func (c *cluster) settle(t *rapid.T, w backends.Workload) decision {
	for range 4 {
		d := c.decide(w)
		c.hold(t, w, d)
		if d.Apply == nil {
			return d
		}
		c.apply(w)
		if rapid.Bool().Draw(t, "the controller looks") {
			c.control()
		}
	}
	t.Fatalf("it is applied again and again: %s", c.decide(w).Why)
	return decision{}
}

// hold holds what is true of every decision.
func (c *cluster) hold(t *rapid.T, w backends.Workload, d decision) {
	p := d.Progress
	ordinals := map[string]bool{}
	ready := 0
	for _, pod := range p.Pods {
		if pod.Backend != "cluster" || pod.Deployment != w.Deployment || pod.ID == "" || pod.Name == "" {
			t.Fatalf("not told: %+v", pod)
		}
		if pod.State == backends.PodAbsent && slices.ContainsFunc(p.Pods, func(o backends.Pod) bool {
			return o.State != backends.PodAbsent && o.State != backends.PodGoing && o.State != backends.PodFailed
		}) {
			t.Fatalf("absent, and there: %+v", p.Pods)
		}
		if key := fmt.Sprint(pod.SpecHash, pod.Ordinal); pod.State == backends.PodRunning && pod.SpecHash != "" {
			if ordinals[key] {
				t.Fatalf("one replica twice: %+v", p.Pods)
			}
			ordinals[key] = true
		}
		if is, _ := pod.Ready(c.now.Add(time.Hour)); is && pod.SpecHash == w.SpecHash() {
			ready++
		}
	}
	switch {
	case d.Apply != nil && d.Why == "", d.Drift && d.Apply == nil, d.GiveUp && d.Apply == nil:
		t.Fatalf("it does not say why: %+v", d)
	case p.Phase != backends.PhaseReady && p.Reason == "":
		t.Fatalf("no word on what is waited for: %+v", d)
	case p.Phase == backends.PhaseReady && (ready != w.Replicas || d.Apply != nil):
		t.Fatalf("ready with %d of %d: %+v", ready, w.Replicas, p.Pods)
	case p.Phase == backends.PhaseReady && c.Deployment.Spec.Template.Spec.Containers[0].Image != w.Pod.Image:
		t.Fatalf("ready with %s, not %s", c.Deployment.Spec.Template.Spec.Containers[0].Image, w.Pod.Image)
	case p.Phase == backends.PhaseFailed && !slices.ContainsFunc(p.Pods, failed):
		t.Fatalf("failed, and no pod remembers it: %+v", p.Pods)
	case d.GiveUp && c.failure() != nil && c.failure().input == w.InputHash():
		t.Fatal("it is given up twice")
	}
}

// Whatever happens, Berth comes to rest, says why, and ready means ready.
func TestDecisionsSettle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &cluster{tester: t, s: lab(), now: noon}
		w := workload(replicas(rapid.IntRange(0, 2).Draw(t, "replicas")))
		w.Rollout.Rollback = rapid.Bool().Draw(t, "rollback")
		pick := func() *corev1.Pod { return c.Pods[rapid.IntRange(0, len(c.Pods)-1).Draw(t, "pod")] }
		c.settle(t, w)
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			switch step := rapid.SampledFrom([]string{
				"release", "scale", "strategy", "control", "pod", "crash", "go", "gone", "available", "stuck", "rolling", "edit", "scaled by hand", "time", "configure",
			}).Draw(t, "step"); {
			case step == "release":
				w = changed(w, release(rapid.SampledFrom([]string{"1.2.0", "2.0.0", "3.0.0"}).Draw(t, "version")))
			case step == "scale":
				w.Replicas = rapid.IntRange(0, 2).Draw(t, "replicas")
			case step == "strategy":
				w.Rollout.Strategy = rapid.SampledFrom([]schema.Strategy{schema.Rolling, schema.Recreate}).Draw(t, "strategy")
			case step == "control":
				c.control()
			case step == "pod" && len(c.ReplicaSets) > 0 && len(c.Pods) < 6:
				c.pod(c.ReplicaSets[rapid.IntRange(0, len(c.ReplicaSets)-1).Draw(t, "set")])
			case step == "crash" && len(c.Pods) > 0:
				crash(pick())
			case step == "go" && len(c.Pods) > 0:
				deleted(pick())
			case step == "gone" && len(c.Pods) > 0:
				p := pick()
				c.Pods = slices.DeleteFunc(c.Pods, func(o *corev1.Pod) bool { return o == p })
			case step == "available":
				c.available()
			case step == "stuck":
				c.stuck()
			case step == "rolling":
				c.rolling(1, 1)
			case step == "edit":
				c.Deployment.Spec.Template.Spec.Containers[0].Image = "evil:1"
			case step == "scaled by hand":
				c.Deployment.Spec.Replicas = ptr[int32](9)
			case step == "time":
				c.now = c.now.Add(5 * time.Minute)
			case step == "configure":
				c.s.cfg.ServiceAccount = rapid.SampledFrom([]string{"", "apps"}).Draw(t, "account")
			}
			if rapid.Bool().Draw(t, "Berth looks") {
				c.settle(t, w)
			}
		}
		c.settle(t, w)
	})
}

// Objects are anybody's: whatever stands in them, pods are told of.
func TestHostileObjects(t *testing.T) {
	c := newCluster(t)
	w := workload()
	c.up(w)
	c.Deployment.Annotations = map[string]string{annotationFailedInput: "x", annotationFailedExitCode: "many", annotationFailedAt: "now", annotationFailedReason: long(5000), revision: "-1"}
	c.ReplicaSets[0].Annotations = map[string]string{revision: "99999999999999999999", annotationMinReady: "-5s"}
	c.ReplicaSets = append(c.ReplicaSets, &appsv1.ReplicaSet{})
	c.Pods = append(c.Pods, &corev1.Pod{}, &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: containerName}}}})
	d := c.decide(w)
	if d.Apply == nil || len(d.Progress.Pods) < 3 {
		t.Errorf("%+v", d)
	}
	for _, p := range d.Progress.Pods {
		if len(p.Reason) > maxReason+10 || p.MinReady < 0 {
			t.Errorf("%+v", p)
		}
	}
	c.Deployment.Annotations, c.Deployment.Labels, c.Deployment.Spec.Replicas = nil, nil, nil
	if d := c.decide(w); d.Apply == nil {
		t.Error("a Deployment without anything is taken for one of ours")
	}
	c.s.forget(c.observation)
}
