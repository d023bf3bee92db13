package githubtest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/berthdev/berth/internal/dockertest"
	"github.com/berthdev/berth/internal/githubtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A user asks the API by hand.
type user struct {
	t      *testing.T
	s      *githubtest.Server
	token  string
	header http.Header // of the last answer
}

func (u *user) do(method, path, body string, header ...string) (int, string) {
	u.t.Helper()
	req, err := http.NewRequest(method, u.s.API()+path, strings.NewReader(body))
	if err != nil {
		u.t.Fatal(err)
	}
	if u.token != "" {
		req.Header.Set("Authorization", "token "+u.token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		u.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		u.t.Fatal(err)
	}
	u.header = res.Header
	return res.StatusCode, string(data)
}

func start(t *testing.T) (*user, *githubtest.Repo) {
	s := githubtest.Start(t)
	s.Token("t0ken", "ada", true)
	return &user{t: t, s: s, token: "t0ken"}, s.Repo("example/desired")
}

// What a client may get wrong is refused as GitHub does.
func TestRefuses(t *testing.T) {
	ada, repo := start(t)
	ada.s.Token("reader", "bob", false)
	commit := repo.Commit()
	number := repo.Open(githubtest.Pull{Title: "a proposal", Base: "main"}).Number
	statuses, comments := "/repos/example/desired/statuses/"+commit, fmt.Sprintf("/repos/example/desired/issues/%d/comments", number)
	for _, test := range []struct {
		token, method, path, body string
		status                    int
		says                      string
	}{
		{"t0ken", "POST", statuses, `{"state":"success"}`, 201, `"context":"default"`},
		{"t0ken", "POST", statuses, `{"state":"running"}`, 422, "state is not included in the list"},
		{"t0ken", "POST", statuses, `{"state":"error","description":"` + strings.Repeat("é", 140) + `"}`, 201, ""},
		{"t0ken", "POST", statuses, `{"state":"error","description":"` + strings.Repeat("é", 141) + `"}`, 422, "too long"},
		{"t0ken", "POST", statuses, `{"state":"error","target_url":"ftp://x"}`, 422, "http(s)"},
		{"t0ken", "POST", statuses, `{"state":`, 400, "Problems parsing JSON"},
		{"t0ken", "POST", "/repos/example/desired/statuses/" + strings.Repeat("a", 40), `{"state":"error"}`, 422, "No commit found for SHA"},
		{"t0ken", "GET", "/repos/example/desired/commits/" + strings.Repeat("a", 40) + "/status", "", 422, "No commit found for SHA"},
		{"t0ken", "POST", comments, `{"body":" "}`, 422, "blank"},
		{"t0ken", "POST", comments, `{"body":"` + strings.Repeat("x", 65537) + `"}`, 422, "too long"},
		{"t0ken", "GET", "/repos/example/nothing/pulls", "", 404, "Not Found"},
		{"t0ken", "GET", "/repos/example/desired/pulls/9", "", 404, "Not Found"},
		{"reader", "GET", comments, "", 200, "[]"},
		{"reader", "POST", comments, `{"body":"x"}`, 403, "Resource not accessible"},
		{"", "POST", comments, `{"body":"x"}`, 401, "Requires authentication"},
		{"wrong", "GET", comments, "", 401, "Bad credentials"},
		{"t0ken", "GET", "/app", "", 401, "JSON web token"},
		{"t0ken", "GET", "/user", "", 200, `"login":"ada"`},
	} {
		ada.token = test.token
		if status, body := ada.do(test.method, test.path, test.body); status != test.status || !strings.Contains(body, test.says) {
			t.Errorf("%s %s as %q: %d %s, want %d %s", test.method, test.path, test.token, status, body, test.status, test.says)
		}
	}
}

func TestPages(t *testing.T) {
	ada, repo := start(t)
	for range 205 {
		repo.Open(githubtest.Pull{Title: "a proposal", Base: "main"})
	}
	for query, want := range map[string]struct {
		count int
		link  string
	}{
		"":                         {30, `page=2>; rel="next"`},
		"?per_page=100":            {100, `page=3&per_page=100>; rel="last"`},
		"?per_page=1000&page=2":    {100, `page=3&per_page=1000>; rel="next"`},
		"?per_page=100&page=3":     {5, `rel="first"`},
		"?per_page=100&page=4":     {0, `rel="prev"`},
		"?base=next":               {0, ""},
		"?state=closed":            {0, ""},
		"?per_page=-1&page=broken": {30, `rel="next"`},
	} {
		_, body := ada.do("GET", "/repos/example/desired/pulls"+query, "")
		var list []struct{ Number int }
		if err := json.Unmarshal([]byte(body), &list); err != nil || len(list) != want.count || !strings.Contains(ada.header.Get("Link"), want.link) {
			t.Errorf("%s: %d, %s, %v", query, len(list), ada.header.Get("Link"), err)
		}
	}
}

func TestLimits(t *testing.T) {
	ada, repo := start(t)
	pulls, reset := "/repos/example/desired/pulls", time.Now().Add(time.Hour)
	ada.s.Limit(3, reset)
	_, _ = ada.do("GET", pulls, "")
	etag := ada.header.Get("ETag")
	for range 5 { // what did not change is free
		if status, body := ada.do("GET", pulls, "", "If-None-Match", etag); status != 304 || body != "" || ada.header.Get("X-RateLimit-Remaining") != "2" {
			t.Fatalf("%d %s, %v", status, body, ada.header)
		}
	}
	_, _ = ada.do("GET", pulls, "")
	_, _ = ada.do("GET", pulls, "")
	status, body := ada.do("GET", pulls, "")
	if status != 403 || !strings.Contains(body, "API rate limit exceeded") || ada.header.Get("X-RateLimit-Remaining") != "0" || ada.header.Get("X-RateLimit-Reset") != fmt.Sprint(reset.Unix()) {
		t.Errorf("%d %s, %v", status, body, ada.header)
	}
	ada.s.Limit(100, reset)
	ada.s.Secondary(1, 7*time.Second)
	repo.Open(githubtest.Pull{Title: "a proposal", Base: "main"})
	if status, body := ada.do("POST", "/repos/example/desired/issues/1/comments", `{"body":"x"}`); status != 403 || ada.header.Get("Retry-After") != "7" || !strings.Contains(body, "secondary rate limit") {
		t.Errorf("%d %s, %v", status, body, ada.header)
	}
	if n := len(ada.s.Requests()); n < 9 || ada.s.Requests()[0].Path != pulls || ada.s.Requests()[1].Status != 304 {
		t.Errorf("%d requests", n)
	}
}

// A branch is pushed, proposed, judged and merged.
func TestStory(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		dockertest.Unavailable(t, "git is not installed")
	}
	ada, repo := start(t)
	url := strings.Replace(repo.Git(), "://", "://ada:t0ken@", 1)
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.org"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "HOME=/nonexistent")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v, %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		git("add", "-A")
		git("commit", "-q", "-m", name)
	}
	git("init", "-q", "-b", "main")
	write("one")
	git("push", "-q", url, "main")
	git("checkout", "-q", "-b", "change")
	write("two")
	git("push", "-q", url, "change")

	pull := repo.Open(githubtest.Pull{Title: "two", Base: "main", Branch: "change"})
	if head := git("rev-parse", "HEAD"); pull.Head != head || !strings.Contains(git("ls-remote", url), head+"\trefs/pull/1/head") {
		t.Errorf("pull request %+v, its commit is %s", pull, head)
	}
	if status, body := ada.do("POST", "/repos/example/desired/statuses/"+pull.Head, `{"state":"success"}`); status != 201 {
		t.Errorf("%d %s", status, body)
	}
	merged := repo.Merge(pull.Number)
	git("pull", "-q", url, "main")
	if git("rev-parse", "HEAD") != merged {
		t.Errorf("main is at %s, not at %s", git("rev-parse", "HEAD"), merged)
	}
}
