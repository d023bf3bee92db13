// Package kubetest gives tests a real Kubernetes cluster.
package kubetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/berthdev/berth/internal/dockertest"
	"github.com/berthdev/berth/internal/image"
)

// AppPort is the port that the test app serves on, unless LISTEN says otherwise.
const AppPort = dockertest.AppPort

// The node's container engine, which test/setup.sh cluster runs.
const (
	socket     = "/var/lib/berth-cluster/containerd.sock"
	imageSpace = "k8s.io" // containerd's namespace of what the kubelet runs
)

// A Cluster is the cluster that tests use, with an administrator's rights.
type Cluster struct {
	Kubeconfig string // the file that says how it is reached
	Config     *rest.Config
	Client     dynamic.Interface
}

// New returns the cluster of BERTH_TEST_KUBECONFIG, or the one that "make cluster"
// starts. Without one that answers, the test is skipped; in CI it fails. It is
// skipped too where tests shall be short.
func New(t testing.TB) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("a cluster takes a while")
	}
	file, err := kubeconfig()
	if err != nil {
		dockertest.Unavailable(t, err.Error())
	}
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		dockertest.Unavailable(t, "no cluster is there (make cluster): "+err.Error())
	}
	config.QPS = -1
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { utilnet.CloseIdleConnectionsFor(client.Transport) })
	c := &Cluster{Kubeconfig: file, Config: config}
	if c.Client, err = dynamic.NewForConfigAndClient(config, client); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := c.Resource("", "v1", "nodes").List(ctx, metav1.ListOptions{}); err != nil {
		dockertest.Unavailable(t, "no cluster answers (make cluster): "+err.Error())
	}
	return c
}

// kubeconfig returns the file that says how the cluster is reached.
func kubeconfig() (string, error) {
	if file := os.Getenv("BERTH_TEST_KUBECONFIG"); file != "" {
		return file, nil
	}
	return dockertest.Cache("cluster", "kubeconfig")
}

// Resource returns a client of a resource, as in Resource("apps", "v1", "deployments").
func (c *Cluster) Resource(group, version, resource string) dynamic.NamespaceableResourceInterface {
	return c.Client.Resource(schema.GroupVersionResource{Group: group, Version: version, Resource: resource})
}

// Namespace makes a namespace with a name that nobody else uses. It is removed,
// with all that is in it, after the test, which does not wait for that.
func (c *Cluster) Namespace(t testing.TB) string {
	t.Helper()
	spaces := c.Resource("", "v1", "namespaces")
	made, err := spaces.Create(context.Background(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"generateName": "berth-test-"},
	}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := spaces.Delete(context.Background(), made.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return made.GetName()
}

// Image makes sure that the cluster's node has an image of the test app, and
// returns its reference. Its tag is made of its content, so it stays for the next run.
func Image(t testing.TB) string {
	t.Helper()
	return Load(t, dockertest.AppSpec(t, "berth.test/app"))
}

// Load makes sure that the cluster's node has an image, whose name is given
// without a tag, and returns its reference. Its tag is made of its content.
func Load(t testing.TB, spec image.Spec) string {
	t.Helper()
	id, err := image.Write(io.Discard, spec)
	if err != nil {
		t.Fatal(err)
	}
	spec.Name += ":" + strings.TrimPrefix(id, "sha256:")[:12]
	if err := load(spec); err != nil {
		t.Fatalf("give the node the image %s: %v", spec.Name, err)
	}
	return spec.Name
}

// loading is held while the node is given an image: tests of one process want the same.
var loading sync.Mutex

func load(spec image.Spec) error {
	loading.Lock()
	defer loading.Unlock()
	listed, err := ctr(nil, "images", "ls", "-q", "name=="+spec.Name)
	if err != nil || strings.TrimSpace(listed) == spec.Name {
		return err
	}
	r, w := io.Pipe()
	go func() {
		_, err := image.Write(w, spec)
		w.CloseWithError(err)
	}()
	_, err = ctr(r, "images", "import", "--all-platforms", "-")
	r.CloseWithError(io.ErrClosedPipe) // lets the writer end, whatever happened
	return err
}

// Kill kills the process of a container, by the ID that a pod's status tells.
func Kill(t testing.TB, containerID string) {
	t.Helper()
	if _, err := ctr(nil, "tasks", "kill", "--signal", "SIGKILL", strings.TrimPrefix(containerID, "containerd://")); err != nil {
		t.Error(err)
	}
}

// ctr runs containerd's own command on the node's containerd.
func ctr(input io.Reader, args ...string) (string, error) {
	command := exec.Command("ctr", append([]string{"--address", socket, "--namespace", imageSpace}, args...)...)
	command.Stdin = input
	out, err := command.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return "", fmt.Errorf("ctr %s: %w: %s", strings.Join(args, " "), err, failed.Stderr)
	}
	return string(out), err
}
