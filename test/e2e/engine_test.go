package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"github.com/berthdev/berth/internal/dockertest"
)

// privateEngine is a Docker Engine of the test's own, which it may kill.
type privateEngine struct {
	t    *testing.T
	dir  string
	host string
	proc *exec.Cmd // dockerd
	low  *exec.Cmd // containerd, which outlives it, as where a service manager runs both
}

// newPrivateEngine starts an engine and has everything in the test use it.
func newPrivateEngine(t *testing.T) *privateEngine {
	t.Helper()
	if _, err := exec.LookPath("dockerd"); err != nil || os.Geteuid() != 0 {
		dockertest.Unavailable(t, "an engine that the test may kill needs dockerd and root")
	}
	dir, err := os.MkdirTemp("", "berth-engine-") // short: a socket's path is bounded
	if err != nil {
		t.Fatal(err)
	}
	e := &privateEngine{t: t, dir: dir, host: "unix://" + filepath.Join(dir, "d.sock")}
	t.Setenv("DOCKER_HOST", e.host)
	config := filepath.Join(dir, "containerd.toml")
	if err := os.WriteFile(config, []byte("version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.low = e.run("containerd", "--config", config, "--address", e.path("c.sock"), "--root", e.path("low"), "--state", e.path("state"))
	t.Cleanup(e.remove)
	e.start()
	return e
}

func (e *privateEngine) path(name string) string { return filepath.Join(e.dir, name) }

// run starts a process that logs into the engine's folder, in a network of its
// own: an engine without a bridge removes docker0, and that of the machine's
// engine must stay.
func (e *privateEngine) run(name string, args ...string) *exec.Cmd {
	e.t.Helper()
	log, err := os.OpenFile(e.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	return cmd
}

func (e *privateEngine) start() {
	e.t.Helper()
	e.proc = e.run("dockerd", "--containerd", e.path("c.sock"), "--data-root", e.path("data"), "--exec-root", e.path("exec"),
		"--pidfile", e.path("pid"), "--host", e.host, "--bridge", "none", "--iptables=false",
		"--default-address-pool", "base=10.213.0.0/16,size=24", "--storage-driver", "vfs")
	docker, err := client.NewClientWithOpts(client.WithHost(e.host), client.WithAPIVersionNegotiation())
	if err != nil {
		e.t.Fatal(err)
	}
	defer docker.Close()
	deadline := time.Now().Add(patience)
	for {
		if _, err = docker.Ping(e.t.Context()); err == nil {
			return
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(e.path("log"))
			e.t.Fatalf("the engine does not answer: %v\n%s", err, text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (e *privateEngine) end(sig syscall.Signal) {
	_ = e.proc.Process.Signal(sig)
	_ = e.proc.Wait()
	_ = os.Remove(e.path("pid")) // a killed engine leaves it
}

// remove ends the engine, in order if it can be, and all that it made.
func (e *privateEngine) remove() {
	if e.proc != nil {
		e.end(syscall.SIGTERM)
	}
	_ = e.low.Process.Signal(syscall.SIGTERM)
	_ = e.low.Wait()
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		e.t.Error(err)
	}
	lines := strings.Split(string(mounts), "\n")
	slices.Reverse(lines) // what was mounted last first
	for _, line := range lines {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], e.dir+"/") {
			if err := syscall.Unmount(fields[1], 0); err != nil {
				e.t.Errorf("unmount %s: %v", fields[1], err)
			}
		}
	}
	if err := os.RemoveAll(e.dir); err != nil {
		e.t.Errorf("the engine left something: %v", err)
	}
}

// TestEngineDisappears kills the engine, publishes a release while it is away,
// and starts it again: Berth reconnects, and nothing is doubled.
func TestEngineDisappears(t *testing.T) {
	engine := newPrivateEngine(t)
	w := newWorld(t)
	w.serve()
	const n = 3
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("d%d.yaml", i)] = deployment(fmt.Sprintf("d%d", i), "*")
	}
	w.commit(w.desired, "Run three", files)
	w.awaitLog(`commit success: 3 of 3 running`)

	engine.end(syscall.SIGKILL)
	w.awaitLog(`docker: backend does not answer`)
	w.commit(w.apps, "Publish 0.1.1", map[string]string{"hello/manifest.yaml": w.manifest("0.1.1")})
	engine.start()
	for i := range n {
		w.awaitRunning(fmt.Sprintf("d%d", i), "0.1.1")
	}
	w.await("nothing is doubled", func() bool { return len(w.containers()) == n })

	engine.end(syscall.SIGTERM) // and as a service manager restarts it
	engine.start()
	w.await("all run again", func() bool {
		running := 0
		for i := range n {
			if p, ok := w.running(fmt.Sprintf("d%d", i)); ok && p.release == "0.1.1" {
				running++
			}
		}
		return running == n && len(w.containers()) == n
	})
	if w.proc.ProcessState != nil {
		t.Error("berth did not outlive the engine's restarts")
	}
}
