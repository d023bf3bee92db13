package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/berthdev/berth/internal/githubtest"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/follow"
	"github.com/berthdev/berth/sources/git"
)

// A pull request that moved on a forge without webhooks is told of by the poll of
// git, for which nothing else is asked.
func TestPollsTellOfPullRequests(t *testing.T) {
	forge := githubtest.Start(t)
	forge.Token("hunter2", "ada", true)
	repo := forge.Repo("lab/desired")
	c := newClone(t, repo)
	c.push(map[string]string{"web.yaml": "kind: Deployment\nname: web\napp: org.web\n"})
	pull := c.propose("topic", "main", map[string]string{"db.yaml": "kind: Deployment\nname: db\napp: org.db\n"})

	cfg := &schema.Config{Instance: "lab", DataDir: t.TempDir()}
	cfg.Desired.URL = repo.Git()
	if err := complete(cfg); err != nil {
		t.Fatal(err)
	}
	login := func(git.Location) (git.Credential, error) {
		return git.Credential{Username: "ada", Token: "hunter2"}, nil
	}
	mirrors, err := git.OpenDir(cfg.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer mirrors.Close()
	var told []string
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	hub := newHub(cfg, opener(mirrors, login, log), log, nil, nil, func(source string) { told = append(told, source) })
	defer hub.Close()
	poll := func(step string, want ...string) {
		t.Helper()
		if err := hub.Once(context.Background()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(told, want) {
			t.Errorf("%s: told of %q, want %q", step, told, want)
		}
		told = nil
	}
	push := func(ref, commit string) { c.git("push", "-q", "-f", c.url, commit+":"+ref) }
	poll("in the beginning")
	head := hub.Head()
	poll("nothing moved")
	c.git("checkout", "-q", "-b", "next", "topic")
	next := c.push(map[string]string{"db.yaml": "kind: Deployment\nname: db\napp: org.other\n"})
	push(fmt.Sprintf("refs/pull/%d/merge", pull.Number), next)
	poll("what the forge merged")
	push("refs/heads/other", next)
	poll("a branch that is not followed")
	push("refs/heads/topic", next)
	poll("the pull request", follow.DesiredName)
	if hub.Head() != head {
		t.Error("what is followed changed")
	}
	for _, r := range forge.Requests() {
		t.Errorf("the forge's API was asked for %s", r.Path)
	}
}
