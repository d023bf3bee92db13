package kubernetes

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/berthdev/berth/schema"
)

const kubeconfig = `
apiVersion: v1
kind: Config
current-context: lab
contexts:
- {name: lab, context: {cluster: lab, user: token, namespace: team}}
- {name: program, context: {cluster: lab, user: program}}
- {name: provider, context: {cluster: lab, user: provider}}
clusters:
- {name: lab, cluster: {server: "https://lab.invalid:6443"}}
users:
- {name: token, user: {token: s3cret}}
- {name: program, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: touch, args: [/nowhere], interactiveMode: Never}}}
- {name: provider, user: {auth-provider: {name: gcp}}}
`

func TestReach(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	without := filepath.Join(t.TempDir(), "without")
	if err := os.WriteFile(without, []byte(strings.Replace(kubeconfig, "current-context: lab", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		cfg       schema.BackendConfig
		namespace string
		err       string // it holds this; empty: none
	}{
		"current context":      {schema.BackendConfig{Kubeconfig: file}, "team", ""},
		"namespace configured": {schema.BackendConfig{Kubeconfig: file, Namespace: "berth"}, "berth", ""},
		"program":              {schema.BackendConfig{Kubeconfig: file, Context: "program"}, "", "allowExec"},
		"program allowed":      {schema.BackendConfig{Kubeconfig: file, Context: "program", AllowExec: true}, "default", ""},
		"provider":             {schema.BackendConfig{Kubeconfig: file, Context: "provider"}, "", "allowExec"},
		"unknown context":      {schema.BackendConfig{Kubeconfig: file, Context: "other"}, "", `"other"; it has lab, program, provider`},
		"no current context":   {schema.BackendConfig{Kubeconfig: without}, "", "no current context; it has lab"},
		"empty":                {schema.BackendConfig{Kubeconfig: empty}, "", "there is no kubeconfig"},
		"no file":              {schema.BackendConfig{Kubeconfig: file + ".none"}, "", "no such file"},
	} {
		r, err := reachOf(test.cfg, Options{Version: "1.2.3"})
		switch {
		case test.err == "":
			if err != nil || r.namespace != test.namespace || r.config.Host != "https://lab.invalid:6443" {
				t.Errorf("%s: %+v, %v", name, r, err)
			} else if !strings.HasPrefix(r.config.UserAgent, "berth/1.2.3 ") || r.config.QPS >= 0 {
				t.Errorf("%s: user agent %q, %f queries a second", name, r.config.UserAgent, r.config.QPS)
			}
		case err == nil || !strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%s: %v, want an error with %q", name, err, test.err)
		case schema.KindOf(err) != schema.Terminal:
			t.Errorf("%s: a %s error", name, schema.KindOf(err))
		}
	}
}

// A cluster that does not answer is no error at the start, but of each call.
func TestNewCallsNobody(t *testing.T) {
	b, err := New(context.Background(), schema.BackendConfig{Name: "dead"}, "lab", Options{REST: &rest.Config{Host: "http://127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Pods(t.Context()); schema.KindOf(err) != schema.Transient {
		t.Errorf("pods: %v, want a transient error", err)
	}
	if _, err := b.Capacity(t.Context()); schema.KindOf(err) != schema.Transient {
		t.Errorf("capacity: %v, want a transient error", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.Pods(t.Context()); schema.KindOf(err) != schema.Transient {
		t.Errorf("pods of a closed backend: %v", err)
	}
	if _, err := New(context.Background(), schema.BackendConfig{Name: "x"}, "No Label", Options{REST: &rest.Config{}}); schema.KindOf(err) != schema.Invalid {
		t.Errorf("an instance without a usable name: %v", err)
	}
}
