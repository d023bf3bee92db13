package kubernetes

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
)

// Credentials that a kubeconfig gets while Berth runs are taken when the former ones
// are refused, whatever they were needed for.
func TestKubeconfigIsRenewed(t *testing.T) {
	const first, second = "first", "second"
	valid, bodies := first, []string{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("Authorization") != "Bearer "+valid {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Unauthorized","code":401}`)
			return
		}
		bodies = append(bodies, string(body))
		_, _ = io.WriteString(w, map[bool]string{true: `{"gitVersion":"v1.34.0"}`, false: `{"kind":"NodeList","apiVersion":"v1","items":[]}`}[r.URL.Path == "/version"])
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "config")
	write := func(token string) {
		text := strings.NewReplacer(`"https://lab.invalid:6443"`, strconv.Quote(server.URL)+", insecure-skip-tls-verify: true", "s3cret", token).Replace(kubeconfig)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(first)
	b, err := New(t.Context(), schema.BackendConfig{Name: "cluster", Kubeconfig: file}, "lab", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ask := func() error {
		_, err := b.Capacity(t.Context())
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	valid = second
	if err := ask(); schema.KindOf(err) != schema.Terminal || !strings.Contains(fmt.Sprint(err), "renew the credentials") {
		t.Errorf("with the former credentials: %v", err)
	}
	write(second)
	if err := ask(); err != nil {
		t.Errorf("with the new ones: %v", err)
	}
	valid = first
	write(first)
	if err := b.api.core.Post().Resource("namespaces").Body([]byte("whole")).Do(t.Context()).Error(); err != nil {
		t.Errorf("with the first ones again: %v", err)
	}
	if last := bodies[len(bodies)-1]; last != "whole" {
		t.Errorf("the body came as %q", last)
	}
}
