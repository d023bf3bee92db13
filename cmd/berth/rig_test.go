package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/git"
)

// patience is how long a script waits for something that takes milliseconds.
const patience = time.Minute

// A rig is a Berth that a script asks: it serves on a port of its own, with
// engines in memory, in the process of the test.
type rig struct {
	engines map[string]*memory.Engine // by the name of their backend

	listen   string    // where it serves, also after a restart
	instance *instance // while it serves
	stop     func()    // ends it, and waits
}

type rigKey struct{}

func rigOf(ts *testscript.TestScript) *rig { return ts.Value(rigKey{}).(*rig) }

// newRig returns engines with images that do what their tag says. Any other
// image runs well.
func newRig() *rig {
	r := &rig{engines: map[string]*memory.Engine{
		"lab": memory.NewEngine(memory.Options{Capacity: backends.Capacity{
			Engine: "memory", OneHost: true, Labels: map[string]string{"room": "b12"},
			GPUs: []backends.GPU{{ID: "0", Vendor: schema.NVIDIA, Version: "12.4", Memory: 24e9}},
		}}),
		"annex": memory.NewEngine(memory.Options{Capacity: backends.Capacity{Engine: "memory", OneHost: true, CPU: 2000, Memory: 4e9}}),
	}}
	for _, e := range r.engines {
		e.SetImage("example.org/app:crash", memory.Image{Exits: true, ExitCode: 3})
		e.SetImage("example.org/app:talks", memory.Image{Output: "listening on :80\n", UsedCPU: 250, UsedMemory: 512e6})
		e.SetImage("example.org/app:sick", memory.Image{HealthCheck: true, Unhealthy: true, Output: "reading /data\ncannot open /data/db: permission denied\n"})
		e.SetImage("example.org/app:slow", memory.Image{HealthCheck: true, Starting: true})
		e.SetImage("example.org/app:missing", memory.Image{Pull: func(context.Context) error {
			return &schema.Error{Op: "pull", Resource: "example.org/app:missing", Kind: schema.Terminal, Err: errors.New("there is no such image")}
		}})
	}
	return r
}

// open is the rig's backendOpener.
func (r *rig) open(_ context.Context, cfg *schema.Config, _ *slog.Logger, dryRun bool) ([]engine.Backend, error) {
	var out []engine.Backend
	for priority, name := range []string{"annex", "lab"} { // the lab is preferred
		var b backends.Backend = r.engines[name].Open(cfg.Instance, name)
		if dryRun {
			b = backends.ReadOnly(b)
		}
		out = append(out, engine.Backend{Backend: b, Config: schema.BackendConfig{Name: name, Type: schema.BackendDocker, Priority: priority}})
	}
	return out, nil
}

// rigCommands are the commands of scripts that need a server.
var rigCommands = map[string]func(*testscript.TestScript, bool, []string){
	"commit":   commitFolder,
	"serve":    serveFolder,
	"stop":     func(ts *testscript.TestScript, _ bool, _ []string) { rigOf(ts).stop() },
	"waitfor":  waitFor,
	"waittext": waitText,
	"image":    setImage,
	"engine":   actOnEngine,
	"mask":     maskOutput,
	"plan":     planFolder,
}

// commitFolder commits everything in a folder, which it first makes a
// repository: commit FOLDER MESSAGE. The same script gives the same hashes.
func commitFolder(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: commit FOLDER MESSAGE")
	}
	dir := ts.MkAbs(args[0])
	if _, err := os.Stat(filepath.Join(dir, ".git")); err != nil {
		ts.Check(ts.Exec("git", "-C", dir, "init", "-q", "-b", "main"))
	}
	ts.Check(ts.Exec("git", "-C", dir, "add", "-A"))
	ts.Check(ts.Exec("git", "-C", dir, "commit", "-q", "--allow-empty", "-m", args[1]))
}

// serveFolder serves a desired state until the script ends or stops it: serve
// FOLDER [early]. Commands of the script then ask this server; those after an
// early one, before it knows anything.
func serveFolder(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 || len(args) > 2 || len(args) == 2 && args[1] != "early" {
		ts.Fatalf("usage: serve FOLDER [early]")
	}
	r := rigOf(ts)
	if r.listen == "" {
		r.listen = holdPort(ts)
	}
	cfg := &schema.Config{Instance: "lab", Listen: r.listen, DataDir: ts.MkAbs("data")}
	cfg.Desired.URL = ts.MkAbs(args[0])
	ts.Check(complete(cfg))
	log := &lockedLog{}
	ctx, cancel := context.WithCancel(context.Background())
	i, err := newInstance(ctx, cfg, r.open, newLogger(log, cfg.Log), alone, false)
	if err != nil {
		cancel()
		ts.Fatalf("serve: %v", err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		defer i.close()
		if err := i.run(ctx); err != nil {
			fmt.Fprintln(log, err)
		}
	})
	r.instance = i
	r.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	ts.Defer(r.stop)
	ts.Defer(func() { ts.Logf("[log of the server]\n%s", log.text()) })
	ts.Setenv("BERTH_SERVER", "http://"+i.server.Addr())
	if len(args) == 2 {
		return
	}
	until(ts, func() (string, bool) {
		ok, why := i.engine.Ready()
		return why, ok
	})
}

// holdPort returns an address whose port is held for servers until the script ends, so
// that nobody else has it when one begins anew: a socket that listens to nobody does.
func holdPort(ts *testscript.TestScript) string {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	ts.Check(err)
	ts.Defer(func() { _ = syscall.Close(socket) })
	syscall.CloseOnExec(socket)
	ts.Check(syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)) // as a server sets it
	ts.Check(syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	at, err := syscall.Getsockname(socket)
	ts.Check(err)
	return fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port)
}

// planFolder does what "berth plan" does with the engines of the rig, and writes
// what it prints into the files "planned" and "planned.err": plan CODE FOLDER
// [FLAG...], where CODE is the exit code that is expected.
func planFolder(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: plan CODE FOLDER [FLAG...]")
	}
	var o planOptions
	cmd := &cobra.Command{}
	o.addFlags(cmd)
	ts.Check(cmd.ParseFlags(args[2:]))
	if o.dir != "" {
		o.dir = ts.MkAbs(o.dir)
	}
	cfg := &schema.Config{Instance: "lab", DataDir: ts.MkAbs("plan-data")}
	cfg.Desired.URL = ts.MkAbs(args[1])
	ts.Check(complete(cfg))
	mirrors, err := git.OpenDir(cfg.DataDir)
	ts.Check(err)
	defer mirrors.Close()
	log := slog.New(slog.DiscardHandler)
	l := &look{cfg: cfg, hub: newHub(cfg, lookOpener(mirrors, nil, log), log, nil, nil, nil), open: rigOf(ts).open}
	defer l.hub.Close()
	ts.Check(l.hub.Once(context.Background()))
	var out, told strings.Builder
	c := console{out: &out, err: &told}
	code := 0
	if err := o.run(context.Background(), c, l); err != nil {
		code = exitFailed
		var is exitError
		if errors.As(err, &is) {
			code = int(is)
		} else {
			tellError(&told, err)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs("planned"), []byte(out.String()), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("planned.err"), []byte(told.String()), 0o600))
	if want := args[0]; fmt.Sprint(code) != want {
		ts.Fatalf("exit code %d, want %s\n%s%s", code, want, &out, &told)
	}
}

// waitFor waits until a deployment is in a state, and perhaps at a release:
// waitfor DEPLOYMENT STATE|gone [RELEASE].
func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: waitfor DEPLOYMENT STATE|gone [RELEASE]")
	}
	r := rigOf(ts)
	until(ts, func() (string, bool) {
		if s, ok := r.instance.engine.View().Status(args[0]); ok {
			seen := fmt.Sprintf("%s is %s %s: %s", args[0], s.State, s.Release, s.Reason)
			return seen, string(s.State) == args[1] && (len(args) == 2 || s.Release == args[2])
		}
		return args[0] + " is not there", args[1] == "gone"
	})
}

// waitText waits until a file, into which a command in the background writes,
// holds a text: waittext FILE TEXT.
func waitText(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: waittext FILE TEXT")
	}
	until(ts, func() (string, bool) {
		text, _ := os.ReadFile(ts.MkAbs(args[0])) // which is not there yet
		return fmt.Sprintf("%s holds %q", args[0], text), strings.Contains(string(text), args[1])
	})
}

// until waits for a condition.
func until(ts *testscript.TestScript, met func() (seen string, ok bool)) {
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		seen, ok := met()
		if ok {
			return
		}
		if time.Since(begun) > patience {
			ts.Fatalf("it did not happen within %s: %s", patience, seen)
		}
	}
}

// setImage makes an image run well from now on: image NAME IMAGE works.
func setImage(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 || args[2] != "works" {
		ts.Fatalf("usage: image NAME IMAGE works")
	}
	rigOf(ts).engines[args[0]].SetImage(args[1], memory.Image{HealthCheck: true})
}

// actOnEngine does something behind Berth's back: engine NAME cut|restore, or
// engine NAME kill|stop|delete|pause|crash|write|write-error DEPLOYMENT [TEXT], to
// its first pod, which writes the text.
func actOnEngine(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: engine NAME cut|restore, or engine NAME kill|stop|delete|pause|crash|write|write-error DEPLOYMENT [TEXT]")
	}
	e := rigOf(ts).engines[args[0]]
	switch args[1] {
	case "cut":
		e.Cut()
		rigOf(ts).awaitBackend(ts, args[0], false)
		return
	case "restore":
		e.Restore()
		rigOf(ts).awaitBackend(ts, args[0], true)
		return
	}
	acts := map[string]func(id string) bool{
		"kill": e.Kill, "stop": e.Stop, "delete": e.Delete, "pause": e.Pause,
		"crash":       func(id string) bool { return e.Crash(id, 1) },
		"write":       func(id string) bool { return e.Write(id, strings.Join(args[3:], " ")) },
		"write-error": func(id string) bool { return e.WriteError(id, strings.Join(args[3:], " ")) },
	}
	for _, c := range e.Containers() {
		if c.Deployment == args[2] {
			if !acts[args[1]](c.ID) {
				ts.Fatalf("%s of %s: it cannot be done to a pod that is %s", args[1], c.Name, c.State)
			}
			return
		}
	}
	ts.Fatalf("%s has no pod on %s", args[2], args[0])
}

// awaitBackend waits until the server knows whether a backend answers.
func (r *rig) awaitBackend(ts *testscript.TestScript, name string, answers bool) {
	until(ts, func() (string, bool) {
		for _, b := range r.instance.engine.View().Backends {
			if b.Name == name {
				return fmt.Sprintf("%s: problem %q", name, b.Problem), (b.Problem == "") == answers
			}
		}
		return name + " is not there", false
	})
}

// What differs from run to run, and stands last on its line or in words.
var (
	maskedTime = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?`)
	maskedAge  = regexp.MustCompile(`\b(\d+(\.\d+)?(ms|[smhd]))+\b`)
	maskedPort = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// maskOutput writes what the last command printed into the file "masked", with
// times as TIME, ages as AGE and addresses as ADDRESS: mask [stderr]. Compare it
// with "cmp masked FILE".
func maskOutput(ts *testscript.TestScript, _ bool, args []string) {
	from := "stdout"
	if len(args) > 0 {
		from = args[0]
	}
	text := maskedTime.ReplaceAllString(ts.ReadFile(from), "TIME")
	text = maskedAge.ReplaceAllString(text, "AGE")
	text = maskedPort.ReplaceAllString(text, "ADDRESS")
	text = strings.ReplaceAll(text, ts.Getenv("WORK"), "WORK")
	ts.Check(os.WriteFile(ts.MkAbs("masked"), []byte(text), 0o600))
}

// lockedLog keeps what a server logs.
type lockedLog struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lockedLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return cmp.Or(l.all.String(), "(nothing)")
}
