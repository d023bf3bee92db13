package main

import (
	"cmp"
	"context"
	"fmt"
	"net"

	"github.com/berthdev/berth/reconciler/engine"
)

// usualAddress is where "berth serve" listens unless it is told otherwise, and
// where commands look for it.
const usualAddress = "127.0.0.1:8484"

// address is where the demo's server listens. One that is kept is best found at
// the usual address.
func (d *demo) address() string {
	if d.listen != "" || !d.keep {
		return cmp.Or(d.listen, "127.0.0.1:0")
	}
	l, err := net.Listen("tcp", usualAddress)
	if err != nil {
		return "127.0.0.1:0"
	}
	l.Close()
	return usualAddress
}

// stay runs the app for John again, has a new release fail for Jane, and serves
// until ctx ends, so that a person can ask what happened.
func (d *demo) stay(ctx context.Context) error {
	d.once = true
	if err := d.step(ctx, demoStep{"push two deployments: hello-john, hello-jane", d.runAgain}); err != nil {
		return err
	}
	if err := d.step(ctx, demoStep{"push a release that does not start, for Jane: she keeps 0.1.1", d.failForJane}); err != nil {
		return err
	}
	at := d.instance.server.Addr()
	export := ""
	if at != usualAddress {
		export = fmt.Sprintf("  export BERTH_SERVER=http://%s\n", at)
	}
	fmt.Fprintf(d.console.out, `
still running at http://%s. Ask it from another terminal:
%s  berth get deployments            what runs, and what failed
  berth get commits                from which commit, and what became of it
  berth explain hello-john         why this flavour, why here
  berth describe hello-jane        what failed, and what to do
  berth logs hello-jane --failed   what the app itself said
  berth events                     what happened
  berth tree                       commit, release, flavour, pods
Or commit to one of the repositories, and watch with "berth get pods --watch":
  apps           %s
  desired state  %s
Ctrl-C ends it and removes everything.
`, at, export, d.apps.dir, d.desired.dir)
	<-ctx.Done()
	return nil
}

func (d *demo) runAgain(ctx context.Context) (string, error) {
	if err := d.desired.push("Run hello for John and Jane", map[string]string{
		demoDeploymentFile: demoDeployment, "hello-jane.yaml": demoFailing("^0.1"),
	}); err != nil {
		return "", err
	}
	answer, err := d.awaitAnswer(ctx, "0.1.1")
	if err != nil {
		return "", err
	}
	_, err = d.await(ctx, func() (string, bool) {
		s, _ := d.statusOf("hello-jane")
		return s.Reason, s.State == engine.StateReady
	})
	return answer, err
}

func (d *demo) failForJane(ctx context.Context) (string, error) {
	manifest := demoManifest(d.imageOf("0.1.1"), "0.2.0", "demo-app, --broken")
	if err := d.apps.push("Publish 0.2.0", map[string]string{"edge/manifest.yaml": manifest}); err != nil {
		return "", err
	}
	if err := d.desired.push("Try 0.2 for Jane", map[string]string{"hello-jane.yaml": demoFailing("^0.2")}); err != nil {
		return "", err
	}
	return d.await(ctx, func() (string, bool) {
		s, _ := d.statusOf("hello-jane")
		return s.Reason, s.State == engine.StateFailed
	})
}
