package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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
	work := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.org"}, args...)...)
		cmd.Dir = work
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	commit := func(file, text string) string {
		t.Helper()
		if err := os.WriteFile(filepath.Join(work, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		run("add", "-A")
		run("commit", "-q", "-m", "change "+file)
		return run("rev-parse", "HEAD")
	}
	remote := strings.Replace(repo.Git(), "http://", "http://ada:hunter2@", 1)
	run("init", "-q", "-b", "main")
	commit("web.yaml", "kind: Deployment\nname: web\napp: org.web\n")
	run("push", "-q", remote, "main")
	run("checkout", "-q", "-b", "topic")
	commit("db.yaml", "kind: Deployment\nname: db\napp: org.db\n")
	run("push", "-q", remote, "topic")
	pull := repo.Open(githubtest.Pull{Title: "A database", Base: "main", Branch: "topic"})

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
	bare := func(ref, commit string) { run("push", "-q", "-f", remote, commit+":"+ref) }
	poll("in the beginning")
	head := hub.Head()
	poll("nothing moved")
	next := commit("db.yaml", "kind: Deployment\nname: db\napp: org.other\n")
	bare(fmt.Sprintf("refs/pull/%d/merge", pull.Number), next)
	poll("what the forge merged")
	bare("refs/heads/other", next)
	poll("a branch that is not followed")
	bare("refs/heads/topic", next)
	poll("the pull request", follow.DesiredName)
	if hub.Head() != head {
		t.Error("what is followed changed")
	}
	for _, r := range forge.Requests() {
		t.Errorf("the forge's API was asked for %s", r.Path)
	}
}
