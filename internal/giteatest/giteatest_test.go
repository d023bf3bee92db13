package giteatest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

// TestStory is what end-to-end tests rely on: a push is told to a webhook, a pull
// request from a fork carries a status and a comment, and is merged; a forge that
// was away has it all.
func TestStory(t *testing.T) {
	f := New(t)
	hooks := listen(t, "the webhook's secret")
	ada, bob := f.NewUser("ada"), f.NewUser("bob")
	repo := ada.NewRepo("desired")
	repo.AddWebhook(hooks.url, hooks.secret, "push", "pull_request")

	first := commit(t, t.TempDir(), "first.yaml")
	first.git("push", "-q", withToken(repo, ada.Token("git", "write:repository")), "main")
	if push := hooks.next("push"); push.After != first.git("rev-parse", "HEAD") || push.Repository.CloneURL != repo.URL() {
		t.Errorf("the webhook tells of %+v", push)
	}

	repo.Admit(bob, "read")
	fork := repo.As(bob).Fork()
	second := commit(t, first.dir, "second.yaml")
	head := second.git("rev-parse", "HEAD")
	second.git("push", "-q", fork.PushURL(), "main:change")
	pull := repo.As(bob).OpenPull("Run it", "bob:change", "main")
	if pull.State != "open" || pull.Head.Commit != head {
		t.Errorf("the pull request %+v, its commit is %s", pull, head)
	}
	if event := hooks.next("pull_request"); event.Action != "opened" || event.Number != pull.Number {
		t.Errorf("the webhook tells of %+v", event)
	}

	for _, state := range []string{"pending", "success"} {
		ada.Do(http.MethodPost, repo.api()+"/statuses/"+head, map[string]any{"context": "berth/plan", "state": state, "description": "+1 ~0 -0"}, nil)
	}
	statuses := repo.Statuses(head)
	if len(statuses) != 2 || statuses[0].State != "pending" || statuses[1].State != "success" || statuses[1].Context != "berth/plan" || statuses[0].ID >= statuses[1].ID {
		t.Errorf("statuses %+v", statuses)
	}
	ada.Do(http.MethodPost, repo.api()+"/issues/1/comments", map[string]any{"body": "the plan"}, nil)
	if said := repo.Comments(pull.Number); len(said) != 1 || said[0].Body != "the plan" || said[0].User.Name != "ada" {
		t.Errorf("comments %+v", said)
	}

	if merged := repo.Merge(pull.Number); !merged.Merged || merged.State != "closed" || merged.MergeCommit == "" {
		t.Errorf("after the merge %+v", merged)
	} else if push := hooks.next("push"); push.After != merged.MergeCommit {
		t.Errorf("the webhook tells of %+v, not of the merge %s", push, merged.MergeCommit)
	}

	f.Stop()
	if conn, err := net.Dial("tcp", f.Host); err == nil {
		conn.Close()
		t.Error("a forge that is stopped takes connections")
	}
	f.Start()
	if again := repo.Statuses(head); len(again) != 2 {
		t.Errorf("after a new start there are the statuses %+v", again)
	}
	first.git("pull", "-q", repo.PushURL(), "main")
	if _, err := os.Stat(filepath.Join(first.dir, "second.yaml")); err != nil {
		t.Error(err)
	}
}

func TestStatusesAreAll(t *testing.T) {
	f := New(t)
	repo := f.Admin.NewRepo("many")
	work := commit(t, t.TempDir(), "file")
	work.git("push", "-q", repo.PushURL(), "main")
	head := work.git("rev-parse", "HEAD")
	const count = 51 // more than are told at once
	for range count {
		f.Admin.Do(http.MethodPost, repo.api()+"/statuses/"+head, map[string]any{"context": "berth", "state": "pending"}, nil)
	}
	if got := len(repo.Statuses(head)); got != count {
		t.Errorf("%d statuses, want %d", got, count)
	}
}

func TestRefusalIsTold(t *testing.T) {
	f := New(t)
	repo := f.Admin.NewRepo("closed")
	f.Admin.Do(http.MethodPatch, repo.api(), map[string]any{"private": true}, nil)
	err := f.NewUser("eve").do(http.MethodGet, repo.api(), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("error %v", err)
	}
}

// withToken is the repository's URL with a token instead of a password.
func withToken(repo *Repo, token string) string {
	return strings.Replace(repo.URL(), "://", "://"+url.UserPassword(repo.user.Name, token).String()+"@", 1)
}

// checkout is a working copy.
type checkout struct {
	t   *testing.T
	dir string
}

// commit commits a new file in a folder, where there may be a repository already.
func commit(t *testing.T, dir, file string) checkout {
	t.Helper()
	c := checkout{t, dir}
	c.git("init", "-q", "-b", "main")
	if err := os.WriteFile(filepath.Join(dir, file), []byte("kind: Deployment\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c.git("add", ".")
	c.git("commit", "-q", "-m", "Add "+file)
	return c
}

func (c checkout) git(args ...string) string {
	c.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false"}, args...)...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "NO_PROXY=127.0.0.1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
	return strings.TrimSpace(string(out))
}

// hooks are deliveries of webhooks, each with a valid signature.
type hooks struct {
	t           *testing.T
	url, secret string
	events      chan event
}

// event is what the tests look at.
type event struct {
	kind       string
	After      string // of a push
	Action     string // of a pull request
	Number     int
	Repository struct {
		CloneURL string `json:"clone_url"`
	}
}

func listen(t *testing.T, secret string) *hooks {
	t.Helper()
	h := &hooks{t: t, secret: secret, events: make(chan event, 100)}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

func (h *hooks) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Error(err)
	}
	mac := hmac.New(sha256.New, []byte(h.secret))
	mac.Write(body)
	if got := r.Header.Get("X-Gitea-Signature"); got != hex.EncodeToString(mac.Sum(nil)) {
		h.t.Errorf("signature %q does not fit", got)
	}
	e := event{kind: r.Header.Get("X-Gitea-Event")}
	if err := json.Unmarshal(body, &e); err != nil {
		h.t.Error(err)
	}
	h.events <- e
}

// next waits for the next delivery of a kind; those of others are left out.
func (h *hooks) next(kind string) event {
	h.t.Helper()
	late := time.After(patience)
	for {
		select {
		case e := <-h.events:
			if e.kind == kind {
				return e
			}
		case <-late:
			h.t.Fatalf("no %s was delivered within %s", kind, patience)
		}
	}
}
