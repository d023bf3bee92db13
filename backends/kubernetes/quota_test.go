package kubernetes_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/backendtest"
)

// A release that is taken back, and for whose pods there is no room any more, fails in
// time; the next one is tried again.
func TestTakenBackWithoutRoom(t *testing.T) {
	s := newSite(t)
	first := s.workload("web")
	first.Replicas, first.Rollout.Timeout = 1, 5*time.Second
	backendtest.Converge(s, s.b, first, backends.PhaseReady, limit)
	second := first
	second.Release, second.Pod.Env = "2.0.0", map[string]string{"RELEASE": "2.0.0"}
	backendtest.Converge(s, s.b, second, backends.PhaseReady, limit)

	quotas := s.Resource("", "v1", "resourcequotas").Namespace(s.namespace)
	if _, err := quotas.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ResourceQuota", "metadata": map[string]any{"name": "small"},
		"spec": map[string]any{"hard": map[string]any{"pods": "1"}},
	}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for late := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) { // until it is in force
		q, err := quotas.Get(t.Context(), "small", metav1.GetOptions{})
		if err != nil || time.Now().After(late) {
			t.Fatal("the quota does not count", err)
		}
		if used, _, _ := unstructured.NestedString(q.Object, "status", "used", "pods"); used != "" {
			break
		}
	}
	p := backendtest.Converge(s, s.b, first, backends.PhaseFailed, limit)
	if !strings.Contains(p.Reason, "pods cannot be made") || !strings.Contains(p.Reason, "quota") {
		t.Errorf("it says %q", p.Reason)
	}
	if err := quotas.Delete(t.Context(), "small", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	third := second
	third.Release, third.Pod.Env, third.Rollout.Timeout = "3.0.0", map[string]string{"RELEASE": "3.0.0"}, time.Minute
	backendtest.Converge(s, s.b, third, backends.PhaseReady, limit)
}
