package giteatest

import (
	"fmt"
	"net/http"
	"time"
)

// mergeCheck is how long the forge may take to find out whether a pull request
// can be merged.
const mergeCheck = time.Minute

// A Pull is a pull request.
type Pull struct {
	Number      int    `json:"number"`
	State       string `json:"state"` // open or closed
	Merged      bool   `json:"merged"`
	Mergeable   bool   `json:"mergeable"`        // without conflicts, as far as the forge knows yet
	MergeCommit string `json:"merge_commit_sha"` // once it is merged
	Head        struct {
		Commit string `json:"sha"`
	} `json:"head"`
}

// OpenPull asks for the commits of a branch to be taken into another one. The
// branch of a fork is named OWNER:BRANCH.
func (r *Repo) OpenPull(title, head, base string) Pull {
	r.user.forge.t.Helper()
	var made Pull
	r.user.Do(http.MethodPost, r.api()+"/pulls", map[string]any{"title": title, "head": head, "base": base}, &made)
	return made
}

// Pull returns the pull request as it is now.
func (r *Repo) Pull(number int) Pull {
	r.user.forge.t.Helper()
	var pull Pull
	r.user.Do(http.MethodGet, fmt.Sprintf("%s/pulls/%d", r.api(), number), nil, &pull)
	return pull
}

// Merge takes a pull request's commits into its base with a commit of its own,
// and returns the pull request as it is then.
func (r *Repo) Merge(number int) Pull {
	r.user.forge.t.Helper()
	deadline := time.Now().Add(mergeCheck)
	for pull := r.Pull(number); !pull.Mergeable; pull = r.Pull(number) {
		if time.Now().After(deadline) {
			r.user.forge.t.Fatalf("pull request %d of %s cannot be merged: %+v", number, r.path(), pull)
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.user.Do(http.MethodPost, fmt.Sprintf("%s/pulls/%d/merge", r.api(), number), map[string]any{"Do": "merge"}, nil)
	return r.Pull(number)
}

// A Comment is what somebody said below a pull request.
type Comment struct {
	ID   int64  `json:"id"`
	Body string `json:"body"`
	User struct {
		Name string `json:"login"`
	} `json:"user"`
}

// Comments returns what is said below a pull request, the oldest first.
func (r *Repo) Comments(number int) []Comment {
	r.user.forge.t.Helper()
	var all []Comment
	r.user.Do(http.MethodGet, fmt.Sprintf("%s/issues/%d/comments", r.api(), number), nil, &all)
	return all
}
