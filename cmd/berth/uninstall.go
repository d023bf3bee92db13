package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
)

func newUninstall(c console) *cobra.Command {
	var yes, volumes bool
	cmd := &cobra.Command{
		Use:   "uninstall [URL]",
		Short: "Remove everything that an instance made on its backends",
		Long: `List what the instance made on its backends, ask, and remove it: pods and
networks, and with --volumes the named volumes, whose data is then lost. The
instance is named by --instance, or by the desired-state URL that it serves.
Stop its "berth serve" first, or it makes everything again.`,
		Example: "  berth uninstall --instance lab\n  berth uninstall --instance lab --volumes --yes",
		Args:    cobra.MaximumNArgs(1),
	}
	flags := addConfigFlags(cmd)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&volumes, "volumes", false, "remove named volumes too; their data is lost")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := flags.loadInstance(cmd, args)
		if err != nil {
			return err
		}
		bs, err := openBackends(cmd.Context(), cfg, slog.New(slog.DiscardHandler), false)
		if err != nil {
			return err
		}
		defer closeBackends(bs)
		return uninstall(cmd.Context(), c, cfg.Instance, bs, volumes, yes)
	}
	return cmd
}

func uninstall(ctx context.Context, c console, instance string, bs []engine.Backend, volumes, yes bool) error {
	total, kept := 0, 0
	for _, b := range bs {
		objects, err := b.Owned(ctx)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if o.Kind == "volume" && !volumes {
				kept++
				continue
			}
			total++
			fmt.Fprintf(c.out, "%s %s on %s\n", o.Kind, oneLine(o.Name), b.Name())
		}
	}
	if kept > 0 {
		fmt.Fprintf(c.err, "%d named %s kept; --volumes removes them too\n", kept, plural(kept, "volume is", "volumes are"))
	}
	if total == 0 {
		fmt.Fprintf(c.out, "instance %s has nothing to remove\n", instance)
		return nil
	}
	if !yes {
		fmt.Fprintf(c.err, "remove these %d objects of instance %s? [y/N] ", total, instance)
		answer, _ := bufio.NewReader(c.in).ReadString('\n')
		if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
			fmt.Fprintln(c.err, "nothing was removed")
			return exitError(exitFailed)
		}
	}
	var failed error
	for _, b := range bs {
		failed = errors.Join(failed, b.Uninstall(ctx, volumes, func(s backends.Step) {
			if s.Done {
				fmt.Fprintf(c.out, "removed %s\n", oneLine(cmp.Or(s.Pod, s.Detail))) // what is no pod is named in words
			}
		}))
	}
	return failed
}

// loadInstance reads a configuration of which only the instance and the backends count.
func (f *configFlags) loadInstance(cmd *cobra.Command, args []string) (*schema.Config, error) {
	cfg, err := f.read(cmd, args)
	if err != nil {
		return nil, err
	}
	if cfg.Instance == "" && cfg.Desired.URL == "" {
		return nil, usageError{errors.New("name the instance with --instance, or the desired-state URL that it serves")}
	}
	return cfg, f.complete(cmd, cfg)
}
