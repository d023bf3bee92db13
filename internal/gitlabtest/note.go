package gitlabtest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxNote is how many letters GitLab takes of a note.
const maxNote = 1_000_000

// A note is a comment, or what GitLab itself wrote in somebody's name.
type note struct {
	ID     int64  `json:"id"`
	Body   string `json:"body"`
	System bool   `json:"system"`
	Author User   `json:"author"`
}

func (m *mergeRequest) add(author User, body string, system bool) *note {
	n := &note{ID: m.server.next(), Body: body, System: system, Author: author}
	m.notes = append(m.notes, n)
	return n
}

// Remark writes a note as a user.
func (p *Project) Remark(number int, author User, text string) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	p.mergers[number-1].add(author, text, false)
}

// Mention has GitLab write a note in a user's name, as it does for events.
func (p *Project) Mention(number int, author User, text string) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	p.mergers[number-1].add(author, text, true)
}

// Notes returns the texts that people wrote, the oldest first.
func (p *Project) Notes(number int) []string {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	var out []string
	for _, n := range p.mergers[number-1].notes {
		if !n.System {
			out = append(out, n.Body)
		}
	}
	return out
}

// routeNotes is /projects/:id/merge_requests/:iid/notes and below.
func (m *mergeRequest) routeNotes(r *request, parts []string) answer {
	switch {
	case r.Method == http.MethodGet && len(parts) == 0:
		out := append([]*note{}, m.notes...)
		if r.params["sort"] != "asc" {
			slices.Reverse(out)
		}
		return answer{http.StatusOK, out}
	case r.Method == http.MethodPost && len(parts) == 0:
		return m.postNote(r, nil)
	case r.Method == http.MethodPut && len(parts) == 1:
		id, _ := strconv.ParseInt(parts[0], 10, 64)
		at := slices.IndexFunc(m.notes, func(n *note) bool { return n.ID == id })
		switch {
		case at < 0:
			return notFound("")
		case m.notes[at].Author.ID != r.user.ID || m.notes[at].System:
			return forbidden
		}
		return m.postNote(r, m.notes[at])
	}
	return answer{http.StatusNotFound, map[string]any{"error": "404 Not Found"}}
}

// postNote writes a note, or over one. Where all of it was quick actions, there
// is none.
func (m *mergeRequest) postNote(r *request, over *note) answer {
	body, given := r.params["body"]
	switch {
	case !given || strings.TrimSpace(body) == "":
		return answer{http.StatusBadRequest, map[string]any{"error": "body is missing"}}
	case strings.Contains(body, "\x00"):
		return fault(http.StatusBadRequest, "400 Bad Request")
	case utf8.RuneCountInString(body) > maxNote:
		return answer{http.StatusBadRequest, map[string]any{"message": map[string][]string{"note": {"is too long (maximum is 1000000 characters)"}}}}
	}
	text, commands := m.carryOut(body)
	if text == "" {
		return answer{http.StatusAccepted, map[string]any{"commands_changes": commands}}
	}
	if over != nil {
		over.Body = text
		return answer{http.StatusOK, over}
	}
	return answer{http.StatusCreated, m.add(r.user, text, false)}
}
