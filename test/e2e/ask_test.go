package e2e

import (
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// ask runs a command against the server and checks its exit code and what it prints.
func (w *world) ask(code int, args []string, patterns ...string) {
	w.t.Helper()
	w.command(code, patterns, append(args, "--server", w.listen)...)
}

// TestAskWhatHappened answers with the commands alone what a newcomer wants to
// know of a Berth where one deployment runs and another one failed: what runs,
// from which commit, why this flavour, what failed and what to do, what the logs
// say, what happened.
func TestAskWhatHappened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit(w.desired, "Run both", map[string]string{"good.yaml": deployment("good", "^0.1"), "bad.yaml": deployment("bad", "^0.1")})
	w.serve()
	w.awaitLog(`commit success: 2 of 2 running`)
	broken := strings.Replace(w.manifest("0.2.0"), "[demo-app]", "[demo-app, --broken]", 1)
	w.commit(w.apps, "Publish 0.2.0", map[string]string{"edge/manifest.yaml": broken})
	bad := w.commit(w.desired, "Try 0.2", map[string]string{"bad.yaml": slow(deployment("bad", "^0.2"))})
	w.awaitLog(`commit failure: .*bad`)
	good := strings.TrimPrefix(w.awaitRunning("good", "0.1.0").name, "/")

	w.ask(0, []string{"get", "deployments"}, `^NAME +STATE +READY`, `^bad +failed +1/1 `, `^good +ready +1/1 .* 0\.1\.0 +cpu +docker`)
	w.ask(0, []string{"get", "pods", "-l", "deployment=good", "-o", "name"}, `^pod/docker/`+good+`$`)
	w.ask(0, []string{"get", "commits"}, `^`+bad[:7]+` +failure .*Try 0\.2`, `Run both`, `Follow the apps`)
	w.ask(0, []string{"describe", "good"}, `^State: +ready for`, `^Commit: +[0-9a-f]{7},? .*`, good, `127\.0\.0\.1:\d+`)
	w.ask(0, []string{"explain", "good"}, `^cpu +docker +chosen`, `^0\.2\.0 +apps +it is not in \^0\.1`)
	w.ask(0, []string{"describe", "bad"}, `^State: +failed for`, `^What to do: .*berth logs bad`, `berth retry bad`, `exit code 1`, `^Last events:`)
	w.ask(0, []string{"logs", "bad", "--failed"}, `^loading the model$`, `no such file`)
	w.ask(0, []string{"logs", "good", "--tail", "1"}, `^good: release 0\.1\.0`)
	w.ask(0, []string{"events", "bad"}, `failed`, `create`)
	w.ask(0, []string{"tree"}, `good`, `bad`, `0\.1\.0`)
	w.ask(0, []string{"top"}, `^`+good+` .*\d(MB|Mi) `)
	w.ask(0, []string{"search", "hello"}, `^org\.example\.hello +0\.2\.0`)
	w.ask(1, []string{"retry", "bad"}, `exit code 1`)

	w.restart()
	w.awaitLog(`commit failure`)
	w.ask(0, []string{"get", "commits"}, `^`+bad[:7]+` +failure .*Try 0\.2`, `Run both`)
	w.ask(0, []string{"describe", "bad"}, `^Rollouts:`, `failed`)

	w.commit(w.apps, "Mend 0.2.0", map[string]string{"edge/manifest.yaml": w.manifest("0.2.1")})
	w.ask(0, []string{"reconcile", "source", "apps"}, `^source apps: at [0-9a-f]{7}`)
	w.awaitLog(`bad: chosen: 0\.2\.1`) // what was read takes effect a moment later
	w.ask(0, []string{"reconcile", "deployment", "bad"}, `^deployment bad: ready`)
	w.ask(0, []string{"get", "deployments", "-l", "state!=ready"}, `^no deployments$`)
}

// TestAskFollows follows a log and the pods while a deployment comes and goes.
func TestAskFollows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit(w.desired, "Run it", map[string]string{"hello.yaml": deployment("hello", "^0.1")})
	w.serve()
	w.awaitLog(`commit success: 1 of 1 running`)
	old := w.awaitRunning("hello", "0.1.0")

	watched := w.follow("get", "pods", "--watch", "-o", "json")
	logged := w.follow("logs", "hello", "-f", "--tail", "0")
	w.await("the pod is listed", func() bool { return strings.Contains(watched.String(), strings.TrimPrefix(old.name, "/")) })
	w.await("its log is followed", func() bool {
		_, _ = answer(old) // which it writes down
		return strings.Contains(logged.String(), "GET / answered")
	})
	next := w.commit(w.apps, "Publish 0.1.1", map[string]string{"hello/manifest.yaml": w.manifest("0.1.1")})
	if next == "" {
		t.Fatal("no commit")
	}
	p := w.awaitRunning("hello", "0.1.1")
	w.await("the new pod is told", func() bool { return strings.Contains(watched.String(), strings.TrimPrefix(p.name, "/")) })
	w.await("the log of the new pod is followed", func() bool { return strings.Contains(logged.String(), "hello: release 0.1.1") })
}

// follow starts a command that goes on until the test ends, when it must end
// with exit code 0, and returns what it prints.
func (w *world) follow(args ...string) *lockedBuffer {
	w.t.Helper()
	out, errs := &lockedBuffer{}, &lockedBuffer{}
	cmd := exec.Command(berthExecutable(w.t), append(args, "--server", w.listen)...)
	cmd.Stdout, cmd.Stderr = out, io.Writer(errs)
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := cmd.Wait(); err != nil {
			w.t.Errorf("berth %s: %v\n%s%s", strings.Join(args, " "), err, out, errs)
		}
	})
	return out
}

// TestAskForPrograms reads the JSON of a command as a program would.
func TestAskForPrograms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.commit(w.desired, "Run it", map[string]string{"hello.yaml": deployment("hello", "^0.1")})
	w.serve()
	w.awaitLog(`commit success: 1 of 1 running`)
	out, code := w.berth("", "get", "pods", "-o", "json", "--server", w.listen)
	var pods []struct {
		Name           string
		DeploymentName string
		Version        string
		State          string
		Ready          bool
		Endpoints      []struct{ Address string }
	}
	if err := json.Unmarshal([]byte(out), &pods); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v:\n%s", code, err, out)
	}
	if len(pods) != 1 || "/"+pods[0].Name != w.awaitRunning("hello", "0.1.0").name || pods[0].State != "running" || !pods[0].Ready || pods[0].Version != "0.1.0" || len(pods[0].Endpoints) != 1 {
		t.Errorf("%+v", pods)
	}
}
