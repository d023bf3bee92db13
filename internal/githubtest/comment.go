package githubtest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxComment is how many letters of a comment GitHub takes.
const maxComment = 65536

// A Comment is one on a pull request.
type Comment struct {
	ID     int64
	Number int    // of the pull request
	By     string // the user's login; empty: the user was deleted
	Body   string
	Edits  int // how often it was changed
}

// Comments returns those of a pull request, the oldest first.
func (r *Repo) Comments(number int) []Comment {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	var list []Comment
	for _, c := range r.comments {
		if c.Number == number {
			list = append(list, *c)
		}
	}
	return list
}

// Remark writes a comment as a user.
func (r *Repo) Remark(number int, by, body string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.comments = append(r.comments, &Comment{ID: r.s.id(), Number: number, By: by, Body: body})
}

// pullOf returns the number of the pull request that a call is about.
func (s *Server) pullOf(c *call) (int, answer) {
	number, err := strconv.Atoi(c.PathValue("number"))
	switch {
	case err == nil && c.repo.pull(number) != nil:
		return number, answer{}
	case s.gitea:
		return 0, problem(http.StatusInternalServerError, "")
	}
	return 0, notFound
}

// listComments answers with a page of the comments; Gitea, with all.
func (s *Server) listComments(c *call) answer {
	number, refused := s.pullOf(c)
	if refused.status != 0 {
		return refused
	}
	shown := []map[string]any{}
	for _, found := range c.repo.comments {
		if found.Number == number {
			shown = append(shown, showComment(found))
		}
	}
	if !s.gitea {
		shown = page(s, c, shown)
	}
	return answer{http.StatusOK, shown}
}

func (s *Server) postComment(c *call) answer {
	number, refused := s.pullOf(c)
	if refused.status != 0 {
		return refused
	}
	body, refused := readBody(c)
	if refused.status != 0 {
		return refused
	}
	made := &Comment{ID: s.id(), Number: number, By: c.by.login, Body: body}
	c.repo.comments = append(c.repo.comments, made)
	return answer{http.StatusCreated, showComment(made)}
}

func (s *Server) patchComment(c *call) answer {
	body, refused := readBody(c)
	if refused.status != 0 {
		return refused
	}
	for _, found := range c.repo.comments {
		if strconv.FormatInt(found.ID, 10) != c.PathValue("id") {
			continue
		}
		if found.By != c.by.login {
			return problem(http.StatusForbidden, "Must have admin rights to Repository.")
		}
		found.Body = body
		found.Edits++
		return answer{http.StatusOK, showComment(found)}
	}
	return notFound
}

func readBody(c *call) (string, answer) {
	var in struct {
		Body *string `json:"body"`
	}
	switch {
	case json.NewDecoder(c.Body).Decode(&in) != nil:
		return "", problem(http.StatusBadRequest, "Problems parsing JSON")
	case in.Body == nil || strings.TrimSpace(*in.Body) == "":
		return "", invalid("IssueComment", "body", "body can't be blank")
	case utf8.RuneCountInString(*in.Body) > maxComment:
		return "", invalid("IssueComment", "body", "body is too long (maximum is 65536 characters)")
	case strings.ContainsRune(*in.Body, 0):
		return "", invalid("IssueComment", "body", "body contains null characters")
	}
	return *in.Body, answer{}
}

func showComment(c *Comment) map[string]any {
	return map[string]any{"id": c.ID, "body": c.Body, "user": userOf(c.By)}
}
