package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/schema"
)

func TestWebhookSecrets(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("new\n\n  old \n")
	t.Setenv("APPS_SECRET", "of apps")
	var log bytes.Buffer
	secrets := webhookSecrets(schema.Webhooks{SecretFile: file, Repos: []schema.WebhookRepo{
		{Repo: "apps", SecretEnv: "APPS_SECRET"}, {Repo: "tools", SecretFile: filepath.Join(dir, "none")},
	}}, slog.New(slog.NewTextHandler(&log, nil)))
	expect := func(repo string, want ...string) {
		t.Helper()
		var got []string
		for _, s := range secrets(repo) {
			got = append(got, string(s))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("secrets of %q (-want +got):\n%s", repo, diff)
		}
	}
	expect("", "new", "old")
	write("new\n")
	expect("", "new")
	expect("apps", "of apps")
	expect("nobody")
	expect("desired-state")
	expect("tools")
	expect("tools")
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "source=tools") || strings.Contains(text, "of apps") {
		t.Errorf("the log:\n%s", text)
	}
}

// TestForgesReachTheSources posts what each forge sends to a whole Berth.
func TestForgesReachTheSources(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"commit", "-q", "--allow-empty", "-m", "first"}} {
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=Ada", "-c", "user.email=ada@example.org"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	t.Setenv("SHARED_SECRET", "shared")
	t.Setenv("DESIRED_SECRET", "own")
	cfg := &schema.Config{Instance: "lab", Listen: "127.0.0.1:0", DataDir: t.TempDir()}
	cfg.Desired.URL = dir
	cfg.Webhooks = schema.Webhooks{SecretEnv: "SHARED_SECRET", Repos: []schema.WebhookRepo{{Repo: schema.DesiredName, SecretEnv: "DESIRED_SECRET"}}}
	if err := complete(cfg); err != nil {
		t.Fatal(err)
	}
	url := serveInstance(t, cfg)
	body := fmt.Sprintf(`{"url": %[1]q, "object_kind": "push", "ref": "refs/heads/main", "repository": {"clone_url": %[1]q}, "project": {"git_http_url": %[1]q}}`, "file://"+dir)
	signed := func(name, prefix string) func(http.Header, string) {
		return func(header http.Header, secret string) {
			mac := hmac.New(sha256.New, []byte(secret))
			io.WriteString(mac, body)
			header.Set(name, prefix+hex.EncodeToString(mac.Sum(nil)))
		}
	}
	for path, sign := range map[string]func(http.Header, string){
		"generic": signed("X-Berth-Signature", "sha256="), "github": signed("X-Hub-Signature-256", "sha256="), "gitea": signed("X-Gitea-Signature", ""),
		"gitlab": func(header http.Header, secret string) { header.Set("X-Gitlab-Token", secret) },
	} {
		for _, test := range []struct {
			repo, secret string
			status       int
			answer       string
		}{
			{"", "shared", 202, `{"sources":1}`}, {"", "own", 401, "unauthorized"},
			{"/desired-state", "own", 202, `{"sources":1}`}, {"/desired-state", "shared", 401, "unauthorized"}, {"/apps", "shared", 401, "unauthorized"},
		} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/webhooks/"+path+test.repo, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header = http.Header{"Content-Type": {"application/json"}, "X-Github-Event": {"push"}, "X-Gitea-Event": {"push"}, "X-Gitlab-Event": {"Push Hook"}}
			sign(request.Header, test.secret)
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.StatusCode != test.status || strings.TrimSpace(string(text)) != test.answer {
				t.Errorf("%s%s with the secret %q: got %d %s, error %v", path, test.repo, test.secret, answer.StatusCode, text, err)
			}
		}
	}
}

// serveInstance runs a Berth with engines in memory until the test ends.
func serveInstance(t *testing.T, cfg *schema.Config) (url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	i, err := newInstance(ctx, cfg, newRig().open, slog.New(slog.NewTextHandler(t.Output(), nil)), alone, false)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		defer i.close()
		if err := i.run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return i.server.URL()
}
