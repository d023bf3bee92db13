package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// deployments are files that declare d0, d1, ...
func deployments(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		name := fmt.Sprintf("d%d", i)
		files[name+".yaml"] = deployment(name, "*")
	}
	return files
}

// TestDesiredStateGoesBack takes the deployments out of the desired state in the
// ways that no one means: the pods stay, and the log says why. It does so while
// Berth serves and while it does not.
func TestDesiredStateGoesBack(t *testing.T) {
	for name, lose := range map[string]struct {
		do     func(w *world, before, tip string)
		undo   func(w *world, tip string)
		reason string
	}{
		"rewound": {
			func(w *world, before, _ string) { w.git(w.desired, "reset", "-q", "--hard", before) },
			func(w *world, tip string) { w.git(w.desired, "reset", "-q", "--hard", tip) },
			`went back from`,
		},
		"branch deleted": {
			func(w *world, _, _ string) {
				w.git(w.desired, "checkout", "-q", "--detach")
				w.git(w.desired, "branch", "-q", "-D", "main")
			},
			func(w *world, tip string) { w.git(w.desired, "checkout", "-q", "-b", "main", tip) },
			`desired-state: source cannot be read`,
		},
		"branch recreated": {
			func(w *world, before, _ string) {
				w.git(w.desired, "checkout", "-q", "--detach", before)
				w.git(w.desired, "branch", "-q", "-D", "main")
				w.git(w.desired, "checkout", "-q", "-b", "main")
			},
			func(w *world, tip string) { w.git(w.desired, "reset", "-q", "--hard", tip) },
			`went back from`,
		},
		"emptied": {
			func(w *world, _, _ string) {
				if err := os.Rename(filepath.Join(w.desired, ".git"), filepath.Join(w.dir, "git")); err != nil {
					w.t.Fatal(err)
				}
				w.git("", "init", "-q", "-b", "main", w.desired)
			},
			func(w *world, _ string) {
				if err := os.RemoveAll(filepath.Join(w.desired, ".git")); err != nil {
					w.t.Fatal(err)
				}
				if err := os.Rename(filepath.Join(w.dir, "git"), filepath.Join(w.desired, ".git")); err != nil {
					w.t.Fatal(err)
				}
			},
			`desired-state: source cannot be read`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.args = []string{"--desired-ref", "main", "--desired-interval", "1s"}
			w.serve()
			before := w.git(w.desired, "rev-parse", "HEAD")
			tip := w.commit(w.desired, "Run two", deployments(2))
			w.awaitLog(`commit success: 2 of 2 running`)
			pods := w.identity()

			w.news()
			lose.do(w, before, tip)
			w.awaitLog(lose.reason)
			w.unchanged(pods)
			w.restart()
			w.awaitLog(lose.reason)
			w.awaitLog(`docker: backend answers`)
			w.unchanged(pods)

			w.news()
			lose.undo(w, tip)
			w.commit(w.desired, "Stop one", map[string]string{"d0.yaml": ""})
			w.await("one is gone, as git says", func() bool { return len(w.of("d0")) == 0 })
			if _, ok := w.running("d1"); !ok {
				t.Error("d1 does not run on")
			}
		})
	}
}
