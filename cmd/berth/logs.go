package main

import (
	"context"
	"fmt"
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
		Use:   "logs DEPLOYMENT|pod/[BACKEND/]NAME...",
		Short: "Print what pods write",
		Long: `Print the logs of the pods of deployments, or of single pods; also of pods that
ended. Lines of several pods stand in the order of time, each after the name of
its pod. Where several backends have a pod of one name, pod/BACKEND/NAME is one
of them.

A rollout that was given up leaves its failed pod stopped, so that its log can
be read: --failed prints it. It is printed also without --failed where a
deployment has no other pod.

Without -f everything is printed that the engine still has. With -f the last 10
lines of each pod are, and then what comes: until the pods that are named have
ended; of a deployment, with the pods that it gets meanwhile, until it is
removed. A server that goes away meanwhile is asked again from where it stopped.`,
		Example: `  berth logs stardist-john
  berth logs stardist-john -f --tail 100
  berth logs stardist-john --failed
  berth logs db cache --since 10m --timestamps
  berth logs pod/berth-lab-db-0-618f3763 -o json
  berth logs pod/lab/berth-lab-db-0-618f3763`,
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
	completeFixed(cmd, "prefix", prefixes)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		since, err := parseSince(time.Now(), o.since)
		if err != nil {
			return err
		}
		if !slices.Contains(prefixes, o.prefix) {
			return usageErrorf("--prefix: %q is none of %s", o.prefix, strings.Join(prefixes, ", "))
		}
		if o.tail < -1 {
			return usageErrorf("--tail: %d is no number of lines; -1 means all", o.tail)
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

	query   client.LogQuery
	leftOut map[logKey]bool     // failed pods that nobody asked for
	found   []logKey            // the pods that there are
	homes   map[string][]string // on which backends pods of a name are meant; "" is any
}

// logPod is a pod whose log can be read.
type logPod struct {
	Name        string `json:"name"`
	BackendName string `json:"backendName"`
	State       word   `json:"state"`
}

func (p logPod) key() logKey { return logKey{p.BackendName, p.Name} }

func (p logPod) failed() bool { return p.State == "failed" }

func (l *logs) run(ctx context.Context) error {
	o := l.options
	backend, err := l.backend()
	if err != nil {
		return err
	}
	l.query = client.LogQuery{Backend: backend, Follow: o.follow, Tail: o.tail, Since: l.since}
	l.leftOut, l.homes = map[logKey]bool{}, map[string][]string{}
	for _, name := range l.names {
		if err := l.find(ctx, name); err != nil {
			return err
		}
	}
	printer := newLogPrinter(l.console.out, o, l.found)
	if !o.follow {
		return l.ask.Logs(ctx, l.query, func(line client.LogLine) error {
			if l.unwanted(line) {
				return nil
			}
			return printer.print(line)
		})
	}
	if err := l.followOn(ctx, printer); ctx.Err() == nil {
		return err
	}
	return nil // a person had enough
}

// backend is the one whose pods are asked for: by the flag, or by the names where
// all are pod/BACKEND/NAME of one; empty: any.
func (l *logs) backend() (string, error) {
	backend, all := l.options.backend, true
	for i, name := range l.names {
		parts := strings.SplitN(name, "/", 3)
		switch {
		case len(parts) < 3:
			all = false
		case l.options.backend != "" && parts[1] != l.options.backend:
			return "", usageErrorf("%s is not on the backend that --backend names, %s", name, l.options.backend)
		case i == 0:
			backend = parts[1]
		case parts[1] != backend:
			all = false
		}
	}
	if !all {
		backend = l.options.backend
	}
	return backend, nil
}

const (
	logDeploymentQuery = `query($name: String!) {
	deployment(name: $name) { state reason pods { name backendName state } } }`
	logPodQuery = `query($name: String!, $backend: String) {
	pod(name: $name, backend: $backend) { name backendName state } }`
)

// find takes up into the query what a name means.
func (l *logs) find(ctx context.Context, name string) error {
	kind, rest, ok := strings.Cut(name, "/")
	if !ok {
		return l.findDeployment(ctx, name)
	}
	r, err := resourceAmong(kind, func(r *resource) string {
		if r.one == "pod" || r.one == "deployment" {
			return r.one
		}
		return ""
	})
	switch {
	case err != nil:
		return err
	case r.one == "pod":
		return l.findPod(ctx, rest)
	case r.one == "deployment":
		return l.findDeployment(ctx, rest)
	}
	return usageErrorf("%s have no logs: name deployments, or pods as pod/NAME", r.name)
}

func (l *logs) findDeployment(ctx context.Context, name string) error {
	var answer struct {
		Deployment *struct {
			State  word
			Reason string
			Pods   []logPod
		}
	}
	if err := l.ask.Query(ctx, logDeploymentQuery, map[string]any{"name": name}, &answer); err != nil {
		return err
	}
	d := answer.Deployment
	if d == nil {
		return l.missing(ctx, "deployment", name)
	}
	pods, leftOut := l.choose(d.Pods)
	for _, p := range leftOut {
		l.leftOut[p.key()] = true
	}
	if n := len(leftOut); n > 0 {
		fmt.Fprintf(l.console.err, "%d failed %s kept beside: berth logs %s --failed\n", n, plural(n, "pod is", "pods are"), name)
	}
	for _, p := range pods {
		l.found = append(l.found, p.key())
	}
	if l.options.follow && !l.options.failed {
		if len(pods) == 0 {
			fmt.Fprintf(l.console.err, "%s has no pods yet: it is %s: %s\n", name, d.State, oneLine(d.Reason))
		}
		l.query.Deployments = append(l.query.Deployments, name)
		return nil
	}
	if len(pods) == 0 {
		return &schema.Error{Op: "logs of", Resource: name, Kind: schema.Invalid,
			Err: l.noPods(string(d.State), oneLine(d.Reason)), Hint: "'berth describe deployment " + name + "' tells the whole story"}
	}
	for _, p := range pods {
		l.addPod(p.key())
	}
	return nil
}

// addPod has a pod read; its backend may be any.
func (l *logs) addPod(pod logKey) {
	if !slices.Contains(l.query.Pods, pod.pod) {
		l.query.Pods = append(l.query.Pods, pod.pod)
	}
	l.homes[pod.pod] = append(l.homes[pod.pod], pod.backend)
}

// unwanted tells whether a line is of a pod that nobody asked for: the server
// reads pods of one name on all backends.
func (l *logs) unwanted(line client.LogLine) bool {
	homes, named := l.homes[line.Pod]
	switch {
	case slices.Contains(homes, "") || slices.Contains(homes, line.Backend):
		return false
	case named && len(l.query.Deployments) == 0:
		return true
	}
	return l.leftOut[keyOfLine(line)]
}

// missing says that there is no such thing, and what was perhaps meant.
func (l *logs) missing(ctx context.Context, kind, name string) error {
	r, err := resourceOf(kind)
	if err != nil {
		return err
	}
	return r.missing(ctx, l.ask, name)
}

// choose picks the pods of a deployment that are asked for: those that did not
// fail, or those that did.
func (l *logs) choose(pods []logPod) (chosen, leftOut []logPod) {
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
		return failed, nil
	}
	return well, failed
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

func (l *logs) findPod(ctx context.Context, name string) error {
	pod := logKey{l.options.backend, name}
	if backend, rest, ok := strings.Cut(name, "/"); ok {
		pod = logKey{backend, rest}
	}
	variables := map[string]any{"name": pod.pod}
	if pod.backend != "" {
		variables["backend"] = pod.backend
	}
	var answer struct{ Pod *logPod }
	if err := l.ask.Query(ctx, logPodQuery, variables, &answer); err != nil {
		return err
	}
	if answer.Pod == nil {
		return l.missing(ctx, "pod", name)
	}
	l.found = append(l.found, answer.Pod.key())
	l.addPod(pod)
	return nil
}
