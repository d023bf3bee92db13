package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/webhook"
)

func mac(secret []byte, text string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// A signer sets the headers of a body.
type signer func(header http.Header, secret []byte, body string)

func bySum(name, prefix string) signer {
	return func(header http.Header, secret []byte, body string) {
		header.Set(name, prefix+hex.EncodeToString(mac(secret, body)))
	}
}

func byToken(header http.Header, secret []byte, _ string) {
	header.Set("X-Gitlab-Token", string(secret))
}

// signingToken is as GitLab makes them.
var signingToken = []byte("whsec_" + base64.StdEncoding.EncodeToString([]byte("thirty-two bytes of good entropy")))

func bySigningToken(header http.Header, secret []byte, body string) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(secret), "whsec_"))
	if err != nil {
		panic(err) // no secret of a test is so
	}
	header.Set("webhook-id", "msg_1")
	header.Set("webhook-timestamp", "1792000000")
	header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac(key, "msg_1.1792000000."+body)))
}

// A forge is how one sends.
type forge struct {
	name   string // of its path
	secret []byte
	sign   signer
	event  string // the header that names the event; empty: none
}

var forges = map[string]forge{
	"GitHub":          {"github", secret, bySum("X-Hub-Signature-256", "sha256="), "X-GitHub-Event"},
	"Gitea":           {"gitea", secret, bySum("X-Gitea-Signature", ""), "X-Gitea-Event"},
	"Forgejo":         {"gitea", secret, bySum("X-Forgejo-Signature", ""), "X-Forgejo-Event"},
	"GitLab":          {"gitlab", secret, byToken, "X-Gitlab-Event"},
	"GitLab, signing": {"gitlab", signingToken, bySigningToken, "X-Gitlab-Event"},
	"a script":        {"generic", secret, bySum("X-Berth-Signature", "sha256="), ""},
}

// request is a delivery that is right: a test makes it wrong.
func (f forge) request(event, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/webhooks/"+f.name, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	if f.event != "" {
		r.Header.Set(f.event, event)
	}
	f.sign(r.Header, f.secret, body)
	return r
}

// push is a body that any of them takes for a push to main.
const push = `{
	"url": "https://git.example.org/lab/apps.git", "object_kind": "push", "ref": "refs/heads/main",
	"repository": {"clone_url": "https://git.example.org/lab/apps.git"},
	"project": {"git_http_url": "https://git.example.org/lab/apps.git"}
}`

func (r *recorder) send(request *http.Request) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	r.ServeHTTP(answer, request)
	return answer
}

func eachForge(t *testing.T, test func(t *testing.T, f forge)) {
	for name, f := range forges {
		t.Run(name, func(t *testing.T) { test(t, f) })
	}
}

func TestEachForgeWakes(t *testing.T) {
	eachForge(t, func(t *testing.T, f forge) {
		r := newRecorder(f.secret)
		if answer := r.send(f.request("push", push)); answer.Code != http.StatusAccepted {
			t.Errorf("got %d %s", answer.Code, answer.Body)
		}
		want := []sources.Hint{{URLs: []string{"https://git.example.org/lab/apps.git"}, Ref: "refs/heads/main"}}
		if diff := cmp.Diff(want, r.woken); diff != "" {
			t.Errorf("woken (-want +got):\n%s", diff)
		}
	})
}

// TestNoForgeIsParsedUnproved sends bodies that no parser takes: whoever cannot
// prove who they are gets to know nothing of that.
func TestNoForgeIsParsedUnproved(t *testing.T) {
	eachForge(t, func(t *testing.T, f forge) {
		for name, change := range map[string]func(*http.Request){
			"unsigned":       func(r *http.Request) { unsign(r.Header) },
			"of another":     func(r *http.Request) { unsign(r.Header); f.sign(r.Header, other(f.secret), "{") },
			"of none":        func(r *http.Request) { unsign(r.Header); f.sign(r.Header, nil, "{") },
			"without digits": func(r *http.Request) { blank(r.Header) },
		} {
			r := newRecorder(f.secret)
			request := f.request("push", "{")
			change(request)
			answer := r.send(request)
			if answer.Code != http.StatusUnauthorized || strings.TrimSpace(answer.Body.String()) != "unauthorized" {
				t.Errorf("%s: got %d %s", name, answer.Code, answer.Body)
			}
		}
		r := newRecorder(f.secret)
		if answer := r.send(f.request("push", "{")); answer.Code != http.StatusBadRequest || r.counted(t) != "malformed=1" {
			t.Errorf("signed: got %d %s, %s", answer.Code, answer.Body, r.counted(t))
		}
	})
}

// TestASignatureIsOfItsBody changes one byte on the way.
func TestASignatureIsOfItsBody(t *testing.T) {
	eachForge(t, func(t *testing.T, f forge) {
		if f.name == "gitlab" && f.event != "" && string(f.secret) == string(secret) {
			return // a token is of no body
		}
		request := f.request("push", push)
		changed := f.request("push", strings.Replace(push, "main", "mail", 1))
		changed.Header = request.Header
		r := newRecorder(f.secret)
		if answer := r.send(changed); answer.Code != http.StatusUnauthorized || len(r.woken) > 0 {
			t.Errorf("got %d %s", answer.Code, answer.Body)
		}
	})
}

var signatureHeaders = []string{
	"X-Hub-Signature-256", "X-Gitea-Signature", "X-Forgejo-Signature", "X-Gitlab-Token", "X-Berth-Signature", "webhook-signature",
}

func unsign(header http.Header) {
	for _, name := range signatureHeaders {
		header.Del(name)
	}
}

func blank(header http.Header) {
	for _, name := range signatureHeaders {
		if header.Get(name) != "" {
			header.Set(name, "sha256=")
		}
	}
}

// other is a secret of the same kind and length.
func other(secret []byte) []byte {
	changed := []byte(strings.Clone(string(secret)))
	changed[len(changed)/2] ^= 1
	return changed
}

func TestEachForgeRotates(t *testing.T) {
	eachForge(t, func(t *testing.T, f forge) {
		r := newRecorder(other(f.secret), f.secret)
		if answer := r.send(f.request("push", push)); answer.Code != http.StatusAccepted {
			t.Errorf("the former secret: %d", answer.Code)
		}
		r = newRecorder(other(f.secret))
		if answer := r.send(f.request("push", push)); answer.Code != http.StatusUnauthorized {
			t.Errorf("the secret that was dropped: %d", answer.Code)
		}
	})
}

func TestARepoHasItsOwnSecret(t *testing.T) {
	eachForge(t, func(t *testing.T, f forge) {
		own := other(f.secret)
		send := func(r *recorder, repo string, secret []byte) int {
			with := f
			with.secret = secret
			request := with.request("push", push)
			request.URL.Path += repo
			return r.send(request).Code
		}
		for _, test := range []struct {
			name, repo string
			secret     []byte
			status     int
			counted    string
		}{
			{"its own", "/apps", own, http.StatusAccepted, "accepted=1"},
			{"the shared one, for a repo with its own", "/apps", f.secret, http.StatusUnauthorized, "bad-signature=1"},
			{"its own, for all", "", own, http.StatusUnauthorized, "bad-signature=1"},
			{"its own, for another", "/desired-state", own, http.StatusUnauthorized, "bad-signature=1"},
			{"the shared one, for a repo without", "/tools", f.secret, http.StatusUnauthorized, "no-secret=1"},
			{"an empty one", "/empty", nil, http.StatusUnauthorized, "no-secret=1"},
		} {
			r := newRecorder(f.secret)
			r.secrets["apps"], r.secrets["desired-state"], r.secrets["empty"] = [][]byte{own}, [][]byte{f.secret}, [][]byte{{}}
			if status := send(r, test.repo, test.secret); status != test.status || r.counted(t) != test.counted {
				t.Errorf("%s: got %d, %s", test.name, status, r.counted(t))
			}
			if test.status != http.StatusAccepted && len(r.woken) > 0 {
				t.Errorf("%s: woken: %+v", test.name, r.woken)
			}
			if test.status == http.StatusAccepted && (len(r.woken) != 1 || r.woken[0].Source != "apps") {
				t.Errorf("%s: woken: %+v", test.name, r.woken)
			}
		}
	})
}

func TestAFormIsNotUnderstood(t *testing.T) {
	eachForge(t, func(t *testing.T, f forge) {
		r := newRecorder(f.secret)
		request := f.request("push", push)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := r.send(request)
		if f.name == "generic" { // as curl -d says of itself
			if answer.Code != http.StatusAccepted {
				t.Errorf("got %d %s", answer.Code, answer.Body)
			}
			return
		}
		if answer.Code != http.StatusUnsupportedMediaType || !strings.Contains(answer.Body.String(), "application/json") || r.counted(t) != "no-json=1" {
			t.Errorf("got %d %s, %s", answer.Code, answer.Body, r.counted(t))
		}
	})
}

func TestAHugeBodyIsRefused(t *testing.T) {
	eachForge(t, func(t *testing.T, f forge) {
		huge := push + strings.Repeat(" ", webhook.MaxBody)
		request := f.request("push", huge)
		request.ContentLength = -1
		r := newRecorder(f.secret)
		if answer := r.send(request); answer.Code != http.StatusRequestEntityTooLarge || len(r.woken) > 0 {
			t.Errorf("got %d %s", answer.Code, answer.Body)
		}
	})
}

// TestAWrongTokenIsNotWaitedFor: what says nothing of the body needs none.
func TestAWrongTokenIsNotWaitedFor(t *testing.T) {
	r := newRecorder(secret)
	request := httptest.NewRequest(http.MethodPost, "/webhooks/gitlab", untouchable{t})
	request.Header.Set("X-Gitlab-Token", "a guess")
	if answer := r.send(request); answer.Code != http.StatusUnauthorized {
		t.Errorf("got %d %s", answer.Code, answer.Body)
	}
}

func TestGitLabTokensAndSignatures(t *testing.T) {
	f := forges["GitLab, signing"]
	right := f.request("Push Hook", push).Header
	signature := right.Get("webhook-signature")
	noise := strings.Repeat("v1,AAAA ", 7)
	for _, test := range []struct {
		name    string
		secrets [][]byte
		change  func(http.Header)
		status  int
	}{
		{"both are known, both are sent", [][]byte{signingToken, secret}, func(h http.Header) { h.Set("X-Gitlab-Token", string(secret)) }, 202},
		{"a secret token beside a signature of nobody", [][]byte{secret}, func(h http.Header) { h.Set("X-Gitlab-Token", string(secret)) }, 202},
		{"the signing token, sent as it is", [][]byte{signingToken}, func(h http.Header) { unsign(h); h.Set("X-Gitlab-Token", string(signingToken)) }, 401},
		{"no token for an empty one", [][]byte{{}, secret}, func(h http.Header) { h.Set("X-Gitlab-Token", "") }, 401},
		{"a signing token that is none", [][]byte{[]byte("whsec_"), []byte("whsec_?")}, func(http.Header) {}, 401},
		{"another id", [][]byte{signingToken}, func(h http.Header) { h.Set("webhook-id", "msg_2") }, 401},
		{"another time", [][]byte{signingToken}, func(h http.Header) { h.Set("webhook-timestamp", "1") }, 401},
		{"another version", [][]byte{signingToken}, func(h http.Header) { h.Set("webhook-signature", strings.Replace(signature, "v1,", "v2,", 1)) }, 401},
		{"one of several", [][]byte{signingToken}, func(h http.Header) { h.Set("webhook-signature", "v1a,x "+noise[:8]+signature+" v1,?") }, 202},
		{"the last that is looked at", [][]byte{signingToken}, func(h http.Header) { h.Set("webhook-signature", noise+signature) }, 202},
		{"too many", [][]byte{signingToken}, func(h http.Header) { h.Set("webhook-signature", noise+"v1,AAAA "+signature) }, 401},
		{"too long", [][]byte{signingToken}, func(h http.Header) { h.Set("webhook-signature", signature+strings.Repeat(" ", 5000)) }, 401},
		{"a token that is too long", [][]byte{secret}, func(h http.Header) { unsign(h); h.Set("X-Gitlab-Token", strings.Repeat("x", 5000)) }, 401},
		{"the beginning of a token", [][]byte{secret}, func(h http.Header) { unsign(h); h.Set("X-Gitlab-Token", string(secret[:3])) }, 401},
		{"a token and more", [][]byte{secret}, func(h http.Header) { unsign(h); h.Set("X-Gitlab-Token", string(secret)+"x") }, 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRecorder(test.secrets...)
			request := f.request("Push Hook", push)
			test.change(request.Header)
			if answer := r.send(request); answer.Code != test.status {
				t.Errorf("got %d %s", answer.Code, answer.Body)
			}
		})
	}
}
