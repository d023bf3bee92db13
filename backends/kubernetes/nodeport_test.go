package kubernetes_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"time"

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
	p := backendtest.Converge(s, s.b, w, backends.PhaseReady, time.Minute).Pods[0]
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
