package kubernetes_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/kubernetes"
	"github.com/berthdev/berth/internal/kubetest"
	"github.com/berthdev/berth/schema"
)

// TestRoles runs all that Berth does as the service account of the manifests:
// nothing more is needed than they grant, and nothing is granted that is not used.
func TestRoles(t *testing.T) {
	for _, file := range []string{"namespaced.yaml", "cluster-wide.yaml"} {
		t.Run(file, func(t *testing.T) {
			l := newLab(t)
			own, apps := l.Namespace(t), l.Namespace(t)
			objects := renamed(kubetest.ReadManifest(t, "../../examples/kubernetes/"+file, nil), own, apps)
			l.Install(t, objects)
			cfg := schema.BackendConfig{Name: "cluster", Type: schema.BackendKubernetes, Namespace: apps}
			user := ""
			if file == "cluster-wide.yaml" {
				user, cfg.Namespaces = "john", &schema.Namespaces{Template: apps + "-{user}", Create: true}
				t.Cleanup(func() {
					if err := l.Resource("", "v1", "namespaces").Delete(context.Background(), apps+"-john", metav1.DeleteOptions{}); err != nil {
						t.Error(err)
					}
				})
			}
			used := &audit{seen: map[string]bool{}}
			config := rest.CopyConfig(l.Config)
			config.Impersonate.UserName = "system:serviceaccount:" + own + ":berth"
			l.awaitRights(t, objects, config.Impersonate.UserName)
			config.Wrap(func(next http.RoundTripper) http.RoundTripper { used.next = next; return used })
			b, err := kubernetes.New(t.Context(), cfg, "lab-"+apps, kubernetes.Options{REST: config})
			if err != nil {
				t.Fatal(err)
			}
			useAll(t, b, l.app(), user)
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			for _, what := range used.refused {
				if what != "get nodes/proxy" { // which is deliberately not granted, see README.md
					t.Errorf("it was refused to %s", what)
				}
			}
			for _, what := range granted(objects, own) {
				if !used.seen[what] {
					t.Errorf("it may %s, and does not", what)
				}
			}
		})
	}
}

// awaitRights waits until the API server grants a user what roles say that were just
// made: it learns of them a moment later.
func (l *lab) awaitRights(t *testing.T, objects []*unstructured.Unstructured, user string) {
	t.Helper()
	for _, o := range objects {
		rules, _, _ := unstructured.NestedSlice(o.Object, "rules")
		for _, r := range rules {
			first := func(key string) string {
				all, _, _ := unstructured.NestedStringSlice(r.(map[string]any), key)
				return append(all, "")[0]
			}
			resource, part, _ := strings.Cut(first("resources"), "/")
			review := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
				"spec": map[string]any{"user": user, "resourceAttributes": map[string]any{
					"namespace": o.GetNamespace(), "verb": first("verbs"), "group": first("apiGroups"),
					"resource": resource, "subresource": part, "name": first("resourceNames"),
				}},
			}}
			for late := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
				got, err := l.Resource("authorization.k8s.io", "v1", "subjectaccessreviews").Create(t.Context(), review, metav1.CreateOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if allowed, _, _ := unstructured.NestedBool(got.Object, "status", "allowed"); allowed {
					break
				}
				if time.Now().After(late) {
					t.Fatalf("%s %s does not count: %v", o.GetKind(), o.GetName(), r)
				}
			}
		}
	}
}

// useAll has a backend do all that it can.
func useAll(t *testing.T, b *kubernetes.Backend, app backends.PodSpec, user string) {
	t.Helper()
	if _, err := b.Capacity(t.Context()); err != nil {
		t.Error(err)
	}
	watching, stop := context.WithCancel(t.Context())
	var watched sync.WaitGroup
	watched.Go(func() { _ = b.Watch(watching, func(backends.Event) {}) })
	defer watched.Wait()
	defer stop()
	drop := false
	app.Volumes = []schema.Volume{{Name: "cache", Path: "/cache", Keep: &drop}, {Name: "data", Path: "/data", Keep: &drop}}
	w := backends.Workload{
		Deployment: "web", App: "org.example.web", Release: "1.0.0", Flavour: "cpu", User: user, Replicas: 1, Pod: app,
		Rollout: backends.Rollout{Strategy: schema.Rolling, Timeout: 5 * time.Second, Rollback: true},
	}
	pods := reach(t, b, w, backends.PhaseReady)
	if err := b.Logs(t.Context(), pods[0].Name, backends.LogOptions{}, func(backends.LogLine) error { return nil }); err != nil {
		t.Error(err)
	}
	_, _ = b.Usage(t.Context()) // there is no metrics server, and the kubelets are not for Berth
	bad := w
	bad.Release, bad.Pod.Image, bad.Pod.Pull, bad.Rollout.Rollback = "1.1.0", "berth.test/missing:1", schema.PullNever, false
	reach(t, b, bad, backends.PhaseFailed)
	if err := b.Forget(t.Context(), "web", nil); err != nil {
		t.Error(err)
	}
	w.Pod.Ports = nil // its Service goes
	reach(t, b, w, backends.PhaseReady)
	if err := b.Remove(t.Context(), "web", nil); err != nil {
		t.Error(err)
	}
	if err := b.Uninstall(t.Context(), true, nil); err != nil {
		t.Error(err)
	}
}

// reach applies a workload until it is in a phase.
func reach(t *testing.T, b *kubernetes.Backend, w backends.Workload, phase backends.Phase) []backends.Pod {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		p, err := b.Apply(t.Context(), w, nil)
		if err == nil && p.Phase == phase {
			return p.Pods
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s %s: %+v, %v; want %s", w.Deployment, w.Release, p, err, phase)
		}
	}
}

// renamed returns the manifest's objects for namespaces of the test's own.
func renamed(objects []*unstructured.Unstructured, own, apps string) []*unstructured.Unstructured {
	spaces := map[string]string{"berth": own, "berth-apps": apps}
	var out []*unstructured.Unstructured
	for _, o := range objects {
		switch o.GetKind() {
		case "Namespace":
			continue
		case "ClusterRole", "ClusterRoleBinding":
			o.SetName(o.GetName() + "-" + own)
		default:
			o.SetNamespace(spaces[o.GetNamespace()])
		}
		if role, _, _ := unstructured.NestedString(o.Object, "roleRef", "kind"); role == "ClusterRole" {
			name, _, _ := unstructured.NestedString(o.Object, "roleRef", "name")
			_ = unstructured.SetNestedField(o.Object, name+"-"+own, "roleRef", "name")
		}
		subjects, _, _ := unstructured.NestedSlice(o.Object, "subjects")
		for _, s := range subjects {
			s.(map[string]any)["namespace"] = own
		}
		if subjects != nil {
			_ = unstructured.SetNestedSlice(o.Object, subjects, "subjects")
		}
		out = append(out, o)
	}
	return out
}

// granted lists what roles grant, but for those in the namespace own, whose Lease
// is not the backend's.
func granted(objects []*unstructured.Unstructured, own string) []string {
	all := map[string]bool{}
	for _, o := range objects {
		rules, _, _ := unstructured.NestedSlice(o.Object, "rules")
		for _, r := range rules {
			rule := &unstructured.Unstructured{Object: r.(map[string]any)}
			list := func(key string) []string {
				s, _, _ := unstructured.NestedStringSlice(rule.Object, key)
				return s
			}
			for _, group := range list("apiGroups") {
				for _, resource := range list("resources") {
					for _, verb := range list("verbs") {
						all[strings.TrimSuffix(verb+" "+resource+"."+group, ".")] = o.GetNamespace() != own
					}
				}
			}
		}
	}
	maps.DeleteFunc(all, func(_ string, counts bool) bool { return !counts })
	return slices.Sorted(maps.Keys(all))
}

// audit notes the permissions that requests need, as "VERB RESOURCE.GROUP".
type audit struct {
	next http.RoundTripper

	mu      sync.Mutex
	seen    map[string]bool
	refused []string
}

// RoundTrip implements [http.RoundTripper].
func (a *audit) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.next.RoundTrip(r)
	if err != nil {
		return resp, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	what := needed(r)
	if resp.StatusCode == http.StatusForbidden {
		a.refused = append(a.refused, what)
	}
	a.seen[what] = true
	if r.URL.Query().Has("sendInitialEvents") { // a watch that lists first; older API servers are asked for the list
		a.seen[strings.Replace(what, "watch ", "list ", 1)] = true
	}
	if resp.StatusCode == http.StatusCreated { // a patch that creates needs both
		a.seen[strings.Replace(what, "patch ", "create ", 1)] = true
	}
	return resp, err
}

// WrappedRoundTripper lets connections be closed.
func (a *audit) WrappedRoundTripper() http.RoundTripper { return a.next }

// needed returns the permission that a request needs.
func needed(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	group := ""
	switch parts[0] {
	case "api":
		parts = parts[2:]
	case "apis":
		group, parts = "."+parts[1], parts[3:]
	default:
		return r.Method + " " + r.URL.Path
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	verb := map[string]string{http.MethodPatch: "patch", http.MethodPost: "create", http.MethodPut: "update", http.MethodDelete: "delete"}[r.Method]
	switch {
	case verb != "":
	case r.URL.Query().Has("watch"):
		verb = "watch"
	case len(parts) > 1:
		verb = "get"
	default:
		verb = "list"
	}
	resource := parts[0]
	if len(parts) > 2 {
		resource += "/" + parts[2]
	}
	return verb + " " + resource + group
}
