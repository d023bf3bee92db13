package gitea_test

import (
	"context"
	"net/http"
	"testing"

	"go.uber.org/goleak"

	"github.com/berthdev/berth/internal/githubtest"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/forgetest"
	"github.com/berthdev/berth/sources/forge/gitea"
	"github.com/berthdev/berth/sources/forge/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	path   = "example/desired"
	secret = "c4nary0s3cret"
)

// connect returns how the suite connects to a repository of a Gitea with a token;
// with a user's name, that is the user's password.
func connect(path, username, token string) func(testing.TB, string) forge.Repo {
	return func(t testing.TB, api string) forge.Repo {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		c, err := rest.New(rest.Options{
			Base: api, Transport: transport, Username: username, Token: func(context.Context) (string, error) { return token, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		r, err := gitea.New(c, path)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

// The suite on what answers as Gitea's source says.
func TestConformance(t *testing.T) {
	for name, username := range map[string]string{"token": "", "password": "berth"} {
		t.Run(name, func(t *testing.T) {
			forgetest.Run(t, func(t testing.TB) forgetest.Harness {
				s := githubtest.StartGitea(t)
				s.Token(secret, "berth", true)
				h := s.Harness(path)
				h.Secrets = []string{secret}
				h.Connect = connect(path, username, secret)
				return h
			})
		})
	}
}
