// Package image makes container images from one static executable, without a
// network, a builder or an engine: [Write] writes an archive that
// "docker load" reads. The same input always gives the same bytes.
package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A Spec says what is in an image.
type Spec struct {
	Name         string   // its reference, as "example/app:1.0"
	Executable   string   // the file on this machine; it must be static
	Path         string   // where the image has it; default: "/" and the file's name
	Entrypoint   []string // default: the executable
	Cmd          []string
	Env          []string // KEY=VALUE
	Labels       map[string]string
	ExposedPorts []string // as "80/tcp"
	Healthcheck  *Healthcheck
	Arch         string // as Go names it; default: this machine's
}

// A Healthcheck is the image's own health check.
type Healthcheck struct {
	Command     []string
	Interval    time.Duration
	Timeout     time.Duration
	StartPeriod time.Duration
	Retries     int
}

const (
	layerFile  = "layer.tar"
	configFile = "config.json"
)

// Write writes the image as an archive that an engine loads, and returns the
// image's ID: the digest of its configuration, as "sha256:…".
func Write(w io.Writer, s Spec) (id string, err error) {
	f, size, err := open(s.Executable)
	if err != nil {
		return "", err
	}
	defer f.Close()

	archive := tar.NewWriter(w)
	sum := sha256.New()
	if err := archive.WriteHeader(header(layerFile, layerSize(s.path(), size))); err != nil {
		return "", err
	}
	if err := writeLayer(io.MultiWriter(archive, sum), s.path(), f, size); err != nil {
		return "", err
	}
	config, err := s.Config("sha256:" + hex.EncodeToString(sum.Sum(nil)))
	if err != nil {
		return "", err
	}
	manifest, err := json.Marshal([]any{map[string]any{
		"Config": configFile, "RepoTags": []string{s.Name}, "Layers": []string{layerFile},
	}})
	if err != nil {
		return "", err
	}
	for _, file := range []struct {
		name string
		data []byte
	}{{configFile, config}, {"manifest.json", manifest}} {
		if err := archive.WriteHeader(header(file.name, int64(len(file.data)))); err != nil {
			return "", err
		}
		if _, err := archive.Write(file.data); err != nil {
			return "", err
		}
	}
	return Digest(config), archive.Close()
}

// WriteLayer writes the image's only layer, uncompressed.
func (s Spec) WriteLayer(w io.Writer) error {
	f, size, err := open(s.Executable)
	if err != nil {
		return err
	}
	defer f.Close()
	return writeLayer(w, s.path(), f, size)
}

// Config returns the image's configuration, as the OCI image specification
// describes it, given the digest of its layer.
func (s Spec) Config(layer string) ([]byte, error) {
	entrypoint := s.Entrypoint
	if len(entrypoint) == 0 {
		entrypoint = []string{s.path()}
	}
	arch := s.Arch
	if arch == "" {
		arch = runtime.GOARCH
	}
	run := map[string]any{"Entrypoint": entrypoint}
	set := func(key string, value any, isSet bool) {
		if isSet {
			run[key] = value
		}
	}
	set("Cmd", s.Cmd, len(s.Cmd) > 0)
	set("Env", s.Env, len(s.Env) > 0)
	set("Labels", s.Labels, len(s.Labels) > 0)
	if h := s.Healthcheck; h != nil {
		run["Healthcheck"] = map[string]any{
			"Test": append([]string{"CMD"}, h.Command...), "Interval": h.Interval,
			"Timeout": h.Timeout, "StartPeriod": h.StartPeriod, "Retries": h.Retries,
		}
	}
	ports := map[string]struct{}{}
	for _, p := range s.ExposedPorts {
		ports[p] = struct{}{}
	}
	set("ExposedPorts", ports, len(ports) > 0)
	return json.Marshal(map[string]any{
		"architecture": arch,
		"os":           "linux",
		"config":       run,
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{layer}},
	})
}

func (s Spec) path() string {
	if s.Path != "" {
		return path.Clean("/" + s.Path)
	}
	return "/" + path.Base(s.Executable)
}

// Digest returns the digest of data, as "sha256:…".
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func open(name string) (io.ReadCloser, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", name)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// folders returns the folders above the file, the topmost first.
func folders(file string) []string {
	var dirs []string
	for d := path.Dir(file); d != "/"; d = path.Dir(d) {
		dirs = append(dirs, strings.TrimPrefix(d, "/")+"/")
	}
	slices.Reverse(dirs)
	return dirs
}

// layerSize is what writeLayer writes: a header of 512 bytes for each entry, the
// file padded to 512, and two empty blocks at the end.
func layerSize(file string, size int64) int64 {
	const block = 512
	return int64(len(folders(file))+1)*block + (size+block-1)/block*block + 2*block
}

func writeLayer(w io.Writer, file string, content io.Reader, size int64) error {
	layer := tar.NewWriter(w)
	for _, dir := range folders(file) {
		h := header(dir, 0)
		h.Typeflag, h.Mode = tar.TypeDir, 0o755
		if err := layer.WriteHeader(h); err != nil {
			return err
		}
	}
	h := header(strings.TrimPrefix(file, "/"), size)
	h.Mode = 0o755
	if err := layer.WriteHeader(h); err != nil {
		return err
	}
	if _, err := io.CopyN(layer, content, size); err != nil {
		return err
	}
	return layer.Close()
}

// header is an entry of an archive without any time. The format is one whose
// headers have a fixed size.
func header(name string, size int64) *tar.Header {
	return &tar.Header{Name: name, Size: size, Mode: 0o644, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR, ModTime: time.Unix(0, 0)}
}
