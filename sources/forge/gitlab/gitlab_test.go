package gitlab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/berthdev/berth/internal/gitlabtest"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/forgetest"
	"github.com/berthdev/berth/sources/forge/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const projectPath = "lab/imaging/desired.state"

// connect returns a client of the project, with a user's token.
func connect(t testing.TB, api string, user gitlabtest.User) *Repo {
	t.Helper()
	c, err := rest.New(rest.Options{Base: api, Token: func(context.Context) (string, error) { return user.Token, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return New(c, projectPath)
}

// open starts a GitLab with the project, below a path of its host.
func open(t testing.TB) (*gitlabtest.Server, *gitlabtest.Project) {
	s := gitlabtest.New(t, "/tools/gitlab")
	return s, s.Project(projectPath)
}

func TestConformance(t *testing.T) {
	forgetest.Run(t, func(t testing.TB) forgetest.Harness {
		s, p := open(t)
		return forgetest.Harness{
			API:     s.API,
			Connect: func(t testing.TB, api string) forge.Repo { return connect(t, api, s.Berth) },
			Secrets: []string{s.Berth.Token},
			Commit:  func(testing.TB) string { return p.Commit("main") },
			Open: func(_ testing.TB, o forgetest.Proposal) forge.PullRequest {
				n, head := p.Open(gitlabtest.Proposal{Title: o.Title, Target: o.Base, Fork: o.Fork, Gone: o.Gone, Draft: o.Draft})
				return forge.PullRequest{Number: n, Base: o.Base, Head: head, Ref: "refs/merge-requests/" + strconv.Itoa(n) + "/head"}
			},
			MergeBase: func(_ testing.TB, number int) string { return p.MergeBase(number) },

			Close:    func(_ testing.TB, number int) { p.Close(number) },
			Comments: func(_ testing.TB, number int) []string { return p.Notes(number) },
			Remark:   func(_ testing.TB, number int, text string) { p.Remark(number, s.Stranger, text) },
			Letters:  maxText,
			Shown:    map[forge.State]forge.State{forge.Error: forge.Failure},
			Limits: []forgetest.Limit{{
				Name: "429, reset", Status: http.StatusTooManyRequests, Body: "Retry later\n",
				Header: func(until time.Time) http.Header {
					return http.Header{"RateLimit-Reset": {strconv.FormatInt(until.Unix(), 10)}, "RateLimit-Remaining": {"0"}}
				},
			}},
			Many: true, Gone: true,
		}
	})
}

// set writes statuses one after the other.
func set(t *testing.T, r *Repo, commit string, all ...forge.Status) {
	t.Helper()
	for _, s := range all {
		if err := r.SetStatus(t.Context(), commit, s); err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
	}
}

func expect(t *testing.T, r *Repo, commit string, want ...forge.Status) {
	t.Helper()
	got, err := r.Statuses(t.Context(), commit)
	slices.SortFunc(got, func(a, b forge.Status) int { return strings.Compare(a.Context, b.Context) })
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("statuses are %+v, %v, want %+v", got, err, want)
	}
}

func pendingWith(text string) forge.Status {
	return forge.Status{Context: "berth", State: forge.Pending, Description: text}
}

// GitLab takes no pending status after a pending one, and would show its old text.
func TestPendingTextMoves(t *testing.T) {
	s, p := open(t)
	r := connect(t, s.API, s.Berth)
	commit := p.Commit("main")
	for i := range 7 {
		now := pendingWith(strconv.Itoa(i) + " of 7 running")
		set(t, r, commit, now)
		expect(t, r, commit, now)
		s.Requests()
		set(t, r, commit, now)
		for _, req := range s.Requests() {
			if req.Method == http.MethodPost && !strings.Contains(req.Body, `"state":"pending"`) {
				t.Errorf("an equal status is written: %+v", req)
			}
		}
		expect(t, r, commit, now)
	}
	// Two texts fit in one status of GitLab: that of pending, that of running.
	if got := strings.Join(p.Posted(commit, "berth"), " "); got != "canceled canceled canceled pending" {
		t.Errorf("jobs are %s", got)
	}
	linked := pendingWith("6 of 7 running")
	linked.URL = "https://berth.example.org/x"
	set(t, r, commit, linked)
	expect(t, r, commit, linked)
}

// A link that GitLab does not take must not cost the status.
func TestLongURL(t *testing.T) {
	s, p := open(t)
	r := connect(t, s.API, s.Berth)
	commit := p.Commit("main")
	long := pendingWith("x")
	long.URL = "https://berth.example.org/" + strings.Repeat("x", 300)
	set(t, r, commit, long)
	expect(t, r, commit, pendingWith("x"))
}

// The head of a fork's merge request is in no branch of the project.
func TestStatusOfFork(t *testing.T) {
	s, p := open(t)
	r := connect(t, s.API, s.Berth)
	p.Open(gitlabtest.Proposal{Title: "other", Target: "main", Fork: true})
	number, head := p.Open(gitlabtest.Proposal{Title: "from a stranger", Target: "main", Fork: true})
	set(t, r, head, pendingWith("one"), pendingWith("two"), pendingWith("three"))
	expect(t, r, head, pendingWith("three"))
	if got, err := r.refOf(t.Context(), head); err != nil || got != "refs/merge-requests/"+strconv.Itoa(number)+"/head" {
		t.Errorf("ref %q, %v", got, err)
	}
	p.Close(number)
	_, gone := p.Open(gitlabtest.Proposal{Title: "closed at once", Target: "main", Fork: true})
	p.Close(number + 1)
	if err := r.SetStatus(t.Context(), gone, pendingWith("x")); err == nil || schema.KindOf(err) != schema.Terminal {
		t.Errorf("error %v", err)
	}
}

// A commit may have several pipelines: those of the project, and one that is full.
func TestSeveralPipelines(t *testing.T) {
	s, p := open(t)
	p.PipelineSize = 2
	r := connect(t, s.API, s.Berth)
	commit := p.Commit("main")
	done := forge.Status{Context: "berth", State: forge.Success, Description: "12 of 12 running"}
	set(t, r, commit, pendingWith("one"), done, forge.Status{Context: "berth/a", State: forge.Success})
	p.Build(commit, "main", "compile")
	done.Description = "again"
	set(t, r, commit, done)
	expect(t, r, commit, done, forge.Status{Context: "berth/a", State: forge.Success}, forge.Status{Context: "compile", State: forge.Pending})

	err := r.SetStatus(t.Context(), commit, forge.Status{Context: "compile", State: forge.Success})
	if err == nil || schema.KindOf(err) != schema.Terminal || !strings.Contains(err.Error(), "status.context") {
		t.Errorf("error %v", err)
	}
}

// What a document says must not be a command to GitLab.
func TestQuickActions(t *testing.T) {
	s, p := open(t)
	r := connect(t, s.API, s.Berth)
	number, _ := p.Open(gitlabtest.Proposal{Title: "x", Target: "main"})
	const mark = "<!-- berth -->"
	text := mark + "\n/close\r\n  /merge\n\x00/approve\na/b\n/label ~x"
	for range 2 {
		if err := r.Comment(t.Context(), number, mark, text); err != nil {
			t.Fatal(err)
		}
	}
	want := mark + "\n\\/close\n  \\/merge\n\\/approve\na/b\n\\/label ~x"
	if got := p.Notes(number); !slices.Equal(got, []string{want}) || p.State(number) != "opened" {
		t.Errorf("%s: notes are %q", p.State(number), got)
	}
	s.Requests()
	if err := r.Comment(t.Context(), number, mark, text); err != nil {
		t.Fatal(err)
	}
	if asked := s.Requests(); len(asked) != 1 {
		t.Errorf("asked %+v", asked)
	}
}

// A system note is GitLab's, whoever's name it bears.
func TestSystemNotes(t *testing.T) {
	s, p := open(t)
	r := connect(t, s.API, s.Berth)
	number, _ := p.Open(gitlabtest.Proposal{Title: "x", Target: "main"})
	const mark = "<!-- berth -->"
	p.Mention(number, s.Berth, "changed the description to "+mark)
	if err := r.Comment(t.Context(), number, mark, mark+"\nhello"); err != nil {
		t.Fatal(err)
	}
	if got := p.Notes(number); len(got) != 1 {
		t.Errorf("notes are %q", got)
	}
}

// After another user's token came, its comment is another one.
func TestCommentOfANewUser(t *testing.T) {
	s, p := open(t)
	user := s.Berth
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		req.Header.Set("Authorization", "Bearer "+user.Token)
		s.ServeHTTP(w, req)
	}))
	defer front.Close()
	r := connect(t, front.URL+"/tools/gitlab/api/v4", user)
	number, _ := p.Open(gitlabtest.Proposal{Title: "x", Target: "main"})
	const mark = "<!-- berth -->"
	if err := r.Comment(t.Context(), number, mark, mark+"\none"); err != nil {
		t.Fatal(err)
	}
	user = s.AddUser(gitlabtest.User{Username: "berth-2", Role: gitlabtest.Maintainer})
	if err := r.Comment(t.Context(), number, mark, mark+"\ntwo"); err == nil {
		t.Fatal("it changed the comment of another user")
	}
	if err := r.Comment(t.Context(), number, mark, mark+"\ntwo"); err != nil {
		t.Fatal(err)
	}
	if got := p.Notes(number); !slices.Equal(got, []string{mark + "\none", mark + "\ntwo"}) {
		t.Errorf("notes are %q", got)
	}
}

// Whoever writes long descriptions hides no merge request of others.
func TestLongPages(t *testing.T) {
	s, p := open(t)
	r := connect(t, s.API, s.Berth)
	r.most = 64 << 10
	const count = 13
	for i := range count {
		text := ""
		if i < 9 {
			text = strings.Repeat("x", 8<<10)
		}
		p.Open(gitlabtest.Proposal{Title: "x", Target: "main", Text: text})
	}
	got, err := r.PullRequests(t.Context(), "main")
	if err != nil || len(got) != count || got[0].Number != count || got[count-1].Number != 1 {
		t.Errorf("%d merge requests, %v", len(got), err)
	}
	for i, req := range s.Requests() {
		if size := []string{"100", "10", "10"}; !strings.Contains(req.Path, "per_page="+size[min(i, 2)]+"&") {
			t.Errorf("request %d is %s", i, req.Path)
		}
	}
}

// A person learns what the token lacks.
func TestRights(t *testing.T) {
	s, p := open(t)
	commit := p.Commit("main")
	for name, test := range map[string]struct {
		user gitlabtest.User
		part string
	}{
		"scope":     {gitlabtest.User{ReadOnly: true, Role: gitlabtest.Maintainer}, "insufficient_scope"},
		"reporter":  {gitlabtest.User{Role: gitlabtest.Reporter}, "scope api"},
		"protected": {gitlabtest.User{Role: gitlabtest.Developer}, "Maintainer"},
	} {
		err := connect(t, s.API, s.AddUser(test.user)).SetStatus(t.Context(), commit, pendingWith("x"))
		if err == nil || schema.KindOf(err) != schema.Terminal || !strings.Contains(err.Error(), test.part) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c, err := rest.New(rest.Options{Base: s.API, Token: func(context.Context) (string, error) { return s.Berth.Token, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	_, err = New(c, "lab/imaging/other").Statuses(t.Context(), commit)
	if err == nil || schema.KindOf(err) != schema.Terminal || !strings.Contains(err.Error(), "404 Project Not Found") {
		t.Errorf("error %v", err)
	}
}

// The limit of a GitLab that counts requests holds for all that share a client.
func TestRateLimit(t *testing.T) {
	s, p := open(t)
	r := connect(t, s.API, s.Berth)
	commit := p.Commit("main")
	s.Limit(2)
	set(t, r, commit, pendingWith("one"), forge.Status{Context: "berth", State: forge.Success})
	err := r.SetStatus(t.Context(), commit, pendingWith("two"))
	if err == nil || !strings.Contains(err.Error(), "asks to wait until") {
		t.Fatalf("error %v", err)
	}
	s.Limit(0)
	s.Requests()
	if _, err := r.Statuses(t.Context(), commit); err == nil || len(s.Requests()) > 0 {
		t.Errorf("it does not wait: %v", err)
	}
}

// answered answers every request with the same body.
type answered []byte

func (a answered) RoundTrip(req *http.Request) (*http.Response, error) {
	header := http.Header{"X-Next-Page": {"2"}}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(bytes.NewReader(a)), Request: req}, nil
}

// FuzzAnswers looks for what a GitLab may answer.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{
		`[{"id":1,"name":"berth","status":"running"},{"id":2,"name":"berth","status":"failed","description":null}]`,
		`[{"iid":1,"sha":"0123456789012345678901234567890123456789","source_project_id":null,"draft":true}]`,
		`{"id":7}`, `[null]`, `[{"id":1,"author":{"id":7},"body":"<!-- x -->"}]`, `[[`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := rest.New(rest.Options{Base: "http://127.0.0.1/api/v4", Transport: answered(body)})
		if err != nil {
			t.Fatal(err)
		}
		r := New(c, projectPath)
		commit := strings.Repeat("a", 40)
		_, err1 := r.Statuses(t.Context(), commit)
		list, err2 := r.PullRequests(t.Context(), "main")
		r.self = 7
		for _, err := range []error{err1, err2, r.SetStatus(t.Context(), commit, pendingWith("x")), r.Comment(t.Context(), 1, "<!-- x -->", "<!-- x -->y")} {
			var known *schema.Error
			if err != nil && !errors.As(err, &known) {
				t.Errorf("%#v is no schema.Error", err)
			}
		}
		for _, p := range list {
			if p.Number <= 0 || !hash.MatchString(p.Head) {
				t.Errorf("%+v", p)
			}
		}
	})
}
