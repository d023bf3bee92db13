package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/docker/docker/client"

	"github.com/berthdev/berth/internal/dockertest"
	"github.com/berthdev/berth/internal/image"
)

// built is the executable under test, built once for all tests.
var built struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// berthExecutable builds the static executable and returns its path.
func berthExecutable(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "berth-e2e-"); built.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-o", filepath.Join(built.dir, "berth"), "../../cmd/berth")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "berth")
}

// imageName is the image of the executable, which serves as the tests' app.
const imageName = "berth.invalid/e2e:1"

// loaded are the engines that have the image of this run's executable, by address.
var loaded = map[string]bool{}

// berthImage loads the executable's image, once into each engine, and returns its name.
func berthImage(t testing.TB, docker *client.Client) string {
	t.Helper()
	exe := berthExecutable(t)
	if host := docker.DaemonHost(); !loaded[host] {
		dockertest.Load(t, docker, image.Spec{Name: imageName, Executable: exe, Path: "/berth", Entrypoint: []string{"/berth"}})
		loaded[host] = true
	}
	return imageName
}
