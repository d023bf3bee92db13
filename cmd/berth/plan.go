package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/reconciler/proposal"
	"github.com/berthdev/berth/schema"
)

// planned is what "berth plan -o json" prints.
type planned struct {
	Commit      string            `json:"commit"`
	Changes     int               `json:"changes"`
	Deployments []plannedDecision `json:"deployments"`
	Errors      []schema.Problem  `json:"errors"`
	Backends    []plannedBackend  `json:"backends"`
}

type plannedDecision struct {
	Name    string         `json:"name"`
	Action  planner.Action `json:"action"`
	Reason  string         `json:"reason"`
	Release string         `json:"release"`
	Flavour string         `json:"flavour"`
	Backend string         `json:"backend"`
	Why     string         `json:"why"`
	From    *plannedFrom   `json:"from"`
}

type plannedFrom struct {
	Release string `json:"release"`
	Flavour string `json:"flavour"`
	Backend string `json:"backend"`
}

type plannedBackend struct {
	Name    string `json:"name"`
	Problem string `json:"problem,omitempty"`
}

// planOptions say what is planned, and how it is told.
type planOptions struct {
	output string
	all    bool
	ref    string
	dir    string
}

func newPlan(c console) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan [URL|FOLDER]",
		Short: "Print what would change on the backends, and why",
		Long: `Read the desired state and the app repositories, look at the backends, and
print what "berth serve" would do now. Nothing is changed. A folder may be a git
repository or plain files.

With --ref or --dir it prints what would become different if a branch were
merged, or if a folder were the desired state: what is under way anyway is not
told. A file that both sides changed is a conflict.

Where a backend does not answer, as in a CI job that cannot reach it, documents
are checked and releases resolved; what would become of pods is then not known,
and said so.

The exit code is 3 when there is something to change, and 1 when a document has
an error, a conflict, or declares what can never run.`,
		Example: `  berth plan ./desired
  berth plan https://git.example.org/lab/desired.git --instance lab -o json
  berth plan --ref more-gpus https://git.example.org/lab/desired.git
  berth plan --ref refs/pull/7/head --config berth.yaml -o markdown
  berth plan --dir . --config berth.yaml

  # A job of GitHub Actions that annotates a pull request. Berth's own status on
  # it does the same without a job.
  on: pull_request
  jobs:
    plan:
      runs-on: self-hosted # where the backends can be reached
      steps:
        - uses: actions/checkout@v4
        - run: berth plan --dir . --config /etc/berth/berth.yaml -o github || test $? = 3
        - run: berth plan --dir . --config /etc/berth/berth.yaml -o markdown >> $GITHUB_STEP_SUMMARY || test $? = 3`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := addConfigFlags(cmd)
	o.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := o.check(); err != nil {
			return err
		}
		return flags.look(cmd, c, args, func(ctx context.Context, l *look) error { return o.run(ctx, c, l) })
	}
	return cmd
}

func (o *planOptions) addFlags(cmd *cobra.Command) {
	outputFlag(cmd, &o.output, "table", "json", "markdown", "github")
	cmd.Flags().BoolVarP(&o.all, "all", "a", false, "list also what is kept as it is")
	cmd.Flags().StringVar(&o.ref, "ref", "", "plan what a branch, a tag, a commit or another ref would change if it were merged")
	cmd.Flags().StringVar(&o.dir, "dir", "", "plan what a folder, with or without git, would change if it were the desired state")
}

// check refuses flags that exclude each other.
func (o *planOptions) check() error {
	switch {
	case o.ref != "" && o.dir != "":
		return usageErrorf("--ref and --dir name two proposals: name one")
	case o.all && (o.ref != "" || o.dir != "" || o.output == "markdown" || o.output == "github"):
		return usageErrorf("--all lists what there is to do now, as a table or JSON: leave it out")
	}
	return nil
}

// run plans, and tells what came of it.
func (o *planOptions) run(ctx context.Context, c console, l *look) error {
	in, err := l.input(ctx)
	if err != nil {
		return err
	}
	if o.ref != "" || o.dir != "" {
		return o.runProposal(ctx, c, l, in)
	}
	p := newPlanned(in, planner.New(in))
	switch o.output {
	case "json":
		err = writeJSON(c.out, p)
	case "table":
		err = tellPlanned(c, p, o.all)
	default:
		tellBackends(c, in)
		err = o.writeReport(c, proposal.Now(in), l.cfg.Desired.URL)
	}
	return cmp.Or(err, p.exit())
}

func newPlanned(in planner.Input, plan *planner.Plan) planned {
	p := planned{
		Commit: in.Desired.Commit, Deployments: []plannedDecision{}, Backends: []plannedBackend{},
		Errors: append([]schema.Problem{}, in.Desired.Problems().Errors()...),
	}
	for _, b := range in.Backends {
		p.Backends = append(p.Backends, plannedBackend{b.Name, b.Problem})
	}
	for _, d := range plan.Decisions() {
		out := plannedDecision{
			Name: d.Deployment, Action: d.Action, Reason: d.Reason,
			Release: d.Release, Flavour: d.Flavour, Backend: d.Backend, Why: d.Why,
		}
		if d.From != (planner.Placement{}) {
			out.From = &plannedFrom{d.From.Release, d.From.Flavour, d.From.Backend}
		}
		if d.Changes() {
			p.Changes++
		}
		p.Deployments = append(p.Deployments, out)
	}
	return p
}

// exit returns the exit code that says how the plan came out.
func (p planned) exit() error {
	switch {
	case len(p.Errors) > 0:
		return exitError(exitFailed)
	case p.Changes > 0:
		return exitError(exitChanges)
	}
	return nil
}

// signs mark the actions in the table, as in a diff.
var signs = map[planner.Action]string{
	planner.Create: "+", planner.Replace: "~", planner.Remove: "-", planner.Keep: "=", planner.Hold: "!", planner.Wait: "…",
}

func tellPlanned(c console, p planned, all bool) error {
	for _, b := range p.Backends {
		if b.Problem != "" {
			fmt.Fprintf(c.err, "backend %s does not answer: %s\n", b.Name, oneLine(b.Problem))
		}
	}
	for _, problem := range p.Errors {
		fmt.Fprintln(c.err, printableLines(problem.Error()))
	}
	t, rows, counts := newTable(c.out, "DEPLOYMENT", "ACTION", "RELEASE", "FLAVOUR", "BACKEND", "WHY"), 0, map[planner.Action]int{}
	for _, d := range p.Deployments {
		counts[d.Action]++
		if d.Action == planner.Keep && !all {
			continue
		}
		rows++
		why := d.Reason
		if d.Why != "" && (d.Action == planner.Create || d.Action == planner.Replace) {
			why += "; " + d.Why
		}
		t.row(d.Name, signs[d.Action]+" "+string(d.Action), moved(d, func(f plannedFrom) string { return f.Release }, d.Release),
			moved(d, func(f plannedFrom) string { return f.Flavour }, d.Flavour),
			moved(d, func(f plannedFrom) string { return f.Backend }, d.Backend), why)
	}
	if rows > 0 {
		if err := t.flush(); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.out, "plan: %d to create, %d to replace, %d to remove, %d kept, %d held, %d waiting\n",
		counts[planner.Create], counts[planner.Replace], counts[planner.Remove], counts[planner.Keep], counts[planner.Hold], counts[planner.Wait])
	return nil
}

// moved renders a value that may have changed, as "before -> after".
func moved(d plannedDecision, before func(plannedFrom) string, after string) string {
	if d.From == nil {
		return after
	}
	return arrow(before(*d.From), after)
}

// arrow renders what may be another than before; what is empty is not known.
func arrow(before, after string) string {
	if before == "" || after == "" || before == after {
		return cmp.Or(after, before)
	}
	return before + " -> " + after
}
