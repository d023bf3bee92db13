package kubetest

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestCluster(t *testing.T) {
	c := New(t)
	name := c.Namespace(t)
	if _, err := c.Resource("", "v1", "namespaces").Get(t.Context(), name, metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if first, second := Image(t), Image(t); first != second || !strings.HasPrefix(first, "berth.test/app:") {
		t.Errorf("images %q and %q", first, second)
	}
}
