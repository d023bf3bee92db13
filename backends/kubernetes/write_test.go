package kubernetes_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/kubernetes"
	"github.com/berthdev/berth/schema"
)

// A new object costs one request; before several are made, it is asked whether the
// later ones can be.
func TestRequestsOfNew(t *testing.T) {
	s := newSite(t)
	if _, err := s.b.Pods(t.Context()); err != nil { // from now on its caches are there
		t.Fatal(err)
	}
	alone := s.workload("alone")
	alone.Pod.Ports = nil
	for _, w := range []struct {
		workload backends.Workload
		want     int64
	}{{alone, 1}, {s.workload("served"), 3}} {
		before := s.b.all.Load()
		if _, err := s.b.Apply(t.Context(), w.workload, nil); err != nil {
			t.Fatal(err)
		}
		if n := s.b.all.Load() - before; n != w.want {
			t.Errorf("%s: %d requests, want %d", w.workload.Deployment, n, w.want)
		}
	}
}

// What Berth has not made it does not touch, whoever made it: not even where nothing
// of it contradicts what Berth would set, as with a Service that selects nothing.
func TestForeign(t *testing.T) {
	s := newSite(t)
	theirs := map[string]any{"app": "theirs"}
	pods := map[string]any{
		"replicas": int64(0), "selector": map[string]any{"matchLabels": theirs},
		"template": map[string]any{
			"metadata": map[string]any{"labels": theirs},
			"spec":     map[string]any{"containers": []any{map[string]any{"name": "app", "image": "berth.invalid/theirs:1"}}},
		},
	}
	selected := map[string]any{"selector": theirs, "ports": []any{map[string]any{"port": int64(80)}}}
	selecting := map[string]any{"clusterIP": "None"}
	other := map[string]any{"berth.dev/instance": "other", "berth.dev/deployment": "gamma"}
	for _, test := range []struct {
		name, group, kind, resource string
		spec, labels                map[string]any
		ports                       bool // of Berth's: it would make a Service before
		says                        string
	}{
		{"alpha", "apps", "Deployment", "deployments", pods, nil, true, "did not make it"},
		{"alone", "apps", "Deployment", "deployments", pods, nil, false, "did not make it"},
		{"beta", "", "Service", "services", selected, nil, true, "did not make it"},
		{"empty", "", "Service", "services", selecting, nil, true, "did not make it"},
		{"gamma", "apps", "Deployment", "deployments", pods, other, true, "the instance other"},
	} {
		version := "v1"
		if test.group != "" {
			version = test.group + "/v1"
		}
		all := s.Resource(test.group, "v1", test.resource).Namespace(s.namespace)
		made, err := all.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": version, "kind": test.kind, "metadata": map[string]any{"name": test.name, "labels": test.labels}, "spec": test.spec,
		}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w := s.workload(test.name)
		if !test.ports {
			w.Pod.Ports = nil
		}
		_, err = s.b.Apply(t.Context(), w, nil)
		var e *schema.Error
		if !errors.As(err, &e) || e.Kind != schema.Terminal || e.Hint == "" || !strings.Contains(e.Error(), test.says) {
			t.Errorf("%s: %v, want a terminal error that says %q, with a hint", test.name, err, test.says)
		}
		if err := s.b.Remove(t.Context(), test.name, nil); err != nil {
			t.Error(err)
		}
		now, err := all.Get(t.Context(), test.name, metav1.GetOptions{})
		if err != nil || now.GetUID() != made.GetUID() || now.GetGeneration() != made.GetGeneration() || !maps.Equal(now.GetLabels(), made.GetLabels()) {
			t.Errorf("%s: somebody else's %s was changed: %v, %v", test.name, test.kind, now, err)
		}
		if test.kind == "Service" && now.GetResourceVersion() != made.GetResourceVersion() { // a Deployment has a controller
			t.Errorf("%s was written", test.name)
		}
	}
	if owned, err := s.b.Owned(t.Context()); err != nil || len(owned) > 0 {
		t.Errorf("owned: %v, %v", owned, err)
	}
}

// Much is removed at once, and told step by step.
func TestUninstallsMany(t *testing.T) {
	const many = 60
	s := newSite(t)
	for i := range many {
		if _, err := s.b.Apply(t.Context(), s.workload(fmt.Sprintf("web-%d", i)), nil); err != nil {
			t.Fatal(err)
		}
	}
	told := map[string]int{}
	if err := s.b.Uninstall(t.Context(), false, func(step backends.Step) {
		if step.Done {
			told[step.Deployment]++
		}
	}); err != nil {
		t.Fatal(err)
	}
	if owned, err := s.b.Owned(t.Context()); err != nil || len(owned) > 0 {
		t.Errorf("left: %v, %v", owned, err)
	}
	for name, n := range told {
		if n != 2 { // its Deployment and its Service
			t.Errorf("%s: %d steps", name, n)
		}
	}
	if len(told) != many {
		t.Errorf("%d deployments are told of, want %d", len(told), many)
	}
}

// copyAs makes a copy of one of Berth's objects under another name or in another
// namespace, as kubectl does: labels and annotations go with it.
func (s *site) copyAs(group, resource, name, namespace, as string) {
	s.Helper()
	all := s.Resource(group, "v1", resource)
	o, err := all.Namespace(s.namespace).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	spec := o.Object["spec"].(map[string]any)
	for _, own := range []string{"clusterIP", "clusterIPs", "volumeName"} {
		delete(spec, own)
	}
	twin := &unstructured.Unstructured{Object: map[string]any{"apiVersion": o.GetAPIVersion(), "kind": o.GetKind(), "metadata": map[string]any{}, "spec": spec}}
	twin.SetName(as)
	twin.SetLabels(o.GetLabels())
	twin.SetAnnotations(o.GetAnnotations())
	if _, err := all.Namespace(namespace).Create(context.Background(), twin, metav1.CreateOptions{FieldManager: "kubectl-create"}); err != nil {
		s.Fatal(err)
	}
}

// A copy of what Berth made carries its labels, and is somebody else's all the same:
// it is not taken for Berth's, nor changed, nor removed. In the way, it is refused.
func TestCopies(t *testing.T) {
	s := newSite(t)
	elsewhere := s.Namespace(t)
	instance := "lab-" + s.namespace
	b := s.again(instance, schema.BackendConfig{Namespaces: &schema.Namespaces{Template: s.namespace + "-{user}"}})
	w := s.workload("web")
	w.User = "" // in the backend's namespace
	gone := false
	w.Pod.Volumes = []schema.Volume{{Name: "data", Path: "/data", Keep: &gone}}
	s.ready(b, w)
	type object struct{ group, resource, namespace, name string }
	copies := []object{
		{"", "services", s.namespace, "web-public"},
		{"", "persistentvolumeclaims", s.namespace, "web.backup"},
		{"apps", "deployments", s.namespace, "web-two"},
		{"apps", "deployments", elsewhere, "web"},
	}
	s.copyAs("", "services", "web", s.namespace, "web-public")
	s.copyAs("", "persistentvolumeclaims", "web.data", s.namespace, "web.backup")
	s.copyAs("apps", "deployments", "web", s.namespace, "web-two")
	s.copyAs("apps", "deployments", "web", elsewhere, "web")
	untouched := func(after string) {
		t.Helper()
		for _, c := range copies {
			o, err := s.Resource(c.group, "v1", c.resource).Namespace(c.namespace).Get(t.Context(), c.name, metav1.GetOptions{})
			if err != nil {
				t.Errorf("%s: the copy %s %s: %v", after, c.resource, c.name, err)
				continue
			}
			written := slices.ContainsFunc(o.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool { return m.Manager == kubernetes.FieldManager })
			if written || o.GetDeletionTimestamp() != nil {
				t.Errorf("%s: the copy %s %s was written (%t) or is going", after, c.resource, c.name, written)
			}
		}
	}

	w.Release = "2.0.0" // with a write of each kind, of which the event comes after those of the copies
	w.Pod.Ports = append(w.Pod.Ports, schema.Port{Container: 9090, Protocol: schema.TCP})
	w.Pod.Volumes = append(w.Pod.Volumes, schema.Volume{Name: "more", Path: "/more", Keep: &gone})
	s.ready(b, w)
	if owned, err := b.Owned(t.Context()); err != nil || len(owned) != 4 {
		t.Errorf("owned: %v, %v", owned, err)
	}
	if pods, err := b.Pods(t.Context()); err != nil || len(pods) != 1 || pods[0].Release != "2.0.0" {
		t.Errorf("pods: %+v, %v", pods, err)
	}
	w.Pod.Ports, w.Pod.Volumes = nil, nil
	s.ready(b, w)
	untouched("ports and volumes are wanted no more")
	if err := b.Remove(t.Context(), "web", nil); err != nil {
		t.Error(err)
	}
	untouched("it is removed")
	if err := b.Uninstall(t.Context(), true, nil); err != nil {
		t.Error(err)
	}
	untouched("all is removed")

	other := w
	other.Deployment = "web-two"
	s.edit("apps", "deployments", "web-two", `{"metadata":{"labels":{"berth.dev/deployment":"web-two"}}}`)
	_, err := b.Apply(t.Context(), other, nil)
	if schema.KindOf(err) != schema.Terminal || !strings.Contains(err.Error(), "this Berth did not make it, although it carries its labels") {
		t.Errorf("in the way: %v", err)
	}
}
