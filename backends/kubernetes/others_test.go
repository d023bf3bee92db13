package kubernetes

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berthdev/berth/backends"
)

// notTaken is a pod whose app is fine, but that Kubernetes does not take for ready.
func notTaken(since time.Duration, changes ...func(*corev1.Pod)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodReady, Status: corev1.ConditionFalse,
			LastTransitionTime: metav1.NewTime(p.Status.ContainerStatuses[0].State.Running.StartedAt.Add(since)),
		}}
		for _, change := range changes {
			change(p)
		}
	}
}

func with(c corev1.ContainerStatus) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, c) }
}

// proxy is a container that somebody else added, and that keeps crashing.
var proxy = corev1.ContainerStatus{
	Name: "proxy", RestartCount: 2,
	State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
	LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error"}},
}

// A pod is ready when Kubernetes says so: what others added to it, and its node, count.
func TestNotReadyForOthers(t *testing.T) {
	gate := func(p *corev1.Pod) {
		p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "lb.example.org/healthy"}}
	}
	for name, test := range map[string]struct {
		change func(*corev1.Pod)
		health backends.Health
		reason string
	}{
		"sidecar": {notTaken(-time.Second, with(proxy)), backends.HealthStarting, "its container proxy is crashing, it ended with exit code 3 (3 times)"},
		"sidecar, starting": {
			notTaken(-time.Second, with(corev1.ContainerStatus{Name: "proxy", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}})),
			backends.HealthStarting, "its container proxy is not ready",
		},
		"gate": {notTaken(-time.Second, gate), backends.HealthStarting, "its readiness gate lb.example.org/healthy is not met"},
		"node": {notTaken(time.Minute), backends.HealthUnhealthy, "its node node is not ready"},
	} {
		c := newCluster(t)
		c.apply(workload())
		c.pod(c.control(), test.change)
		p := c.s.pods(c.observation)[0]
		if ready, _ := p.Ready(c.now.Add(time.Hour)); ready || p.State != backends.PodRunning || p.Health != test.health || p.Reason != test.reason {
			t.Errorf("%s: ready %t, %s %s, %q; want %s, %q", name, ready, p.State, p.Health, p.Reason, test.health, test.reason)
		}
	}
}

// What others added before the app keeps it from being started: that is told, and is no pull.
func TestInitContainerOfOthers(t *testing.T) {
	c := newCluster(t)
	w := workload()
	c.up(w)
	next := changed(w, release("2.0.0"))
	c.apply(next)
	name := c.pod(c.control(), waiting("PodInitializing", ""), func(p *corev1.Pod) {
		p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "done", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}}, proxy}
	}).Name
	c.rolling(1, 1)
	c.stuck()
	c.now = c.now.Add(next.Rollout.Timeout)
	if d := c.apply(next); !d.GiveUp || !strings.Contains(d.Why, "pod "+name+": ") || !strings.Contains(d.Why, "its container proxy is crashing") {
		t.Errorf("given up %t: %s; %s", d.GiveUp, d.Why, d.Progress.Reason)
	}
}

// A rollout whose pods never become ready for what others added to them goes back.
func TestSidecarFailsRollout(t *testing.T) {
	c := newCluster(t)
	w := workload()
	c.up(w)
	next := changed(w, release("2.0.0"))
	c.apply(next)
	name := c.pod(c.control(), notTaken(-time.Second, with(proxy))).Name
	c.rolling(1, 1)
	c.expect(next, backends.PhaseProgressing, "0 of 1 replicas ready; pod "+name+": its container proxy is crashing, it ended with exit code 3 (3 times)")
	c.stuck()
	c.now = c.now.Add(next.Rollout.Timeout)
	if d := c.apply(next); !d.GiveUp || !strings.Contains(d.Why, "its container proxy is crashing") || d.Apply.Annotations[annotationRelease] != "1.2.0" {
		t.Errorf("given up %t: %s; %s", d.GiveUp, d.Why, d.Progress.Reason)
	}
}
