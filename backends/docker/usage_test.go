package docker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/backendtest"
	"github.com/berthdev/berth/backends/docker"
	"github.com/berthdev/berth/internal/dockertest"
	"github.com/berthdev/berth/schema"
)

// A container that cannot be measured, or that ends meanwhile, keeps no other from
// being measured.
func TestUsageOfOthers(t *testing.T) {
	cli := dockertest.Engine(t)
	instance := dockertest.Instance(t, cli)
	p := newProxy(t)
	b := open(t, instance, schema.BackendConfig{Host: p.host}, docker.Options{})
	defer b.Close()
	foreign := runForeign(t, cli, instance, container.Config{}, nil)
	w := backends.Workload{Deployment: "web", Replicas: 1, Rollout: backends.Rollout{Strategy: schema.Rolling, Timeout: time.Minute}}
	w.Pod.Image = dockertest.Image(t, cli)
	backendtest.Converge(t, b, w, backends.PhaseReady, time.Minute)
	there, err := cli.ContainerInspect(t.Context(), foreign)
	if err != nil {
		t.Fatal(err)
	}
	bad := there.ID
	for _, status := range []int{http.StatusNotFound, http.StatusConflict, http.StatusInternalServerError} {
		p.set(func(w http.ResponseWriter, r *http.Request) bool {
			hit := strings.HasSuffix(r.URL.Path, bad+"/stats")
			if hit {
				w.WriteHeader(status)
			}
			return hit
		})
		usage, err := b.Usage(t.Context())
		if err != nil || len(usage) != 1 || usage[0].Deployment != "web" || usage[0].Memory <= 0 {
			t.Errorf("status %d: usage %+v, %v", status, usage, err)
		}
	}
	p.set(func(w http.ResponseWriter, r *http.Request) bool {
		hit := strings.HasSuffix(r.URL.Path, "/stats")
		if hit {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return hit
	})
	if usage, err := b.Usage(t.Context()); schema.KindOf(err) != schema.Transient || err == nil {
		t.Errorf("none can be measured: %+v, %v", usage, err)
	}
}
