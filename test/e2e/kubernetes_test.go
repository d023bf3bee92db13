package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"

	"github.com/berthdev/berth/internal/dockertest"
	"github.com/berthdev/berth/internal/image"
	"github.com/berthdev/berth/internal/kubetest"
)

// nodeAddress is where the cluster's pods reach this machine.
const nodeAddress = "10.117.0.1"

// TestInstalledInACluster installs Berth as examples/kubernetes does it: what is
// pushed runs; when the leader is killed the other replica takes over, and no pod
// of an app is touched; a webhook may come to any replica.
func TestInstalledInACluster(t *testing.T) {
	c := kubetest.New(t)
	reference := kubetest.Load(t, image.Spec{Name: "berth.test/berth", Executable: berthExecutable(t), Path: "/berth"})
	w := &world{t: t, dir: t.TempDir(), image: reference}
	w.apps, w.desired = filepath.Join(w.dir, "apps"), filepath.Join(w.dir, "desired")
	url := serveToPods(w)
	for _, dir := range []string{w.apps, w.desired} {
		w.git("", "init", "-q", "-b", "main", dir)
	}
	w.commit(w.apps, "Publish 0.1.0", map[string]string{"hello/manifest.yaml": w.manifest("0.1.0")})
	w.commit(w.desired, "Run hello", map[string]string{
		"repos.yaml": "kind: Repo\nname: apps\nurl: " + url("apps") + "\n",
		"hello.yaml": deployment("hello", "0.1.0"),
	})
	awaitGone(t, c.Resource("", "v1", "namespaces"), "berth", "berth-apps") // of a former run
	c.Install(t, kubetest.ReadManifest(t, "../../examples/kubernetes/namespaced.yaml", nil))
	c.Install(t, kubetest.ReadManifest(t, "../../examples/kubernetes/berth.yaml", func(text string) string {
		return strings.NewReplacer(
			"image: berth:latest", "image: "+reference,
			"{url: https://git.example.org/lab/desired.git}", fmt.Sprintf("{url: %q, interval: 1h}", url("desired")),
			"# webhooks:", "webhooks:",
		).Replace(text) + "\n---\n{apiVersion: v1, kind: Secret, metadata: {name: berth, namespace: berth}, stringData: {webhook: " + webhookSecret + "}}\n"
	}))
	deployments, pods := c.Resource("apps", "v1", "deployments"), c.Resource("", "v1", "pods")
	awaitReady(t, deployments.Namespace("berth"), "berth", 2)
	awaitReady(t, deployments.Namespace("berth-apps"), "hello", 1)
	before := listed[corev1.Pod](t, pods.Namespace("berth-apps"))
	if text := awaitText(t, c, "hello"); !strings.Contains(text, "release 0.1.0") {
		t.Errorf("the app answers %q", text)
	}

	leader := holder(t, c)
	for _, p := range listed[corev1.Pod](t, pods.Namespace("berth")) {
		want := "ok\n"
		if p.Name != leader {
			want = "ok: on standby, " + leader + " leads\n"
		}
		eventually(t, p.Name+" says who leads", func() error {
			got, err := textOf("http://" + net.JoinHostPort(p.Status.PodIP, "8484") + "/readyz")
			if err == nil && got != want {
				err = fmt.Errorf("it says %q", got)
			}
			return err
		})
	}
	at := int64(0)
	if err := pods.Namespace("berth").Delete(t.Context(), leader, metav1.DeleteOptions{GracePeriodSeconds: &at}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another replica leads", func() error {
		if now := holder(t, c); now == leader || now == "" {
			return fmt.Errorf("held by %q", now)
		}
		return nil
	})
	eventually(t, "it has read what there is", func() error {
		now, err := get[corev1.Pod](t.Context(), pods.Namespace("berth"), holder(t, c))
		if err != nil {
			return err
		}
		text, err := textOf("http://" + net.JoinHostPort(now.Status.PodIP, "8484") + "/readyz")
		if err == nil && text != "ok\n" {
			err = fmt.Errorf("it says %q", text)
		}
		return err
	})
	w.commit(w.desired, "Run a second one", map[string]string{"second.yaml": deployment("second", "0.1.0")})
	eventually(t, "another replica looks on", func() error {
		leader := holder(t, c)
		for _, p := range listed[corev1.Pod](t, pods.Namespace("berth")) {
			if p.Name != leader && p.DeletionTimestamp == nil && podReady(&p) {
				w.listen = net.JoinHostPort(p.Status.PodIP, "8484")
				return nil
			}
		}
		return errors.New("none is ready")
	})
	w.deliverSigned(url("desired"))
	awaitReady(t, deployments.Namespace("berth-apps"), "second", 1)
	for _, p := range listed[corev1.Pod](t, pods.Namespace("berth-apps")) {
		if strings.HasPrefix(p.Name, "hello-") && (p.UID != before[0].UID || p.Status.ContainerStatuses[0].RestartCount > 0) {
			t.Errorf("the app's pod was %s and is %s, %+v", before[0].Name, p.Name, p.Status.ContainerStatuses)
		}
	}
	for _, p := range listed[corev1.Pod](t, pods.Namespace("berth")) {
		for _, s := range p.Status.ContainerStatuses {
			if s.RestartCount > 0 {
				t.Errorf("Berth restarted in %s: %+v", p.Name, s.LastTerminationState)
			}
		}
	}
}

// serveToPods serves the world's repositories where pods reach them.
func serveToPods(w *world) func(repo string) string {
	w.t.Helper()
	listener, err := net.Listen("tcp", nodeAddress+":0")
	if err != nil {
		dockertest.Unavailable(w.t, "pods of this cluster do not reach this machine: "+err.Error())
	}
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: &cgi.Handler{
		Path:   filepath.Join(w.git(w.dir, "--exec-path"), "git-http-backend"),
		Env:    []string{"GIT_PROJECT_ROOT=" + w.dir, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + w.dir, "PATH=" + os.Getenv("PATH")},
		Stderr: io.Discard,
	}}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(listener) }() // until it is closed
	w.t.Cleanup(func() { _ = server.Close(); <-ended })
	return func(repo string) string { return "http://" + listener.Addr().String() + "/" + repo + "/.git" }
}

// eventually waits until what should be is so.
func eventually(t *testing.T, what string, holds func() error) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		err := holds()
		if err == nil {
			return
		}
		if time.Since(began) > patience {
			t.Fatalf("%s: not within %s: %v", what, patience, err)
		}
	}
}

func awaitGone(t *testing.T, all dynamic.ResourceInterface, names ...string) {
	t.Helper()
	for _, name := range names {
		eventually(t, name+" is gone", func() error {
			_, err := all.Get(t.Context(), name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return fmt.Errorf("it is there, %w", err)
		})
	}
}

func awaitReady(t *testing.T, all dynamic.ResourceInterface, name string, replicas int32) {
	t.Helper()
	eventually(t, name+" is ready", func() error {
		d, err := get[appsv1.Deployment](t.Context(), all, name)
		if err == nil && d.Status.ReadyReplicas != replicas {
			err = fmt.Errorf("status %+v", d.Status)
		}
		return err
	})
}

// awaitText returns what an app answers at its Service.
func awaitText(t *testing.T, c *kubetest.Cluster, name string) (text string) {
	t.Helper()
	eventually(t, name+" answers", func() error {
		s, err := get[corev1.Service](t.Context(), c.Resource("", "v1", "services").Namespace("berth-apps"), name)
		if err == nil {
			text, err = textOf("http://" + net.JoinHostPort(s.Spec.ClusterIP, "8080"))
		}
		return err
	})
	return text
}

func textOf(url string) (string, error) {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func podReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// holder returns the pod that holds the Lease.
func holder(t *testing.T, c *kubetest.Cluster) string {
	t.Helper()
	l, err := get[coordinationv1.Lease](t.Context(), c.Resource("coordination.k8s.io", "v1", "leases").Namespace("berth"), "berth-lab")
	if err != nil {
		t.Fatal(err)
	}
	if l.Spec.HolderIdentity == nil {
		return ""
	}
	pod, _, _ := strings.Cut(*l.Spec.HolderIdentity, "_")
	return pod
}

func get[T any](ctx context.Context, all dynamic.ResourceInterface, name string) (*T, error) {
	o, err := all.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	out := new(T)
	return out, runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, out)
}

func listed[T any](t *testing.T, all dynamic.ResourceInterface) []T {
	t.Helper()
	list, err := all.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := make([]T, len(list.Items))
	for i := range out {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &out[i]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
