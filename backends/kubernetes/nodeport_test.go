package kubernetes_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/backendtest"
	"github.com/berthdev/berth/internal/kubetest"
	"github.com/berthdev/berth/schema"
)

// A host port of the range that is the cluster's is one of every node, and told as
// where the pod answers.
func TestNodePort(t *testing.T) {
	s := newSite(t)
	w := s.workload("web")
	w.Replicas = 1
	port := uint16(30100 + rand.IntN(2600)) // others have some of them, hardly this one
	w.Pod.Ports = []schema.Port{{Host: port, Container: kubetest.AppPort, Protocol: schema.TCP}}
	p := backendtest.Converge(s, s.b, w, backends.PhaseReady, limit).Pods[0]
	if len(p.Endpoints) != 1 || p.Endpoints[0].Port != port {
		t.Fatalf("it answers at %+v, want port %d", p.Endpoints, port)
	}
	url := "http://" + net.JoinHostPort(p.Endpoints[0].Host, fmt.Sprint(port))
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for { // the nodes learn of a Service a moment later
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, failed := client.Do(req)
		if failed == nil {
			_ = resp.Body.Close()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(failed)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Whoever asks at a port of the node is answered while a release with other ports of
// its pods comes, whether it fails or not.
func TestPortsChange(t *testing.T) {
	s := newSite(t)
	first := s.workload("web")
	first.Replicas, first.Rollout.Timeout = 1, 6*time.Second
	at := uint16(30100 + rand.IntN(2600))
	first.Pod.Ports = []schema.Port{{Host: at, Container: kubetest.AppPort, Protocol: schema.TCP}}
	p := backendtest.Converge(s, s.b, first, backends.PhaseReady, limit).Pods[0]
	url := "http://" + net.JoinHostPort(p.Endpoints[0].Host, fmt.Sprint(at))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: limit}
	ask := func() error {
		resp, err := client.Get(url)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	for late := time.Now().Add(limit); ask() != nil && time.Now().Before(late); time.Sleep(50 * time.Millisecond) { // until the node knows the Service
		continue
	}
	asked, stop := make(chan int), make(chan struct{})
	go func() {
		n := 0
		for tick := time.NewTicker(20 * time.Millisecond); ; n++ {
			if err := ask(); err != nil {
				t.Errorf("request %d: %v", n, err)
			}
			select {
			case <-tick.C:
			case <-stop:
				tick.Stop()
				asked <- n
				return
			}
		}
	}()

	other := first
	other.Release = "2.0.0"
	other.Pod.Ports = []schema.Port{{Host: at, Container: 9090, Protocol: schema.TCP}}
	second, once := schema.Duration(time.Second), 1
	other.Pod.Healthcheck = &schema.Healthcheck{Command: []string{"/app", "healthcheck"}, Interval: &second, Timeout: &second, Retries: &once}
	bad := other
	bad.Pod.Args = []string{"-unwell"}
	backendtest.Converge(s, s.b, bad, backends.PhaseFailed, limit)
	if ports := s.servicePorts("web"); !strings.Contains(ports, fmt.Sprintf("%d:%d", at, kubetest.AppPort)) {
		t.Errorf("after it went back the Service has %s", ports)
	}
	s.quiet(bad)
	good := other
	good.Rollout.Timeout = time.Minute
	good.Release, good.Pod.Env = "3.0.0", map[string]string{"LISTEN": ":9090"}
	backendtest.Converge(s, s.b, good, backends.PhaseReady, limit)
	if ports, want := s.servicePorts("web"), fmt.Sprintf("%d:9090", at); ports != want {
		t.Errorf("the Service has %s, want %s", ports, want)
	}
	s.quiet(good)
	close(stop)
	t.Logf("%d requests", <-asked)

	// Ports of the node that the cluster has chosen go with the last that was asked for.
	inside := good
	inside.Release, inside.Pod.Ports = "4.0.0", []schema.Port{{Container: 9090, Protocol: schema.TCP}}
	backendtest.Converge(s, s.b, inside, backends.PhaseReady, limit)
	if ports := s.servicePorts("web"); ports != "0:9090" {
		t.Errorf("the Service has %s", ports)
	}
}

// quiet holds that another Apply writes nothing.
func (s *site) quiet(w backends.Workload) {
	s.Helper()
	if _, err := s.b.Apply(s.Context(), w, func(step backends.Step) { s.Errorf("a step after the last: %+v", step) }); err != nil {
		s.Error(err)
	}
}

// servicePorts writes the ports of a Service as NODE:PORT.
func (s *site) servicePorts(name string) string {
	s.Helper()
	o, err := s.Resource("", "v1", "services").Namespace(s.namespace).Get(s.Context(), name, metav1.GetOptions{})
	if err != nil {
		s.Fatal(err)
	}
	all, _, err := unstructured.NestedSlice(o.Object, "spec", "ports")
	if err != nil {
		s.Fatal(err)
	}
	var out []string
	for _, p := range all {
		fields := p.(map[string]any)
		node, _ := fields["nodePort"].(int64)
		out = append(out, fmt.Sprintf("%d:%v", node, fields["port"]))
	}
	return strings.Join(out, " ")
}

// A port of the nodes that another Service has is waited for, as on Docker: it may
// become free.
func TestNodePortIsTaken(t *testing.T) {
	s := newSite(t)
	port := uint16(30100 + rand.IntN(2600))
	if _, err := s.Resource("", "v1", "services").Namespace(s.namespace).Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "theirs"},
		"spec": map[string]any{"type": "NodePort", "ports": []any{map[string]any{"port": int64(80), "nodePort": int64(port)}}},
	}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w := s.workload("web")
	w.Pod.Ports = []schema.Port{{Host: port, Container: kubetest.AppPort, Protocol: schema.TCP}}
	_, err := s.b.Apply(t.Context(), w, nil)
	var e *schema.Error
	if !errors.As(err, &e) || e.Kind != schema.Transient || !strings.Contains(e.Hint, "has the port") {
		t.Errorf("%+v", e)
	}
	s.remove("", "services", "theirs")
	s.ready(s.b, w)
}
