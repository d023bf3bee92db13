// Package gitlabtest is a GitLab for tests: a small server that behaves as the
// documentation of the REST API says (https://docs.gitlab.com/api/), as far as
// Berth uses it. What the documentation leaves open is as GitLab's own tests of
// its API have it, above all which changes of a commit status are refused.
package gitlabtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthdev/berth/internal/gittest"
)

// A User is somebody with a token.
type User struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
	Token    string `json:"-"`
	ReadOnly bool   `json:"-"` // the token has the scope read_api
	Role     Role   `json:"-"` // in every project
}

// Role is what a user may do in a project.
type Role int

// The roles, each of which may do more than the one before.
const (
	Guest Role = 10 * (iota + 1)
	Reporter
	Developer
	Maintainer
)

// A Request is one that the server got.
type Request struct {
	Method string
	Path   string // as it was escaped, below the API's root, with the query
	User   string // empty: none that is known
	Body   string
}

// A Server is a GitLab. It is safe for concurrent use.
type Server struct {
	URL string // its root, as people open it
	API string // the root of its API

	// Berth is the user whose token Berth has; Stranger is somebody else.
	Berth, Stranger User

	t     testing.TB
	root  string
	git   *gittest.Repos
	hooks *gittest.Hooks

	mu       sync.Mutex
	users    []User
	projects map[string]*Project
	lastID   int64
	requests []Request
	limit    int       // of requests in a minute; 0: none
	window   time.Time // when the minute began
	observed int
}

// New starts a GitLab below a path, as /gitlab; empty: at the root of its host.
func New(t testing.TB, root string) *Server {
	t.Helper()
	s := &Server{t: t, root: root, git: gittest.New(t), hooks: gittest.NewHooks(t), projects: map[string]*Project{}}
	s.Berth = s.AddUser(User{Username: "berth", Role: Maintainer})
	s.Stranger = s.AddUser(User{Username: "stranger", Role: Developer})
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	s.URL = h.URL + root
	s.API = s.URL + "/api/v4"
	return s
}

// AddUser adds a user, and gives it an ID and a token.
func (s *Server) AddUser(u User) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.ID = s.next()
	u.Token = fmt.Sprintf("glpat-%s-s3cret-%d", u.Username, u.ID)
	s.users = append(s.users, u)
	return u
}

// Limit lets so many requests of a minute through; 0: all.
func (s *Server) Limit(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit, s.observed, s.window = n, 0, time.Now()
}

// Requests returns what came since it was asked last.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.requests
	s.requests = nil
	return out
}

// next returns an ID. IDs are unique and grow, whatever they are of.
func (s *Server) next() int64 {
	s.lastID++
	return s.lastID
}

// An answer is what a request gets. Lists are cut into pages.
type answer struct {
	status int
	body   any
}

// fault is an answer as GitLab's API makes them by itself.
func fault(status int, message string) answer {
	return answer{status, map[string]any{"message": message}}
}

func notFound(what string) answer { return fault(http.StatusNotFound, "404 "+what+" Not Found") }

var forbidden = fault(http.StatusForbidden, "403 Forbidden")

// A request is one on its way through the server.
type request struct {
	*http.Request
	user   User
	params map[string]string // of the query and the body
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	path, ok := strings.CutPrefix(hr.URL.EscapedPath(), s.root+"/api/v4")
	if !ok && strings.Contains(hr.URL.Path, ".git/") {
		s.serveGit(w, hr)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ok {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<!DOCTYPE html><title>Not Found</title>")
		return
	}
	r, a := s.read(w, hr, path)
	if r == nil {
		write(w, hr, a)
		return
	}
	if s.throttled(w) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, "Retry later\n")
		return
	}
	write(w, hr, s.route(r, strings.Split(strings.Trim(path, "/"), "/")))
}

// read takes a request in; nil: it is refused so.
func (s *Server) read(w http.ResponseWriter, hr *http.Request, path string) (*request, answer) {
	r := &request{Request: hr, params: map[string]string{}}
	for key, values := range hr.URL.Query() {
		r.params[key] = values[0]
	}
	var raw json.RawMessage
	if hr.Body != nil && hr.Method != http.MethodGet {
		if err := json.NewDecoder(http.MaxBytesReader(w, hr.Body, 4<<20)).Decode(&raw); err == nil {
			var fields map[string]any
			_ = json.Unmarshal(raw, &fields)
			for key, value := range fields {
				r.params[key] = fmt.Sprint(value)
			}
		}
	}
	token := hr.Header.Get("PRIVATE-TOKEN")
	if bearer, ok := strings.CutPrefix(hr.Header.Get("Authorization"), "Bearer "); ok {
		token = bearer
	}
	at := slices.IndexFunc(s.users, func(u User) bool { return u.Token == token })
	if at >= 0 {
		r.user = s.users[at]
	}
	if hr.URL.RawQuery != "" {
		path += "?" + hr.URL.RawQuery
	}
	s.requests = append(s.requests, Request{hr.Method, path, r.user.Username, string(raw)})
	switch {
	case at < 0:
		return nil, fault(http.StatusUnauthorized, "401 Unauthorized")
	case r.user.ReadOnly && hr.Method != http.MethodGet:
		return nil, answer{http.StatusForbidden, map[string]any{"error": "insufficient_scope", "error_description": "The request requires higher privileges than provided by the access token.", "scope": "api"}}
	}
	return r, answer{}
}

// throttled counts a request, and tells in the header what is left.
func (s *Server) throttled(w http.ResponseWriter) bool {
	if s.limit == 0 {
		return false
	}
	now := time.Now()
	if now.Sub(s.window) >= time.Minute {
		s.window, s.observed = now, 0
	}
	s.observed++
	reset := s.window.Add(time.Minute)
	for name, n := range map[string]int64{
		"RateLimit-Limit": int64(s.limit), "RateLimit-Observed": int64(s.observed),
		"RateLimit-Remaining": int64(max(0, s.limit-s.observed)), "RateLimit-Reset": reset.Unix(),
	} {
		w.Header().Set(name, strconv.FormatInt(n, 10))
	}
	if s.observed <= s.limit {
		return false
	}
	w.Header().Set("RateLimit-Name", "throttle_authenticated_api")
	w.Header().Set("Retry-After", strconv.Itoa(int(time.Until(reset).Seconds())+1))
	return true
}

// route finds what a path below the API's root means.
func (s *Server) route(r *request, parts []string) answer {
	switch {
	case len(parts) == 1 && parts[0] == "user":
		return answer{http.StatusOK, r.user}
	case len(parts) == 1 && parts[0] == "version":
		return answer{http.StatusOK, map[string]any{"version": "18.5.0", "revision": "0123456789a"}}
	case len(parts) < 3 || parts[0] != "projects":
		return answer{http.StatusNotFound, map[string]any{"error": "404 Not Found"}}
	}
	name, err := url.PathUnescape(parts[1])
	p := s.projects[name]
	if err != nil || p == nil {
		return notFound("Project")
	}
	return p.route(r, parts[2:])
}
