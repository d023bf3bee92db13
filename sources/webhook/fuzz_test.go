package webhook_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"
)

// maxHints is how many hints one delivery may be at most.
const maxHints = 16

// FuzzDelivery sends bodies that are signed as each forge does.
func FuzzDelivery(f *testing.F) {
	for _, event := range []string{"push", "create", "delete", "pull_request", "ping", "Merge Request Hook", ""} {
		f.Add(event, push)
	}
	f.Add("push", `{"url": "git@git.example.org:lab/apps.git"}`)
	f.Add("push", `{"url": "\ud800", "ref": "\u0000"}`)
	f.Add("push", `{"URL": {"url": []}, "repository": [[[[`)
	f.Add("create", `{"ref": "v1", "ref_type": "tag", `+giteaRepo+`}`)
	f.Add("pull_request", githubPull("closed", `"merged": true,`))
	f.Add("Merge Request Hook", gitlabMerge("merge", ``))
	f.Add("System Hook", `{"event_name": "repository_update", "refs": ["a", "b"], `+gitlabRepo+`}`)
	f.Add("push", `null`)
	f.Fuzz(func(t *testing.T, event, body string) {
		for name, forge := range forges {
			r := newRecorder(forge.secret)
			answer := r.send(forge.request(event, body))
			switch answer.Code {
			case http.StatusAccepted:
				if len(r.woken) == 0 || len(r.woken) > maxHints {
					t.Errorf("%s: %d hints", name, len(r.woken))
				}
			case http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge:
				if len(r.woken) > 0 {
					t.Errorf("%s: %d, but woken: %+v", name, answer.Code, r.woken)
				}
			default:
				t.Errorf("%s: got %d %s", name, answer.Code, answer.Body)
			}
			for _, hint := range r.woken {
				for _, text := range append([]string{hint.Ref}, hint.URLs...) {
					if len(text) > 4096 || strings.ContainsFunc(text, unicode.IsControl) {
						t.Errorf("%s: woken: %q", name, text)
					}
				}
			}
		}
	})
}

// FuzzClaim sends headers that nobody who knows a secret has made.
func FuzzClaim(f *testing.F) {
	f.Add("sha256=00", "", "")
	f.Add(strings.Repeat("0", 64), "", "")
	f.Add("", "v1,AAAA v1, v2 ,", "1")
	f.Add("token", "v1,"+strings.Repeat("A", 43)+"=", "")
	f.Fuzz(func(t *testing.T, one, two, id string) {
		r := newRecorder(secret, signingToken)
		for _, name := range []string{"generic", "github", "gitea", "gitlab"} {
			request := httptest.NewRequest(http.MethodPost, "/webhooks/"+name, strings.NewReader(push))
			request.Header.Set("Content-Type", "application/json")
			for _, header := range signatureHeaders {
				request.Header.Set(header, one)
			}
			request.Header.Set("webhook-signature", two)
			request.Header.Set("webhook-id", id)
			if answer := r.send(request); answer.Code != http.StatusUnauthorized && one != string(secret) {
				t.Errorf("%s: got %d %s", name, answer.Code, answer.Body)
			}
		}
	})
}
