package kubernetes

import (
	"encoding/json"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// What is changed before it is applied is no more than what cannot be beside it.
func TestClashes(t *testing.T) {
	o, err := lab().objects(workload(served, func(w *backends.Workload) { w.Rollout.Strategy = schema.Recreate }))
	if err != nil {
		t.Fatal(err)
	}
	app := func(d *appsv1.Deployment) *corev1.Container { return &d.Spec.Template.Spec.Containers[1] } // beside a proxy
	for want, change := range map[string]func(*appsv1.Deployment){
		`null`: func(d *appsv1.Deployment) { app(d).Image, app(d).Env[1].Value = "evil:1", "x" },
		`[{"op":"replace","path":"/spec/strategy","value":{"type":"Recreate"}}]`: func(d *appsv1.Deployment) {
			d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{}}
		},
		`[{"op":"replace","path":"/spec/template/spec/containers/1/env/6","value":{"name":"LOG_LEVEL","value":"info"}}]`: func(d *appsv1.Deployment) {
			app(d).Env[6].Value, app(d).Env[6].ValueFrom = "", &corev1.EnvVarSource{}
		},
		`[{"op":"replace","path":"/spec/template/spec/containers/1/lifecycle/preStop","value":{"sleep":{"seconds":5}}}]`: func(d *appsv1.Deployment) {
			app(d).Lifecycle.PreStop = &corev1.LifecycleHandler{Exec: &corev1.ExecAction{}}
		},
	} {
		live := theirs(defaulted(o.Deployment))
		change(live)
		fields, err := patch(o.Deployment)
		if err != nil {
			t.Fatal(err)
		}
		have, err := fieldsOf(live)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(clashes("", "", fields.Object, have)); string(got) != want || err != nil {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
}
