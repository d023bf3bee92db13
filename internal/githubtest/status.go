package githubtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxStatuses is how many a commit may have of one context.
const maxStatuses = 1000

// A Status is one that was written.
type Status struct {
	ID          int64
	State       string
	Context     string
	Description string
	TargetURL   string
	By          string    // the user's login
	Time        time.Time // when the request for it came
}

// Statuses returns all that were written to a commit, the oldest first.
func (r *Repo) Statuses(commit string) []Status {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return slices.Clone(r.statuses[commit])
}

func (s *Server) postStatus(c *call) answer {
	var in struct {
		State       string  `json:"state"`
		Context     *string `json:"context"`
		Description string  `json:"description"`
		TargetURL   string  `json:"target_url"`
	}
	if json.NewDecoder(c.Body).Decode(&in) != nil {
		return problem(http.StatusBadRequest, "Problems parsing JSON")
	}
	commit, name := c.PathValue("ref"), "default"
	if in.Context != nil {
		name = *in.Context
	}
	same := 0
	for _, old := range c.repo.statuses[commit] {
		if old.Context == name {
			same++
		}
	}
	switch {
	case !c.repo.hasCommit(commit) && s.gitea:
		return problem(http.StatusInternalServerError, "")
	case !c.repo.hasCommit(commit):
		return problem(http.StatusUnprocessableEntity, "No commit found for SHA: "+commit)
	case !slices.Contains([]string{"error", "failure", "pending", "success"}, in.State):
		return invalid("Status", "state", "state is not included in the list")
	case !s.gitea && utf8.RuneCountInString(in.Description) > 140:
		return invalid("Status", "description", "description is too long (maximum is 140 characters)")
	case in.TargetURL != "" && !strings.HasPrefix(in.TargetURL, "http://") && !strings.HasPrefix(in.TargetURL, "https://"):
		return invalid("Status", "target_url", "target_url must use http(s) scheme")
	case same >= maxStatuses && !s.gitea:
		return invalid("Status", "base", "This SHA and context has reached the maximum number of statuses.")
	}
	status := Status{
		ID: s.id(), State: in.State, Context: name, Description: in.Description, TargetURL: in.TargetURL,
		By: c.by.login, Time: c.came,
	}
	c.repo.statuses[commit] = append(c.repo.statuses[commit], status)
	return answer{http.StatusCreated, s.showStatus(status)}
}

func (s *Server) showStatus(status Status) map[string]any {
	state := "state"
	if s.gitea {
		state = "status"
	}
	return map[string]any{
		"id": status.ID, state: status.State, "context": status.Context, "description": status.Description,
		"target_url": status.TargetURL, "created_at": status.Time.UTC().Format(time.RFC3339),
	}
}

// combined answers with the newest status of each context. Gitea's header does not
// tell of further pages.
func (s *Server) combined(c *call) answer {
	commit := c.PathValue("ref")
	switch {
	case !c.repo.hasCommit(commit) && s.gitea:
		return notFound
	case !c.repo.hasCommit(commit):
		return problem(http.StatusUnprocessableEntity, "No commit found for SHA: "+commit)
	}
	seen := map[string]bool{}
	shown := []map[string]any{}
	for _, status := range slices.Backward(c.repo.statuses[commit]) {
		if !seen[status.Context] {
			seen[status.Context] = true
			shown = append(shown, s.showStatus(status))
		}
	}
	total := len(shown)
	shown = page(s, c, shown)
	if s.gitea {
		c.header.Del("Link")
		total = len(shown)
	}
	return answer{http.StatusOK, map[string]any{"sha": commit, "state": "pending", "total_count": total, "statuses": shown}}
}
