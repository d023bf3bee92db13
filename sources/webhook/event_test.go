package webhook_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/sources"
)

// What the forges say of a repository, shortened to what could matter.
const (
	githubRepo = `"repository": {"id": 7, "full_name": "lab/apps", "private": true, "default_branch": "main",
		"url": "https://api.github.example/repos/lab/apps", "html_url": "https://GitHub.example/lab/apps", "clone_url": "https://github.example/lab/apps.git",
		"ssh_url": "git@github.example:lab/apps.git", "git_url": "git://github.example/lab/apps.git", "owner": {"login": "lab"}}`
	giteaRepo = `"repository": {"id": 7, "full_name": "lab/apps", "html_url": "http://git.example:3000/lab/apps",
		"clone_url": "http://git.example:3000/lab/apps.git", "ssh_url": "ssh://git@git.example:2222/lab/apps.git"}`
	gitlabRepo = `"project": {"id": 7, "path_with_namespace": "lab/apps", "web_url": "https://gitlab.example/lab/apps",
		"git_http_url": "https://gitlab.example/lab/apps.git", "git_ssh_url": "git@gitlab.example:lab/apps.git"}`
)

var repoURLs = map[string][]string{
	"github": {"https://github.example/lab/apps.git", "git@github.example:lab/apps.git", "https://GitHub.example/lab/apps"},
	"gitea":  {"http://git.example:3000/lab/apps.git", "ssh://git@git.example:2222/lab/apps.git", "http://git.example:3000/lab/apps"},
	"gitlab": {"https://gitlab.example/lab/apps.git", "git@gitlab.example:lab/apps.git", "https://gitlab.example/lab/apps"},
}

func githubPull(action, more string) string {
	return fmt.Sprintf(`{"action": %q, "number": 12, "pull_request": {"number": 12, "state": "open", %s
		"head": {"ref": "stardist", "sha": "3f2c1a9"}, "base": {"ref": "main", "sha": "8d97b9c"}}, %s}`, action, more, githubRepo)
}

func giteaPull(action, more string) string {
	return fmt.Sprintf(`{"action": %q, "number": 12, "pull_request": {"number": 12, %s
		"head": {"label": "stardist", "ref": "stardist"}, "base": {"label": "main", "ref": "main"}}, %s, "sender": {"login": "ada"}}`, action, more, giteaRepo)
}

func gitlabMerge(action, more string) string {
	return fmt.Sprintf(`{"object_kind": "merge_request", "event_type": "merge_request", %s, "object_attributes":
		{"iid": 12, "id": 99, "action": %q, %s "source_branch": "stardist", "target_branch": "main"}}`, gitlabRepo, action, more)
}

func TestEvents(t *testing.T) {
	const pull, merge = "refs/pull/12/head", "refs/merge-requests/12/head"
	tests := []struct {
		forge, event, name, body string
		refs                     []string // none: nothing to do
	}{
		{"GitHub", "push", "a push", `{"ref": "refs/heads/main", "before": "8d97b9c", "after": "3f2c1a9", "deleted": false, "commits": [{"id": "3f2c1a9"}], ` + githubRepo + `}`, []string{"refs/heads/main"}},
		{"GitHub", "push", "a push of a tag", `{"ref": "refs/tags/v1.2.0", "created": true, "base_ref": "refs/heads/main", ` + githubRepo + `}`, []string{"refs/tags/v1.2.0"}},
		{"GitHub", "push", "the end of a branch", `{"ref": "refs/heads/old", "after": "0000000000000000000000000000000000000000", "deleted": true, "head_commit": null, ` + githubRepo + `}`, []string{"refs/heads/old"}},
		{"GitHub", "create", "a new tag", `{"ref": "v1.2.0", "ref_type": "tag", "master_branch": "main", ` + githubRepo + `}`, []string{"refs/tags/v1.2.0"}},
		{"GitHub", "create", "a new branch", `{"ref": "fix/a", "ref_type": "branch", ` + githubRepo + `}`, []string{"refs/heads/fix/a"}},
		{"GitHub", "create", "a new repository", `{"ref": null, "ref_type": "repository", ` + githubRepo + `}`, nil},
		{"GitHub", "delete", "the end of a tag", `{"ref": "v1.2.0", "ref_type": "tag", "pusher_type": "user", ` + githubRepo + `}`, []string{"refs/tags/v1.2.0"}},
		{"GitHub", "pull_request", "opened", githubPull("opened", `"merged": false,`), []string{pull}},
		{"GitHub", "pull_request", "pushed to", githubPull("synchronize", ``), []string{pull}},
		{"GitHub", "pull_request", "opened again", githubPull("reopened", ``), []string{pull}},
		{"GitHub", "pull_request", "closed", githubPull("closed", `"merged": false,`), []string{pull}},
		{"GitHub", "pull_request", "merged", githubPull("closed", `"merged": true, "merged_by": {"login": "ada"},`), []string{"refs/heads/main", pull}},
		{"GitHub", "pull_request", "with a label", githubPull("labeled", ``), nil},
		{"GitHub", "issues", "an issue", `{"action": "opened", "number": "of another type", ` + githubRepo + `}`, nil},
		{"GitHub", "", "without a name", `{` + githubRepo + `}`, nil},
		{"GitHub", "status", "not even JSON", `{`, nil},

		{"Gitea", "push", "a push", `{"ref": "refs/heads/main", "before": "8d97b9c", "after": "3f2c1a9", "total_commits": 1, ` + giteaRepo + `}`, []string{"refs/heads/main"}},
		{"Gitea", "create", "a new tag", `{"sha": "3f2c1a9", "ref": "v1.2.0", "ref_type": "tag", ` + giteaRepo + `}`, []string{"refs/tags/v1.2.0"}},
		{"Gitea", "create", "a new tag by its full name", `{"ref": "refs/tags/v1.2.0", "ref_type": "tag", ` + giteaRepo + `}`, []string{"refs/tags/v1.2.0"}},
		{"Gitea", "delete", "the end of a branch", `{"ref": "old", "ref_type": "branch", "pusher_type": "user", ` + giteaRepo + `}`, []string{"refs/heads/old"}},
		{"Gitea", "pull_request", "opened", giteaPull("opened", `"merged": false,`), []string{pull}},
		{"Gitea", "pull_request", "pushed to", giteaPull("synchronized", ``), []string{pull}},
		{"Gitea", "pull_request", "merged", giteaPull("closed", `"merged": true,`), []string{"refs/heads/main", pull}},
		{"Gitea", "issue_comment", "a comment", `{"action": "created", ` + giteaRepo + `}`, nil},
		{"Forgejo", "push", "a push", `{"ref": "refs/heads/main", ` + giteaRepo + `}`, []string{"refs/heads/main"}},
		{"Forgejo", "pull_request", "closed", giteaPull("closed", `"merged": false,`), []string{pull}},

		{"GitLab", "Push Hook", "a push", `{"object_kind": "push", "event_name": "push", "ref": "refs/heads/main", "after": "3f2c1a9", ` + gitlabRepo + `}`, []string{"refs/heads/main"}},
		{"GitLab", "Push Hook", "the end of a branch", `{"object_kind": "push", "ref": "refs/heads/old", "checkout_sha": null, ` + gitlabRepo + `}`, []string{"refs/heads/old"}},
		{"GitLab", "Tag Push Hook", "a new tag", `{"object_kind": "tag_push", "ref": "refs/tags/v1.2.0", ` + gitlabRepo + `}`, []string{"refs/tags/v1.2.0"}},
		{"GitLab", "System Hook", "a push to any project", `{"event_name": "push", "ref": "refs/heads/main", ` + gitlabRepo + `}`, []string{"refs/heads/main"}},
		{"GitLab", "System Hook", "a push of several refs", `{"event_name": "repository_update", "refs": ["refs/heads/main", "refs/tags/v1"], ` + gitlabRepo + `}`, []string{"refs/heads/main", "refs/tags/v1"}},
		{"GitLab", "System Hook", "a push of many refs", `{"event_name": "repository_update", "refs": [` + strings.Repeat(`"refs/tags/x",`, 16) + `"refs/tags/y"], ` + gitlabRepo + `}`, []string{""}},
		{"GitLab", "System Hook", "a push of no ref", `{"event_name": "repository_update", "refs": [], ` + gitlabRepo + `}`, nil},
		{"GitLab", "System Hook", "a new user", `{"event_name": "user_create", "ref": 7, "project": []}`, nil},
		{"GitLab", "Merge Request Hook", "opened", gitlabMerge("open", ``), []string{merge}},
		{"GitLab", "Merge Request Hook", "pushed to", gitlabMerge("update", `"oldrev": "8d97b9c",`), []string{merge}},
		{"GitLab", "Merge Request Hook", "another title", gitlabMerge("update", ``), nil},
		{"GitLab", "Merge Request Hook", "opened again", gitlabMerge("reopen", ``), []string{merge}},
		{"GitLab", "Merge Request Hook", "closed", gitlabMerge("close", ``), []string{merge}},
		{"GitLab", "Merge Request Hook", "merged", gitlabMerge("merge", `"state": "merged",`), []string{"refs/heads/main", merge}},
		{"GitLab", "Merge Request Hook", "approved", gitlabMerge("approved", ``), nil},
		{"GitLab", "Pipeline Hook", "a pipeline", `{"object_kind": "pipeline", "object_attributes": {"iid": "x", "ref": "main"}, ` + gitlabRepo + `}`, nil},
	}
	for _, test := range tests {
		t.Run(test.forge+" "+test.event+" "+test.name, func(t *testing.T) {
			f := forges[test.forge]
			r := newRecorder(f.secret)
			answer := r.send(f.request(test.event, test.body))
			var want []sources.Hint
			status, result, body := http.StatusOK, "ignored=1", `"message":"there is nothing to do"`
			for _, ref := range test.refs {
				want = append(want, sources.Hint{URLs: repoURLs[f.name], Ref: ref})
				status, result, body = http.StatusAccepted, "accepted=1", fmt.Sprintf(`{"sources":%d}`, 2*len(test.refs))
			}
			if answer.Code != status || r.counted(t) != result || !strings.Contains(answer.Body.String(), body) {
				t.Errorf("got %d %s, %s", answer.Code, answer.Body, r.counted(t))
			}
			if diff := cmp.Diff(want, r.woken); diff != "" {
				t.Errorf("woken (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPing(t *testing.T) {
	f := forges["GitHub"]
	r := newRecorder(f.secret)
	answer := r.send(f.request("ping", `{"zen": "Speak like a human.", "hook_id": 7, "hook": {"events": ["push"]}, `+githubRepo+`}`))
	if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), "the secret is right") || r.counted(t) != "ping=1" || len(r.woken) > 0 {
		t.Errorf("got %d %s, %s, woken %v", answer.Code, answer.Body, r.counted(t), r.woken)
	}
}

func TestEventsThatAreMalformed(t *testing.T) {
	long := strings.Repeat("x", 5000)
	for _, test := range []struct{ forge, event, body, want string }{
		{"GitHub", "push", `[]`, "not the JSON of a push event"},
		{"GitHub", "push", `{"ref": 7, ` + githubRepo + `}`, "not the JSON of a push event"},
		{"GitHub", "push", `{` + githubRepo + `}`, "ref is missing"},
		{"GitHub", "push", `{"ref": "refs/heads/main"}`, "no clone URL"},
		{"GitHub", "push", `null`, "ref is missing"},
		{"GitHub", "push", strings.Repeat("[", 100_000), "not the JSON"},
		{"GitHub", "push", `{"ref": "` + long + `", ` + githubRepo + `}`, "ref is longer than 1024 bytes"},
		{"GitHub", "push", `{"ref": "a\nb", ` + githubRepo + `}`, "ref holds a control character"},
		{"GitHub", "push", `{"ref": "main", "repository": {"ssh_url": "` + long + `"}}`, "url is longer than 4096 bytes"},
		{"GitHub", "push", `{"ref": "main", "repository": {"ssh_url": "\u0000"}}`, "url holds a control character"},
		{"GitHub", "create", `{"ref_type": "tag", ` + githubRepo + `}`, "ref is missing"},
		{"GitHub", "pull_request", `{"action": "opened", ` + githubRepo + `}`, "number is missing"},
		{"GitHub", "pull_request", `{"action": "opened", "number": -1, ` + githubRepo + `}`, "number is missing"},
		{"GitHub", "pull_request", `{"action": "opened", "number": 1e99, ` + githubRepo + `}`, "not the JSON of a pull_request event"},
		{"GitHub", "pull_request", `{"action": "closed", "number": 1, "pull_request": {"merged": true}, ` + githubRepo + `}`, "pull_request.base.ref is missing"},
		{"GitLab", "Push Hook", `{`, "not the JSON of an event"},
		{"GitLab", "Push Hook", `{"object_kind": "push", "ref": 7}`, "not the JSON of a push event"},
		{"GitLab", "Push Hook", `{"object_kind": "push", ` + gitlabRepo + `}`, "ref is missing"},
		{"GitLab", "Merge Request Hook", `{"object_kind": "merge_request", "object_attributes": {"action": "open"}, ` + gitlabRepo + `}`, "object_attributes.iid is missing"},
		{"GitLab", "Merge Request Hook", `{"object_kind": "merge_request", "object_attributes": {"action": "merge", "iid": 1}, ` + gitlabRepo + `}`, "target_branch is missing"},
	} {
		f := forges[test.forge]
		r := newRecorder(f.secret)
		answer := r.send(f.request(test.event, test.body))
		if answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), test.want) || len(r.woken) > 0 || r.counted(t) != "malformed=1" {
			t.Errorf("%s %.60s: got %d %s", test.event, test.body, answer.Code, answer.Body)
		}
	}
}
