package git

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
)

// holdVariable makes the test binary take a data folder and wait.
const holdVariable = "BERTH_TEST_HOLD_DIR"

func holdFolder(dir string) {
	if _, err := OpenDir(dir); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("holding")
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the test closes it
	os.Exit(0)
}

func TestTwoProcessesOnOneFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	self, err := os.Executable()
	must(t, err)
	other := exec.Command(self)
	other.Env = append(os.Environ(), holdVariable+"="+dir)
	stdin, err := other.StdinPipe()
	must(t, err)
	stdout, err := other.StdoutPipe()
	must(t, err)
	must(t, other.Start())
	said := make([]byte, 100)
	n, err := stdout.Read(said)
	if err != nil || !strings.HasPrefix(string(said[:n]), "holding") {
		t.Fatalf("the other process says %q, %v", said[:n], err)
	}
	_, err = OpenDir(dir)
	wantError(t, err, schema.Terminal, dir, fmt.Sprintf("in use by process %d", other.Process.Pid))
	must(t, stdin.Close())
	must(t, other.Wait())
	d, err := OpenDir(dir)
	must(t, err)
	must(t, d.Close())
}

func TestOneProcessTakesAFolderOnce(t *testing.T) {
	dir := t.TempDir()
	d, err := OpenDir(dir)
	must(t, err)
	_, err = OpenDir(dir)
	wantError(t, err, schema.Terminal, fmt.Sprintf("in use by process %d", os.Getpid()))
	must(t, d.Close())
}

func TestDirThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, err := OpenDir(filepath.Join(file, "data"))
	wantError(t, err, schema.Terminal, "dataDir must be a folder")
}

func TestMirrorsOfOneRepositoryDoNotMeet(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	d := openDir(t)
	opts := Options{Dir: d, URL: s.repoURL(), Ref: "main"}
	a, b := open(t, opts), open(t, opts)
	wantFile(t, update(t, a), "a.yaml", "1")
	wantFile(t, update(t, b), "a.yaml", "1")
	if currentFolder(a) == currentFolder(b) {
		t.Error("two sources share a folder")
	}
}

func TestSweepRemovesWhatNobodyFollows(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	d := openDir(t)
	kept, gone := open(t, Options{Dir: d, URL: s.repoURL()}), open(t, Options{Dir: d, URL: s.repoURL(), Ref: "main"})
	update(t, kept)
	update(t, gone)
	folder := currentFolder(gone)
	must(t, gone.Close())
	must(t, d.Sweep())
	if fileExists(folder) || !fileExists(currentFolder(kept)) {
		t.Error("the wrong mirror is gone")
	}
}
