package kubernetes_test

import (
	"context"
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/berthdev/berth/backends/kubernetes"
	"github.com/berthdev/berth/internal/kubetest"
	"github.com/berthdev/berth/schema"
)

// What nodes offer is followed: whoever listens is told that anything may have changed.
func TestNodesAreFollowed(t *testing.T) {
	s := newSite(t)
	nodes := s.Resource("", "v1", "nodes")
	all, err := nodes.List(t.Context(), metav1.ListOptions{})
	if err != nil || len(all.Items) == 0 {
		t.Fatalf("%v, %v", all, err)
	}
	node, key := all.Items[0].GetName(), "test.berth.dev/"+s.namespace
	label := func(value string) {
		t.Helper()
		patch := fmt.Sprintf(`{"metadata": {"labels": {%q: %s}}}`, key, value)
		if _, err := nodes.Patch(context.Background(), node, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Error(err)
		}
	}
	events, stop := watching(t, s.b)
	defer stop()
	t.Cleanup(func() { label("null") })
	label(`"yes"`)
	for told := false; !told; { // others label nodes too
		waitFor(t, events, "")
		c, err := s.b.Capacity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, some := c.HostLabels[key]
		told = c.Labels[key] == "yes" || some
	}
}

// Who may not see the nodes works as well with what the configuration says of them.
func TestNodesCannotBeSeen(t *testing.T) {
	l := newLab(t)
	own, apps := l.Namespace(t), l.Namespace(t)
	var objects []*unstructured.Unstructured
	for _, o := range renamed(kubetest.ReadManifest(t, "../../examples/kubernetes/namespaced.yaml", nil), own, apps) {
		if o.GetNamespace() != "" { // without what is granted of the cluster as a whole
			objects = append(objects, o)
		}
	}
	l.Install(t, objects)
	config := rest.CopyConfig(l.Config)
	config.Impersonate.UserName = "system:serviceaccount:" + own + ":berth"
	l.awaitRights(t, objects, config.Impersonate.UserName)
	cpu, memory := schema.CPU(4000), schema.Bytes(8<<30)
	b, err := kubernetes.New(t.Context(), schema.BackendConfig{
		Name: "cluster", Type: schema.BackendKubernetes, Namespace: apps, Capacity: schema.Offer{CPU: &cpu, Memory: &memory},
	}, "lab", kubernetes.Options{REST: config})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	_, stop := watching(t, b)
	defer stop()
	if pods, err := b.Pods(t.Context()); err != nil || len(pods) > 0 {
		t.Errorf("%v, %v", pods, err)
	}
	if c, err := b.Capacity(t.Context()); err != nil || c.CPU != cpu {
		t.Errorf("%+v, %v", c, err)
	}
}
