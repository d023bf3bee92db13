// Package githubtest is a small GitHub for tests: as much of its REST API as Berth
// uses, behaving as https://docs.github.com/rest says, and git over HTTP. What a
// test needs of people is a method: they open pull requests, comment, and push.
//
// It can also speak as Gitea does where that differs, so that a client can be
// tested without one.
package githubtest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthdev/berth/internal/gittest"
)

// A Server is a GitHub on this machine. Its methods are safe for concurrent use.
type Server struct {
	URL string // without a slash at its end

	t     testing.TB
	gitea bool
	git   *gittest.Repos
	hooks *gittest.Hooks

	mu       sync.Mutex
	repos    map[string]*Repo // by path, in lower case
	moved    map[string]string
	tokens   map[string]caller
	apps     []*App
	limits   limits
	requests []Request
	nextID   int64
}

// A Request is one that came to the API.
type Request struct {
	Method string
	Path   string    // below the API's root, with the query
	Status int       // that was answered
	Time   time.Time // when it came
	Header http.Header
}

// A caller is who asks.
type caller struct {
	login string
	write bool      // may write statuses and comments
	until time.Time // when its token ends; zero: never
	app   *App      // asks as the App itself, not for an installation
	bot   bool      // asks as an installation
}

// Start starts a GitHub. It is stopped when the test ends.
func Start(t testing.TB) *Server { return start(t, false) }

// StartGitea starts one that answers as Gitea does.
func StartGitea(t testing.TB) *Server { return start(t, true) }

func start(t testing.TB, gitea bool) *Server {
	s := &Server{
		t: t, gitea: gitea, git: gittest.New(t), hooks: gittest.NewHooks(t),
		repos: map[string]*Repo{}, moved: map[string]string{}, tokens: map[string]caller{}, limits: newLimits(),
	}
	server := httptest.NewServer(s.routes())
	s.URL = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return s
}

// API is the root of the API, as a GitHub on one's own server has it.
func (s *Server) API() string {
	if s.gitea {
		return s.URL + "/api/v1"
	}
	return s.URL + "/api/v3"
}

// Token makes a token of a user. It may read, and write if so.
func (s *Server) Token(token, login string, write bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = caller{login: login, write: write}
}

// Revoke makes a token invalid.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// Requests returns those that came to the API so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// A call is a request to the API by somebody, and what is answered besides a body.
type call struct {
	*http.Request
	came   time.Time
	by     caller
	repo   *Repo
	header http.Header
}

// An answer is a status and what becomes JSON.
type answer struct {
	status int
	body   any
}

// problem is how GitHub says no.
func problem(status int, message string, details ...map[string]string) answer {
	body := map[string]any{"message": message, "documentation_url": "https://docs.github.com/rest", "status": strconv.Itoa(status)}
	if len(details) > 0 {
		body["errors"] = details
	}
	return answer{status, body}
}

func invalid(resource, field, message string) answer {
	return problem(http.StatusUnprocessableEntity, "Validation Failed", map[string]string{
		"resource": resource, "field": field, "code": "custom", "message": message,
	})
}

var notFound = problem(http.StatusNotFound, "Not Found")

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	api := func(pattern string, do func(*call) answer) {
		method, path, _ := strings.Cut(pattern, " ")
		root := strings.TrimPrefix(s.API(), s.URL)
		mux.HandleFunc(method+" "+root+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, do) })
	}
	api("GET /user", s.user)
	api("GET /repos/{owner}/{name}", s.inRepo(s.getRepo))
	api("GET /repos/{owner}/{name}/commits/{ref}/status", s.inRepo(s.combined))
	api("GET /repos/{owner}/{name}/git/commits/{ref}", s.inRepo(s.getCommit))
	api("POST /repos/{owner}/{name}/statuses/{ref}", s.inRepo(s.postStatus))
	api("GET /repos/{owner}/{name}/pulls", s.inRepo(s.listPulls))
	api("GET /repos/{owner}/{name}/pulls/{number}", s.inRepo(s.getPull))
	api("GET /repos/{owner}/{name}/issues/{number}/comments", s.inRepo(s.listComments))
	api("POST /repos/{owner}/{name}/issues/{number}/comments", s.inRepo(s.postComment))
	api("PATCH /repos/{owner}/{name}/issues/comments/{id}", s.inRepo(s.patchComment))
	if !s.gitea {
		api("GET /repos/{owner}/{name}/compare/{spec...}", s.inRepo(s.compare))
		api("GET /meta", func(*call) answer { return answer{http.StatusOK, map[string]any{"installed_version": "3.19.0"}} })
		api("GET /app", s.getApp)
		api("GET /repos/{owner}/{name}/installation", s.getInstallation)
		api("POST /app/installations/{id}/access_tokens", s.postAccessToken)
	}
	if s.gitea {
		api("GET /version", func(*call) answer { return answer{http.StatusOK, map[string]any{"version": "1.26.0"}} })
	}
	api("GET /", func(*call) answer { return notFound })
	mux.HandleFunc("/", s.serveGit)
	return mux
}

// serve answers a request to the API.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, do func(*call) answer) {
	came := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &call{Request: r, came: came, header: w.Header()}
	got := s.admit(c)
	if got.status == 0 {
		got = do(c)
	}
	data, err := json.Marshal(got.body)
	if err != nil {
		s.t.Errorf("githubtest: %v", err)
	}
	if !s.gitea {
		w.Header().Set("X-GitHub-Request-Id", fmt.Sprintf("%04X:0001", len(s.requests)))
		got.status = s.conditional(c, got.status, data)
		s.limits.count(c, got.status)
	}
	s.requests = append(s.requests, Request{
		Method: r.Method, Path: strings.TrimPrefix(r.URL.RequestURI(), strings.TrimPrefix(s.API(), s.URL)),
		Status: got.status, Time: came, Header: r.Header.Clone(),
	})
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(got.status)
	if got.status != http.StatusNotModified {
		_, _ = w.Write(data)
	}
}

// admit says who asks; an answer: who may not.
func (s *Server) admit(c *call) answer {
	by, ok := s.who(c.Request)
	c.by = by
	switch limited := s.limits.check(c); {
	case !ok:
		return problem(http.StatusUnauthorized, "Bad credentials")
	case limited.status != 0 && !s.gitea:
		return limited
	case c.Header.Get("User-Agent") == "":
		return problem(http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header")
	case c.Method == http.MethodGet || by.app != nil:
		return answer{}
	case by.login == "":
		return problem(http.StatusUnauthorized, "Requires authentication")
	case !by.write:
		return problem(http.StatusForbidden, "Resource not accessible by personal access token")
	}
	return answer{}
}

// conditional answers 304 to who has the body already.
func (s *Server) conditional(c *call, status int, data []byte) int {
	if c.Method != http.MethodGet || status != http.StatusOK {
		return status
	}
	etag := fmt.Sprintf(`W/"%x"`, sha256.Sum256(append(data, c.header.Get("Link")...)))
	c.header.Set("ETag", etag)
	if c.Header.Get("If-None-Match") == etag {
		return http.StatusNotModified
	}
	return status
}

func (s *Server) user(c *call) answer {
	switch {
	case c.by.login == "":
		return problem(http.StatusUnauthorized, "Requires authentication")
	case c.by.bot:
		return problem(http.StatusForbidden, "Resource not accessible by integration")
	}
	return answer{http.StatusOK, userOf(c.by.login)}
}

func userOf(login string) map[string]any {
	if login == "" {
		return nil
	}
	return map[string]any{"login": login, "type": "User"}
}

// page cuts a list, and says in the header where it goes on.
func page[T any](s *Server, c *call, list []T) []T {
	name, most := "per_page", 100
	if s.gitea {
		name, most = "limit", 50
	}
	number := func(name string, standard int) int {
		if n, err := strconv.Atoi(c.URL.Query().Get(name)); err == nil && n > 0 {
			return n
		}
		return standard
	}
	size, at := min(number(name, 30), most), number("page", 1)
	last := max((len(list)+size-1)/size, 1)
	link := func(page int, rel string) string {
		query := c.URL.Query()
		query.Set("page", strconv.Itoa(page))
		return fmt.Sprintf(`<http://%s%s?%s>; rel="%s"`, c.Host, c.URL.Path, query.Encode(), rel)
	}
	var links []string
	if at < last {
		links = append(links, link(at+1, "next"), link(last, "last"))
	}
	if at > 1 {
		links = append(links, link(1, "first"), link(at-1, "prev"))
	}
	if len(links) > 0 {
		c.header.Set("Link", strings.Join(links, ", "))
	}
	begin := min((at-1)*size, len(list))
	return list[begin:min(begin+size, len(list))]
}
