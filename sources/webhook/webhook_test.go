package webhook_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	secret = []byte("the secret")
	good   = []byte(`{"url": "https://git.example.org/lab/apps.git", "ref": "refs/heads/main", "pusher": {"name": "ada"}}`)
)

// recorder is a handler and what it did.
type recorder struct {
	*webhook.Handler
	secrets map[string][][]byte // by repo
	metrics *prometheus.Registry
	log     bytes.Buffer
	mu      sync.Mutex
	woken   []sources.Hint
}

// newRecorder has secrets that all repos share.
func newRecorder(secrets ...[]byte) *recorder {
	r := &recorder{secrets: map[string][][]byte{"": secrets}, metrics: prometheus.NewRegistry()}
	r.Handler = webhook.New(webhook.Options{
		Secrets: func(repo string) [][]byte { return r.secrets[repo] },
		Wake: func(hint sources.Hint) int {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.woken = append(r.woken, hint)
			if strings.Contains(hint.URLs[0], "unknown") {
				return 0
			}
			return 2
		},
		Redact:  func(string) string { return "https://***" },
		Logger:  slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: r.metrics,
	})
	return r
}

// post sends a body with a signature header, unless that is empty.
func (r *recorder) post(body io.Reader, signature string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, "/webhooks/generic", body)
	if signature != "" {
		request.Header.Set(webhook.SignatureHeader, signature)
	}
	answer := httptest.NewRecorder()
	r.ServeHTTP(answer, request)
	return answer
}

func (r *recorder) signed(body []byte) *httptest.ResponseRecorder {
	return r.post(bytes.NewReader(body), webhook.Sign(secret, body))
}

// counted returns the counters by result that are not zero, as "accepted=1 malformed=2"; every one is there.
func (r *recorder) counted(t *testing.T) string {
	t.Helper()
	families, err := r.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, family := range families {
		if len(family.GetMetric()) < 40 {
			t.Errorf("%s has %d series: they are not counted from zero", family.GetName(), len(family.GetMetric()))
		}
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "result" && m.GetCounter().GetValue() != 0 {
					out = append(out, fmt.Sprintf("%s=%g", label.GetValue(), m.GetCounter().GetValue()))
				}
			}
		}
	}
	return strings.Join(out, " ")
}

func TestADeliveryWakes(t *testing.T) {
	r := newRecorder(secret)
	answer := r.signed(good)
	if answer.Code != http.StatusAccepted || answer.Body.String() != "{\"sources\":2}\n" {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
	want := []sources.Hint{{URLs: []string{"https://git.example.org/lab/apps.git"}, Ref: "refs/heads/main"}}
	if diff := cmp.Diff(want, r.woken); diff != "" {
		t.Errorf("woken (-want +got):\n%s", diff)
	}
}

func TestAReplayIsHarmless(t *testing.T) {
	r := newRecorder(secret)
	for range 3 {
		if answer := r.signed(good); answer.Code != http.StatusAccepted {
			t.Errorf("got %d %s", answer.Code, answer.Body)
		}
	}
}

func TestSecretsRotate(t *testing.T) {
	r := newRecorder([]byte("the next secret"), nil, secret)
	if answer := r.signed(good); answer.Code != http.StatusAccepted {
		t.Errorf("the old secret: %d", answer.Code)
	}
	r.secrets[""] = r.secrets[""][:1]
	if answer := r.signed(good); answer.Code != http.StatusUnauthorized {
		t.Errorf("the secret that was dropped: %d", answer.Code)
	}
}

func TestRefusals(t *testing.T) {
	sign := func(body string) string { return webhook.Sign(secret, []byte(body)) }
	long := strings.Repeat("x", 5000)
	huge := strings.Repeat(" ", webhook.MaxBody+1)
	tests := []struct {
		name      string
		body      string
		signature string
		status    int
		answer    string
		result    string
	}{
		{"no signature", string(good), "", 401, "unauthorized", "unsigned"},
		{"another scheme", string(good), strings.Replace(sign(string(good)), "sha256=", "sha1=", 1), 401, "unauthorized", "unsigned"},
		{"no hex", string(good), "sha256=" + strings.Repeat("z", 64), 401, "unauthorized", "unsigned"},
		{"short", string(good), sign(string(good))[:60], 401, "unauthorized", "unsigned"},
		{"long", string(good), sign(string(good)) + "00", 401, "unauthorized", "unsigned"},
		{"of another body", string(good), sign("{}"), 401, "unauthorized", "bad-signature"},
		{"of another secret", string(good), webhook.Sign([]byte("guess"), good), 401, "unauthorized", "bad-signature"},
		{"of the empty secret", string(good), webhook.Sign(nil, good), 401, "unauthorized", "bad-signature"},
		{"bad JSON, bad signature", "{", webhook.Sign([]byte("guess"), []byte("{")), 401, "unauthorized", "bad-signature"},
		{"bad JSON", "{", sign("{"), 400, "no JSON object", "malformed"},
		{"empty", "", sign(""), 400, "no JSON object", "malformed"},
		{"more after it", `{"url": "x"} {}`, sign(`{"url": "x"} {}`), 400, "no JSON object", "malformed"},
		{"an array", `["x"]`, sign(`["x"]`), 400, "no JSON object", "malformed"},
		{"null", "null", sign("null"), 400, "url is missing", "malformed"},
		{"no URL", `{"ref": "main"}`, sign(`{"ref": "main"}`), 400, "url is missing", "malformed"},
		{"a number for a URL", `{"url": 1}`, sign(`{"url": 1}`), 400, "no JSON object", "malformed"},
		{"a long URL", `{"url": "` + long + `"}`, sign(`{"url": "` + long + `"}`), 400, "url is longer than 4096 bytes", "malformed"},
		{"a long ref", `{"url": "x", "ref": "` + long + `"}`, sign(`{"url": "x", "ref": "` + long + `"}`), 400, "ref is longer than 1024 bytes", "malformed"},
		{"a line break in the ref", `{"url": "x", "ref": "a\nb"}`, sign(`{"url": "x", "ref": "a\nb"}`), 400, "control character", "malformed"},
		{"deep", strings.Repeat("[", 100_000), sign(strings.Repeat("[", 100_000)), 400, "no JSON object", "malformed"},
		{"a huge body", huge, sign(huge), 413, "too large", "too-large"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRecorder(secret, []byte{})
			answer := r.post(strings.NewReader(test.body), test.signature)
			if answer.Code != test.status || !strings.Contains(answer.Body.String(), test.answer) {
				t.Errorf("got %d %s", answer.Code, answer.Body)
			}
			if len(r.woken) > 0 {
				t.Errorf("woken: %+v", r.woken)
			}
			if counted := r.counted(t); counted != test.result+"=1" {
				t.Errorf("counted: %s", counted)
			}
		})
	}
}

func TestWithoutASecretWebhooksAreOff(t *testing.T) {
	for _, secrets := range [][][]byte{nil, {nil}, {{}}} {
		r := newRecorder(secrets...)
		answer := r.post(bytes.NewReader(good), webhook.Sign(nil, good))
		if answer.Code != http.StatusForbidden || !strings.Contains(answer.Body.String(), "webhooks.secretEnv") {
			t.Errorf("got %d %s", answer.Code, answer.Body)
		}
	}
}

func TestOtherMethodsAndPaths(t *testing.T) {
	r := newRecorder(secret)
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{http.MethodGet, "/webhooks/generic", http.StatusMethodNotAllowed},
		{http.MethodPut, "/webhooks/generic", http.StatusMethodNotAllowed},
		{http.MethodPost, "/webhooks/", http.StatusNotFound},
		{http.MethodPost, "/webhooks/sourcehut", http.StatusNotFound},
		{http.MethodGet, "/webhooks/github/apps", http.StatusMethodNotAllowed},
		{http.MethodPost, "/webhooks/github/", http.StatusNotFound},
		{http.MethodPost, "/webhooks/github/apps/more", http.StatusNotFound},
		{http.MethodPost, "/webhooks/forgejo", http.StatusNotFound},
	} {
		answer := httptest.NewRecorder()
		r.ServeHTTP(answer, httptest.NewRequest(test.method, test.path, bytes.NewReader(good)))
		if answer.Code != test.status {
			t.Errorf("%s %s: got %d, want %d", test.method, test.path, answer.Code, test.status)
		}
		if said := answer.Body.String(); test.status == http.StatusNotFound && !strings.Contains(said, "/webhooks/gitea") {
			t.Errorf("%s: %q does not say which paths there are", test.path, said)
		}
	}
}

// untouchable fails the test when it is read.
type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestTheBodyIsNotReadBeforeItMustBe(t *testing.T) {
	newRecorder().post(untouchable{t}, webhook.Sign(secret, nil))
	newRecorder(secret).post(untouchable{t}, "")
	newRecorder(secret).post(untouchable{t}, "sha256=00")

	request := httptest.NewRequest(http.MethodPost, "/webhooks/generic", untouchable{t})
	request.Header.Set(webhook.SignatureHeader, webhook.Sign(secret, nil))
	request.ContentLength = webhook.MaxBody + 1
	answer := httptest.NewRecorder()
	newRecorder(secret).ServeHTTP(answer, request)
	if answer.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body that says it is too large: %d", answer.Code)
	}
}

func TestABodyThatBreaksOff(t *testing.T) {
	r := newRecorder(secret)
	body := io.MultiReader(bytes.NewReader(good), iotest.ErrReader(errors.New("connection reset")))
	if answer := r.post(body, webhook.Sign(secret, good)); answer.Code != http.StatusBadRequest {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
}

// endless never ends and is never too large: it stands still.
type endless struct{ stop <-chan struct{} }

func (e endless) Read(p []byte) (int, error) {
	<-e.stop
	return 0, io.EOF
}

func TestLargeBodiesThatStandStillStopOnlyLargeOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(secret)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		large := make([]byte, 64<<10)
		for range 40 {
			wg.Go(func() { r.post(io.MultiReader(bytes.NewReader(large), endless{stop}), webhook.Sign(secret, nil)) })
		}
		synctest.Wait()
		if answer := r.signed(good); answer.Code != http.StatusAccepted {
			t.Errorf("a small delivery: %d", answer.Code)
		}
		before := time.Now()
		if answer := r.signed(large); answer.Code != http.StatusServiceUnavailable {
			t.Errorf("a large delivery: %d", answer.Code)
		}
		if waited := time.Since(before); waited != 5*time.Second {
			t.Errorf("it waited %s", waited)
		}
		close(stop)
		wg.Wait()
		if answer := r.signed(large); answer.Code != http.StatusBadRequest {
			t.Errorf("a large delivery, later: %d", answer.Code)
		}
	})
}

func TestTheLogIsBoundedAndHoldsNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRecorder(secret)
		body := []byte(`{"url": "https://ada:hunter2@git.example.org/unknown.git"}`)
		for range 100 {
			r.post(bytes.NewReader(good), "")
			r.signed(body)
		}
		time.Sleep(time.Minute)
		r.post(bytes.NewReader(good), "")
		log := r.log.String()
		if n := strings.Count(log, "\n"); n != 3 {
			t.Errorf("%d lines:\n%s", n, log)
		}
		for _, word := range []string{"hunter2", string(secret)} {
			if strings.Contains(log, word) {
				t.Errorf("%q is in the log:\n%s", word, log)
			}
		}
		for _, word := range []string{"webhook refused", "reason=unsigned", "unlogged=99", "nothing follows"} {
			if !strings.Contains(log, word) {
				t.Errorf("%q is not in the log:\n%s", word, log)
			}
		}
	})
}
