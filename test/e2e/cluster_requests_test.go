package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/berthdev/berth/internal/kubetest"
)

// TestNoRequestIsLost rolls two replicas with a health check through releases, of
// which one has another port, never becomes well and is given up, while clients go on
// asking at the Service's address: every one of their requests is answered.
func TestNoRequestIsLost(t *testing.T) {
	t.Parallel()
	c := kubetest.New(t)
	w := newClusterWorld(t, c.Namespace(t))
	w.image = kubetest.Image(t)
	w.configure(w.cluster("cluster", c.Kubeconfig))
	publish := func(version, args string, port int) {
		w.commit(w.apps, "Publish "+version, map[string]string{"hello/manifest.yaml": w.manifestOf(version, args, port)})
	}
	publish("0.2.0", "", kubetest.AppPort)
	doc := strings.Replace(deployment("hello", "*", "replicas: 2"), "timeout: 10s", "timeout: 20s", 1) // a pod starts slowly while others are asked
	w.commit(w.desired, "Run hello", map[string]string{"hello.yaml": doc})
	w.serve()
	w.awaitLog(`hello: ready: 2 of 2 running 0\.2\.0`)
	service, err := get[corev1.Service](t.Context(), c.Resource("", "v1", "services").Namespace(w.namespace), "hello")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + net.JoinHostPort(service.Spec.ClusterIP, fmt.Sprint(service.Spec.Ports[0].Port))
	w.await("the Service leads to the first pods", func() bool { _, err := ask(http.DefaultClient, url); return err == nil })
	users := askOn(t, url)
	pods := c.Resource("", "v1", "pods").Namespace(w.namespace)
	onlyTwo := func() bool { return len(listed[corev1.Pod](t, pods)) == 2 }

	users.awaitAnswer(w, "0.2.0")
	publish("0.2.1", "", kubetest.AppPort)
	w.awaitLog(`hello: ready: 2 of 2 running 0\.2\.1`)
	users.awaitAnswer(w, "0.2.1")
	publish("0.2.2", "-unwell", 9090)
	w.awaitLog(`hello: failed: .*0\.2\.2`)
	w.await("the old pods are left", onlyTwo)
	if text, code := w.berth("", "describe", "hello", "--server", w.listen); code != 0 || !strings.Contains(text, "  serving 0.2.2\n") {
		t.Errorf("exit code %d, and nothing of what the pod wrote that is gone:\n%s", code, text)
	}
	publish("0.2.3", "", kubetest.AppPort)
	w.awaitLog(`hello: ready: 2 of 2 running 0\.2\.3`)
	users.awaitAnswer(w, "0.2.3")
	w.await("the new pods are left", onlyTwo)

	answers := users.stop()
	t.Logf("answers by release: %v", answers)
	if answers["0.2.2"] > 0 {
		t.Errorf("a release that never was well answered %d times", answers["0.2.2"])
	}
}

// manifestOf publishes a release of the test app, whose health is checked.
func (w *clusterWorld) manifestOf(version, args string, port int) string {
	return fmt.Sprintf(`identifier: org.example.hello
version: %s
flavours:
  - name: cpu
    image: %s
    args: [%s]
    ports: [%d]
    healthcheck: {command: [/app, healthcheck], interval: 1s, timeout: 5s, retries: 2}
`, version, w.image, args, port)
}

// users are clients of an app: some keep their connections, some do not.
type users struct {
	t    *testing.T
	end  context.CancelFunc
	done sync.WaitGroup

	mu      sync.Mutex
	answers map[string]int // by release
	failed  []string
}

// askOn has users ask until they are stopped; a request that fails fails the test.
func askOn(t *testing.T, url string) *users {
	t.Helper()
	const each, pace = 3, 20 * time.Millisecond
	ctx, end := context.WithCancel(context.Background())
	u := &users{t: t, end: end, answers: map[string]int{}}
	for i := range 2 * each {
		transport := &http.Transport{DisableKeepAlives: i < each}
		client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
		u.done.Go(func() {
			defer transport.CloseIdleConnections()
			for tick := time.NewTicker(pace); ; {
				u.note(ask(client, url))
				select {
				case <-tick.C:
				case <-ctx.Done():
					tick.Stop()
					return
				}
			}
		})
	}
	t.Cleanup(func() { u.stop() })
	return u
}

// ask returns the release that answers.
func ask(client *http.Client, url string) (release string, err error) {
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %w", resp.Status, err)
	}
	_, after, _ := strings.Cut(string(text), `"BERTH_RELEASE":"`)
	release, _, _ = strings.Cut(after, `"`)
	return release, nil
}

func (u *users) note(release string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err != nil {
		u.failed = append(u.failed, time.Now().Format(time.StampMilli)+": "+err.Error())
		return
	}
	u.answers[release]++
}

// awaitAnswer waits until a release has answered, often enough to be no chance.
func (u *users) awaitAnswer(w *clusterWorld, release string) {
	w.t.Helper()
	w.await(release+" answers", func() bool {
		u.mu.Lock()
		defer u.mu.Unlock()
		return u.answers[release] > 100
	})
}

// stop ends the users, and returns how often each release answered them.
func (u *users) stop() map[string]int {
	u.t.Helper()
	u.end()
	u.done.Wait()
	if n := len(u.failed); n > 0 {
		u.t.Errorf("%d requests failed:\n%s", n, strings.Join(u.failed[:min(n, 10)], "\n"))
		u.failed = nil
	}
	return u.answers
}
