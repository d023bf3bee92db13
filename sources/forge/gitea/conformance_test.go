package gitea_test

import (
	"context"
	"net/http"
	"strconv"
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
// with a user's name, that is the user's password. Pages are so long at most.
func connect(path, username, token string, page int) func(testing.TB, string) forge.Repo {
	return func(t testing.TB, api string) forge.Repo {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		c, err := rest.New(rest.Options{
			Base: api, Transport: shortPages{transport, page}, Username: username,
			Token: func(context.Context) (string, error) { return token, nil },
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

// shortPages asks for pages of a length, whatever the client asks for.
type shortPages struct {
	base http.RoundTripper
	page int
}

func (p shortPages) RoundTrip(req *http.Request) (*http.Response, error) {
	if query := req.URL.Query(); query.Has("limit") {
		req = req.Clone(req.Context())
		query.Set("limit", strconv.Itoa(p.page))
		req.URL.RawQuery = query.Encode()
	}
	return p.base.RoundTrip(req)
}

// The suite on what answers as Gitea's source says.
func TestConformance(t *testing.T) {
	forgetest.Run(t, func(t testing.TB) forgetest.Harness {
		s := githubtest.StartGitea(t)
		s.Token(secret, "berth", true)
		h := s.Harness(path)
		h.Secrets = []string{secret}
		h.Connect = connect(path, "", secret, 50)
		return h
	})
}

// A user's name makes a password of the token.
func TestPassword(t *testing.T) {
	s := githubtest.StartGitea(t)
	s.Token(secret, "berth", true)
	repo := s.Repo(path)
	number, marker := repo.Open(githubtest.Pull{Title: "a proposal", Base: "main"}).Number, "<!-- berth -->"
	if err := connect(path, "berth", secret, 50)(t, s.API()).Comment(t.Context(), number, marker, marker+" hello"); err != nil {
		t.Fatal(err)
	}
	user, password, _ := (&http.Request{Header: s.Requests()[0].Header}).BasicAuth()
	if user != "berth" || password != secret || len(repo.Comments(number)) != 1 {
		t.Errorf("asks as %q, %d comments", user, len(repo.Comments(number)))
	}
}
