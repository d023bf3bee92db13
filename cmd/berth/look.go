package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/internal/client"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/follow"
	"github.com/berthdev/berth/sources/git"
)

// lookTime is how long a backend may take to answer a command that only looks.
const lookTime = 10 * time.Second

// look is what "plan", "explain" and "search" see: the sources, read once, and
// the backends, asked once. Nothing is changed.
type look struct {
	cfg     *schema.Config
	hub     *follow.Hub
	open    backendOpener
	problem error // of sources that could not be read; what could be is there
	close   func()
}

// look runs a command that only looks. A source that cannot be read is told
// first, and makes the command fail after it has told what it could see.
func (f *configFlags) look(cmd *cobra.Command, c console, args []string, do func(context.Context, *look) error) error {
	cfg, err := f.load(cmd, args)
	if err != nil {
		return err
	}
	l, err := lookAtSources(cmd.Context(), c, cfg)
	if err != nil {
		return err
	}
	defer l.close()
	if l.problem != nil {
		tellError(c.err, l.problem)
	}
	err = do(cmd.Context(), l)
	var code exitError
	if l.problem != nil && (err == nil || errors.As(err, &code)) {
		return exitError(exitFailed)
	}
	return err
}

// lookOrAsk looks at the desired state that is named; where none is, it asks the
// server. another is how this command names a desired state, for whoever has no
// server.
func (f *configFlags) lookOrAsk(cmd *cobra.Command, c console, server *serverFlags, args []string, another string,
	do func(context.Context, *look) error, ask func(context.Context, *client.Client) error) error {
	if f.named(cmd, args) {
		if server.server != "" {
			return usageErrorf("--server asks a server, and a desired state that is named is looked at without one: name either")
		}
		return f.look(cmd, c, args, do)
	}
	opened, err := server.open()
	if err != nil {
		return err
	}
	defer opened.Close()
	err = ask(cmd.Context(), opened)
	var e *schema.Error
	if errors.As(err, &e) && e.Kind == schema.Transient && cmd.Context().Err() == nil {
		both := *e
		both.Hint = strings.TrimPrefix(e.Hint+"; or look without a server at a desired state that you name, as in '"+another+"'", "; ")
		return &both
	}
	return err
}

// lookAtSources reads the desired state and every app repository once.
func lookAtSources(ctx context.Context, c console, cfg *schema.Config) (*look, error) {
	mirrors, done, err := lookDir()
	if err != nil {
		return nil, err
	}
	progress := io.Discard
	if interactive(c.err) {
		progress = c.err
	}
	log := newLogger(progress, schema.LogConfig{Level: "info"})
	dialer := newDialer(cfg, log)
	hub := newHub(cfg, lookOpener(mirrors, dialer.Credentials(), log), log, nil, nil, nil)
	l := &look{cfg: cfg, hub: hub, open: openBackends, close: func() { hub.Close(); dialer.Close(); done() }}
	l.problem = hub.Once(ctx)
	if hub.State() == nil {
		l.close()
		if l.problem == nil {
			l.problem = errors.New("the desired state could not be read")
		}
		return nil, l.problem
	}
	return l, nil
}

// lookOpener opens sources; a folder that is no repository is looked at as it is.
func lookOpener(mirrors *git.Dir, credentials git.Credentials, log *slog.Logger) follow.Opener {
	open := opener(mirrors, credentials, log)
	return func(spec follow.Spec) (sources.Source, error) {
		loc, err := git.ParseURL(spec.URL)
		if err == nil && loc.IsLocal() && !isRepository(loc.Path) {
			return git.Folder(loc.Path)
		}
		return open(spec)
	}
}

// isRepository tells whether a folder is a git repository, bare or not.
func isRepository(dir string) bool {
	for _, mark := range []string{".git", "HEAD"} {
		if _, err := os.Stat(filepath.Join(dir, mark)); err == nil {
			return true
		}
	}
	return false
}

// lookDir opens the folder where commands that only look keep mirrors between
// calls; a folder of its own when another process uses it now.
func lookDir() (*git.Dir, func(), error) {
	if base, err := os.UserCacheDir(); err == nil {
		dir := filepath.Join(base, "berth")
		if mirrors, err := git.OpenDir(dir); err == nil {
			return mirrors, func() { mirrors.Close() }, nil
		}
	}
	dir, err := os.MkdirTemp("", "berth-look-")
	if err != nil {
		return nil, nil, err
	}
	mirrors, err := git.OpenDir(dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, nil, err
	}
	return mirrors, func() { mirrors.Close(); _ = os.RemoveAll(dir) }, nil
}

// input asks every backend once and returns what the planner needs.
func (l *look) input(ctx context.Context) (planner.Input, error) {
	bs, err := l.open(ctx, l.cfg, slog.New(slog.DiscardHandler), true)
	if err != nil {
		return planner.Input{}, err
	}
	defer closeBackends(bs)
	d := feed{l.hub}.Desired()
	in := planner.Input{
		Desired: d.State, Catalog: l.hub.Catalog(), Now: time.Now(),
		Backends: make([]planner.Backend, len(bs)), Pods: map[string][]backends.Pod{},
		Unreadable: d.Stale, Rewound: d.Rewound, Confirmed: d.Confirmed,
	}
	pods := make([][]backends.Pod, len(bs))
	var group sync.WaitGroup
	for i, b := range bs {
		group.Go(func() { in.Backends[i], pods[i] = ask(ctx, b) })
	}
	group.Wait()
	for _, some := range pods {
		for _, p := range some {
			in.Pods[p.Deployment] = append(in.Pods[p.Deployment], p)
		}
	}
	return in, nil
}

// ask asks a backend for its capacity and pods; one that does not answer is known by its problem.
func ask(ctx context.Context, b engine.Backend) (planner.Backend, []backends.Pod) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	out := planner.Backend{Name: b.Name(), Type: b.Config.Type, Priority: b.Config.Priority}
	capacity, err := b.Capacity(ctx)
	if err != nil {
		out.Problem = err.Error()
		return out, nil
	}
	pods, err := b.Pods(ctx)
	if err != nil {
		out.Problem = err.Error()
		return out, nil
	}
	out.Capacity, out.Known = capacity, true
	return out, pods
}
