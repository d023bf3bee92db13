package gitlabtest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"unicode/utf8"
)

// A pipeline holds the statuses of a commit, as seen from one ref.
type pipeline struct {
	id, commit, ref string
	jobs            []*job // the oldest first
}

// A job is a commit status, or a job of the project's own pipeline.
type job struct {
	ID          int64   `json:"id"`
	SHA         string  `json:"sha"`
	Ref         string  `json:"ref"`
	Name        string  `json:"name"`
	Status      string  `json:"status"`
	Description *string `json:"description"`
	URL         *string `json:"target_url"`
	Author      User    `json:"author"`

	build   bool // of the project's own pipeline
	retried bool // there is a newer one of the name
}

// Build adds a job of the project's own pipeline for a commit of a branch, and
// with it a new pipeline.
func (p *Project) Build(commit, branch, name string) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	line := p.addPipeline(commit, branch)
	line.jobs = append(line.jobs, &job{ID: p.server.next(), SHA: commit, Ref: branch, Name: name, Status: "manual", Author: p.server.Stranger, build: true})
}

// Posted returns how many statuses of a name a commit got, and what the newest
// of them are, in order of their age.
func (p *Project) Posted(commit, name string) (states []string) {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	for _, line := range p.pipelines {
		for _, j := range line.jobs {
			if j.SHA == commit && j.Name == name {
				states = append(states, j.Status)
			}
		}
	}
	return states
}

// A Status is what a commit status became: one of GitLab's has several states, one
// after the other.
type Status struct{ Commit, Name, State, Description string }

// Told returns what the statuses of a commit became, in order.
func (p *Project) Told(commit string) []Status {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.told), func(s Status) bool { return s.Commit != commit })
}

func (p *Project) addPipeline(commit, ref string) *pipeline {
	line := &pipeline{id: fmt.Sprint(p.server.next()), commit: commit, ref: ref}
	p.pipelines = append(p.pipelines, line)
	return line
}

// listStatuses is GET /projects/:id/repository/commits/:sha/statuses.
func (p *Project) listStatuses(r *request, commit string) answer {
	if r.user.Role < Reporter {
		return forbidden
	}
	if !p.has(commit) {
		return notFound("Commit")
	}
	out := []*job{}
	for _, line := range p.pipelines {
		for _, j := range line.jobs {
			if line.commit == commit && (r.params["all"] == "true" || !j.retried) && (r.params["name"] == "" || r.params["name"] == j.Name) {
				out = append(out, j)
			}
		}
	}
	return answer{http.StatusOK, out}
}

// newestPipeline returns where a status of a commit goes; nil: nowhere yet.
func (p *Project) newestPipeline(commit, ref string) *pipeline {
	for _, line := range slices.Backward(p.pipelines) {
		if line.commit == commit && (ref == "" || line.ref == ref) {
			return line
		}
	}
	return nil
}

// postStatus is POST /projects/:id/statuses/:sha. A status that has not ended is
// changed, and only to another state; after one that has ended, a new one begins.
func (p *Project) postStatus(r *request, commit string) answer {
	if r.user.Role < Developer {
		return forbidden
	}
	if !p.has(commit) {
		return notFound("Commit")
	}
	if !slices.Contains([]string{"pending", "running", "success", "failed", "canceled", "skipped"}, r.params["state"]) {
		return answer{http.StatusBadRequest, map[string]any{"error": "state does not have a valid value"}}
	}
	ref := r.params["ref"]
	line := p.newestPipeline(commit, ref)
	if ref == "" {
		if ref = p.branchWith(commit); line != nil {
			ref = line.ref
		}
	}
	if ref == "" {
		return notFound("References for commit")
	}
	if p.protected[ref] && r.user.Role < Maintainer {
		return forbidden
	}
	name := r.params["name"]
	if name == "" {
		name = "default"
	}
	if wrong := invalid(line, r.params, name); wrong != nil {
		return answer{http.StatusBadRequest, map[string]any{"message": wrong}}
	}
	old := unended(line, name, r.user)
	if line == nil || old == nil && p.PipelineSize > 0 && len(line.jobs) >= p.PipelineSize {
		line = p.addPipeline(commit, ref)
	}
	if old != nil {
		return p.change(old, r.params)
	}
	fresh := &job{ID: p.server.next(), SHA: commit, Ref: ref, Name: name, Author: r.user, Status: "created"}
	for _, j := range line.jobs {
		j.retried = j.retried || j.Name == name
	}
	line.jobs = append(line.jobs, fresh)
	return p.change(fresh, r.params)
}

// unended returns the status of a user that is changed; nil: a new one begins.
func unended(line *pipeline, name string, user User) *job {
	if line == nil {
		return nil
	}
	for _, j := range line.jobs {
		if j.Name == name && j.Author.ID == user.ID && !j.build && (j.Status == "pending" || j.Status == "running") {
			return j
		}
	}
	return nil
}

// invalid returns what is wrong with each field; nil: nothing is.
func invalid(line *pipeline, params map[string]string, name string) map[string][]string {
	wrong := map[string][]string{}
	for key, text := range map[string]string{"name": name, "description": params["description"], "target_url": params["target_url"]} {
		if utf8.RuneCountInString(text) > 255 {
			wrong[key] = append(wrong[key], "is too long (maximum is 255 characters)")
		}
	}
	if u, err := url.Parse(params["target_url"]); params["target_url"] != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https") {
		wrong["target_url"] = append(wrong["target_url"], "is blocked: Only allowed schemes are http, https")
	}
	if line != nil && slices.ContainsFunc(line.jobs, func(j *job) bool { return j.build && j.Name == name }) {
		wrong["name"] = append(wrong["name"], "has already been taken")
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}

// events are what a state that is asked for is called, and from which states it
// can be reached.
var events = map[string]struct {
	name string
	from []string
}{
	"pending":  {"enqueue", []string{"created"}},
	"running":  {"run", []string{"created", "pending"}},
	"success":  {"success", []string{"created", "pending", "running"}},
	"failed":   {"drop", []string{"created", "pending", "running"}},
	"canceled": {"cancel", []string{"created", "pending", "running"}},
	"skipped":  {"skip", []string{"created", "pending"}},
}

// change brings a status to another state, with what goes along with it. A
// refused change changes nothing.
func (p *Project) change(j *job, params map[string]string) answer {
	event := events[params["state"]]
	if !slices.Contains(event.from, j.Status) {
		return fault(http.StatusBadRequest, fmt.Sprintf("Cannot transition status via :%s from :%s (Reason(s): Status cannot transition via %q)", event.name, j.Status, event.name))
	}
	j.Status = params["state"]
	for key, field := range map[string]**string{"description": &j.Description, "target_url": &j.URL} {
		if text, ok := params[key]; ok {
			*field = &text
		}
	}
	p.told = append(p.told, Status{Commit: j.SHA, Name: j.Name, State: j.Status, Description: params["description"]})
	return answer{http.StatusCreated, j}
}
