package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/internal/client"
	"github.com/berthdev/berth/schema"
)

// followTail is how many lines "logs -f" begins with, as tail -f does.
const followTail = 10

type logsOptions struct {
	follow     bool
	failed     bool
	tail       int
	since      string
	timestamps bool
	prefix     string
	backend    string
	output     string
}

func newLogs(c console) *cobra.Command {
	var o logsOptions
	cmd := &cobra.Command{
		Use:   "logs DEPLOYMENT|pod/NAME...",
		Short: "Print what pods write",
		Long: `Print the logs of the pods of deployments, or of single pods; also of pods that
ended. Lines of several pods stand in the order of time, each after the name of
its pod.

A rollout that was given up leaves its failed pod stopped, so that its log can
be read: --failed prints it. It is printed also without --failed where a
deployment has no other pod.

Without -f everything is printed that the engine still has; with -f the last 10
lines of each pod, and then what is written, until all pods have ended. A server
that goes away meanwhile is asked again from where it stopped.`,
		Example: `  berth logs stardist-john
  berth logs stardist-john -f --tail 100
  berth logs stardist-john --failed
  berth logs db cache --since 10m --timestamps
  berth logs pod/berth-lab-db-0-618f3763 -o json`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeNames(logTargets, "deployments", "pods"),
	}
	server := addServerFlags(cmd)
	outputFlag(cmd, &o.output, "text", "json")
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on with what the pods write")
	cmd.Flags().BoolVar(&o.failed, "failed", false, "the pods that failed, instead of those that run")
	cmd.Flags().IntVar(&o.tail, "tail", -1, "at most so many of the last lines of each pod; -1: all, or 10 with -f")
	cmd.Flags().StringVar(&o.since, "since", "", "only what was written in this time (10m, 2d), or since a moment (2026-11-21T12:00:00Z)")
	cmd.Flags().BoolVar(&o.timestamps, "timestamps", false, "print when each line was written, in UTC")
	cmd.Flags().StringVarP(&o.prefix, "prefix", "p", "auto", "the pod's name before each line: auto (where there are several), always, never")
	cmd.Flags().StringVar(&o.backend, "backend", "", "only pods on this backend")
	completeFlag(cmd, "backend", "backends")
	_ = cmd.RegisterFlagCompletionFunc("prefix", cobra.FixedCompletions(prefixes, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		since, err := parseSince(time.Now(), o.since)
		if err != nil {
			return err
		}
		if !slices.Contains(prefixes, o.prefix) {
			return usageErrorf("--prefix: %q is none of %s", o.prefix, strings.Join(prefixes, ", "))
		}
		if o.follow && !cmd.Flags().Changed("tail") && since.IsZero() {
			o.tail = followTail
		}
		ask, err := server.open()
		if err != nil {
			return err
		}
		l := &logs{ask: ask, options: o, since: since, names: args, console: c}
		return l.run(cmd.Context())
	}
	return cmd
}

var prefixes = []string{"auto", "always", "never"}

// logs prints the logs of what was named.
type logs struct {
	ask     *client.Client
	options logsOptions
	since   time.Time
	names   []string
	console console
}

// logPod is a pod whose log can be read.
type logPod struct {
	Name        string `json:"name"`
	BackendName string `json:"backendName"`
	State       word   `json:"state"`
}

func (p logPod) failed() bool { return p.State == "failed" }

// ended tells whether the pod writes no more.
func (p logPod) ended() bool { return p.State == "failed" || p.State == "exited" }

func (l *logs) run(ctx context.Context) error {
	pods, err := l.pods(ctx, l.console.err)
	if err != nil {
		return err
	}
	printer := newLogPrinter(l.console.out, l.options, pods)
	if !l.options.follow {
		return l.ask.Logs(ctx, l.query(pods), printer.print)
	}
	err = l.followPods(ctx, pods, printer)
	if ctx.Err() != nil {
		return nil // a person had enough
	}
	return err
}

func (l *logs) query(pods []logPod) client.LogQuery {
	q := client.LogQuery{Backend: l.options.backend, Follow: l.options.follow, Tail: l.options.tail, Since: l.since}
	for _, p := range pods {
		q.Pods = append(q.Pods, p.Name)
	}
	return q
}

// pods finds the pods that the names mean. hints is told of pods that somebody
// may look for and that are not among them.
func (l *logs) pods(ctx context.Context, hints io.Writer) ([]logPod, error) {
	var all []logPod
	for _, name := range l.names {
		found, err := l.podsOf(ctx, name, hints)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			if !slices.ContainsFunc(all, func(have logPod) bool { return have.Name == p.Name && have.BackendName == p.BackendName }) {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

const (
	logDeploymentQuery = `query($name: String!) {
	deployment(name: $name) { state reason hint pods { name backendName state } } }`
	logPodQuery = `query($name: String!, $backend: String) {
	pod(name: $name, backend: $backend) { name backendName state } }`
)

func (l *logs) podsOf(ctx context.Context, name string, hints io.Writer) ([]logPod, error) {
	kind, rest, ok := strings.Cut(name, "/")
	if ok {
		r, err := resourceOf(kind)
		if err != nil {
			return nil, err
		}
		switch r.one {
		case "pod":
			return l.podNamed(ctx, rest)
		case "deployment":
			name = rest
		default:
			return nil, usageErrorf("%s have no logs: name deployments, or pods as pod/NAME", r.name)
		}
	}
	var answer struct {
		Deployment *struct {
			State  word
			Reason string
			Hint   string
			Pods   []logPod
		}
	}
	if err := l.ask.Query(ctx, logDeploymentQuery, map[string]any{"name": name}, &answer); err != nil {
		return nil, err
	}
	d := answer.Deployment
	if d == nil {
		return nil, &schema.Error{Op: "logs of", Resource: name, Kind: schema.Invalid, Err: errors.New("there is no such deployment"),
			Hint: "'berth get deployments' lists them; a pod is named pod/NAME"}
	}
	pods, others := l.choose(d.Pods)
	if len(pods) == 0 {
		return nil, &schema.Error{Op: "logs of", Resource: name, Kind: schema.Invalid,
			Err: l.noPods(string(d.State), d.Reason), Hint: "'berth describe deployment " + name + "' tells the whole story"}
	}
	if others > 0 {
		fmt.Fprintf(hints, "%d failed %s kept beside: berth logs %s --failed\n", others, plural(others, "pod is", "pods are"), name)
	}
	return pods, nil
}

// choose picks the pods of a deployment that are asked for: those that did not
// fail, or those that did. It tells how many failed ones were left out.
func (l *logs) choose(pods []logPod) (chosen []logPod, leftOut int) {
	var well, failed []logPod
	for _, p := range pods {
		switch {
		case l.options.backend != "" && p.BackendName != l.options.backend:
		case p.failed():
			failed = append(failed, p)
		default:
			well = append(well, p)
		}
	}
	if l.options.failed || len(well) == 0 {
		return failed, 0
	}
	return well, len(failed)
}

// noPods says why a deployment has no pod to read.
func (l *logs) noPods(state, reason string) error {
	what := "it has no pods"
	if l.options.failed {
		what = "it has no failed pods"
	}
	if l.options.backend != "" {
		what += " on " + l.options.backend
	}
	return fmt.Errorf("%s; it is %s: %s", what, state, reason)
}

func (l *logs) podNamed(ctx context.Context, name string) ([]logPod, error) {
	variables := map[string]any{"name": name}
	if backend, pod, ok := strings.Cut(name, "/"); ok {
		variables = map[string]any{"name": pod, "backend": backend}
	} else if l.options.backend != "" {
		variables["backend"] = l.options.backend
	}
	var answer struct{ Pod *logPod }
	if err := l.ask.Query(ctx, logPodQuery, variables, &answer); err != nil {
		return nil, err
	}
	if answer.Pod == nil {
		return nil, &schema.Error{Op: "logs of", Resource: "pod " + name, Kind: schema.Invalid, Err: errors.New("there is no such pod"),
			Hint: "'berth get pods' lists them"}
	}
	return []logPod{*answer.Pod}, nil
}
