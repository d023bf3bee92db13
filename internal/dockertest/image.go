package dockertest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"github.com/berthdev/berth/internal/image"
)

// AppPort is the port that the test app serves on, unless LISTEN says otherwise.
const AppPort = 8080

// App builds the test app (internal/testapp) and returns its executable.
func App(t testing.TB) string {
	t.Helper()
	exe, err := buildApp()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// AppSpec returns the specification of an image that holds the test app at /app.
func AppSpec(t testing.TB, name string) image.Spec {
	t.Helper()
	return image.Spec{Name: name, Executable: App(t), Path: "/app", Env: []string{"LISTEN=:8080"}, ExposedPorts: []string{"8080/tcp"}}
}

// Image makes sure that the engine has an image of the test app, and returns its
// reference. Its tag is made of its content, so it stays for the next run.
func Image(t testing.TB, cli *client.Client) string {
	t.Helper()
	spec := AppSpec(t, "berth.test/app:probe")
	id, err := image.Write(io.Discard, spec)
	if err != nil {
		t.Fatal(err)
	}
	spec.Name = "berth.test/app:" + strings.TrimPrefix(id, "sha256:")[:12]
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := cli.ImageInspect(ctx, spec.Name); err == nil {
		return spec.Name
	}
	Load(t, cli, spec)
	return spec.Name
}

// Load makes an image and has the engine load it.
func Load(t testing.TB, cli *client.Client, spec image.Spec) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, w := io.Pipe()
	go func() {
		_, err := image.Write(w, spec)
		w.CloseWithError(err)
	}()
	resp, err := cli.ImageLoad(ctx, r, client.ImageLoadWithQuiet(true))
	r.CloseWithError(io.ErrClosedPipe) // lets the writer end, whatever happened
	if err != nil {
		t.Fatalf("load image %s: %v", spec.Name, err)
	}
	defer resp.Body.Close()
	if out, err := io.ReadAll(resp.Body); err != nil || strings.Contains(string(out), `"error"`) {
		t.Fatalf("load image %s: %v: %s", spec.Name, err, out)
	}
}

// buildApp builds the test app once in a process. A test's own temporary folder
// would be gone for the next test; the file is the same for every run.
var buildApp = sync.OnceValues(func() (string, error) {
	dir, err := Cache()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.MkdirTemp(dir, "testapp-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	exe := filepath.Join(tmp, "testapp")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", exe, "github.com/berthdev/berth/internal/testapp")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the test app: %w: %s", err, out)
	}
	final := filepath.Join(dir, "testapp")
	return final, os.Rename(exe, final) // at once, for tests of other packages build it too
})
