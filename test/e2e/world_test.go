// Package e2e runs the built executable against a real Docker Engine, as a user
// would: it commits to git repositories and looks at containers.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/berthdev/berth/internal/dockertest"
)

// patience is how long a condition may take to come true on a slow machine.
const patience = 60 * time.Second

// world is two git repositories, an image and a Berth that serves them.
type world struct {
	t        testing.TB
	docker   *client.Client
	instance string
	image    string
	dir      string
	apps     string // repository folders
	desired  string
	listen   string
	args     []string // further flags of serve

	proc *exec.Cmd
	log  *lockedBuffer
}

// newWorld makes repositories with one app, org.example.hello 0.1.0, and no deployment.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, docker: dockertest.Engine(t), dir: t.TempDir(), log: &lockedBuffer{}}
	w.instance = dockertest.Instance(t, w.docker)
	w.image = berthImage(t, w.docker)
	w.apps, w.desired = filepath.Join(w.dir, "apps"), filepath.Join(w.dir, "desired")
	w.listen = freePort(t)
	for _, dir := range []string{w.apps, w.desired} {
		w.git("", "init", "-q", "-b", "main", dir)
	}
	w.commit(w.apps, "Publish 0.1.0", map[string]string{"hello/manifest.yaml": w.manifest("0.1.0")})
	w.commit(w.desired, "Follow the apps", map[string]string{"repos.yaml": "kind: Repo\nname: apps\nurl: " + w.apps + "\n"})
	t.Cleanup(w.clean)
	return w
}

// manifest publishes a release of the app that answers over HTTP.
func (w *world) manifest(version string) string {
	return fmt.Sprintf(`identifier: org.example.hello
version: %s
flavours:
  - name: cpu
    image: %s
    args: [demo-app]
    ports: [8080]
`, version, w.image)
}

// deployment declares that the app runs; minReady is short so that tests are.
func deployment(name, version string, extra ...string) string {
	return fmt.Sprintf("kind: Deployment\nname: %s\napp: org.example.hello\nversion: %q\nrollout: {minReady: 100ms, timeout: 10s}\n%s", name, version, strings.Join(extra, "\n"))
}

func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes files (an empty text removes one) and commits them.
func (w *world) commit(repo, message string, files map[string]string) string {
	w.t.Helper()
	for name, text := range files {
		path := filepath.Join(repo, name)
		if text == "" {
			if err := os.Remove(path); err != nil {
				w.t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	w.git(repo, "add", "-A")
	w.git(repo, "commit", "-q", "--allow-empty", "-m", message)
	return w.git(repo, "rev-parse", "HEAD")
}

// serve starts "berth serve".
func (w *world) serve() {
	w.t.Helper()
	args := append([]string{"serve", w.desired, "--instance", w.instance, "--data-dir", filepath.Join(w.dir, "data"), "--listen", w.listen}, w.args...)
	w.proc = exec.Command(berthExecutable(w.t), args...)
	w.proc.Stdout, w.proc.Stderr = w.log, w.log
	if err := w.proc.Start(); err != nil {
		w.t.Fatal(err)
	}
}

// kill ends Berth as "kill -9" does.
func (w *world) kill() { w.end(syscall.SIGKILL) }

// stop ends Berth as a service manager does.
func (w *world) stop() { w.end(syscall.SIGTERM) }

func (w *world) end(sig syscall.Signal) {
	if w.proc == nil {
		return
	}
	_ = w.proc.Process.Signal(sig)
	_ = w.proc.Wait()
	w.proc = nil
}

func (w *world) clean() {
	w.stop()
	if w.t.Failed() {
		w.t.Logf("berth's log:\n%s", w.log)
	}
	out, err := exec.Command(berthExecutable(w.t), "uninstall", "--instance", w.instance, "--volumes", "--yes").CombinedOutput()
	if err != nil {
		w.t.Errorf("uninstall: %v\n%s", err, out)
	}
	if left := w.containers(); len(left) > 0 {
		w.t.Errorf("uninstall left %d containers", len(left))
	}
}

// pod is a container of the instance.
type pod struct {
	id, deployment, release, state, name string
	port                                 uint16
}

// containers lists the instance's containers, stopped ones included.
func (w *world) containers() []pod {
	w.t.Helper()
	list, err := w.docker.ContainerList(context.Background(), container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", "berth.dev/instance="+w.instance)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var out []pod
	for _, c := range list {
		p := pod{id: c.ID, deployment: c.Labels["berth.dev/deployment"], release: c.Labels["berth.dev/release"], state: c.State, name: strings.Join(c.Names, " ")}
		for _, port := range c.Ports {
			if port.PublicPort != 0 && port.IP != "::" { // IPv6 may have another one
				p.port = port.PublicPort
			}
		}
		out = append(out, p)
	}
	return out
}

// running returns the running container of a deployment, if there is exactly one.
func (w *world) running(deployment string) (pod, bool) {
	var found []pod
	for _, p := range w.containers() {
		if p.deployment == deployment && p.state == "running" {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		return pod{}, false
	}
	return found[0], true
}

// identity tells containers apart, and a restarted one from one that ran on.
func (w *world) identity() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for _, p := range w.containers() {
		c, err := w.docker.ContainerInspect(context.Background(), p.id)
		if err != nil {
			w.t.Fatal(err)
		}
		out[p.deployment+" "+p.id] = c.State.StartedAt
	}
	return out
}

// await waits until the condition holds.
func (w *world) await(what string, condition func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for !condition() {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// awaitRunning waits until a deployment runs a release in exactly one container.
func (w *world) awaitRunning(deployment, release string) pod {
	w.t.Helper()
	var p pod
	w.await(deployment+" runs "+release, func() bool {
		var ok bool
		p, ok = w.running(deployment)
		return ok && p.release == release
	})
	return p
}

// awaitLog waits until a line of the log matches.
func (w *world) awaitLog(pattern string) {
	w.t.Helper()
	re := regexp.MustCompile(pattern)
	w.await("the log says "+pattern, func() bool { return re.MatchString(w.log.String()) })
}

// answer asks a pod over HTTP.
func answer(p pod) (string, error) {
	c := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(fmt.Sprintf("http://127.0.0.1:%d", p.port))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// lockedBuffer is a buffer that a process writes and a test reads.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
