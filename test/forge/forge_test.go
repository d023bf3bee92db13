package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain is the program itself for what the tests start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == runCommand {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// newForge is a forge that is not started, of what "make test" has built.
func newForge(t *testing.T) *forge {
	t.Helper()
	from, err := filepath.Abs(filepath.Join("..", "..", ".cache", "forge"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(from, "bin", "gitea")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("Gitea was not built: %v", err)
		}
		t.Skipf("Gitea was not built (test/setup.sh gitea): %v", err)
	}
	state, err := os.MkdirTemp("", "berth-forge-test-") // Gitea's user could not enter the test's own folder
	if err != nil {
		t.Fatal(err)
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	f := &forge{from: from, state: state, port: port}
	t.Cleanup(func() {
		if err := f.remove(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestUpAndDown(t *testing.T) {
	f := newForge(t)
	must(t, f.up(t.Context()))
	first := f.mustAddress(t)
	var user struct {
		Login   string
		IsAdmin bool `json:"is_admin"`
	}
	call(t, first, http.MethodGet, "user", "", &user)
	if user.Login != admin || !user.IsAdmin {
		t.Errorf("the address signs in %+v", user)
	}
	for _, file := range []string{"url", "run.log", "app.ini"} {
		if info, err := os.Stat(f.path(file)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	if uid := f.owner(t, "gitea.db"); uid == 0 {
		t.Error("Gitea runs as root")
	}

	must(t, f.up(t.Context()))
	if again := f.mustAddress(t); again.String() != first.String() {
		t.Errorf("a second start made another forge: %s, then %s", first.Redacted(), again.Redacted())
	}

	killed := f.runner()
	must(t, syscall.Kill(killed, syscall.SIGKILL))
	awaitGone(t, first)
	must(t, f.up(t.Context()))
	if anew := f.mustAddress(t); anew.String() == first.String() {
		t.Error("the forge that was killed was not replaced")
	}

	must(t, f.down(t.Context()))
	awaitGone(t, first)
	if _, err := os.Stat(f.state); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
	must(t, f.down(t.Context()))
}

// TestRunGoesOn is what the tests of others rely on: a forge has all that it had
// when it is started again, and ends with whoever started it.
func TestRunGoesOn(t *testing.T) {
	f := newForge(t)
	r := startRun(t, f)
	call(t, r.address, http.MethodPost, "user/repos", `{"name": "kept"}`, nil)
	must(t, r.cmd.Process.Signal(syscall.SIGTERM))
	if err := r.cmd.Wait(); err != nil {
		t.Errorf("it was told to end, and failed: %v", err)
	}
	awaitGone(t, r.address)

	again := startRun(t, f)
	if again.address.String() != r.address.String() {
		t.Errorf("address %s, before %s", again.address.Redacted(), r.address.Redacted())
	}
	call(t, again.address, http.MethodGet, "repos/berth/kept", "", nil)
	again.stdin.Close()
	if err := again.cmd.Wait(); err != nil {
		t.Errorf("nobody wants it, and it failed: %v", err)
	}
	if _, err := os.Stat(f.state); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestPortIsTaken(t *testing.T) {
	f := newForge(t)
	taken, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(f.port)))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if err := f.up(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(f.state); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestGiteaEndsEarly(t *testing.T) {
	f := newForge(t)
	must(t, os.WriteFile(f.path("url"), []byte("http://berth:secret@"+net.JoinHostPort(host, strconv.Itoa(f.port))), 0o600))
	must(t, place(filepath.Join(f.from, "bin"), f.path("bin")))
	must(t, os.Chmod(f.state, 0o711))
	must(t, os.WriteFile(f.config(), []byte("RUN_USER = somebody\n[security]\nINSTALL_LOCK = true\n"), 0o644))
	if err := f.run(t.Context()); err == nil || !strings.Contains(err.Error(), "Gitea ended") || !strings.Contains(err.Error(), "somebody") {
		t.Errorf("error %v", err)
	}
}

func TestOnlyOneRunsAForge(t *testing.T) {
	f := newForge(t)
	lock, err := f.takeLock()
	if err != nil {
		t.Fatal(err)
	}
	if f.runner() != os.Getpid() {
		t.Errorf("the runner is %d, not this process", f.runner())
	}
	if _, err := f.takeLock(); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("error %v", err)
	}
	lock.Close()
	if f.runner() != 0 {
		t.Error("a runner that ended is taken for alive")
	}
}

func TestCopyKeepsWhatMayRun(t *testing.T) {
	dir := t.TempDir()
	source, target := filepath.Join(dir, "source"), filepath.Join(dir, "target")
	must(t, os.WriteFile(source, []byte("#!"), 0o755))
	must(t, copyFile(source, target))
	text, err := os.ReadFile(target)
	info, _ := os.Stat(target)
	if err != nil || string(text) != "#!" || info.Mode().Perm() != 0o755 {
		t.Errorf("%q, %v, %v", text, info.Mode(), err)
	}
}

// running is a forge that runs in the foreground.
type running struct {
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	address *url.URL
}

func startRun(t *testing.T, f *forge) *running {
	t.Helper()
	r := &running{cmd: exec.Command(os.Args[0], runCommand, "--attached", "--from", f.from, "--state", f.state)}
	var err error
	if r.stdin, err = r.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stderr = os.Stderr
	must(t, r.cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	text, found := strings.CutPrefix(strings.TrimSpace(line), "FORGE=")
	if !found {
		t.Fatalf("it printed %q, %v", line, err)
	}
	if r.address, err = url.Parse(text); err != nil {
		t.Fatal(err)
	}
	return r
}

func (f *forge) mustAddress(t *testing.T) *url.URL {
	t.Helper()
	address, err := f.address()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func (f *forge) owner(t *testing.T, file string) uint32 {
	t.Helper()
	info, err := os.Stat(f.path(file))
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

// call asks Gitea's API as the administrator.
func call(t *testing.T, address *url.URL, method, path, body string, answer any) {
	t.Helper()
	request, err := http.NewRequest(method, address.JoinPath("api", "v1", path).String(), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		t.Fatalf("%s %s: %s, %v: %s", method, path, response.Status, err, data)
	}
	if answer != nil {
		must(t, json.Unmarshal(data, answer))
	}
}

// awaitGone waits until nobody listens at the address.
func awaitGone(t *testing.T, address *url.URL) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(glance) {
		conn, err := net.Dial("tcp", address.Host)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatalf("%s answers still", address.Host)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
