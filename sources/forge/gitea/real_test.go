package gitea_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/berthdev/berth/internal/giteatest"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/forgetest"
)

// page is how long a page is at most here, as the owner of a Gitea can say: pull
// requests take their time to be opened.
const page = 5

// The suite on a real Gitea.
func TestConformanceReal(t *testing.T) {
	f := giteatest.New(t)
	owner, robot, stranger := f.NewUser("lab"), f.NewUser("robot"), f.NewUser("stranger")
	token := robot.Token("statuses", "write:repository", "write:issue", "read:user")
	count := 0
	fresh := func() *world {
		count++
		w := &world{repo: owner.NewRepo(fmt.Sprint("desired-", count)), owner: owner, stranger: stranger, left: map[int]string{}}
		w.repo.Admit(robot, "write")
		w.commit(owner, w.repo, map[string]any{"branch": "main"})
		owner.Do(http.MethodPost, api(w.repo)+"/branches", map[string]any{"new_branch_name": "next", "old_branch_name": "main"}, nil)
		return w
	}
	shared := fresh()
	forgetest.RunAnswered(t, func(t testing.TB) forgetest.Harness {
		w := shared
		if strings.Contains(t.Name(), "/PullRequest") { // which lists all that there are
			w = fresh()
		}
		return forgetest.Harness{
			API:       f.URL + "/api/v1",
			Connect:   connect(w.repo.Owner+"/"+w.repo.Name, "", token, page),
			Secrets:   []string{token},
			Commit:    func(testing.TB) string { return w.commit(owner, w.repo, map[string]any{"branch": "main"}) },
			Open:      w.open,
			MergeBase: func(_ testing.TB, number int) string { return w.left[number] },

			Close:    w.close,
			Comments: w.comments,
			Remark: func(_ testing.TB, number int, text string) {
				stranger.Do(http.MethodPost, fmt.Sprintf("%s/issues/%d/comments", api(w.repo), number), map[string]any{"body": text}, nil)
			},
			Letters: 255,
			Page:    page,
		}
	})
}

// A world is a repository with those who work on it.
type world struct {
	repo, fork      *giteatest.Repo
	owner, stranger *giteatest.User
	files           int
	left            map[int]string // where each pull request left its base
}

func api(r *giteatest.Repo) string { return "repos/" + r.Owner + "/" + r.Name }

// commit adds a file, on a branch that is there or a new one, and returns the
// commit's hash.
func (w *world) commit(by *giteatest.User, to *giteatest.Repo, where map[string]any) string {
	w.files++
	where["content"] = base64.StdEncoding.EncodeToString(fmt.Append(nil, w.files))
	var made struct {
		Commit struct {
			SHA string `json:"sha"`
		} `json:"commit"`
	}
	by.Do(http.MethodPost, fmt.Sprintf("%s/contents/file-%d", api(to), w.files), where, &made)
	return made.Commit.SHA
}

func (w *world) open(_ testing.TB, p forgetest.Proposal) forge.PullRequest {
	by, from, branch, prefix := w.owner, w.repo, fmt.Sprint("proposal-", w.files), ""
	if p.Fork {
		if w.fork == nil {
			w.fork = w.repo.As(w.stranger).Fork()
		}
		by, from, prefix = w.stranger, w.fork, w.stranger.Name+":"
	}
	title := p.Title
	if p.Draft {
		title = "WIP: " + title // is what makes it one
	}
	var base struct {
		Commit struct {
			ID string `json:"id"`
		} `json:"commit"`
	}
	by.Do(http.MethodGet, api(from)+"/branches/"+p.Base, nil, &base)
	head := w.commit(by, from, map[string]any{"branch": p.Base, "new_branch": branch})
	number := w.repo.As(by).OpenPull(title, prefix+branch, p.Base).Number
	w.left[number] = base.Commit.ID
	return forge.PullRequest{Number: number, Base: p.Base, Head: head, Ref: fmt.Sprintf("refs/pull/%d/head", number)}
}

func (w *world) close(_ testing.TB, number int) {
	w.owner.Do(http.MethodPatch, fmt.Sprintf("%s/pulls/%d", api(w.repo), number), map[string]any{"state": "closed"}, nil)
}

func (w *world) comments(_ testing.TB, number int) []string {
	var texts []string
	for _, c := range w.repo.Comments(number) {
		texts = append(texts, c.Body)
	}
	return texts
}
