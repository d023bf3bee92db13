package github_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/berthdev/berth/internal/githubtest"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/github"
)

// open returns a repository of a server that takes the token.
func open(t *testing.T, s *githubtest.Server, path string) *github.Repo {
	t.Helper()
	s.Token(secret, "berth", true)
	r, err := github.New(client(t, s.API(), secret), path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want wants an error of a kind that says all of it, parts with | between them.
func want(t *testing.T, err error, kind schema.ErrorKind, parts string) {
	t.Helper()
	if err == nil || schema.KindOf(err) != kind {
		t.Fatalf("error %v, want %s", err, kind)
	}
	for part := range strings.SplitSeq(parts, "|") {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}
}

func TestAPI(t *testing.T) {
	for host, root := range map[string]string{
		"github.com":                  "https://api.github.com",
		"GitHub.com":                  "https://api.github.com",
		"github.example.org":          "https://github.example.org/api/v3",
		"github.example.org:8443":     "https://github.example.org:8443/api/v3",
		"github.com.evil.example.org": "https://github.com.evil.example.org/api/v3",
	} {
		if got := github.API(host); got != root {
			t.Errorf("API of %s is %s, want %s", host, got, root)
		}
	}
}

func TestPath(t *testing.T) {
	c := client(t, "https://api.github.com", "")
	for _, path := range []string{"", "example", "/desired", "example/", "example/../user", "a/b/c", "./x", "../.."} {
		_, err := github.New(c, path)
		want(t, err, schema.Terminal, "OWNER/NAME")
	}
	s := githubtest.Start(t)
	_, err := open(t, s, "exa mple/de?s#i%red").PullRequests(t.Context(), "")
	want(t, err, schema.Terminal, "404")
	if got := s.Requests()[0].Path; !strings.HasPrefix(got, "/repos/exa%20mple/de%3Fs%23i%25red/pulls?") {
		t.Errorf("asks %s", got)
	}
}

// Polling costs nothing while nothing changes, and sees what does.
func TestPullRequestsPolling(t *testing.T) {
	s := githubtest.Start(t)
	repo := s.Repo(path)
	for range 55 {
		repo.Open(githubtest.Pull{Title: "a proposal", Base: "main"})
	}
	r := open(t, s, path)
	expect := func(head string, costs int) {
		t.Helper()
		before := len(s.Requests())
		list, err := r.PullRequests(t.Context(), "main")
		must(t, err)
		if len(list) != 55 || list[0].Number != 55 || list[54].Head != head {
			t.Errorf("%d pull requests, the oldest is %+v", len(list), list[len(list)-1])
		}
		for _, request := range s.Requests()[before:] {
			if request.Status != http.StatusNotModified {
				costs--
			}
		}
		if costs != 0 {
			t.Errorf("%d requests less than expected", costs)
		}
	}
	list, err := r.PullRequests(t.Context(), "main")
	must(t, err)
	head := list[54].Head
	expect(head, 0)
	expect(head, 0)

	moved := repo.Commit()
	repo.Update(1, func(p *githubtest.Pull) { p.Head = moved })
	expect(moved, 1)
	expect(moved, 0)
	if other, err := r.PullRequests(t.Context(), "next"); err != nil || len(other) != 0 {
		t.Errorf("%v, %v", other, err)
	}
	expect(moved, 0)
}

// A repository that was renamed is found where it is, also for what is written.
func TestRenamed(t *testing.T) {
	s := githubtest.Start(t)
	repo := s.Repo(path)
	commit := repo.Commit()
	number := repo.Open(githubtest.Pull{Title: "a proposal", Base: "main"}).Number
	r := open(t, s, path)
	repo.Rename("example/state")
	must(t, r.SetStatus(t.Context(), commit, forge.Status{Context: "berth", State: forge.Success}))
	must(t, r.Comment(t.Context(), number, "<!-- berth -->", "<!-- berth --> hello"))
	must(t, r.Comment(t.Context(), number, "<!-- berth -->", "<!-- berth --> hello again"))
	statuses, err := r.Statuses(t.Context(), commit)
	must(t, err)
	list, err := r.PullRequests(t.Context(), "")
	must(t, err)
	if comments := repo.Comments(number); len(statuses) != 1 || len(list) != 1 || len(comments) != 1 || comments[0].Edits != 1 {
		t.Errorf("%v, %v, %v", statuses, list, comments)
	}
}

func TestRefusals(t *testing.T) {
	s := githubtest.Start(t)
	commit := s.Repo(path).Commit()
	ok := forge.Status{Context: "berth", State: forge.Success}

	_, err := open(t, s, "example/nowhere").Statuses(t.Context(), commit)
	want(t, err, schema.Terminal, "list commit statuses 127.0.0.1|/example/nowhere: the forge answers 404 Not Found|check the URL")
	err = open(t, s, path).SetStatus(t.Context(), strings.Repeat("a", 40), ok)
	want(t, err, schema.Terminal, "there is no such commit")

	s.Token("reader's", "reader", false)
	reader, err := github.New(client(t, s.API(), "reader's"), path)
	must(t, err)
	want(t, reader.SetStatus(t.Context(), commit, ok), schema.Terminal, "403 Forbidden: Resource not accessible by personal access token|more rights")

	nobody, err := github.New(client(t, s.API(), ""), path)
	must(t, err)
	want(t, nobody.SetStatus(t.Context(), commit, ok), schema.Terminal, "401|check the token")

	r := open(t, s, path)
	for range forge.MaxStatuses {
		must(t, r.SetStatus(t.Context(), commit, ok))
	}
	err = r.SetStatus(t.Context(), commit, ok)
	want(t, err, schema.Terminal, "422 Unprocessable Entity: Validation Failed|reached the maximum number of statuses")
	if !errors.Is(err, forge.ErrFull) {
		t.Errorf("error %v", err)
	}
	ok.Context = "other"
	must(t, r.SetStatus(t.Context(), commit, ok))
}

// A repository that another token speaks for by now begins a comment of its own
// when it may not change the one that is there.
func TestOtherUser(t *testing.T) {
	s := githubtest.Start(t)
	repo := s.Repo(path)
	number := repo.Open(githubtest.Pull{Title: "a proposal", Base: "main"}).Number
	token := secret
	s.Token(secret, "berth", true)
	s.Token("other", "other", true)
	r, err := github.New(client(t, s.API(), "").With(func(context.Context) (string, error) { return token, nil }, nil), path)
	must(t, err)
	say := func(text string) error {
		return r.Comment(t.Context(), number, "<!-- berth -->", "<!-- berth --> "+text)
	}
	must(t, say("hello"))
	token = "other"
	want(t, say("hello again"), schema.Terminal, "403")
	must(t, say("hello again"))
	must(t, say("and again"))
	if comments := repo.Comments(number); len(comments) != 2 || comments[1].By != "other" || comments[1].Edits != 1 {
		t.Errorf("comments %+v", comments)
	}
}

// What strangers open while pages are read comes neither twice nor instead.
func TestPullRequestsShift(t *testing.T) {
	s := githubtest.Start(t)
	repo := s.Repo(path)
	for range 60 {
		repo.Open(githubtest.Pull{Title: "a proposal", Base: "main"})
	}
	s.Token(secret, "berth", true)
	opened := false
	transport := roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.URL.Query().Get("page") == "2" && !opened {
			opened = true
			repo.Open(githubtest.Pull{Title: "one more", Base: "main"})
		}
		return http.DefaultTransport.RoundTrip(req)
	})
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	r, err := github.New(clientOver(t, s.API(), transport), path)
	must(t, err)
	list, err := r.PullRequests(t.Context(), "")
	must(t, err)
	for i, p := range list {
		if p.Number != 60-i {
			t.Fatalf("number %d is at %d", p.Number, i)
		}
	}
	if len(list) != 60 {
		t.Errorf("%d pull requests", len(list))
	}
}

// A secondary limit that does not say how long is waited for longer each time.
func TestSecondaryLimit(t *testing.T) {
	s := githubtest.Start(t)
	repo := s.Repo(path)
	r := open(t, s, path)
	s.Secondary(1, 0)
	err := r.SetStatus(t.Context(), repo.Commit(), forge.Status{Context: "berth", State: forge.Success})
	var limited *forge.Limited
	if !errors.As(err, &limited) {
		t.Errorf("error %v", err)
	}
	before := len(s.Requests())
	if _, err := r.PullRequests(t.Context(), ""); !errors.As(err, &limited) || len(s.Requests()) != before {
		t.Errorf("asks in spite of the limit: %v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// FuzzAnswers has a forge answer anything.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		`[]`, `{}`, `null`, `[null]`, `{"login":"berth","statuses":[{"id":1,"context":"a","state":"success"},null]}`,
		`[{"number":1,"head":{"sha":"` + strings.Repeat("a", 40) + `","repo":null},"base":{"ref":"main","repo":{"id":1}},"id":1,"body":"<!-- x -->","user":{"login":""}}]`,
		`[{"number":-1,"head":null,"user":null}]`, `{"login":"\u0000"}`,
	} {
		f.Add(200, body, `<x?page=2>; rel="next"`, "0", "1")
		f.Add(403, body, "", "99999999999", "-1")
	}
	f.Fuzz(func(t *testing.T, status int, body, link, remaining, reset string) {
		if status < 200 || status > 599 {
			return
		}
		asked := 0
		transport := roundTrip(func(req *http.Request) (*http.Response, error) {
			asked++
			header := http.Header{"Link": {link}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset}, "Retry-After": {reset}, "Date": {link}, "Etag": {link}}
			return &http.Response{StatusCode: status, Header: header, Body: readCloser{strings.NewReader(body)}, Request: req}, nil
		})
		commit := strings.Repeat("a", 40)
		for name, do := range map[string]func(context.Context, *github.Repo) error{
			"Statuses": func(ctx context.Context, r *github.Repo) error { _, err := r.Statuses(ctx, commit); return err },
			"PullRequests": func(ctx context.Context, r *github.Repo) error {
				list, err := r.PullRequests(ctx, "main")
				for _, p := range list {
					if p.Number <= 0 || len(p.Head) < 40 || p.Base != "main" {
						t.Errorf("pull request %+v", p)
					}
				}
				return err
			},
			"Comment": func(ctx context.Context, r *github.Repo) error {
				return r.Comment(ctx, 1, "<!-- x -->", "<!-- x --> text")
			},
		} {
			r, err := github.New(clientOver(t, "https://api.github.com", transport), path)
			must(t, err)
			asked = 0
			err = do(t.Context(), r)
			var known *schema.Error
			if err != nil && !errors.As(err, &known) || asked > 2*60 || strings.Contains(fmt.Sprint(err), secret) {
				t.Errorf("%s asks %d times: %v", name, asked, err)
			}
		}
	})
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
