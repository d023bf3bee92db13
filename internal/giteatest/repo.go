package giteatest

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// A Repo is a repository of the forge as one user has it.
type Repo struct {
	Owner, Name string

	user *User // who acts on it
}

func (r *Repo) path() string { return r.Owner + "/" + r.Name }
func (r *Repo) api() string  { return "repos/" + r.path() }

// URL is what the repository is cloned from.
func (r *Repo) URL() string { return r.user.forge.URL + "/" + r.path() + ".git" }

// PushURL is the URL with the user's name and password.
func (r *Repo) PushURL() string {
	u, err := url.Parse(r.URL())
	if err != nil {
		r.user.forge.t.Fatal(err)
	}
	u.User = url.UserPassword(r.user.Name, r.user.Password)
	return u.String()
}

// As is the repository as another user has it.
func (r *Repo) As(u *User) *Repo { return &Repo{Owner: r.Owner, Name: r.Name, user: u} }

// Admit lets another user act on the repository; right is "read", "write" or "admin".
func (r *Repo) Admit(u *User, right string) {
	r.user.forge.t.Helper()
	r.user.Do(http.MethodPut, r.api()+"/collaborators/"+u.Name, map[string]any{"permission": right}, nil)
}

// Fork makes a copy that the user owns.
func (r *Repo) Fork() *Repo {
	r.user.forge.t.Helper()
	r.user.Do(http.MethodPost, r.api()+"/forks", map[string]any{}, nil)
	return &Repo{Owner: r.user.Name, Name: r.Name, user: r.user}
}

// AddWebhook has the forge post events such as "push" and "pull_request" to a URL,
// each signed with the secret.
func (r *Repo) AddWebhook(to, secret string, events ...string) {
	r.user.forge.t.Helper()
	r.user.Do(http.MethodPost, r.api()+"/hooks", map[string]any{
		"type": "gitea", "active": true, "events": events,
		"config": map[string]string{"url": to, "content_type": "json", "secret": secret},
	}, nil)
}

// A Status is what somebody said of a commit. The newest of its context is what
// the forge shows.
type Status struct {
	ID          int64     `json:"id"`
	Context     string    `json:"context"`
	State       string    `json:"status"` // pending, success, error or failure
	Description string    `json:"description"`
	TargetURL   string    `json:"target_url"`
	Created     time.Time `json:"created_at"` // in whole seconds
}

// Statuses returns all that was ever said of a commit, in the order in which the
// forge heard it.
func (r *Repo) Statuses(commit string) []Status {
	r.user.forge.t.Helper()
	all := list[Status](r.user, r.api()+"/commits/"+commit+"/statuses")
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
