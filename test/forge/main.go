// Forge runs a Gitea of its own on this machine, for tests and for developers:
// git over HTTP, its API, pull requests, webhooks and commit statuses, and no
// network beyond this machine.
//
//	forge up --from DIR                  start it in the background, unless it answers already
//	forge down                           stop it and remove all that it made
//	forge run --from DIR --state DIR     run another one, in the foreground
//
// DIR after --from holds what test/setup.sh has built: bin/gitea and static.
// What up starts is one for each user of the machine. run ends when it is told to,
// and goes on where it ended when it is started again with the same state; with
// --attached it also ends when its standard input does, and then removes the
// state, since whoever wanted it is gone. The last line that up and run print is
// FORGE= and a URL with an administrator's name and password.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// The process that owns Gitea has it killed when it dies. The kernel ties that to
// the thread which started it: see [forge.gitea].
func init() { runtime.LockOSThread() }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "forge:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say what to do: up, down or run")
	}
	f := &forge{}
	var attached bool
	flags := flag.NewFlagSet("forge "+args[0], flag.ContinueOnError)
	flags.StringVar(&f.from, "from", "", "folder of bin/gitea and static")
	flags.StringVar(&f.state, "state", "", "folder of all that it writes; default: this user's own, with a port of its own")
	flags.IntVar(&f.port, "port", 0, "port to listen on; default: one that is free")
	flags.BoolVar(&attached, "attached", false, "end with standard input, and remove the state then")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if err := f.complete(); err != nil {
		return err
	}
	switch args[0] {
	case "up":
		return f.up(ctx)
	case "down":
		return f.down(ctx)
	case runCommand:
		if attached {
			return f.runAttached(ctx, os.Stdin)
		}
		return f.run(ctx)
	default:
		return fmt.Errorf("unknown command %q", args[0])
	}
}
