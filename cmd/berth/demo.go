package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
)

// stepTime is how long one step of the demo may take on a slow machine.
const stepTime = 90 * time.Second

type demoOptions struct {
	once    bool
	keep    bool
	verbose bool
	listen  string
	backend string
	image   string // --image; empty: the engine's
}

func newDemo(c console) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See the main job happen on this machine's Docker, or on a cluster",
		Long: `Run the whole of Berth on this machine: two git repositories in a temporary
folder, an app whose image is this executable, a server, and a story: a release
runs, a new release is pushed and rolls out, a container is removed by hand and
comes back, a deployment is removed from git and goes.

With --backend kubernetes it is the same on the cluster and in the namespace of
your kubeconfig. A cluster takes no image from here: 'make cluster' has the one
that the demo runs; with --image you name an image of Berth that yours can pull.

Nothing is fetched from anywhere, and everything that was made is removed at the
end. The demo waits for Enter before each step; --once does not. With --keep the
server stays after the story, with one app that runs and one that failed, so
that the other commands have something to tell.`,
		Example: "  berth demo\n  berth demo --once\n  berth demo --keep\n  berth demo --backend kubernetes --image registry.example.org/berth:1.0",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(schema.BackendType("").Values(), o.backend) {
				return usageError{fmt.Errorf("--backend %s: there is no such type, say %s", o.backend, strings.Join(schema.BackendType("").Values(), " or "))}
			}
			return runDemo(cmd.Context(), c, o)
		},
	}
	cmd.Flags().BoolVar(&o.once, "once", false, "run the story without waiting for a key")
	cmd.Flags().BoolVar(&o.keep, "keep", false, "leave apps and the server running after the story, until Ctrl-C")
	cmd.Flags().StringVar(&o.backend, "backend", string(schema.BackendDocker), "where the pods run: "+strings.Join(schema.BackendType("").Values(), " or "))
	completeFixed(cmd, "backend", schema.BackendType("").Values())
	cmd.Flags().StringVar(&o.image, "image", "", "an image of Berth that the engine has or can pull, for all releases of the app. Default: one made of this executable, or, on a cluster, what 'make cluster' imports")
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "print the server's log between the steps")
	cmd.Flags().StringVar(&o.listen, "listen", "", "where the demo's server listens (default any free port; with --keep, the usual one if it is free)")
	return cmd
}

// demo is the state of the story as it unfolds.
type demo struct {
	demoOptions
	console  console
	engine   demoEngine
	name     string // of the instance
	dir      string
	images   string // the name that the images share, without their tags
	apps     *demoRepo
	desired  *demoRepo
	instance *instance
	answered backends.Pod // of the app, when it was asked last
	began    time.Time
	keys     *bufio.Reader
}

// demoStep is one step of the story: do makes it happen, and returns what was seen.
type demoStep struct {
	title string
	do    func(ctx context.Context) (seen string, err error)
}

func runDemo(ctx context.Context, c console, o demoOptions) (err error) {
	var id [3]byte
	_, _ = rand.Read(id[:])
	d := &demo{demoOptions: o, console: c, name: "demo-" + hex.EncodeToString(id[:]), began: time.Now(), keys: bufio.NewReader(c.in)}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTime)
		defer cancel()
		err = errors.Join(err, d.clean(clean))
		if err == nil {
			fmt.Fprintf(c.out, "done in %.1f s; everything that the demo made is removed\n", time.Since(d.began).Seconds())
		}
	}()
	if err := d.prepare(ctx); err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.instance.run(serving) }()
	defer func() { stop(); err = errors.Join(err, <-ended) }()
	for _, s := range d.story() {
		if err := d.step(ctx, s); err != nil {
			return err
		}
	}
	if o.keep {
		return d.stay(ctx)
	}
	return nil
}

// prepare makes the repositories, the image and the server.
func (d *demo) prepare(ctx context.Context) (err error) {
	for _, s := range []demoStep{
		{"find the engine: " + d.backend, func(ctx context.Context) (seen string, err error) {
			d.engine, seen, err = openDemoEngine(ctx, schema.BackendType(d.backend))
			return seen, err
		}},
		{"have the app's image, which is this executable", func(ctx context.Context) (seen string, err error) {
			if d.image != "" {
				return "taken as named: " + d.image, nil
			}
			d.images, seen, err = d.engine.images(ctx, d.name, "0.1.0", "0.1.1")
			return seen, err
		}},
		{"make two git repositories: apps and desired state", d.makeRepos},
	} {
		if err := d.step(ctx, s); err != nil {
			return err
		}
	}
	cfg := &schema.Config{Instance: d.name, Listen: d.address(), DataDir: filepath.Join(d.dir, "data")}
	cfg.Desired.URL, cfg.Backends = d.desired.dir, []schema.BackendConfig{d.engine.config()}
	if err := complete(cfg); err != nil {
		return err
	}
	log := io.Discard
	if d.verbose {
		log = d.console.err
	}
	d.instance, err = newInstance(ctx, cfg, openBackends, newLogger(log, cfg.Log), alone, false)
	return err
}

// imageOf names the image of a release.
func (d *demo) imageOf(release string) string { return cmp.Or(d.image, d.images+":"+release) }

func (d *demo) makeRepos(context.Context) (string, error) {
	var err error
	if d.dir, err = os.MkdirTemp("", "berth-demo-"); err != nil {
		return "", err
	}
	if d.apps, err = newDemoRepo(filepath.Join(d.dir, "apps")); err != nil {
		return "", err
	}
	if err = d.apps.push("Publish 0.1.0", map[string]string{"hello/manifest.yaml": demoManifest(d.imageOf("0.1.0"), "0.1.0", "demo-app")}); err != nil {
		return "", err
	}
	if d.desired, err = newDemoRepo(filepath.Join(d.dir, "desired")); err != nil {
		return "", err
	}
	err = d.desired.push("Follow the apps", map[string]string{"repos.yaml": demoRepoDocument(d.apps.dir)})
	return d.dir, err
}

// story is what the demo shows.
func (d *demo) story() []demoStep {
	return []demoStep{
		{"serve: the catalog fills from the app repository", d.awaitCatalog},
		{"push a deployment: hello-john gets release ^0.1", func(ctx context.Context) (string, error) {
			if err := d.desired.push("Run hello for John", map[string]string{demoDeploymentFile: demoDeployment}); err != nil {
				return "", err
			}
			return d.awaitAnswer(ctx, "0.1.0")
		}},
		{"push a manifest: release 0.1.1 rolls out", func(ctx context.Context) (string, error) {
			if err := d.apps.push("Publish 0.1.1", map[string]string{"hello/manifest.yaml": demoManifest(d.imageOf("0.1.1"), "0.1.1", "demo-app")}); err != nil {
				return "", err
			}
			return d.awaitAnswer(ctx, "0.1.1")
		}},
		{"remove the " + d.engine.thing() + " by hand: it comes back", d.removeByHand},
		{"remove the deployment from git: its " + d.engine.thing() + " goes", d.removeFromGit},
	}
}

// step runs one step and prints it with the time that it took.
func (d *demo) step(ctx context.Context, s demoStep) error {
	if !d.once && d.instance != nil {
		fmt.Fprintf(d.console.out, "next: %s  [Enter] ", s.title)
		if err := d.key(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, stepTime, fmt.Errorf("it did not happen within %s", stepTime))
	defer cancel()
	began := time.Now()
	seen, err := s.do(ctx)
	if err == nil && d.instance != nil {
		err = d.awaitVerdict(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.title, err)
	}
	fmt.Fprintf(d.console.out, "%7.2f s  %s\n           %s\n", time.Since(began).Seconds(), s.title, seen)
	return nil
}

// key waits for a line from the person, or for the end of ctx.
func (d *demo) key(ctx context.Context) error {
	pressed := make(chan error, 1)
	go func() { // ends with the process at the latest: a read cannot be taken back
		_, err := d.keys.ReadString('\n')
		pressed <- err
	}()
	select {
	case err := <-pressed:
		if errors.Is(err, io.EOF) { // nobody is there to press anything
			d.once = true
			fmt.Fprintln(d.console.out)
			return nil
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await asks until seen has an answer, or ctx ends; the error then says what was last seen.
func (d *demo) await(ctx context.Context, see func() (seen string, ok bool)) (string, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		seen, ok := see()
		if ok {
			return seen, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("%w; last seen: %s", context.Cause(ctx), seen)
		case <-tick.C:
		}
	}
}

// awaitVerdict waits until it is known what became of the newest commit of the
// desired state, so that the next one does not overtake it.
func (d *demo) awaitVerdict(ctx context.Context) error {
	_, err := d.await(ctx, func() (string, bool) {
		o := d.instance.engine.Outcome()
		return fmt.Sprintf("commit %s is %s: %s", o.Commit, o.Verdict, o.Summary), o.Commit == d.desired.head && o.Verdict != engine.Pending
	})
	return err
}

func (d *demo) awaitCatalog(ctx context.Context) (string, error) {
	return d.await(ctx, func() (string, bool) {
		catalog := d.instance.hub.Catalog()
		app, ok := catalog.App("dev.berth.hello")
		if !ok || len(app.Releases) == 0 {
			return "no release in the catalog", false
		}
		r := app.Releases[0]
		return fmt.Sprintf("%s %s with flavours %s, %s", app.Name, r.Version, r.Flavours[0].Name, r.Flavours[1].Name), true
	})
}

// awaitAnswer waits until the deployment is ready with the release, alone, and
// the app answers with it over HTTP.
func (d *demo) awaitAnswer(ctx context.Context, release string) (string, error) {
	return d.await(ctx, func() (string, bool) {
		s, ok := d.statusOf("hello-john")
		if !ok || s.State != engine.StateReady || s.Release != release || len(s.Pods) != 1 {
			return fmt.Sprintf("%s %s", s.State, s.Reason), false
		}
		at, body, err := d.engine.ask(ctx, "hello-john", s.Pods[0])
		if err != nil {
			return err.Error(), false
		}
		d.answered = s.Pods[0]
		return fmt.Sprintf("%s answers %q", at, body), strings.Contains(body, "release "+release+",")
	})
}

func (d *demo) statusOf(deployment string) (engine.Status, bool) {
	if s, ok := d.instance.engine.View().Status(deployment); ok {
		return s, true
	}
	return engine.Status{State: "not there yet"}, false
}

func (d *demo) removeByHand(ctx context.Context) (string, error) {
	before, err := d.engine.things(ctx, d.name)
	if err != nil {
		return "", err
	}
	if len(before) != 1 {
		return "", fmt.Errorf("expected one %s, found %d", d.engine.thing(), len(before))
	}
	for id, name := range before {
		if err := d.engine.remove(ctx, id, name); err != nil {
			return "", err
		}
	}
	return d.await(ctx, func() (string, bool) {
		after, err := d.engine.things(ctx, d.name)
		if err != nil {
			return err.Error(), false
		}
		for id := range after {
			if _, old := before[id]; old {
				return "the old one is still there", false
			}
		}
		if len(after) != 1 {
			return fmt.Sprintf("%d are there", len(after)), false
		}
		answer, err := d.awaitAnswer(ctx, "0.1.1")
		return answer, err == nil
	})
}

func (d *demo) removeFromGit(ctx context.Context) (string, error) {
	if err := d.desired.push("Stop hello for John", map[string]string{demoDeploymentFile: ""}); err != nil {
		return "", err
	}
	return d.await(ctx, func() (string, bool) {
		left, err := d.engine.things(ctx, d.name)
		if err != nil {
			return err.Error(), false
		}
		if len(left) > 0 {
			return fmt.Sprintf("%d are left", len(left)), false
		}
		at, _, err := d.engine.ask(ctx, "hello-john", d.answered)
		return fmt.Sprintf("no %s is left, and nothing answers at %s", d.engine.thing(), at), err != nil
	})
}

// clean removes whatever the demo made, however far it came.
func (d *demo) clean(ctx context.Context) error {
	var failed error
	if d.instance != nil {
		for _, b := range d.instance.backends {
			failed = errors.Join(failed, b.Uninstall(ctx, true, nil))
		}
		d.instance.close()
	}
	if d.engine != nil {
		failed = errors.Join(failed, d.engine.close(ctx))
	}
	if d.dir != "" {
		failed = errors.Join(failed, os.RemoveAll(d.dir))
	}
	return failed
}
