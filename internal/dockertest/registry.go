package dockertest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/berthdev/berth/internal/image"
)

// The media types of Docker's image manifest, version 2, schema 2.
const (
	manifestType = "application/vnd.docker.distribution.manifest.v2+json"
	listType     = "application/vnd.docker.distribution.manifest.list.v2+json"
	configType   = "application/vnd.docker.container.image.v1+json"
	layerType    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// A Registry is an image registry on loopback, which engines trust without TLS.
// It only serves.
type Registry struct {
	Host           string // host:port, the first part of its references
	User, Password string // if set, asked for

	mu        sync.Mutex
	blobs     map[string][]byte // by digest
	manifests map[string]manifest
	asked     int // for manifests
	layers    func()
}

type manifest struct {
	mediaType string
	data      []byte
}

// NewRegistry starts a registry, which ends with the test.
func NewRegistry(t testing.TB) *Registry {
	t.Helper()
	r := &Registry{blobs: map[string][]byte{}, manifests: map[string]manifest{}}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.Host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// Add makes the registry serve an image as name:tag, in place of what it was. It
// returns the reference and the digest.
func (r *Registry) Add(t testing.TB, name, tag string, spec image.Spec) (ref, digest string) {
	t.Helper()
	var layer, packed bytes.Buffer
	if err := spec.WriteLayer(&layer); err != nil {
		t.Fatal(err)
	}
	config, err := spec.Config(image.Digest(layer.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write(layer.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	data := encode(t, map[string]any{
		"schemaVersion": 2, "mediaType": manifestType,
		"config": r.blob(configType, config),
		"layers": []any{r.blob(layerType, packed.Bytes())},
	})
	return r.publish(name, tag, manifest{manifestType, data})
}

// AddForeign makes the registry serve name:tag for a platform that no test runs on.
func (r *Registry) AddForeign(t testing.TB, name, tag string) (ref string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	ref, _ = r.publish(name, tag, manifest{listType, encode(t, map[string]any{
		"schemaVersion": 2, "mediaType": listType,
		"manifests": []any{map[string]any{
			"mediaType": manifestType, "digest": image.Digest(nil), "size": 1,
			"platform": map[string]any{"os": "linux", "architecture": "s390x"},
		}},
	})})
	return ref
}

// Asked returns how often a manifest was asked for.
func (r *Registry) Asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// BeforeLayer sets what is called before a layer is served.
func (r *Registry) BeforeLayer(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.layers = f
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (r *Registry) blob(mediaType string, data []byte) map[string]any {
	digest := image.Digest(data)
	r.blobs[digest] = data
	return map[string]any{"mediaType": mediaType, "digest": digest, "size": len(data)}
}

func (r *Registry) publish(name, tag string, m manifest) (ref, digest string) {
	digest = image.Digest(m.data)
	r.manifests[name+"/"+tag], r.manifests[name+"/"+digest] = m, m
	return r.Host + "/" + name + ":" + tag, digest
}

// ServeHTTP implements the reading half of the registry API, version 2.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if user, password, _ := req.BasicAuth(); r.User != "" && (user != r.User || password != r.Password) {
		w.Header().Set("Www-Authenticate", `Basic realm="test"`)
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return
	}
	path := strings.TrimPrefix(req.URL.Path, "/v2/")
	if path == "" {
		return
	}
	if name, ref, ok := strings.Cut(path, "/manifests/"); ok {
		r.mu.Lock()
		m, found := r.manifests[name+"/"+ref]
		r.asked++
		r.mu.Unlock()
		if !found {
			refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
			return
		}
		w.Header().Set("Content-Type", m.mediaType)
		w.Header().Set("Docker-Content-Digest", image.Digest(m.data))
		_, _ = w.Write(m.data) // the client has gone if this fails
		return
	}
	_, digest, _ := strings.Cut(path, "/blobs/")
	r.mu.Lock()
	data, found := r.blobs[digest]
	before := r.layers
	r.mu.Unlock()
	if !found {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown")
		return
	}
	if before != nil {
		before()
	}
	_, _ = w.Write(data) // the client has gone if this fails
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{map[string]any{"code": code, "message": message}}})
}
