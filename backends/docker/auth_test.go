package docker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/registry"
	"github.com/google/go-cmp/cmp"
)

func TestLookupAuth(t *testing.T) {
	programs := t.TempDir()
	for name, script := range map[string]string{
		"good":    `echo '{"Username": "john", "Secret": "s3cret"}'`,
		"token":   `echo '{"Username": "<token>", "Secret": "s3cret"}'`,
		"unknown": `echo "credentials not found in native keychain"; exit 1`,
		"broken":  `echo s3cret; exit 2`,
		"chatty":  `echo s3cret`,
	} {
		if err := os.WriteFile(filepath.Join(programs, "docker-credential-"+name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", programs+":"+os.Getenv("PATH"))
	const key = "reg.example.org:5000"
	john := registry.AuthConfig{Username: "john", Password: "s3cret", ServerAddress: key}
	token := registry.AuthConfig{IdentityToken: "s3cret", ServerAddress: key}
	none := registry.AuthConfig{}
	tests := []struct {
		name, config string
		want         registry.AuthConfig
		fails        string
	}{
		{"empty", `{}`, none, ""},
		{"another registry", `{"auths": {"reg.example.org": {"auth": "am9objpzM2NyZXQ="}}}`, none, ""},
		{"auth", `{"auths": {"reg.example.org:5000": {"auth": "am9objpzM2NyZXQ="}}}`, john, ""},
		{"as URL", `{"auths": {"https://reg.example.org:5000/v2/": {"auth": "am9objpzM2NyZXQ="}}}`, john, ""},
		{"plain", `{"auths": {"reg.example.org:5000": {"username": "john", "password": "s3cret"}}}`, john, ""},
		{"identity token", `{"auths": {"reg.example.org:5000": {"identitytoken": "s3cret"}}}`, token, ""},
		{"no base64", `{"auths": {"reg.example.org:5000": {"auth": "s3cret!"}}}`, none, "base64"},
		{"no JSON", `s3cret`, none, "no JSON"},
		{"store", `{"credsStore": "good"}`, john, ""},
		{"helper before store", `{"credsStore": "broken", "credHelpers": {"reg.example.org:5000": "token"}}`, token, ""},
		{"helper knows nothing", `{"credsStore": "unknown"}`, none, ""},
		{"helper fails", `{"credsStore": "broken"}`, none, "failed"},
		{"helper prints no JSON", `{"credsStore": "chatty"}`, none, "no JSON"},
		{"helper is missing", `{"credsStore": "missing"}`, none, "not installed"},
		{"helper elsewhere", `{"credsStore": "../../bin/good"}`, none, "unusable name"},
	}
	for _, test := range tests {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(test.config), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := lookupAuth(context.Background(), dir, key)
		if failed := fmt.Sprint(err); (err != nil) != (test.fails != "") || !strings.Contains(failed, test.fails) || strings.Contains(failed, "s3cret") {
			t.Errorf("%s: error %v, want %q", test.name, err, test.fails)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
	}
	if got, err := lookupAuth(context.Background(), t.TempDir(), key); err != nil || got != none {
		t.Errorf("no configuration: %v", err)
	}
}
