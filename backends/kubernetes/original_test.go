package kubernetes

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/berthdev/berth/backends"
)

// What is kept when Berth's configuration changes is what Berth applied, not what
// somebody made of it.
func TestEditedAfterConfigured(t *testing.T) {
	app := func(d *appsv1.Deployment) *corev1.Container { return &d.Spec.Template.Spec.Containers[0] }
	arg := func(text string) func(*backends.Workload) {
		return func(w *backends.Workload) { w.Pod.Args = []string{text} }
	}
	for says, edit := range map[string]func(*appsv1.Deployment){
		"image: it is evil:1":           func(d *appsv1.Deployment) { app(d).Image = "evil:1" },
		"args[0]: it is another value":  func(d *appsv1.Deployment) { app(d).Args = []string{"old"} }, // the former release's ReplicaSet
		"tolerations: it has 2 entries": func(d *appsv1.Deployment) { d.Spec.Template.Spec.Tolerations = make([]corev1.Toleration, 2) },
	} {
		c := newCluster(t)
		c.s.cfg.Tolerations = []string{"lab"}
		c.up(workload(arg("old")))
		w := workload(arg("new"))
		c.up(w)
		c.s.cfg.ServiceAccount = "apps"
		c.expect(w, backends.PhaseReady, "")
		edit(c.Deployment)
		c.control()
		d := c.apply(w)
		if !strings.Contains(d.Why, says) || !d.Drift || d.Apply.Spec.Template.Spec.ServiceAccountName != "" {
			t.Errorf("%q, drift %t; want %q", d.Why, d.Drift, says)
		}
		c.control()
		c.expectSoon(w, backends.PhaseReady, "")
	}
}

// What others have added stays theirs: when Berth goes back to a release that had it,
// they may take it away again.
func TestGoesBackWithoutOthers(t *testing.T) {
	c := newCluster(t)
	w := workload(served)
	c.up(w)
	c.Deployment = theirs(c.Deployment)
	c.Pods = nil
	set := c.control()
	for range w.Replicas {
		c.pod(set)
	}
	c.available()
	c.expect(w, backends.PhaseReady, "")
	bad := changed(w, release("2.0.0"))
	d := c.fail(bad)
	p := d.Apply.Spec.Template.Spec
	if len(p.Containers) != 1 || p.Containers[0].Image != w.Pod.Image || len(p.Volumes) != 3 || d.Apply.Spec.Template.Annotations != nil {
		t.Errorf("it goes back with what others have added: %+v", d.Apply.Spec.Template)
	}
	if p.DNSPolicy != "" || p.RestartPolicy != "" || p.Containers[0].TerminationMessagePath != "" || p.Containers[0].ReadinessProbe.SuccessThreshold != 0 {
		t.Errorf("it claims defaults: %+v", p)
	}
	c.restored()
	c.Deployment.Spec.Template.Spec.DNSPolicy = corev1.DNSDefault
	if d := c.decide(bad); d.Apply != nil {
		t.Errorf("applied for %s", d.Why)
	}
	c.Deployment.Spec.Template.Spec.Containers[0].Image = "evil:1"
	if d := c.decide(bad); d.Apply == nil || !d.Drift {
		t.Errorf("drift of what was restored: %+v", d)
	}
}
