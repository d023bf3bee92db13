package kubernetes_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/backendtest"
	"github.com/berthdev/berth/backends/kubernetes"
	"github.com/berthdev/berth/internal/kubetest"
	"github.com/berthdev/berth/schema"
)

func TestConformance(t *testing.T) {
	l := newLab(t)
	good := l.app()
	with := func(change func(*backends.PodSpec)) backends.PodSpec {
		spec := good
		change(&spec)
		return spec
	}
	second, once := schema.Duration(time.Second), 1
	spaces := &sync.Map{} // the namespace of each instance
	backendtest.Run(t, backendtest.Harness{
		Open: func(t testing.TB, instance string) backends.Backend {
			namespace, ok := spaces.Load(instance)
			if !ok {
				namespace, _ = spaces.LoadOrStore(instance, l.Namespace(t))
			}
			return l.open(t, instance, schema.BackendConfig{Namespace: namespace.(string)})
		},
		Writes: func(b backends.Backend) int { return b.(counted).writes() },
		Good:   good, Port: kubetest.AppPort, HTTP: true,
		Exits:    with(func(s *backends.PodSpec) { s.Args = []string{"-say", "exiting", "-exit", "3"} }),
		Says:     "exiting",
		ExitCode: 3,
		Sick: with(func(s *backends.PodSpec) {
			s.Args = []string{"-unwell"}
			s.Healthcheck = &schema.Healthcheck{Command: []string{"/app", "healthcheck"}, Interval: &second, Timeout: &second, Retries: &once}
		}),
		BadCommand: with(func(s *backends.PodSpec) { s.Command = []string{"/nothing"} }),
		NoImage:    with(func(s *backends.PodSpec) { s.Image, s.Pull = "berth.test/missing:1", schema.PullNever }),
		Tamper: map[string]func(testing.TB, backends.Pod){
			"kill":   func(t testing.TB, p backends.Pod) { kubetest.Kill(t, l.containerID(t, p)) },
			"remove": l.removePod,
		},
		Write: backendtest.Print, Crash: backendtest.Crash, OneStream: true,
		MinReady: 3 * time.Second, Timeout: 6 * time.Second, Patience: 3 * time.Minute,
	})
}

// A lab is the cluster with the test app's image.
type lab struct {
	*kubetest.Cluster

	image string
}

func newLab(t testing.TB) *lab { return &lab{kubetest.New(t), kubetest.Image(t)} }

// app returns the test app as it runs well.
func (l *lab) app() backends.PodSpec {
	return backends.PodSpec{
		Image: l.image, Ports: []schema.Port{{Container: kubetest.AppPort, Protocol: schema.TCP}},
		StopGracePeriod: 10 * time.Second, Pull: schema.PullNever,
	}
}

// counted is a backend whose requests are counted.
type counted struct {
	*kubernetes.Backend

	*requests
}

// requests counts what the API server is asked for.
type requests struct {
	next   http.RoundTripper
	all    atomic.Int64
	change atomic.Int64
}

func (r *requests) writes() int { return int(r.change.Load()) }

// RoundTrip implements [http.RoundTripper].
func (r *requests) RoundTrip(req *http.Request) (*http.Response, error) {
	r.all.Add(1)
	if req.Method != http.MethodGet {
		r.change.Add(1)
	}
	return r.next.RoundTrip(req)
}

// WrappedRoundTripper lets connections be closed.
func (r *requests) WrappedRoundTripper() http.RoundTripper { return r.next }

// open opens a backend named "cluster" of an instance.
func (l *lab) open(t testing.TB, instance string, cfg schema.BackendConfig) counted {
	t.Helper()
	return l.openAs(t, l.Config, instance, cfg)
}

func (l *lab) openAs(t testing.TB, config *rest.Config, instance string, cfg schema.BackendConfig) counted {
	t.Helper()
	cfg.Name, cfg.Type = "cluster", schema.BackendKubernetes
	config = rest.CopyConfig(config)
	count := &requests{}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		count.next = next
		return count
	})
	b, err := kubernetes.New(context.Background(), cfg, instance, kubernetes.Options{REST: config})
	if err != nil {
		t.Fatal(err)
	}
	return counted{b, count}
}

// find returns the pod as the cluster has it, and its namespace.
func (l *lab) find(t testing.TB, p backends.Pod) *unstructured.Unstructured {
	t.Helper()
	list, err := l.Resource("", "v1", "pods").List(context.Background(), metav1.ListOptions{FieldSelector: "metadata.name=" + p.Name})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("pod %s: %v, %v", p.Name, list, err)
	}
	return &list.Items[0]
}

func (l *lab) containerID(t testing.TB, p backends.Pod) string {
	t.Helper()
	all, _, err := unstructured.NestedSlice(l.find(t, p).Object, "status", "containerStatuses")
	if err != nil || len(all) != 1 {
		t.Fatalf("pod %s has the containers %v, %v", p.Name, all, err)
	}
	id, _, _ := unstructured.NestedString(all[0].(map[string]any), "containerID")
	return id
}

func (l *lab) removePod(t testing.TB, p backends.Pod) {
	t.Helper()
	if err := l.Resource("", "v1", "pods").Namespace(l.find(t, p).GetNamespace()).Delete(context.Background(), p.Name, metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}
