package kubetest

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

// clusterScoped are the kinds of our manifests that stand in no namespace.
var clusterScoped = map[string]bool{"Namespace": true, "ClusterRole": true, "ClusterRoleBinding": true}

// ReadManifest returns the objects of a file, after edit has changed its text;
// nil: it is taken as it is.
func ReadManifest(t testing.TB, file string, edit func(text string) string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		text = []byte(edit(string(text)))
	}
	var all []*unstructured.Unstructured
	for dec := yaml.NewYAMLOrJSONDecoder(strings.NewReader(string(text)), 4096); ; {
		o := &unstructured.Unstructured{}
		err := dec.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, o)
	}
}

// Install applies objects as "kubectl apply" does, and removes them after the test.
func (c *Cluster) Install(t testing.TB, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, o := range objects {
		at := c.of(o)
		t.Cleanup(func() {
			if err := at.Delete(context.Background(), o.GetName(), metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Error(err)
			}
		})
		if _, err := at.Apply(context.Background(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "kubectl", Force: true}); err != nil {
			t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
}

// of returns a client of the objects of o's kind and namespace.
func (c *Cluster) of(o *unstructured.Unstructured) dynamic.ResourceInterface {
	kind := o.GroupVersionKind()
	all := c.Resource(kind.Group, kind.Version, strings.ToLower(kind.Kind)+"s")
	if clusterScoped[kind.Kind] {
		return all
	}
	return all.Namespace(o.GetNamespace())
}
