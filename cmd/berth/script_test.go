package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the expected output")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"berth": func() {
		completeTime = patience
		os.Exit(mainExit())
	}})
}

// TestScripts runs every txtar script: a command line, what it prints, its exit
// code. "go test ./cmd/berth -update" rewrites the expected output.
func TestScripts(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Cmds:          rigCommands,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("EXAMPLES", examples)
			env.Setenv("DOCKER_HOST", "unix:///nowhere.sock") // no command here may find an engine by chance
			env.Setenv("GIT_CONFIG_NOSYSTEM", "1")
			for _, who := range []string{"AUTHOR", "COMMITTER"} {
				env.Setenv("GIT_"+who+"_NAME", "Ada")
				env.Setenv("GIT_"+who+"_EMAIL", "ada@example.org")
				env.Setenv("GIT_"+who+"_DATE", "2026-11-21T12:00:00Z")
			}
			env.Setenv("BERTH_SERVER", "http://127.0.0.1:1") // nobody is there, until a script serves
			env.Values[rigKey{}] = newRig()
			return nil
		},
	})
}
