package gitlab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/rest"
)

// A note is a comment as GitLab shows it.
type note struct {
	ID     int64  `json:"id"`
	Body   string `json:"body"`
	System bool   `json:"system"` // GitLab wrote it in the user's name
	Author struct {
		ID int64 `json:"id"`
	} `json:"author"`
}

const (
	opComment = "keep the comment"
	opUser    = "ask whose the token is"
)

// Comment implements [forge.Repo].
func (r *Repo) Comment(ctx context.Context, number int, marker, text string) error {
	if number <= 0 {
		return r.fail(opComment, schema.Terminal, "", fmt.Errorf("%d is no merge request", number))
	}
	self, err := r.user(ctx)
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/merge_requests/%d/notes", number)
	found, err := r.find(ctx, path, self, marker)
	if err != nil {
		return err
	}
	text = forge.Body(plain(forge.Body(text)))
	call := rest.Call{Op: opComment, Method: http.MethodPost, Path: path, Body: map[string]string{"body": text}}
	switch {
	case found.ID == 0:
	case forge.Body(found.Body) == text:
		return nil
	default:
		call.Method, call.Path = http.MethodPut, fmt.Sprintf("%s/%d", path, found.ID)
	}
	_, err = r.do(ctx, call, nil)
	if rest.StatusOf(err) == http.StatusForbidden {
		r.forget() // the token may be another user's by now
	}
	return err
}

// find returns the oldest note of ours with the marker; zero: there is none.
func (r *Repo) find(ctx context.Context, path string, self int64, marker string) (note, error) {
	var found note
	query := url.Values{"order_by": {"created_at"}, "sort": {"asc"}}
	whole, err := pages(ctx, r, rest.Call{Op: opComment, Path: path, Query: query}, func(n note) bool {
		if ours := !n.System && n.Author.ID == self; ours && strings.HasPrefix(forge.Body(n.Body), marker) {
			found = n
		}
		return found.ID == 0
	})
	if err == nil && !whole {
		err = r.fail(opComment, schema.Terminal, "delete some of them", errors.New("the merge request has too many comments to look through"))
	}
	return found, err
}

// user returns whose the token is.
func (r *Repo) user(ctx context.Context) (int64, error) {
	r.mu.Lock()
	self := r.self
	r.mu.Unlock()
	if self != 0 {
		return self, nil
	}
	var who struct {
		ID int64 `json:"id"`
	}
	if _, err := r.api.Do(ctx, rest.Call{Op: opUser, Resource: r.name, Path: "/user"}, &who); err != nil {
		return 0, err
	}
	if who.ID <= 0 {
		return 0, r.fail(opUser, schema.Transient, "", errors.New("the forge names no user"))
	}
	r.mu.Lock()
	r.self = who.ID
	r.mu.Unlock()
	return who.ID, nil
}

func (r *Repo) forget() {
	r.mu.Lock()
	r.self = 0
	r.mu.Unlock()
}

var quickAction = regexp.MustCompile(`(?m)^([ \t]*)/`)

// plain keeps lines that begin with a slash from being carried out: /merge in a
// note is a command to GitLab, given by whoever writes it. A backslash before the
// slash is not shown.
func plain(text string) string { return quickAction.ReplaceAllString(text, `$1\/`) }
