package e2e

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// clusterWorld is a world whose Berth has a namespace of a cluster.
type clusterWorld struct {
	*world

	namespace string
}

// newClusterWorld makes the repositories, with no app yet. Berth serves once it is
// configured.
func newClusterWorld(t testing.TB, namespace string) *clusterWorld {
	t.Helper()
	w := &clusterWorld{&world{t: t, dir: t.TempDir(), log: &lockedBuffer{}, listen: freePort(t), instance: "lab"}, namespace}
	w.apps, w.desired = filepath.Join(w.dir, "apps"), filepath.Join(w.dir, "desired")
	for _, dir := range []string{w.apps, w.desired} {
		w.git("", "init", "-q", "-b", "main", dir)
	}
	w.commit(w.desired, "Follow", map[string]string{"repos.yaml": "kind: Repo\nname: apps\nurl: " + w.apps + "\n"})
	t.Cleanup(func() {
		w.stop()
		if t.Failed() {
			text := w.log.String()
			t.Logf("berth's log:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return w
}

// cluster is a backend in the world's namespace, as the configuration has it.
func (w *clusterWorld) cluster(name, kubeconfig string) string {
	return fmt.Sprintf("{name: %s, type: kubernetes, kubeconfig: %s, namespace: %s}", name, kubeconfig, w.namespace)
}

// kubeconfig writes one for an API server that asks nobody who he is.
func (w *clusterWorld) kubeconfig(name, api string) string {
	w.t.Helper()
	return w.write(name, fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q}}]
users: [{name: u, user: {}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`, api))
}

// configure has Berth serve with the backends, and nothing else.
func (w *clusterWorld) configure(backends ...string) {
	w.t.Helper()
	w.config = w.write("berth.yaml", fmt.Sprintf("desired: {url: %s}\nbackends: [%s]\n", w.desired, strings.Join(backends, ", ")))
}

// awaitStates waits until Berth is ready and counts its deployments so, as JSON.
func (w *clusterWorld) awaitStates(want string) {
	w.t.Helper()
	const question = `{"query":"{instance{ready states{state count}}}"}`
	want = `{"ready":true,"states":[` + want + `]}`
	w.await("Berth tells "+want, func() bool {
		resp, err := http.Post("http://"+w.listen+"/graphql", "application/json", strings.NewReader(question))
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(text), want)
	})
}
