package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWriteIsDeterministicAndWhole(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "app")
	content := bytes.Repeat([]byte("x"), 1337)
	if err := os.WriteFile(exe, content, 0o700); err != nil {
		t.Fatal(err)
	}
	spec := Spec{
		Name: "example/app:1", Executable: exe, Path: "/usr/bin/app", Env: []string{"A=b"},
		Labels: map[string]string{"k": "v"}, ExposedPorts: []string{"80/tcp"}, Cmd: []string{"serve"},
		Healthcheck: &Healthcheck{Command: []string{"/usr/bin/app", "ping"}, Interval: time.Second}, Arch: "arm64",
	}
	var first, second bytes.Buffer
	id, err := Write(&first, spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(exe, time.Now(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(&second, spec); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same input gives other bytes")
	}

	files := untar(t, &first)
	if got := Digest(files["config.json"]); got != id {
		t.Errorf("id = %s, the configuration's digest is %s", id, got)
	}
	var config struct {
		Architecture string
		Config       struct{ Entrypoint, Cmd, Env []string }
		Rootfs       struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(files["config.json"], &config); err != nil {
		t.Fatal(err)
	}
	if got, want := config.Rootfs.DiffIDs[0], Digest(files["layer.tar"]); got != want {
		t.Errorf("layer %s, want %s", got, want)
	}
	if config.Architecture != "arm64" || config.Config.Entrypoint[0] != "/usr/bin/app" || config.Config.Cmd[0] != "serve" {
		t.Errorf("config = %+v", config)
	}
	layer := untar(t, bytes.NewReader(files["layer.tar"]))
	if !bytes.Equal(layer["usr/bin/app"], content) {
		t.Error("the layer does not hold the executable")
	}
	for _, dir := range []string{"usr/", "usr/bin/"} {
		if _, ok := layer[dir]; !ok {
			t.Errorf("the layer has no folder %s", dir)
		}
	}
	var alone bytes.Buffer
	if err := spec.WriteLayer(&alone); err != nil || !bytes.Equal(alone.Bytes(), files["layer.tar"]) {
		t.Errorf("WriteLayer writes another layer: %v", err)
	}
}

func TestWriteRefusesWhatIsNoFile(t *testing.T) {
	for _, exe := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing")} {
		if _, err := Write(io.Discard, Spec{Name: "a:b", Executable: exe}); err == nil {
			t.Errorf("%s: no error", exe)
		}
	}
}

func untar(t *testing.T, r io.Reader) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}
