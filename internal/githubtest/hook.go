package githubtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"

	"github.com/berthdev/berth/internal/gittest"
)

// A hook is a webhook of a repository.
type hook struct{ url, secret string }

// AddWebhook has what moves in the repository posted to a URL, signed with the
// secret, as https://docs.github.com/webhooks says.
func (r *Repo) AddWebhook(to, secret string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.hooks = append(r.hooks, hook{to, secret})
}

// Deliveries returns those of all webhooks that have ended.
func (s *Server) Deliveries() []gittest.Delivery { return s.hooks.Sent() }

// tell posts an event of the repository.
func (r *Repo) tell(event string, payload map[string]any) {
	payload = maps.Clone(payload)
	payload["repository"] = map[string]any{
		"id": r.id, "full_name": r.Path, "html_url": r.s.URL + "/" + r.Path, "clone_url": r.url(),
	}
	for _, h := range r.hooks {
		err := r.s.hooks.Post(h.url, event, payload, func(header http.Header, body []byte) {
			mac := hmac.New(sha256.New, []byte(h.secret))
			mac.Write(body)
			header.Set("X-GitHub-Event", event)
			header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		})
		if err != nil {
			r.s.t.Errorf("githubtest: %v", err)
		}
	}
}

func (r *Repo) tellPull(action string, p *Pull, merged bool) {
	r.tell("pull_request", map[string]any{"action": action, "number": p.Number, "pull_request": map[string]any{
		"number": p.Number, "state": p.State, "merged": merged,
		"head": map[string]any{"ref": p.Branch, "sha": p.Head}, "base": map[string]any{"ref": p.Base},
	}})
}
