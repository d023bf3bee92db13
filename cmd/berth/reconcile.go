package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/internal/client"
	"github.com/berthdev/berth/sources/follow"
)

// How the outcome of a request is awaited.
const (
	pollFirst  = 50 * time.Millisecond
	pollLast   = 500 * time.Millisecond
	settleTime = 300 * time.Millisecond // a look at what is there takes a few milliseconds; what it finds shows at once
)

type waitOptions struct {
	noWait  bool
	timeout time.Duration
}

func addWaitFlags(cmd *cobra.Command, o *waitOptions, timeout time.Duration, until string) {
	cmd.Flags().BoolVar(&o.noWait, "no-wait", false, "ask for it, and do not wait for the outcome")
	cmd.Flags().DurationVar(&o.timeout, "timeout", timeout, "how long to wait until "+until)
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if o.timeout < 0 {
			return usageErrorf("--timeout: a time cannot be negative")
		}
		return nil
	}
}

func newReconcile(c console) *cobra.Command {
	var o waitOptions
	cmd := &cobra.Command{
		Use:   "reconcile [source|deployment|backend NAME]",
		Short: "Have Berth look again at once, and print what it found",
		Long: `Have the server look again at once, without waiting for the next poll or for the
end of a pause: at a source, a deployment, the pods of a backend, or, without a
name, at everything. The desired state itself is "source desired".

It waits until the source was asked, or until the deployment is ready, has
failed, or says what it waits for; then it prints where that stands. The exit
code is 1 if it failed, or if the time was too short to know.

A rollout that was given up is not tried again by this: see "berth retry".`,
		Example: `  berth reconcile
  berth reconcile source lab-apps
  berth reconcile deployment stardist-john --timeout 5m`,
		Args:              cobra.MaximumNArgs(2),
		ValidArgsFunction: completeReconcile,
	}
	server := addServerFlags(cmd)
	addWaitFlags(cmd, &o, time.Minute, "it is known what was found")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		target, err := parseTarget(args)
		if err != nil {
			return err
		}
		ask, err := server.open()
		if err != nil {
			return err
		}
		return reconcile(cmd.Context(), c, ask, target, o)
	}
	return cmd
}

// A target is what is looked at again; without a kind it is everything.
type target struct{ kind, name string }

var targetKinds = []string{"source", "deployment", "backend"}

func parseTarget(args []string) (target, error) {
	if len(args) == 0 {
		return target{}, nil
	}
	if kind, name, ok := strings.Cut(args[0], "/"); ok && len(args) == 1 {
		args = []string{kind, name}
	}
	r, err := resourceAmong(args[0], func(r *resource) string {
		if r.one == "repo" || slices.Contains(targetKinds, r.one) {
			return r.one
		}
		return ""
	})
	switch {
	case len(args) == 1 && err == nil:
		return target{}, usageErrorf("name one of the %s, as in 'berth reconcile %s NAME'", r.name, r.one)
	case len(args) == 1:
		return target{}, usageErrorf("say what %s is: 'berth reconcile deployment %[1]s', or source, or backend", args[0])
	case err != nil:
		return target{}, err
	}
	t := target{r.one, args[1]}
	if t.kind == "repo" { // a repo is followed as the source of its name
		t.kind = "source"
	}
	if t.kind == "source" && t.name == "desired" {
		t.name = follow.DesiredName
	}
	if !slices.Contains(targetKinds, t.kind) {
		return target{}, usageErrorf("%s are not looked at by themselves; name a source, a deployment or a backend", r.name)
	}
	return t, nil
}

const (
	reconcileMutation = `mutation($source: String, $deployment: String, $backend: String) {
	reconcile(source: $source, deployment: $deployment, backend: $backend) { time what } }`

	reconcileStateQuery = `query($sources: SourceFilter, $deployments: DeploymentFilter, $backends: BackendFilter,
		$withSources: Boolean!, $withDeployments: Boolean!, $withBackends: Boolean!) {
	sources(filter: $sources, first: 500) @include(if: $withSources) { nodes { name commit message state problem lastAttempt } }
	deployments(filter: $deployments, first: 500) @include(if: $withDeployments) { nodes { ` + standingFields + ` } }
	backends(filter: $backends, first: 500) @include(if: $withBackends) { nodes { name answers problem given { pods } } }
	instance { states { state count } } }`

	standingFields = `name state reason hint since version flavourName backendName replicas readyReplicas`
)

// standing is where things stand that were asked to be looked at.
type standing struct {
	Sources struct {
		Nodes []sourceStanding
	}
	Deployments struct {
		Nodes []deploymentStanding
	}
	Backends struct {
		Nodes []backendStanding
	}
	Instance struct {
		States []struct {
			State word
			Count int
		}
	}
}

type sourceStanding struct {
	Name        string
	Commit      string
	Message     string
	State       word
	Problem     string
	LastAttempt *time.Time
}

type deploymentStanding struct {
	Name          string
	State         word
	Reason        string
	Hint          string
	Since         time.Time
	Version       string
	FlavourName   string
	BackendName   string
	Replicas      int
	ReadyReplicas int
}

type backendStanding struct {
	Name    string
	Answers bool
	Problem string
	Given   struct{ Pods int }
}

// variables asks for where the target stands. Of all deployments those count
// that are on their way or have failed.
func (t target) variables() map[string]any {
	v := map[string]any{
		"withSources":     t.kind == "" || t.kind == "source",
		"withDeployments": t.kind == "" || t.kind == "deployment",
		"withBackends":    t.kind == "" || t.kind == "backend",
	}
	if t.kind == "" {
		v["deployments"] = map[string]any{"state": []string{"PROGRESSING", "FAILED", "REMOVING"}}
	} else {
		v[t.kind+"s"] = map[string]any{"name": []string{t.name}}
	}
	return v
}

func reconcile(ctx context.Context, c console, ask *client.Client, t target, o waitOptions) error {
	var before standing
	if err := ask.Query(ctx, reconcileStateQuery, t.variables(), &before); err != nil {
		return err
	}
	variables := map[string]any{}
	if t.kind != "" {
		variables[t.kind] = t.name
	}
	var answer struct {
		Reconcile struct {
			Time time.Time
			What []string
		}
	}
	if err := ask.Query(ctx, reconcileMutation, variables, &answer); err != nil {
		return err
	}
	if o.noWait {
		fmt.Fprintf(c.out, "asked to look again at %s\n", oneLine(strings.Join(answer.Reconcile.What, ", ")))
		return nil
	}
	var now standing
	asked, begun := answer.Reconcile.Time, time.Now()
	known, err := poll(ctx, o.timeout, func(ctx context.Context) (bool, error) {
		now = standing{}
		err := ask.Query(ctx, reconcileStateQuery, t.variables(), &now)
		return now.settled(asked) && (t.kind == "source" || time.Since(begun) >= settleTime), err
	})
	if err != nil {
		return err
	}
	failed := tellStanding(c, t, before, now)
	if !known {
		fmt.Fprintf(c.err, "after %s it is not known yet how this ends; it goes on\n", o.timeout)
	}
	if failed || !known {
		return exitError(exitFailed)
	}
	return nil
}

// poll asks again and again, until done says so or the time is over.
func poll(ctx context.Context, timeout time.Duration, done func(context.Context) (bool, error)) (bool, error) {
	end := time.Now().Add(timeout)
	for pause := pollFirst; ; pause = min(2*pause, pollLast) {
		if ok, err := done(ctx); ok || err != nil {
			return ok, err
		}
		left := time.Until(end)
		if left <= 0 {
			return false, nil
		}
		if err := sleep(ctx, min(pause, left)); err != nil {
			return false, err
		}
	}
}

// settled tells whether everything was looked at since it was asked for, and
// nothing is on its way.
func (s *standing) settled(asked time.Time) bool {
	for _, source := range s.Sources.Nodes {
		if source.LastAttempt == nil || source.LastAttempt.Before(asked) {
			return false
		}
	}
	for _, d := range s.Deployments.Nodes {
		if d.State == "progressing" || d.State == "removing" {
			return false
		}
	}
	return true
}

// tellStanding prints where things stand; it returns whether something failed.
func tellStanding(c console, t target, before, now standing) (failed bool) {
	colours := coloursOf(c.out)
	line := func(w io.Writer, kind, name, text string) {
		fmt.Fprintf(w, "%s %s: %s\n", kind, oneLine(name), text)
	}
	former := map[string]string{}
	for _, s := range before.Sources.Nodes {
		former[s.Name] = s.Commit
	}
	for _, s := range now.Sources.Nodes {
		text, ok := s.tell(former[s.Name])
		failed = failed || !ok
		line(c.out, "source", s.Name, text)
	}
	for _, b := range now.Backends.Nodes {
		text := fmt.Sprintf("answers, %d %s", b.Given.Pods, plural(b.Given.Pods, "pod", "pods"))
		if !b.Answers {
			failed, text = true, "does not answer: "+oneLine(b.Problem)
		}
		line(c.out, "backend", b.Name, text)
	}
	for _, d := range now.Deployments.Nodes {
		failed = failed || d.State == "failed"
		line(c.out, "deployment", d.Name, d.tell(colours))
		if d.Hint != "" {
			fmt.Fprintf(c.err, "hint: %s\n", oneLine(d.Hint))
		}
	}
	if t.kind == "" {
		fmt.Fprintf(c.out, "deployments: %s\n", now.counts())
	}
	return failed
}

func (s *standing) counts() string {
	var out []string
	for _, n := range s.Instance.States {
		if n.Count > 0 {
			out = append(out, fmt.Sprintf("%d %s", n.Count, n.State))
		}
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, ", ")
}

// tell says at which commit a source is, and whether that is well.
func (s *sourceStanding) tell(former string) (text string, ok bool) {
	at := "at " + shortHash(s.Commit)
	switch {
	case s.Problem != "":
		if s.Commit == "" {
			return "cannot be read: " + oneLine(s.Problem), false
		}
		return fmt.Sprintf("cannot be read: %s; what was read before counts, %s", oneLine(s.Problem), at), false
	case s.Commit == "":
		return "not read yet", false
	case s.Commit == former:
		return at + ", nothing new", true
	case former == "":
		return at + ", read for the first time", true
	}
	return fmt.Sprintf("%s, was at %s: %s", at, shortHash(former), oneLine(s.Message)), true
}

// tell says where a deployment stands.
func (d *deploymentStanding) tell(c colours) string {
	text := c.state(string(d.State))
	if d.State == "ready" {
		return fmt.Sprintf("%s, %d of %d running %s %s on %s", text, d.ReadyReplicas, d.Replicas, oneLine(d.Version), oneLine(d.FlavourName), oneLine(d.BackendName))
	}
	return text + ": " + oneLine(d.Reason)
}

// completeReconcile completes a kind, and then a name of it.
func completeReconcile(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return targetKinds, cobra.ShellCompDirectiveNoFileComp
	}
	if len(args) == 1 && slices.Contains(targetKinds, args[0]) {
		return completeNames(anyMore, args[0]+"s")(cmd, args[1:], begun)
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}
