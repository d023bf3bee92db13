package kubernetes_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/backendtest"
	"github.com/berthdev/berth/internal/dockertest"
	"github.com/berthdev/berth/schema"
)

// awaitReason applies a workload until its progress says this.
func (s *site) awaitReason(w backends.Workload, want string) {
	s.Helper()
	var p backends.Progress
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var err error
		if p, err = s.b.Apply(context.Background(), w, nil); err != nil && schema.KindOf(err) != schema.Transient {
			s.Fatal(err)
		}
		if err == nil && strings.Contains(p.Reason, want) {
			return
		}
	}
	s.Errorf("%s: %s: %q, want %q", w.Deployment, p.Phase, p.Reason, want)
}

// What the kubelet and the scheduler have against a pod is told in plain words.
func TestReasons(t *testing.T) {
	s := newSite(t)
	for name, test := range map[string]struct {
		change func(*backends.PodSpec)
		want   string
	}{
		"large":  {func(p *backends.PodSpec) { p.CPU = 1_000_000 }, "no node fits: "},
		"hungry": {func(p *backends.PodSpec) { p.Args, p.Memory = []string{"-eat"}, 64<<20 }, "it was killed for using more memory than it may"},
		"lost":   {func(p *backends.PodSpec) { p.Image = "berth.test/missing:1" }, "the image berth.test/missing:1 cannot be pulled: "},
		"silly":  {func(p *backends.PodSpec) { p.Command = []string{"/nothing"} }, "it cannot be started: "},
		"ending": {func(p *backends.PodSpec) { p.Args = []string{"-exit", "3"} }, "it ended with exit code 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here := *s
			here.TB = t
			w := s.workload(name)
			w.Replicas = 1
			test.change(&w.Pod)
			here.awaitReason(w, test.want)
		})
	}
}

// An image whose registry asks for a password is pulled with the secret that the
// configuration names.
func TestPullSecret(t *testing.T) {
	s := newSite(t)
	registry := dockertest.NewRegistry(t)
	registry.User, registry.Password = "berth", "open sesame"
	// It is an image of its own: what was pulled with a secret, the kubelet gives
	// nobody without one, be it another name of the same image.
	spec := dockertest.AppSpec(t, "lab/app")
	spec.Labels = map[string]string{"test.registry": registry.Host}
	ref, _ := registry.Add(t, "lab/app", "1", spec)
	w := s.workload("web")
	w.Replicas, w.Pod.Image, w.Pod.Pull = 1, ref, schema.PullAlways
	s.awaitReason(w, "cannot be pulled: ")

	login, err := json.Marshal(map[string]any{"auths": map[string]any{
		registry.Host: map[string]string{"username": registry.User, "password": registry.Password},
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Resource("", "v1", "secrets").Namespace(s.namespace).Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": string(corev1.SecretTypeDockerConfigJson),
		"metadata":   map[string]any{"name": "registry"},
		"stringData": map[string]any{corev1.DockerConfigJsonKey: string(login)},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b := s.again("with-a-secret", schema.BackendConfig{ImagePullSecrets: []string{"registry"}})
	w.Deployment = "secret"
	backendtest.Converge(t, b, w, backends.PhaseReady, 2*limit)
}
