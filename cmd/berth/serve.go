package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/follow"
)

func newServe(c console) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "serve [URL]",
		Short: "Run what the desired-state repository declares, and keep it so",
		Long: `Follow the desired-state repository and keep the pods on the backends as it
declares them. What is done, and why, is logged line by line.

URL is https, ssh (also git@host:path), file:// or a path. Without further
configuration the pods run on this machine's Docker Engine. A change of the
configuration file takes effect at once; pods outlive Berth and are not touched
by a restart.`,
		Example: `  berth serve https://git.example.org/lab/desired.git
  berth serve --config /etc/berth/berth.yaml
  berth serve --dry-run ./desired`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := addConfigFlags(cmd)
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "look and plan, but change nothing on the backends")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		load := func() (*schema.Config, error) { return flags.load(cmd, args) }
		return serve(cmd.Context(), c, load, flags.file, dryRun)
	}
	return cmd
}

// errReload ends an instance because its configuration changed.
var errReload = errors.New("the configuration changed")

// serve runs instances, one after the other, until ctx ends: a new one each time
// the configuration file changes to something that can be used.
func serve(ctx context.Context, c console, load func() (*schema.Config, error), file string, dryRun bool) error {
	cfg, err := load()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	edits, watching := watchConfig(ctx, newLogger(c.err, cfg.Log), file)
	defer func() { stop(); <-watching }()
	var former *schema.Config
	var own candidate
	defer func() { own.vote.close() }()
	for {
		log := newLogger(c.err, cfg.Log)
		var i *instance
		err := own.stand(cfg, log)
		now := own.vote.tenure()
		if err == nil {
			i, err = newInstance(ctx, cfg, openBackends, now.logger(log), now, dryRun)
		}
		if err != nil && former != nil && ctx.Err() == nil {
			log.Error("the changed configuration cannot be used; the former one is taken again", "file", file, "error", err)
			cfg, former = former, nil
			continue
		}
		if err != nil {
			return err
		}
		fresh, err := i.serveTenure(ctx, now, log, dryRun, func(run context.Context) *schema.Config { return awaitConfig(run, log, edits, load, file) })
		if err != nil || ctx.Err() != nil {
			return err
		}
		if fresh != nil {
			former, cfg = cfg, fresh
		}
	}
}

// serveTenure runs an instance until ctx or its tenure ends, or the configuration
// changes: to what, it returns then.
func (i *instance) serveTenure(ctx context.Context, t tenure, log *slog.Logger, dryRun bool, edited func(context.Context) *schema.Config) (*schema.Config, error) {
	run, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan *schema.Config, 1)
	go func() {
		defer close(next)
		if fresh := edited(run); fresh != nil {
			next <- fresh
			cancel(errReload)
		}
	}()
	var terms sync.WaitGroup
	terms.Go(func() { t.end(run, cancel) })
	err := runInstance(run, i, log, dryRun)
	switch cause := context.Cause(run); {
	case errors.Is(cause, engine.ErrDeposed):
		log.Warn("the Lease was lost: what went on was cut off, and this replica stands by")
	case errors.Is(cause, errLeads):
		log.Info("this replica leads now")
	}
	cancel(nil)
	terms.Wait()
	return <-next, err
}

// watchConfig tells of edits of the configuration file until ctx ends, also of
// those that are made while one instance follows another. done is then closed.
func watchConfig(ctx context.Context, log *slog.Logger, file string) (edits <-chan struct{}, done <-chan struct{}) {
	slot, ended := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(ended)
		if file == "" {
			return
		}
		err := follow.WatchFile(ctx, file, func() {
			select {
			case slot <- struct{}{}:
			default: // what is read next holds this edit too
			}
		})
		if err != nil && ctx.Err() == nil {
			log.Warn("the configuration file is not watched: a change of it needs a restart", "file", file, "error", err)
		}
	}()
	return slot, ended
}

// awaitConfig returns the configuration after an edit to something that can be
// used, or nil when ctx ends.
func awaitConfig(ctx context.Context, log *slog.Logger, edits <-chan struct{}, load func() (*schema.Config, error), file string) *schema.Config {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-edits:
		}
		fresh, err := load()
		if err == nil {
			log.Info("the configuration changed: starting again with it", "file", file)
			return fresh
		}
		log.Error("the changed configuration cannot be used; the former one stays in force", "file", file, "error", err)
	}
}

func runInstance(ctx context.Context, i *instance, log *slog.Logger, dryRun bool) error {
	defer i.close()
	log.Info("berth "+version+" serves", "instance", i.cfg.Instance, "desired", i.hub.Sources()[0].URL, "listen", i.server.URL(), "data", i.cfg.DataDir)
	if dryRun {
		log.Warn("dry run: nothing is changed on the backends")
	}
	err := i.run(ctx)
	log.Info("stopped: pods run on")
	return err
}
