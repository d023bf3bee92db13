// Package e2e runs the built executable against a real Docker Engine, as a user
// would: it commits to git repositories and looks at containers.
package e2e

import (
	"bytes"
	"errors"
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

	"github.com/docker/docker/client"

	"github.com/berthdev/berth/internal/dockertest"
)

// patience is how long a condition may take to come true on a slow machine.
const patience = 3 * time.Minute

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
	config   string   // its configuration file; empty: the desired state is an argument

	proc *exec.Cmd
	log  *lockedBuffer
	seen int // bytes of the log that awaitLog passes over
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

// slowReady is how long the pods of a slow deployment run until they count as ready.
const slowReady = 3 * time.Second

// slow has a deployment wait for a while until its pods count as ready: a busy
// machine takes its time to fail, and a test to act before they are.
func slow(deployment string) string {
	return strings.Replace(deployment, "minReady: 100ms", "minReady: "+slowReady.String(), 1)
}

// patient gives the pods of a deployment that has a health check the time that a
// busy machine needs for it.
func patient(deployment string) string {
	return strings.Replace(deployment, "timeout: 10s", "timeout: 1m", 1)
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
	source := w.desired
	if w.config != "" {
		source = "--config=" + w.config
	}
	args := append([]string{"serve", source, "--instance", w.instance, "--data-dir", w.dataDir(), "--listen", w.listen}, w.args...)
	w.start(args...)
}

// start starts a command that goes on, and logs what it prints.
func (w *world) start(args ...string) {
	w.t.Helper()
	w.proc = exec.Command(berthExecutable(w.t), args...)
	w.news()
	w.proc.Stdout, w.proc.Stderr = w.log, w.log
	if err := w.proc.Start(); err != nil {
		w.t.Fatal(err)
	}
}

// write writes a file beside the repositories and returns its path.
func (w *world) write(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) dataDir() string { return filepath.Join(w.dir, "data") }

// restart kills Berth and serves again.
func (w *world) restart() {
	w.t.Helper()
	w.kill()
	w.serve()
}

// berth runs a command, answers what it asks, and returns what it prints and its
// exit code.
func (w *world) berth(answer string, args ...string) (out string, code int) {
	w.t.Helper()
	cmd := exec.Command(berthExecutable(w.t), args...)
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(w.dir, "cache"))
	cmd.Stdin = strings.NewReader(answer)
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// get asks Berth over HTTP.
func (w *world) get(path string) (status int, body string, err error) {
	resp, err := http.Get("http://" + w.listen + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// kill ends Berth as "kill -9" does.
func (w *world) kill() { w.end(syscall.SIGKILL) }

// stop ends Berth as a service manager does.
func (w *world) stop() { w.end(syscall.SIGTERM) }

// end signals Berth, if it runs, and returns its exit code.
func (w *world) end(sig syscall.Signal) int {
	if w.proc == nil {
		return 0
	}
	_ = w.proc.Process.Signal(sig)
	_ = w.proc.Wait()
	code := w.proc.ProcessState.ExitCode()
	w.proc = nil
	return code
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

// awaitLog waits until the log of this start, since the last call of news, matches.
func (w *world) awaitLog(pattern string) {
	w.t.Helper()
	re := regexp.MustCompile(pattern)
	w.await("the log says "+pattern, func() bool { return re.MatchString(w.log.String()[w.seen:]) })
}

// news has awaitLog pass over what the log says so far.
func (w *world) news() { w.seen = len(w.log.String()) }

// freePort returns an address on loopback at which nobody listens.
func freePort(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(dockertest.FreePort(t)))
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
