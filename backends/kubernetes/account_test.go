package kubernetes_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berthdev/berth/schema"
)

// A service account that is configured no more is left by the next release.
func TestServiceAccountGoes(t *testing.T) {
	s := newSite(t)
	w := s.workload("web")
	account := func() string {
		name, _, _ := unstructured.NestedString(s.deployment("web").Object, "spec", "template", "spec", "serviceAccountName")
		return name
	}
	with := s.again("lab", schema.BackendConfig{ServiceAccount: "apps"})
	s.ready(with, w)
	if got := account(); got != "apps" {
		t.Fatalf("its pods run as %q", got)
	}
	s.ready(s.b, w)
	if got := account(); got != "apps" {
		t.Errorf("a change of configuration changes pods: %q", got)
	}
	w.Release, w.Pod.Env = "2.0.0", map[string]string{"RELEASE": "2.0.0"}
	s.ready(s.b, w)
	if got := account(); got != "" {
		t.Errorf("the next release runs as %q", got)
	}
}
