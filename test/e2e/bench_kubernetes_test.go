package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/berthdev/berth/internal/kubetest"
)

// scale is how many Deployments the benchmark has in one commit, and writers how
// many of them are worked on at once: Berth's default.
const (
	scale   = 500
	writers = 8
)

// BenchmarkCluster measures 500 Deployments without replicas on a cluster: from
// the return of one git commit to the API server's answer to the last write,
// beside the same writes by a plain client; from a commit that changes one of them
// to its write; and from a restart until all is known. Both clients reach the API
// server by way of a proxy, which counts their writes.
func BenchmarkCluster(b *testing.B) {
	c := kubetest.New(b)
	counter := newCounter(b, c.Config)
	for b.Loop() {
		w := newBenchWorld(b, c.Namespace(b), counter.url)
		w.serve()
		w.awaitStates("")
		empty := w.memory()

		created := counter.from()
		began := w.declare(scale, "")
		counter.until(b, created+scale)
		took := time.Since(began)
		w.awaitStates(fmt.Sprintf(`{"state":"READY","count":%d}`, scale))
		b.ReportMetric(w.memory(), "rss-MB")

		plain := writePlainly(b, c, counter.url, w.namespace, c.Namespace(b))

		quiet(w, counter)
		before := counter.from()
		began = w.declare(1, "env: {LEVEL: debug}\n")
		counter.until(b, before+1)
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "change-ms")
		quiet(w, counter)
		b.ReportMetric(float64(counter.from()-before), "change-writes")

		w.kill()
		before = counter.from()
		began = time.Now()
		w.serve()
		w.awaitStates(fmt.Sprintf(`{"state":"READY","count":%d}`, scale))
		b.ReportMetric(time.Since(began).Seconds(), "restart-s")
		quiet(w, counter)
		b.ReportMetric(float64(counter.from()-before), "restart-writes")

		b.ReportMetric(0, "ns/op")
		b.ReportMetric(took.Seconds(), "created-s")
		b.ReportMetric(plain.Seconds(), "plain-s")
		b.ReportMetric(took.Seconds()/plain.Seconds(), "ratio")
		b.ReportMetric(empty, "rss-empty-MB")
		w.stop()
	}
}

// newBenchWorld makes a world whose Berth reaches the cluster at an address, without TLS.
func newBenchWorld(b *testing.B, namespace, api string) *clusterWorld {
	b.Helper()
	w := newClusterWorld(b, namespace)
	w.commit(w.apps, "Publish", map[string]string{
		"hello/manifest.yaml": "identifier: org.example.hello\nversion: 0.1.0\nflavours: [{name: cpu, image: berth.test/hello:1}]\n",
	})
	w.configure(w.cluster("cluster", w.kubeconfig("kubeconfig", api)))
	return w
}

// declare commits n deployments, and returns when that was done.
func (w *clusterWorld) declare(n int, extra string) time.Time {
	w.t.Helper()
	files := map[string]string{}
	for i := range n {
		name := fmt.Sprintf("hello-%03d", i)
		files[name+".yaml"] = deployment(name, "0.1.0", "replicas: 0", extra)
	}
	w.commit(w.desired, fmt.Sprintf("Declare %d", n), files)
	return time.Now()
}

// quiet waits until nothing was written for a while.
func quiet(w *clusterWorld, c *counter) {
	last, since := c.from(), time.Now()
	w.await("no more writes", func() bool {
		if now := c.from(); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > time.Second
	})
}

// writePlainly writes the Deployments of a namespace again into another one, as
// somebody else's, and returns how long that took.
func writePlainly(b *testing.B, c *kubetest.Cluster, api, from, to string) time.Duration {
	b.Helper()
	all, err := c.Resource("apps", "v1", "deployments").Namespace(from).List(context.Background(), metav1.ListOptions{})
	if err != nil || len(all.Items) != scale {
		b.Fatalf("%d Deployments, %v", len(all.Items), err)
	}
	client, err := dynamic.NewForConfig(&rest.Config{Host: api, QPS: -1})
	if err != nil {
		b.Fatal(err)
	}
	into := client.Resource(appsv1.SchemeGroupVersion.WithResource("deployments")).Namespace(to)
	work := make(chan *unstructured.Unstructured, len(all.Items))
	for i := range all.Items {
		o := &all.Items[i]
		o.Object["metadata"] = map[string]any{"name": o.GetName(), "labels": asAny(o.GetLabels()), "annotations": asAny(o.GetAnnotations())}
		delete(o.Object, "status")
		for _, path := range [][]string{{"metadata", "labels"}, {"spec", "selector", "matchLabels"}, {"spec", "template", "metadata", "labels"}} {
			if err := unstructured.SetNestedField(o.Object, "somebody-else", append(path, "berth.dev/instance")...); err != nil {
				b.Fatal(err)
			}
		}
		work <- o
	}
	close(work)
	var group sync.WaitGroup
	began := time.Now()
	for range writers {
		group.Go(func() {
			for o := range work {
				if _, err := into.Apply(context.Background(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "plain"}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	group.Wait()
	return time.Since(began)
}

func asAny(m map[string]string) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		if !strings.HasPrefix(k, "deployment.kubernetes.io/") { // the controller's
			out[k] = v
		}
	}
	return out
}

// counter is a way to the API server that counts the writes which it answered.
type counter struct {
	url string

	mu   sync.Mutex
	n    int
	more chan struct{} // closed at the next one
}

func newCounter(b *testing.B, config *rest.Config) *counter {
	b.Helper()
	transport, err := rest.TransportFor(config)
	if err != nil {
		b.Fatal(err)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		b.Fatal(err)
	}
	c := &counter{more: make(chan struct{})}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // watches
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method != http.MethodGet && r.StatusCode < 300 {
				c.add()
			}
			return nil
		},
	})
	b.Cleanup(server.CloseClientConnections)
	b.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *counter) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	close(c.more)
	c.more = make(chan struct{})
}

// from returns how many there were.
func (c *counter) from() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// until waits until there were n.
func (c *counter) until(b *testing.B, n int) {
	b.Helper()
	timeout := time.After(patience)
	for {
		c.mu.Lock()
		now, more := c.n, c.more
		c.mu.Unlock()
		if now >= n {
			return
		}
		select {
		case <-more:
		case <-timeout:
			b.Fatalf("%d of %d writes within %s", now, n, patience)
		}
	}
}
