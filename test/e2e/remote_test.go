package e2e

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthdev/berth/sources/webhook"
)

// The secrets of these tests: where one of them shows up, it leaked.
const (
	gitToken      = "canary-git-token-6fb1"
	webhookSecret = "canary-webhook-secret-90ac"
)

// gitServer serves the world's repositories over https to who knows the token.
type gitServer struct {
	w       *world
	addr    string
	backend http.Handler

	mu       sync.Mutex
	server   *httptest.Server
	requests int // of git: Berth also asks what forge runs there
}

// serveRepositories has the world's repositories followed over https, with
// credentials and a webhook secret from files.
func serveRepositories(w *world, interval string) *gitServer {
	w.t.Helper()
	s := &gitServer{w: w, addr: freePort(w.t), backend: &cgi.Handler{
		Path:   filepath.Join(w.git(w.dir, "--exec-path"), "git-http-backend"),
		Env:    []string{"GIT_PROJECT_ROOT=" + w.dir, "GIT_HTTP_EXPORT_ALL=1", "HOME=" + w.dir, "PATH=" + os.Getenv("PATH")},
		Stderr: io.Discard,
	}}
	s.back()
	w.t.Cleanup(s.away)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw}))
	w.config = w.write("berth.yaml", fmt.Sprintf(`desired: {url: %q, interval: %s}
credentials:
  - {host: %q, username: berth, tokenFile: %s, caFile: %s}
webhooks: {secretFile: %s}
log: {level: debug}
`, s.url("desired"), interval, s.addr, w.write("token", gitToken+"\n"), w.write("ca.pem", ca), w.write("secret", webhookSecret+"\n")))
	w.commit(w.desired, "Follow the apps over https", map[string]string{
		"repos.yaml": fmt.Sprintf("kind: Repo\nname: apps\nurl: %s\ninterval: %s\n", s.url("apps"), interval),
	})
	return s
}

func (s *gitServer) url(repo string) string { return "https://" + s.addr + "/" + repo + "/.git" }

func (s *gitServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, "/.git/") {
		s.mu.Lock()
		s.requests++
		s.mu.Unlock()
	}
	if user, password, _ := r.BasicAuth(); user != "berth" || password != gitToken {
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.backend.ServeHTTP(w, r)
}

func (s *gitServer) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// away ends the server; connections to it are refused.
func (s *gitServer) away() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// back starts the server at the same address.
func (s *gitServer) back() {
	s.w.t.Helper()
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.w.t.Fatal(err)
	}
	s.server = httptest.NewUnstartedServer(s)
	s.server.Listener.Close()
	s.server.Listener = listener
	s.server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.server.StartTLS()
}

// deliver posts a webhook and returns the status of the answer.
func (w *world) deliver(signature string, body []byte) int {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+w.listen+"/webhooks/generic", strings.NewReader(string(body)))
	if err != nil {
		w.t.Fatal(err)
	}
	if signature != "" {
		req.Header.Set("X-Berth-Signature", signature)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestWebhook follows repositories over https that are polled once an hour: a
// push takes effect when a signed webhook tells of it, and only then. The
// secrets appear nowhere.
func TestWebhook(t *testing.T) {
	w := newWorld(t)
	s := serveRepositories(w, "1h")
	w.serve()
	w.awaitLog(`apps: source read`)

	w.commit(w.desired, "Run hello", map[string]string{"hello.yaml": deployment("hello", "*")})
	body := fmt.Appendf(nil, `{"url": %q, "ref": "refs/heads/main"}`, s.url("desired"))
	before := s.asked()
	for name, signature := range map[string]string{
		"unsigned": "", "signed by another": webhook.Sign([]byte("other"), body),
		"cut": webhook.Sign([]byte(webhookSecret), body)[:20], "of another body": webhook.Sign([]byte(webhookSecret), body[1:]),
	} {
		if status := w.deliver(signature, body); status != http.StatusUnauthorized {
			t.Errorf("a delivery that is %s gets %d, want 401", name, status)
		}
	}
	time.Sleep(500 * time.Millisecond) // what must not happen would have happened
	if asked := s.asked(); asked != before || w.count() != 0 {
		t.Fatalf("refused deliveries brought %d requests and %d containers", asked-before, w.count())
	}

	w.deliverSigned(s.url("desired"))
	p := w.awaitRunning("hello", "0.1.0") // no poll is due for an hour
	w.commit(w.apps, "Publish 0.1.1", map[string]string{"hello/manifest.yaml": w.manifest("0.1.1")})
	w.deliverSigned(s.url("apps"))
	w.awaitRunning("hello", "0.1.1")
	w.await("the old one is gone", func() bool { return w.count() == 1 && w.containers()[0].id != p.id })
	w.awaitLog(`commit success`)
	w.noSecrets()
}

func (w *world) deliverSigned(url string) {
	w.t.Helper()
	body := fmt.Appendf(nil, `{"url": %q}`, url)
	if status := w.deliver(webhook.Sign([]byte(webhookSecret), body), body); status != http.StatusAccepted {
		w.t.Fatalf("a signed delivery gets %d, want 202", status)
	}
}

// noSecrets checks that the secrets are in nothing that Berth writes.
func (w *world) noSecrets() {
	w.t.Helper()
	seen := map[string]string{"the log": w.log.String()}
	_, metrics, err := w.get("/metrics")
	if err != nil || !strings.Contains(metrics, "berth_") {
		w.t.Errorf("/metrics: %v", err)
	}
	seen["/metrics"] = metrics
	files := 0
	err = filepath.WalkDir(w.dataDir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		seen[path] = string(text)
		return err
	})
	if err != nil || files == 0 {
		w.t.Errorf("%d files in the data folder, error %v", files, err)
	}
	for _, p := range w.containers() {
		text, err := json.Marshal(w.inspect(p.id))
		if err != nil {
			w.t.Fatal(err)
		}
		seen["container "+p.name] = string(text)
	}
	for where, text := range seen {
		for _, secret := range []string{gitToken, webhookSecret} {
			if strings.Contains(text, secret) {
				w.t.Errorf("%s holds %s", where, secret)
			}
		}
	}
}

// TestGitServerAway takes the git server away. What runs stays, also when Berth
// starts again meanwhile, and is still looked after.
func TestGitServerAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := serveRepositories(w, "5s")
	w.serve()
	w.commit(w.desired, "Run two", map[string]string{"d0.yaml": deployment("d0", "*"), "d1.yaml": deployment("d1", "*")})
	w.deliverSoon(s.url("desired"))
	w.awaitLog(`commit success: 2 of 2 running`)
	before := w.identity()

	s.away()
	w.commit(w.desired, "Stop d0", map[string]string{"d0.yaml": ""})
	w.deliverSigned(s.url("desired"))
	w.awaitLog(`desired-state: source cannot be read`)
	w.unchanged(before)
	w.restart()
	w.awaitLog(`desired-state: .*what is stored of it is used`)
	w.awaitLog(`commit success: 2 of 2 running`)
	w.unchanged(before)

	d1, _ := w.running("d1")
	w.removeByHand(d1)
	w.await("d1 is made again from the mirror", func() bool {
		now, ok := w.running("d1")
		return ok && now.id != d1.id
	})
	s.back()
	w.deliverSigned(s.url("desired"))
	w.await("d0 is gone, as git says", func() bool { return len(w.of("d0")) == 0 })
	if _, ok := w.running("d1"); !ok {
		t.Error("d1 does not run on")
	}
	w.noSecrets()
}

// deliverSoon delivers as soon as Berth answers.
func (w *world) deliverSoon(url string) {
	w.t.Helper()
	w.await("berth answers", func() bool {
		status, _, err := w.get("/healthz")
		return err == nil && status == http.StatusOK
	})
	w.deliverSigned(url)
}
