package gitlabtest

import (
	"maps"
	"net/http"
)

// A hook is a webhook of a project.
type hook struct{ url, token string }

// AddWebhook has what moves in the project posted to a URL, with the secret token,
// as https://docs.gitlab.com/user/project/integrations/webhook_events/ says.
func (p *Project) AddWebhook(to, token string) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	p.hooks = append(p.hooks, hook{to, token})
}

// tell posts an event of a kind; the header has another name for it.
func (p *Project) tell(kind, name string, payload map[string]any) {
	payload = maps.Clone(payload)
	payload["object_kind"] = kind
	payload["project"] = map[string]any{
		"id": p.id, "path_with_namespace": p.path, "web_url": p.server.URL + "/" + p.path, "git_http_url": p.url(),
	}
	for _, h := range p.hooks {
		err := p.server.hooks.Post(h.url, name, payload, func(header http.Header, _ []byte) {
			header.Set("X-Gitlab-Event", name)
			header.Set("X-Gitlab-Token", h.token)
		})
		if err != nil {
			p.server.t.Errorf("gitlabtest: %v", err)
		}
	}
}

// tellMerge tells of a merge request; before is the commit that it had, if it is
// another one now.
func (p *Project) tellMerge(action string, m *mergeRequest, before string) {
	about := map[string]any{
		"iid": m.Number, "action": action, "state": m.State, "source_branch": m.Source, "target_branch": m.Target,
		"last_commit": map[string]any{"id": m.SHA},
	}
	if before != "" {
		about["oldrev"] = before
	}
	p.tell("merge_request", "Merge Request Hook", map[string]any{"object_attributes": about})
}
