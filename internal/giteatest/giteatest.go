// Package giteatest gives tests a real Gitea: git over HTTP, the API, webhooks,
// pull requests and commit statuses. "make test" builds it; each test that wants
// one starts its own, which takes about a second.
package giteatest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/berthdev/berth/internal/dockertest"
)

// A Forge is a Gitea that one test has for itself.
type Forge struct {
	URL   string // without a path
	Host  string // of URL, with the port
	Admin *User

	t       testing.TB
	from    string // folder of what was built
	state   string // folder of all that it writes
	client  *http.Client
	process *exec.Cmd // nil: it is stopped
	alive   io.Closer // the forge ends when it is closed
}

// New starts a Gitea that ends with the test and leaves nothing behind. Where it
// was not built, the test is skipped; in CI it fails. It is skipped too where
// tests shall be short.
func New(t testing.TB) *Forge {
	t.Helper()
	if testing.Short() {
		t.Skip("a forge takes a while")
	}
	from, err := dockertest.Cache("forge")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(from, "bin", "gitea")); err != nil {
		dockertest.Unavailable(t, "no Gitea was built (test/setup.sh gitea): "+err.Error())
	}
	// Root has another user run Gitea, who could not enter the test's own folder.
	state, err := os.MkdirTemp("", "berth-gitea-")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{} // through no proxy
	f := &Forge{t: t, from: from, state: state, client: &http.Client{Transport: transport}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		f.remove()
	})
	f.Start()
	return f
}

// Start starts the forge again after Stop, at the same address and with all that
// it had. It returns when the forge answers.
func (f *Forge) Start() {
	f.t.Helper()
	if f.process != nil {
		f.t.Fatal("the forge runs already")
	}
	cmd := exec.Command(filepath.Join(f.from, "forge"), "run", "--attached", "--from", f.from, "--state", f.state)
	alive, err := cmd.StdinPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.process, f.alive = cmd, alive
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		err = f.found(strings.TrimSpace(line))
	}
	if err != nil {
		f.t.Fatalf("the forge does not start: %v, %s", errors.Join(err, f.end()), complaint.String())
	}
}

// found takes the address that the forge prints.
func (f *Forge) found(line string) error {
	text, isAddress := strings.CutPrefix(line, "FORGE=")
	if !isAddress {
		return fmt.Errorf("it says %q", line)
	}
	u, err := url.Parse(text)
	if err != nil {
		return err
	}
	password, _ := u.User.Password()
	f.Admin = &User{Name: u.User.Username(), Password: password, forge: f}
	f.URL, f.Host = "http://"+u.Host, u.Host
	return nil
}

// Stop stops the forge. Until it is started again, connections to it are refused.
func (f *Forge) Stop() {
	f.t.Helper()
	if f.process == nil {
		f.t.Fatal("the forge is stopped already")
	}
	if err := f.process.Process.Signal(syscall.SIGTERM); err != nil {
		f.t.Fatal(err)
	}
	if err := f.wait(); err != nil {
		f.t.Fatal(err)
	}
}

// end ends the forge, which removes what it wrote.
func (f *Forge) end() error {
	f.alive.Close()
	return f.wait()
}

func (f *Forge) wait() error {
	process := f.process
	f.process = nil
	if err := process.Wait(); err != nil {
		return fmt.Errorf("the forge ended: %w: %v", err, process.Stderr)
	}
	return nil
}

// remove is the end of the test: a failed one is told what the forge did last.
func (f *Forge) remove() {
	if f.t.Failed() {
		f.t.Logf("the end of Gitea's log:\n%s", f.logTail(30))
	}
	if f.process != nil {
		if err := f.end(); err != nil {
			f.t.Error(err)
		}
	}
	if err := os.RemoveAll(f.state); err != nil { // it may be stopped
		f.t.Error(err)
	}
}

func (f *Forge) logTail(lines int) string {
	text, err := os.ReadFile(filepath.Join(f.state, "gitea.log"))
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
