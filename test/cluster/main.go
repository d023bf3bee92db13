// Cluster is a whole Kubernetes cluster of one node on this machine, for tests
// and for developers: real API server, real kubelet, real containers, and no
// network beyond this machine.
//
//	cluster up --bin DIR --image TAR...   start it, unless it is Ready already
//	cluster import TAR...                 give its node more images
//	cluster kubeconfig                    print how to reach it
//	cluster down                          stop it and remove all that it made
//
// There is one per machine. It needs root, for containers and their network.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
)

// The process that owns the cluster's daemons has them killed when it dies. The
// kernel ties that to the thread which started them: see [supervise].
func init() { runtime.LockOSThread() }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say what to do: up, import, kubeconfig or down")
	}
	c := &cluster{state: stateDir}
	var images list
	flags := flag.NewFlagSet("cluster "+args[0], flag.ContinueOnError)
	flags.StringVar(&c.bin, "bin", "", "folder of the Kubernetes and etcd binaries")
	flags.Var(&images, "image", "archive of an image to import; may be repeated")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if os.Getuid() != 0 {
		return errors.New("containers and their network need root: run it with sudo")
	}
	switch args[0] {
	case "up":
		return c.up(ctx, images)
	case "import":
		return c.importImages(ctx, flags.Args())
	case "kubeconfig":
		return c.printKubeconfig(os.Stdout)
	case "down":
		return c.down(ctx)
	case superviseCommand:
		return c.supervise(ctx)
	default:
		return fmt.Errorf("unknown command %q", args[0])
	}
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }
