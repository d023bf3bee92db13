package gitlab

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/rest"
)

// maxText is how many letters GitLab takes of a status's name, description and URL.
const maxText = 255

// GitLab's states. Statuses are jobs of a pipeline there.
const (
	pending  = "pending"
	running  = "running"
	canceled = "canceled"
)

// states are what Berth's are called. An error is a failure, for what remains,
// canceled, is what somebody wanted.
var states = map[forge.State]string{
	forge.Pending: pending, forge.Success: "success", forge.Failure: "failed", forge.Error: "failed",
}

// stateOf reads GitLab's states, those of the jobs of its own pipelines too.
func stateOf(s string) forge.State {
	switch s {
	case "success", "skipped":
		return forge.Success
	case "failed":
		return forge.Failure
	case canceled, "canceling":
		return forge.Error
	}
	return forge.Pending // created, preparing, waiting_for_resource, manual, scheduled, …
}

// A job is a commit status as GitLab shows it.
type job struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Status      string `json:"status"`
	Description string `json:"description"`
	URL         string `json:"target_url"`
}

func (j job) status() forge.Status {
	return forge.Status{Context: j.Name, State: stateOf(j.Status), Description: j.Description, URL: j.URL}
}

// Statuses implements [forge.Repo].
func (r *Repo) Statuses(ctx context.Context, commit string) ([]forge.Status, error) {
	jobs, err := r.jobs(ctx, commit, "")
	if err != nil {
		return nil, err
	}
	out := make([]forge.Status, 0, len(jobs))
	for _, j := range jobs {
		out = append(out, j.status())
	}
	return out, nil
}

// jobs returns the newest of each name, or of one name. GitLab itself leaves out
// the older ones of one pipeline, but a commit may have several.
func (r *Repo) jobs(ctx context.Context, commit, name string) (map[string]job, error) {
	const op = "list commit statuses"
	if err := r.checkCommit(op, commit); err != nil {
		return nil, err
	}
	query := url.Values{}
	if name != "" {
		query.Set("name", name)
	}
	newest := map[string]job{}
	call := rest.Call{Op: op, Path: "/repository/commits/" + commit + "/statuses", Query: query}
	_, err := pages(ctx, r, call, func(j job) bool {
		if known, ok := newest[j.Name]; !ok || j.ID > known.ID {
			newest[j.Name] = j
		}
		return true
	})
	if text, ok := said(err, http.StatusNotFound); ok && strings.Contains(text, "Commit Not Found") {
		return nil, nil
	}
	return newest, err
}

// A post is the body of a new status.
type post struct {
	State       string `json:"state"`
	Name        string `json:"name"`
	Description string `json:"description"`
	URL         string `json:"target_url,omitempty"`
	Ref         string `json:"ref,omitempty"`
}

// SetStatus implements [forge.Repo]. A URL that is too long for GitLab is left
// out, for otherwise it takes nothing of the status.
func (r *Repo) SetStatus(ctx context.Context, commit string, s forge.Status) error {
	if err := r.checkCommit(opSet, commit); err != nil {
		return err
	}
	p := post{State: states[s.State], Name: s.Context, Description: forge.Line(s.Description, maxText), URL: s.URL}
	if p.State == "" {
		return r.fail(opSet, schema.Terminal, "", errors.New("there is no such state"))
	}
	if utf8.RuneCountInString(p.URL) > maxText {
		p.URL = ""
	}
	err := r.post(ctx, commit, &p)
	if was, ok := stuck(err); ok && p.State == pending {
		return r.replace(ctx, commit, p, was)
	}
	return err
}

const opSet = "set commit status"

// post writes a status. For the head of a fork's merge request, which no branch
// of the project holds, GitLab must be told the ref.
func (r *Repo) post(ctx context.Context, commit string, p *post) error {
	call := rest.Call{Op: opSet, Method: http.MethodPost, Path: "/statuses/" + commit, Body: p}
	_, err := r.do(ctx, call, nil)
	text, ok := said(err, http.StatusNotFound)
	if !ok || !strings.Contains(text, "References for commit") || p.Ref != "" {
		return explain(err)
	}
	ref, lookErr := r.refOf(ctx, commit)
	if lookErr != nil {
		return lookErr
	}
	if ref == "" {
		return explain(err)
	}
	p.Ref = ref
	_, err = r.do(ctx, call, nil)
	return explain(err)
}

// stuckAt is what GitLab says when a status would stay in its state: "Cannot
// transition status via :enqueue from :pending (Reason(s): …)".
var stuckAt = regexp.MustCompile(`^Cannot transition status via :\w+ from :(\w+)`)

// stuck tells that GitLab refused a status because of the state it is in.
func stuck(err error) (state string, ok bool) {
	text, _ := said(err, http.StatusBadRequest)
	m := stuckAt.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// replace writes a status over one that has not ended. GitLab takes no pending
// one after a pending one, and drops its text with it: so the new text goes with
// the state running, which is pending too, and when that is used up, the old
// status is canceled, after which a new one begins.
func (r *Repo) replace(ctx context.Context, commit string, p post, was string) error {
	there, err := r.jobs(ctx, commit, p.Name)
	if err != nil {
		return err
	}
	if j, ok := there[p.Name]; ok && stateOf(j.Status) == forge.Pending && j.Description == p.Description && j.URL == p.URL {
		return nil
	}
	if was == pending {
		p.State = running
		err := r.post(ctx, commit, &p)
		if _, ok := stuck(err); !ok {
			return err
		}
	}
	end := p
	end.State = canceled
	if err := r.post(ctx, commit, &end); err != nil {
		return err
	}
	p.State = pending
	return r.post(ctx, commit, &p)
}

// explain adds to a refusal what a person can do about it.
func explain(err error) error {
	var known *schema.Error
	if !errors.As(err, &known) {
		return err
	}
	if rest.StatusOf(err) == http.StatusForbidden {
		known.Hint = "the token needs the scope api and the role Developer; on a protected branch, Maintainer"
	}
	if text, _ := said(err, http.StatusBadRequest); strings.Contains(text, "has already been taken") {
		known.Hint = "a job of the project's own pipeline has that name; choose another status.context"
	}
	return err
}
