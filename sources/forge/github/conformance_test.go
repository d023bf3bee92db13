package github_test

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/berthdev/berth/internal/githubtest"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/forgetest"
	"github.com/berthdev/berth/sources/forge/github"
	"github.com/berthdev/berth/sources/forge/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	path   = "example/desired"
	secret = "ghp_c4nary0s3cret"
)

// client returns a client of the API at that address, with a token or without.
func client(t testing.TB, api, token string) *rest.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return clientOver(t, api, transport).With(func(context.Context) (string, error) { return token, nil }, nil)
}

// clientOver returns one that shows the secret, over connections of one's own.
func clientOver(t testing.TB, api string, transport http.RoundTripper) *rest.Client {
	t.Helper()
	c, err := rest.New(rest.Options{Base: api, Transport: transport, Token: func(context.Context) (string, error) { return secret, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// harness describes a server, of which the client has a token.
func harness(s *githubtest.Server) forgetest.Harness {
	s.Token(secret, "berth", true)
	h := s.Harness(path)
	h.Secrets = []string{secret}
	h.Limits = limits
	h.Connect = func(t testing.TB, api string) forge.Repo {
		r, err := github.New(client(t, api, secret), path)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	return h
}

// limits are the ways in which GitHub asks to wait besides Retry-After with 429.
var limits = []forgetest.Limit{
	{Name: "primary, 403", Status: http.StatusForbidden, Header: nothingRemains, Body: `{"message":"API rate limit exceeded for user ID 1."}`},
	{Name: "primary, 429", Status: http.StatusTooManyRequests, Header: nothingRemains},
	{Name: "secondary, 403", Status: http.StatusForbidden, Header: func(until time.Time) http.Header {
		return http.Header{"Retry-After": {"100"}, "X-Ratelimit-Remaining": {"4999"}, "X-Ratelimit-Reset": {strconv.FormatInt(until.Unix()+1000, 10)}}
	}, Body: `{"message":"You have exceeded a secondary rate limit."}`},
}

func nothingRemains(until time.Time) http.Header {
	return http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {strconv.FormatInt(until.Unix(), 10)}}
}

func TestConformance(t *testing.T) {
	forgetest.Run(t, func(t testing.TB) forgetest.Harness { return harness(githubtest.Start(t)) })
}

// The suite again, as a GitHub App.
func TestConformanceAsApp(t *testing.T) {
	forgetest.Run(t, func(t testing.TB) forgetest.Harness {
		s := githubtest.Start(t)
		h := harness(s)
		app := s.App("berth-lab")
		app.Install("Example")
		h.Connect = func(t testing.TB, api string) forge.Repo {
			r, err := newApp(client(t, api, ""), app).Repo(path)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		h.Secrets = []string{"ghs_", "eyJ"}
		return h
	})
}

func newApp(c *rest.Client, app *githubtest.App) *github.App {
	return github.NewApp(c, github.AppOptions{
		ID: strconv.FormatInt(app.ID, 10), Key: func() ([]byte, error) { return app.Key, nil },
	})
}
