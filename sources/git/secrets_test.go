package git

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
)

const canary = "c4nary-s3cret-value"

func quietLog() *log.Logger { return log.New(io.Discard, "", 0) }

// A secret in the URL or the credentials shows up in no error, log line, value
// or file, whatever the server does.
func TestSecretsStayHidden(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	s.user, s.password = "berth", canary
	echo := func(code int, contentType string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, req *http.Request) bool {
			user, password, _ := req.BasicAuth()
			said := fmt.Sprintf("ERR %s:%s %s", user, password, req.Header.Get("Authorization"))
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("X-Echo", said)
			w.WriteHeader(code)
			_, _ = w.Write(appendPkt(nil, "%s", said))
			return true
		}
	}
	dir := openDir(t)
	var seen bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&seen, &slog.HandlerOptions{Level: slog.LevelDebug}))
	with := func(user string) string { return strings.Replace(s.repoURL(), "http://", "http://"+user+"@", 1) }
	for _, repo := range []string{with("berth:" + canary), s.repoURL(), with(canary)} {
		src := open(t, Options{Dir: dir, URL: repo, Logger: logger, Credentials: fixed(Credential{Username: "berth", Token: canary})})
		for _, handle := range []func(http.ResponseWriter, *http.Request) bool{
			nil,
			echo(200, refsType), echo(401, "text/plain"), echo(403, "text/plain"), echo(500, "text/plain"),
			func(w http.ResponseWriter, req *http.Request) bool {
				_, password, _ := req.BasicAuth()
				w.Header().Set("Location", "http://x:"+password+"@[bad/"+password)
				w.WriteHeader(302)
				return true
			},
			func(w http.ResponseWriter, _ *http.Request) bool {
				conn, _, err := w.(http.Hijacker).Hijack()
				if err == nil {
					conn.Close()
				}
				return true
			},
		} {
			s.setHandle(handle)
			snap, err := src.Update(context.Background())
			fmt.Fprintf(&seen, "%v %+v %#v\n", err, snap, err)
		}
		must(t, src.Close())
	}
	for _, bad := range []string{
		"https://u:" + canary + "@host", "https://u:" + canary + "@ho st/x", "ssh://u:" + canary + "@host/x", "https://h/x?token=" + canary,
		"ftp://u:" + canary + "@host/x", "https://u:" + canary + "/@host/x\x00", "u:" + canary + "@host:x", "::" + canary + "@x", "https://" + canary + "@/x",
	} {
		_, err := Open(Options{Dir: dir, URL: bad})
		fmt.Fprintf(&seen, "%v %#v\n", err, err)
	}
	loc, err := ParseURL("https://u:" + canary + "@host/x")
	must(t, err)
	cred := Credential{Token: canary, SSHKey: []byte(canary)}
	fmt.Fprintf(&seen, "%v %+v %#v %s %v %+v %#v\n", loc, loc, loc, loc, cred, cred, cred)
	logger.Info("values", "location", loc, "credential", cred)
	if i := strings.Index(seen.String(), canary); i >= 0 {
		t.Errorf("the secret shows: ...%s", seen.String()[max(0, i-300):i+len(canary)])
	}
	must(t, filepath.WalkDir(dir.path, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if bytes.Contains(data, []byte(canary)) || strings.Contains(name, canary) {
			t.Errorf("the secret is in %s", name)
		}
		return err
	}))
}

func TestConfiguredCredentials(t *testing.T) {
	home := t.TempDir()
	tokenFile := filepath.Join(home, "token")
	must(t, os.WriteFile(tokenFile, []byte("from-file\n"), 0o600))
	env := Environment{Home: home, Getenv: func(name string) string { return map[string]string{"TOKEN": "from-env\n"}[name] }}
	creds := ConfiguredCredentials([]schema.Credential{
		{Host: "git.example.org", Username: "berth", TokenEnv: "TOKEN"},
		{Host: "git.example.org:8443", TokenFile: tokenFile},
		{Host: "plain.example.org:3000", TokenEnv: "TOKEN"},
		{Host: "127.0.0.1", TokenEnv: "TOKEN"},
		{Host: "broken.example.org", TokenFile: filepath.Join(home, "none")},
		{Host: "[::1]:3000", TokenEnv: "TOKEN"},
	}, env)
	for url, want := range map[string]string{
		"https://git.example.org/a/b":        "from-env",
		"https://GIT.example.org./a/b":       "from-env",
		"https://git.example.org:443/a/b":    "from-env",
		"https://git.example.org:8443/a/b":   "from-file",
		"https://git.example.org:9443/a/b":   "",
		"http://git.example.org/a/b":         "",
		"https://sub.git.example.org/a/b":    "",
		"https://evilgit.example.org/a/b":    "",
		"http://plain.example.org:3000/a/b":  "from-env",
		"https://plain.example.org/a/b":      "",
		"http://127.0.0.1:4711/a/b":          "from-env",
		"http://[::1]:3000/a/b":              "from-env",
		"ssh://git@git.example.org:2222/a/b": "from-env", // never sent by ssh
		"https://other.example.org/repo.git": "",
	} {
		loc, err := ParseURL(url)
		must(t, err)
		cred, err := creds(loc)
		must(t, err)
		if cred.Token != want {
			t.Errorf("%s gets %q, want %q", url, cred.Token, want)
		}
	}
	must(t, os.WriteFile(tokenFile, []byte("rotated"), 0o600))
	loc, _ := ParseURL("https://git.example.org:8443/a/b")
	if cred, _ := creds(loc); cred.Token != "rotated" {
		t.Errorf("after rotation: %q", cred.Token)
	}
	loc, _ = ParseURL("https://broken.example.org/a/b")
	_, err := creds(loc)
	wantError(t, err, schema.Terminal, "tokenFile", "broken.example.org")
}
