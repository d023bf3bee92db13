package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/rest"
)

const (
	opComment = "keep the comment"
	opUser    = "ask whose the token is"
)

// A comment is one on a pull request, as the API shows it.
type comment struct {
	ID   int64  `json:"id"`
	Body string `json:"body"`
	User *struct {
		Login string `json:"login"`
	} `json:"user"` // null: the user was deleted
}

// Comment implements [forge.Repo].
func (r *Repo) Comment(ctx context.Context, number int, marker, text string) error {
	if number <= 0 {
		return r.fail(opComment, schema.Terminal, "", fmt.Errorf("%d is no pull request", number))
	}
	self, err := r.login(ctx)
	if err != nil {
		return err
	}
	found, err := r.find(ctx, number, self, marker)
	if err != nil {
		return r.explain(ctx, opComment, err, fmt.Sprintf("/pulls/%d", number), errNoPull)
	}
	text = forge.Body(text)
	write := rest.Call{Op: opComment, Method: http.MethodPost, Path: fmt.Sprintf("/issues/%d/comments", number), Body: map[string]string{"body": text}}
	if found.ID != 0 {
		if forge.Body(found.Body) == text {
			return nil
		}
		write.Method, write.Path = http.MethodPatch, fmt.Sprintf("/issues/comments/%d", found.ID)
	}
	_, err = r.do(ctx, write, nil)
	if rest.StatusOf(err) == http.StatusForbidden {
		r.forget() // the token may be another user's by now
	}
	return err
}

// find returns the oldest comment of ours that begins with the marker; zero: there
// is none. Comments come in the order in which they were made.
func (r *Repo) find(ctx context.Context, number int, self, marker string) (comment, error) {
	var found comment
	for n := 1; n <= maxPages; n++ {
		call := rest.Call{Op: opComment, Path: fmt.Sprintf("/issues/%d/comments", number), Query: r.query(n, textSize)}
		header, err := r.do(ctx, call, rest.Each(func(c comment) {
			ours := c.ID > 0 && c.User != nil && strings.EqualFold(c.User.Login, self)
			if ours && strings.HasPrefix(forge.Body(c.Body), marker) && (found.ID == 0 || c.ID < found.ID) {
				found = c
			}
		}))
		if err != nil || found.ID != 0 || r.dialect.Whole || !rest.HasNext(header) {
			return found, err
		}
	}
	return comment{}, r.fail(opComment, schema.Terminal, "delete some of them", errors.New("the pull request has too many comments to look through"))
}

// user returns whose the token is.
func (r *Repo) user(ctx context.Context) (string, error) {
	r.mu.Lock()
	self := r.self
	r.mu.Unlock()
	if self != "" {
		return self, nil
	}
	var who struct {
		Login string `json:"login"`
	}
	if _, err := r.api.Do(ctx, rest.Call{Op: opUser, Resource: r.name, Path: "/user"}, &who); err != nil {
		return "", err
	}
	if who.Login == "" {
		return "", r.fail(opUser, schema.Transient, "", errors.New("the forge names no user"))
	}
	r.mu.Lock()
	r.self = who.Login
	r.mu.Unlock()
	return who.Login, nil
}

func (r *Repo) forget() {
	r.mu.Lock()
	r.self = ""
	r.mu.Unlock()
}
