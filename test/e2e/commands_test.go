package e2e

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
)

// command runs a command and checks its exit code and what it prints.
func (w *world) command(code int, patterns []string, args ...string) {
	w.t.Helper()
	out, got := w.berth("", args...)
	if got != code {
		w.t.Errorf("berth %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, out)
	}
	for _, pattern := range patterns {
		if !regexp.MustCompile("(?m)" + pattern).MatchString(out) {
			w.t.Errorf("berth %s does not say %s:\n%s", strings.Join(args, " "), pattern, out)
		}
	}
}

// owned names what the instance has on the engine, by kind.
func (w *world) owned() (all []string) {
	w.t.Helper()
	ctx, own := context.Background(), filters.NewArgs(filters.Arg("label", "berth.dev/instance="+w.instance))
	for _, p := range w.containers() {
		all = append(all, "container "+p.name)
	}
	networks, err := w.docker.NetworkList(ctx, network.ListOptions{Filters: own})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, n := range networks {
		all = append(all, "network "+n.Name)
	}
	volumes, err := w.docker.VolumeList(ctx, volume.ListOptions{Filters: own})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, v := range volumes.Volumes {
		all = append(all, "volume "+v.Name)
	}
	return all
}

// TestCommandsThatLook has plan, explain and a dry run look at a world that
// changes: they tell what would happen, and make nothing.
func TestCommandsThatLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan := func(code int, patterns ...string) {
		t.Helper()
		w.command(code, patterns, "plan", w.desired, "--instance", w.instance)
	}
	w.commit(w.desired, "Run hello", map[string]string{"hello.yaml": deployment("hello", "^0.1")})
	plan(3, `^hello +\+ create +0\.1\.0 +cpu +docker`, `^plan: 1 to create, 0 to replace, 0 to remove, 0 kept`)
	w.args = []string{"--dry-run"}
	w.serve()
	w.awaitLog(`dry run: nothing is changed`)
	w.awaitLog(`hello: .*create`)
	w.awaitLog(`commit failure|hello: failed|would`)
	w.stop()
	if made := w.owned(); len(made) > 0 {
		t.Fatalf("plan or a dry run made %v", made)
	}

	w.args = nil
	w.serve()
	w.awaitLog(`commit success: 1 of 1 running`)
	plan(0, `^plan: 0 to create, 0 to replace, 0 to remove, 1 kept`)
	w.command(0, []string{`"action": "keep"`, `"changes": 0`}, "plan", w.desired, "--instance", w.instance, "-o", "json")
	w.command(0, []string{`^hello: keep`, `^app: +org\.example\.hello, version \^0\.1`, `^cpu +docker +chosen`},
		"explain", "hello", w.desired, "--instance", w.instance)
	w.stop()

	w.commit(w.apps, "Publish 0.1.1", map[string]string{"hello/manifest.yaml": w.manifest("0.1.1")})
	plan(3, `^hello +~ replace +0\.1\.0 -> 0\.1\.1`)
	w.commit(w.desired, "Break hello", map[string]string{"hello.yaml": deployment("hello", "^0.1", "replica: 2")})
	plan(1, `^hello\.yaml:\d+:1: unknown key "replica"`, `^hello +! hold`)
	w.commit(w.desired, "Stop hello", map[string]string{"hello.yaml": ""})
	plan(3, `^hello +- remove`)
	if _, ok := w.running("hello"); !ok {
		t.Error("plan did not leave hello alone")
	}
}

// TestUninstallAsks removes an instance after asking, and nothing of another.
func TestUninstallAsks(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	for _, w := range []*world{w, other} {
		w.commit(w.desired, "Run hello", map[string]string{"hello.yaml": deployment("hello", "*", "volumes: [data:/data]")})
		w.serve()
		w.awaitLog(`commit success: 1 of 1 running`)
		w.stop()
	}
	all, others := w.owned(), other.identity()
	if len(all) != 3 {
		t.Errorf("the instance has %v, want a container, a network and a volume", all)
	}
	for _, answer := range []string{"n\n", "\n", ""} {
		out, code := w.berth(answer, "uninstall", "--instance", w.instance)
		if code != 1 || !strings.Contains(out, "[y/N]") || !strings.Contains(out, "nothing was removed") {
			t.Errorf("uninstall answered with %q: exit code %d\n%s", answer, code, out)
		}
		if now := w.owned(); len(now) != len(all) {
			t.Fatalf("of %v, %v is left after the answer %q", all, now, answer)
		}
	}
	if out, code := w.berth("y\n", "uninstall", "--instance", w.instance); code != 0 {
		t.Errorf("uninstall: exit code %d\n%s", code, out)
	}
	if left := w.owned(); len(left) != 1 || !strings.HasPrefix(left[0], "volume ") {
		t.Errorf("%v is left, want the volume", left)
	}
	if out, code := w.berth("y\n", "uninstall", "--instance", w.instance, "--volumes"); code != 0 {
		t.Errorf("uninstall --volumes: exit code %d\n%s", code, out)
	}
	if left := w.owned(); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
	w.command(0, []string{"has nothing to remove"}, "uninstall", "--instance", w.instance)
	other.unchanged(others)
}

// TestEndpoints asks the HTTP side of a Berth that serves.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config = w.write("berth.yaml", "desired: {url: "+w.desired+"}\nwebhooks: {secretFile: "+w.write("secret", webhookSecret)+"}\n")
	w.commit(w.desired, "Run hello", map[string]string{"hello.yaml": deployment("hello", "*")})
	w.serve()
	w.awaitLog(`commit success`)
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ok\n"} {
		if status, body, err := w.get(path); err != nil || status != 200 || body != want {
			t.Errorf("%s: %d %q, error %v", path, status, body, err)
		}
	}
	w.deliverSigned("https://git.example.invalid/nobody-follows-this.git")
	w.deliver("", []byte("{}"))
	_, metrics, err := w.get("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`berth_deployments{state="ready"} 1`,
		`berth_source_last_success_timestamp_seconds{source="apps"}`,
		`berth_source_files_parsed_total{kind=`,
		`berth_source_fetch_seconds_count{result=`,
		`berth_webhook_requests_total{provider="generic",result="accepted"} 1`,
		`berth_webhook_requests_total{provider="generic",result="unsigned"} 1`,
		`berth_steps_total{backend="docker",verb="create"} 1`,
		`berth_work_seconds_count{backend="docker",work="apply"}`,
	} {
		if !strings.Contains(metrics, "\n"+line) {
			t.Errorf("/metrics does not say %s", line)
		}
	}
}

// TestDemoOnce runs the demo's story: every step happens and nothing is left.
func TestDemoOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out, code := w.berth("", "demo", "--once")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	shown := readmeCommands(t, "## Two commands", "## A tour")
	if len(shown) != 1 || shown[0].command != "make demo" {
		t.Fatalf("the README shows %v, want make demo alone", shown)
	}
	_, told, _ := strings.Cut(shown[0].output, "\n") // the line before is the setup's
	if unvaried(out) != unvaried(told) {
		t.Errorf("the demo prints\n%s\nthe README shows\n%s", unvaried(out), unvaried(told))
	}
	w.noDemo(out)
}

// TestDemoKeep leaves the demo running until it is interrupted.
func TestDemoKeep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start("demo", "--once", "--keep")
	w.awaitLog(`still running at http://\S+\.`)
	w.awaitLog(`Ctrl-C ends it`)
	w.askAsShown(regexp.MustCompile(`still running at http://([^ ]+)\. Ask`).FindStringSubmatch(w.log.String())[1])
	if code := w.end(syscall.SIGINT); code != 0 {
		t.Errorf("exit code %d", code)
	}
	w.noDemo(w.log.String())
}

// askAsShown runs the commands of the README that ask the demo's server, and
// compares what they print with what the README shows, but for what differs from
// run to run.
func (w *world) askAsShown(server string) {
	w.t.Helper()
	shown := readmeCommands(w.t, "**6. Ask it.**", "## Documents")
	if len(shown) != 3 {
		w.t.Fatalf("the README asks the demo %d times, want 3", len(shown))
	}
	for _, s := range shown {
		printed, code := w.berth("", append(strings.Fields(s.command)[1:], "--server", server)...)
		if code != 0 || unvaried(printed) != unvaried(s.output) {
			w.t.Errorf("$ %s\nprints (exit code %d)\n%s\nthe README shows\n%s", s.command, code, unvaried(printed), unvaried(s.output))
		}
	}
}

var varies = regexp.MustCompile(`\b([0-9a-f]{6,8}|\d+(\.\d+)? ?(ms|s|m)|\d+ times|127\.0\.0\.1:\d+)\b|/\S*/berth-demo-\d+|(Engine|API) [^\s,]+`)

// unvaried is a text without hashes, ages, counts, ports, the temporary folder, the
// engine's versions and the width of columns.
func unvaried(text string) string {
	return regexp.MustCompile(` +`).ReplaceAllString(varies.ReplaceAllString(text, "…"), " ")
}

// noDemo checks that nothing is left of the demo that printed out.
func (w *world) noDemo(out string) {
	w.t.Helper()
	ctx := context.Background()
	name := regexp.MustCompile(`berth\.invalid/(demo-[0-9a-f]+):`).FindStringSubmatch(out)
	if name == nil {
		w.t.Fatalf("the demo does not name its image:\n%s", out)
	}
	demo := *w
	demo.instance = name[1]
	if left := demo.owned(); len(left) > 0 {
		w.t.Errorf("the demo left %v", left)
	}
	tags, err := w.docker.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", "berth.invalid/"+name[1]))})
	if err != nil || len(tags) > 0 {
		w.t.Errorf("the demo left images %v, error %v", tags, err)
	}
	dir := regexp.MustCompile(`\S*/berth-demo-\d+`).FindString(out)
	if _, err := os.Stat(dir); dir == "" || !os.IsNotExist(err) {
		w.t.Errorf("the demo left its folder %q: %v", dir, err)
	}
}

// TestTour runs the commands of the README's tour that need nothing but the
// examples, and compares what they print with what the README shows.
func TestTour(t *testing.T) {
	t.Parallel()
	ran := 0
	for _, shown := range readmeCommands(t, "## A tour", "## Documents") {
		if !strings.Contains(shown.command, "berth validate") && !strings.Contains(shown.command, "berth search") {
			continue
		}
		ran++
		run := exec.Command("bash", "-c", strings.ReplaceAll(shown.command, "bin/berth", berthExecutable(t)))
		run.Dir = "../.."
		printed, _ := run.CombinedOutput() // the exit code is not shown
		if string(printed) != shown.output {
			t.Errorf("$ %s\nprints\n%sthe README shows\n%s", shown.command, printed, shown.output)
		}
	}
	if ran != 3 {
		t.Errorf("%d commands of the README were run, want 3", ran)
	}
}

// readmeCommands lists the commands of a part of the README.
func readmeCommands(t testing.TB, from, to string) []shownCommand {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, begins := strings.Cut(string(readme), from)
	part, _, ends := strings.Cut(part, to)
	if !begins || !ends {
		t.Fatalf("the README has no part from %q to %q", from, to)
	}
	return shownCommands(part)
}

// shownCommand is a command of a document, with the output below it.
type shownCommand struct{ command, output string }

// shownCommands lists the lines that begin with "$ " in a document's code blocks.
func shownCommands(document string) []shownCommand {
	var all []shownCommand
	shows := false
	for line := range strings.Lines(document) {
		command, ok := strings.CutPrefix(line, "$ ")
		switch {
		case ok:
			all = append(all, shownCommand{command: strings.TrimSpace(command)})
			shows = true
		case strings.HasPrefix(line, "```"):
			shows = false
		case shows:
			all[len(all)-1].output += line
		}
	}
	return all
}
