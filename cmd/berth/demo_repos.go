package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// demoRepo is a git repository on this machine that the demo pushes to.
type demoRepo struct {
	dir  string
	head string // the hash of the newest commit
	repo *git.Repository
}

func newDemoRepo(dir string) (*demoRepo, error) {
	repo, err := git.PlainInitWithOptions(dir, &git.PlainInitOptions{
		InitOptions: git.InitOptions{DefaultBranch: plumbing.NewBranchReferenceName("main")},
	})
	if err != nil {
		return nil, fmt.Errorf("make a git repository in %s: %w", dir, err)
	}
	return &demoRepo{dir: dir, repo: repo}, nil
}

// push commits files, by path; an empty text removes the file.
func (r *demoRepo) push(message string, files map[string]string) error {
	tree, err := r.repo.Worktree()
	if err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(r.dir, name)
		if text == "" {
			if _, err := tree.Remove(name); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
		if _, err := tree.Add(name); err != nil {
			return err
		}
	}
	who := &object.Signature{Name: "Berth demo", Email: "demo@berth.invalid", When: time.Now()}
	hash, err := tree.Commit(message, &git.CommitOptions{Author: who})
	r.head = hash.String()
	return err
}

// demoManifest publishes one release of the demo's app, whose container runs
// with these arguments.
func demoManifest(image, version, args string) string {
	return strings.NewReplacer("IMAGE", image, "VERSION", version, "PORT", demoPort, "ARGS", args).Replace(`identifier: dev.berth.hello
version: VERSION
name: Hello
description: Answers over HTTP which release it is.
scopes: [read]
flavours:
  - name: cuda
    image: IMAGE
    priority: 1
    selectors:
      - {kind: cuda, cudaVersion: "11.2"}
    args: [ARGS]
    ports: [PORT]
  - name: cpu
    image: IMAGE
    priority: 2
    args: [ARGS]
    ports: [PORT]
    healthcheck: {command: [/berth, demo-app, --check], interval: 500ms, timeout: 2s}
`)
}

// demoRepoDocument has the desired state follow the app repository.
func demoRepoDocument(dir string) string {
	return fmt.Sprintf("kind: Repo\nname: demo-apps\nurl: %s\n", dir)
}

const demoDeploymentFile = "hello-john.yaml"

// demoDeployment declares that the demo's app runs.
const demoDeployment = `kind: Deployment
name: hello-john
app: dev.berth.hello
version: ^0.1
user: john
scopes: [read]
`

// demoFailing declares the app for Jane too. Its release of the channel edge
// will turn out not to start.
func demoFailing(version string) string {
	return fmt.Sprintf(`kind: Deployment
name: hello-jane
app: dev.berth.hello
version: %s
user: jane
scopes: [read]
rollout: {timeout: 20s}
`, version)
}
