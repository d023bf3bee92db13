package e2e

import (
	"fmt"
	"strings"

	"github.com/berthdev/berth/internal/giteatest"
	"github.com/berthdev/berth/internal/githubtest"
	"github.com/berthdev/berth/internal/gitlabtest"
	"github.com/berthdev/berth/sources/forge"
)

// withPassword is a URL with a name and a password.
func withPassword(url, name, password string) string {
	return strings.Replace(url, "://", "://"+name+":"+password+"@", 1)
}

func hostOf(url string) string { return strings.TrimPrefix(url, "http://") }

// onGitea is a Gitea, where Berth has a user of its own.
func onGitea(g *giteatest.Forge) func(*world) teamForge {
	return func(w *world) teamForge {
		lab, berth := g.NewUser("lab"), g.NewUser("berth-robot")
		w.t.Setenv("BERTH_TEST_TOKEN", berth.Token("statuses", "write:repository", "write:issue", "read:user"))
		return teamForge{
			name: "gitea", host: g.Host, credential: "username: berth-robot, tokenEnv: BERTH_TEST_TOKEN",
			secrets: []string{"secret-of-berth-robot"},
			repo: func(name string) forgeRepo {
				r := lab.NewRepo(name)
				r.Admit(berth, "write")
				return giteaRepo{r}
			},
		}
	}
}

type giteaRepo struct{ *giteatest.Repo }

func (r giteaRepo) AddWebhook(to string) {
	r.Repo.AddWebhook(to, forgeSecret, "push", "pull_request")
}

func (r giteaRepo) Statuses(commit string) []forge.Status {
	var out []forge.Status
	for _, s := range r.Repo.Statuses(commit) {
		out = append(out, forge.Status{Context: s.Context, State: forge.State(s.State), Description: s.Description, URL: s.TargetURL})
	}
	return out
}

func (r giteaRepo) Open(title, branch string) pull {
	made := r.OpenPull(title, branch, "main")
	return pull{made.Number, made.Head.Commit}
}

func (r giteaRepo) Merge(number int) string { return r.Repo.Merge(number).MergeCommit }

func (r giteaRepo) Comments(number int) []string {
	var out []string
	for _, c := range r.Repo.Comments(number) {
		out = append(out, c.Body)
	}
	return out
}

// onGitHub is a GitHub, where Berth is an App that the lab installed.
func onGitHub(hub *githubtest.Server, app *githubtest.App) func(*world) teamForge {
	return func(w *world) teamForge {
		hub.Token("ada-s3cret", "ada", true)
		app.Install("lab")
		key := w.write("app.pem", string(app.Key))
		return teamForge{
			name: "github", host: hostOf(hub.URL),
			credential: fmt.Sprintf("githubApp: {id: %q, keyFile: %q}", fmt.Sprint(app.ID), key),
			secrets:    []string{"ghs_", "ada-s3cret", strings.Split(string(app.Key), "\n")[1]},
			repo: func(name string) forgeRepo {
				r := githubRepo{Repo: hub.Repo("lab/" + name)}
				r.url = r.Git()
				return r
			},
		}
	}
}

type githubRepo struct {
	*githubtest.Repo
	url string
}

func (r githubRepo) URL() string          { return r.url }
func (r githubRepo) PushURL() string      { return withPassword(r.url, "ada", "ada-s3cret") }
func (r githubRepo) AddWebhook(to string) { r.Repo.AddWebhook(to, forgeSecret) }

func (r githubRepo) Statuses(commit string) []forge.Status {
	var out []forge.Status
	for _, s := range r.Repo.Statuses(commit) {
		out = append(out, forge.Status{Context: s.Context, State: forge.State(s.State), Description: s.Description, URL: s.TargetURL})
	}
	return out
}

func (r githubRepo) Open(title, branch string) pull {
	made := r.Repo.Open(githubtest.Pull{Title: title, Base: "main", Branch: branch})
	return pull{made.Number, made.Head}
}

func (r githubRepo) Comments(number int) []string {
	var out []string
	for _, c := range r.Repo.Comments(number) {
		out = append(out, c.Body)
	}
	return out
}

// onGitLab is a GitLab below a path of its host, where Berth has a maintainer's token.
func onGitLab(lab *gitlabtest.Server) func(*world) teamForge {
	return func(w *world) teamForge {
		ada := lab.AddUser(gitlabtest.User{Username: "ada", Role: gitlabtest.Maintainer})
		w.t.Setenv("BERTH_TEST_TOKEN", lab.Berth.Token)
		host, _, _ := strings.Cut(hostOf(lab.URL), "/")
		return teamForge{
			name: "gitlab", host: host, credential: "username: berth, tokenEnv: BERTH_TEST_TOKEN",
			secrets: []string{lab.Berth.Token, ada.Token},
			repo: func(name string) forgeRepo {
				p := lab.Project("lab/imaging/" + name)
				return gitlabRepo{p, p.Git(), ada}
			},
		}
	}
}

type gitlabRepo struct {
	*gitlabtest.Project
	url  string
	user gitlabtest.User
}

func (r gitlabRepo) URL() string          { return r.url }
func (r gitlabRepo) PushURL() string      { return withPassword(r.url, r.user.Username, r.user.Token) }
func (r gitlabRepo) AddWebhook(to string) { r.Project.AddWebhook(to, forgeSecret) }

// gitlabStates are GitLab's words for ours; canceled is none, but what Berth does
// before it begins anew.
var gitlabStates = map[string]forge.State{
	"pending": forge.Pending, "running": forge.Pending, "success": forge.Success, "failed": forge.Failure,
}

func (r gitlabRepo) Statuses(commit string) []forge.Status {
	var out []forge.Status
	for _, s := range r.Told(commit) {
		if state, ok := gitlabStates[s.State]; ok {
			out = append(out, forge.Status{Context: s.Name, State: state, Description: s.Description})
		}
	}
	return out
}

func (r gitlabRepo) Open(title, branch string) pull {
	number, head := r.Propose(title, branch, "main")
	return pull{number, head}
}

func (r gitlabRepo) Comments(number int) []string { return r.Notes(number) }
