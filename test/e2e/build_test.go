package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/berthdev/berth/internal/dockertest"
	app "github.com/berthdev/berth/internal/image"
)

const buildPrefix = "berth-e2e-"

// built is the executable under test, built once for all tests.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// loaded are the engines that have the image of this run's executable, by address.
var loaded struct {
	sync.Mutex
	hosts map[string]bool
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := cleanUp(); err != nil {
		fmt.Fprintln(os.Stderr, "cleaning up:", err)
		code = 1
	}
	os.Exit(code)
}

// cleanUp removes the executable and, from the machine's own engine, its image.
func cleanUp() error {
	if built.dir == "" {
		return nil
	}
	docker, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return err
	}
	defer docker.Close()
	if loaded.hosts[docker.DaemonHost()] {
		_, err = docker.ImageRemove(context.Background(), imageName(), image.RemoveOptions{})
	}
	return errors.Join(err, os.RemoveAll(built.dir))
}

// berthExecutable builds the static executable and returns its path.
func berthExecutable(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", buildPrefix); built.err != nil {
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

// imageName is the image of the executable, which serves as the tests' app. Each
// run of the tests has its own.
func imageName() string {
	return "berth.invalid/e2e:" + strings.TrimPrefix(filepath.Base(built.dir), buildPrefix)
}

// berthImage loads the executable's image, once into each engine, and returns its name.
func berthImage(t testing.TB, docker *client.Client) string {
	t.Helper()
	exe := berthExecutable(t)
	loaded.Lock()
	defer loaded.Unlock()
	if host := docker.DaemonHost(); !loaded.hosts[host] {
		dockertest.Load(t, docker, app.Spec{Name: imageName(), Executable: exe, Path: "/berth", Entrypoint: []string{"/berth"}})
		if loaded.hosts == nil {
			loaded.hosts = map[string]bool{}
		}
		loaded.hosts[host] = true
	}
	return imageName()
}
