package e2e

import (
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/berthdev/berth/internal/dockertest"
	"github.com/berthdev/berth/internal/kubetest"
)

// TestSideBySide has one Berth serve a cluster, a Docker Engine and a cluster that
// does not answer: what runs on the living ones is rolled on, what shall run on the
// dead one says why it does not, and so does the backend.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	c := kubetest.New(t)
	docker := dockertest.Engine(t)
	w := newClusterWorld(t, c.Namespace(t))
	w.instance, w.docker = dockertest.Instance(t, docker), docker
	w.image = kubetest.Image(t)
	if image := dockertest.Image(t, docker); image != w.image {
		t.Fatalf("the image is %s here and %s there", image, w.image)
	}
	const dead = "127.0.0.1:1" // where nobody listens
	w.configure(w.cluster("cluster", c.Kubeconfig), "{name: engine, type: docker}", w.cluster("dead", w.kubeconfig("dead", "http://"+dead)))
	w.commit(w.apps, "Publish 0.2.0", map[string]string{"hello/manifest.yaml": w.manifestOf("0.2.0", "", kubetest.AppPort)})
	w.commit(w.desired, "Run", map[string]string{
		"one.yaml":   patient(deployment("one", "*", "backend: cluster")),
		"two.yaml":   patient(deployment("two", "*", "backend: engine")),
		"three.yaml": deployment("three", "*", "backend: dead"),
	})
	w.serve()
	t.Cleanup(w.stop) // before its containers are removed
	for _, version := range []string{"0.2.0", "0.2.1"} {
		w.commit(w.apps, "Publish "+version, map[string]string{"hello/manifest.yaml": w.manifestOf(version, "", kubetest.AppPort)})
		quoted := strings.ReplaceAll(version, ".", `\.`)
		w.awaitLog(`one: ready: 1 of 1 running ` + quoted + ` cpu on cluster`)
		w.awaitLog(`two: ready: 1 of 1 running ` + quoted + ` cpu on engine`)
	}
	w.awaitRunning("two", "0.2.1")
	w.await("one pod is left on the cluster", func() bool {
		return len(listed[corev1.Pod](t, c.Resource("", "v1", "pods").Namespace(w.namespace))) == 1
	})

	for _, test := range []struct{ what, want string }{
		{"deployments", `(?m)^one +ready `},
		{"deployments", `(?m)^two +ready `},
		{"deployments", `(?m)^three +waiting .*dead`},
		{"backends", `(?m)^cluster +kubernetes +yes `},
		{"backends", `(?m)^engine +docker +yes `},
		{"backends", `(?m)^dead +kubernetes +no .*` + dead},
		{"commits", `(?m)^[0-9a-f]+ +pending +yes .* Run `},
	} {
		if out, code := w.berth("", "get", test.what, "-o", "wide", "--server", w.listen); code != 0 || !regexp.MustCompile(test.want).MatchString(out) {
			t.Errorf("get %s: exit code %d, want %s:\n%s", test.what, code, test.want, out)
		}
	}
}
