package github

import (
	"cmp"
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
	opStatuses  = "list commit statuses"
	opSetStatus = "set the commit status"
)

// A status is a commit status as the API shows it.
type status struct {
	ID          int64       `json:"id"`
	State       forge.State `json:"state"`
	Status      forge.State `json:"status"` // Gitea's name for the state
	Context     string      `json:"context"`
	Description string      `json:"description"`
	TargetURL   string      `json:"target_url"`
}

// Statuses implements [forge.Repo]. It asks for the combined status, because it
// holds the newest of each context only. Headers do not say reliably everywhere
// whether there is another page of it: the last one is not full, or where pages
// may be shorter than asked for, brings nothing new.
func (r *Repo) Statuses(ctx context.Context, commit string) ([]forge.Status, error) {
	if err := r.checkCommit(opStatuses, commit); err != nil {
		return nil, err
	}
	newest := map[string]status{}
	for page := 1; page <= maxPages; page++ {
		var combined struct {
			Statuses []status `json:"statuses"`
		}
		_, err := r.do(ctx, rest.Call{Op: opStatuses, Path: "/commits/" + commit + "/status", Query: r.query(page, pageSize)}, &combined)
		if err != nil {
			return nil, r.unlessUnknown(ctx, err)
		}
		before := len(newest)
		for _, s := range combined.Statuses {
			if old, ok := newest[s.Context]; !ok || s.ID > old.ID {
				newest[s.Context] = s
			}
		}
		if len(newest) == before || !r.dialect.Capped && len(combined.Statuses) < pageSize {
			break
		}
	}
	list := make([]forge.Status, 0, len(newest))
	for _, s := range newest {
		list = append(list, forge.Status{
			Context: s.Context, State: cmp.Or(s.State, s.Status), Description: s.Description, URL: s.TargetURL,
		})
	}
	return list, nil
}

// unlessUnknown drops an error that means that there is no such commit. A 404 may
// also mean that there is no such repository.
func (r *Repo) unlessUnknown(ctx context.Context, err error) error {
	switch rest.StatusOf(err) {
	case http.StatusUnprocessableEntity:
		return nil
	case http.StatusNotFound:
		if found, _ := r.has(ctx, opStatuses, ""); found {
			return nil
		}
	}
	return err
}

// SetStatus implements [forge.Repo].
func (r *Repo) SetStatus(ctx context.Context, commit string, s forge.Status) error {
	if err := r.checkCommit(opSetStatus, commit); err != nil {
		return err
	}
	body := map[string]string{
		"state": string(s.State), "context": s.Context, "description": forge.Line(s.Description, r.dialect.Letters),
	}
	if s.URL != "" {
		body["target_url"] = s.URL
	}
	_, err := r.do(ctx, rest.Call{Op: opSetStatus, Method: http.MethodPost, Path: "/statuses/" + commit, Body: body}, nil)
	if known := (*schema.Error)(nil); rest.StatusOf(err) == http.StatusUnprocessableEntity && errors.As(err, &known) {
		switch said := err.Error(); {
		case strings.Contains(said, "No commit found"):
			return r.fail(opSetStatus, schema.Terminal, "", errNoCommit)
		case strings.Contains(said, "maximum number of statuses"):
			known.Err = fmt.Errorf("%w: %w", forge.ErrFull, known.Err)
		}
	}
	return r.explain(ctx, opSetStatus, err, "/git/commits/"+commit, errNoCommit)
}
