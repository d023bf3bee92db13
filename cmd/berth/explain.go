package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/internal/client"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
)

// explained is what "berth explain -o json" prints.
type explained struct {
	Deployment string             `json:"deployment"`
	App        string             `json:"app"`
	Version    string             `json:"version"`
	Resolved   string             `json:"resolved"`
	Action     planner.Action     `json:"action"`
	Reason     string             `json:"reason"`
	Release    string             `json:"release"`
	Flavour    string             `json:"flavour"`
	Backend    string             `json:"backend"`
	Better     string             `json:"better"`
	Choices    []explainedChoice  `json:"choices"`
	Releases   []explainedRelease `json:"releases"`
}

type explainedChoice struct {
	Flavour   string              `json:"flavour"`
	Backend   string              `json:"backend"`
	Chosen    bool                `json:"chosen"`
	Fits      bool                `json:"fits"`
	Reason    string              `json:"reason"`
	Score     explainedScore      `json:"score"`
	Selectors []explainedSelector `json:"selectors"`
}

type explainedScore struct {
	Stays      bool `json:"stays"`
	Weights    int  `json:"weights"`
	Priority   int  `json:"priority"`
	Specific   int  `json:"specific"`
	Preference int  `json:"preference"`
	Load       int  `json:"load"`
}

type explainedSelector struct {
	Selector string `json:"selector"`
	Required bool   `json:"required"`
	Weight   int    `json:"weight"`
	Match    string `json:"match"`
}

type explainedRelease struct {
	Version string `json:"version"`
	Repo    string `json:"repo"`
	Reason  string `json:"reason"`
}

// explainOptions ask for an app instead of a deployment.
type explainOptions struct {
	output   string
	app      string
	version  string
	flavour  string
	backend  string
	scopes   []string
	replicas int
	cpu      string
	memory   string
}

// appOnly are the flags that belong to --app.
var appOnly = []string{"version", "flavour", "backend", "scopes", "replicas", "cpu", "memory"}

func newExplain(c console) *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain DEPLOYMENT [URL|FOLDER] | --app IDENTIFIER",
		Short: "Print why a deployment gets its release, flavour and backend, and why no other",
		Long: `Print the whole table of choices for one deployment: how its release was found,
and every flavour on every backend, with the reason for each that was not
chosen. Nothing is changed.

The running server is asked. With a URL, a folder or a configuration none is:
the desired state is read, and the backends are looked at.

With --app it tells what a deployment of that app would get now, before anybody
declares one.`,
		Example: `  berth explain stardist-john
  berth explain --app org.stardist --version ^0.4 --memory 8GB
  berth explain stardist-john ./desired
  berth explain stardist-john https://git.example.org/lab/desired.git -o json`,
		Args:              cobra.MaximumNArgs(2),
		ValidArgsFunction: completeNames(firstOnly, "deployments"),
	}
	flags := addConfigFlags(cmd)
	server := addServerFlags(cmd)
	outputFlag(cmd, &o.output, "table", "json")
	cmd.Flags().StringVar(&o.app, "app", "", "an app, by its identifier, instead of a deployment")
	cmd.Flags().StringVar(&o.version, "version", "", "with --app: an exact version, a channel or a SemVer range (default the newest release that is no prerelease)")
	cmd.Flags().StringVar(&o.flavour, "flavour", "", "with --app: only this flavour")
	cmd.Flags().StringVar(&o.backend, "backend", "", "with --app: only this backend")
	cmd.Flags().StringSliceVar(&o.scopes, "scopes", nil, "with --app: the scopes that are granted (default all that the release needs)")
	cmd.Flags().IntVar(&o.replicas, "replicas", 1, "with --app: the number of pods")
	cmd.Flags().StringVar(&o.cpu, "cpu", "", "with --app: CPUs for each pod, as 2 or 500m")
	cmd.Flags().StringVar(&o.memory, "memory", "", "with --app: memory for each pod, as 4GB or 512Mi")
	completeFlag(cmd, "app", "apps")
	completeFlag(cmd, "backend", "backends")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.app != "" {
			return o.explainApp(cmd, c, flags, server, args)
		}
		for _, flag := range appOnly {
			if cmd.Flags().Changed(flag) {
				return usageErrorf("--%s asks about an app: name it with --app", flag)
			}
		}
		if len(args) == 0 {
			return usageErrorf("name a deployment, or an app with --app")
		}
		return flags.lookOrAsk(cmd, c, server, args[1:], "berth explain "+args[0]+" FOLDER",
			func(ctx context.Context, l *look) error {
				in, err := l.input(ctx)
				if err != nil {
					return err
				}
				e, err := planner.Explain(in, args[0])
				if err != nil {
					return err
				}
				return tellExplained(c.out, o.output, newExplained(e))
			},
			func(ctx context.Context, ask *client.Client) error {
				e, err := explainServer(ctx, ask, explainQuery, map[string]any{"deployment": args[0]})
				if err != nil {
					return err
				}
				return tellExplained(c.out, o.output, e)
			})
	}
	return cmd
}

// explainApp asks the server what an app would get.
func (o *explainOptions) explainApp(cmd *cobra.Command, c console, flags *configFlags, server *serverFlags, args []string) error {
	if len(args) > 0 || flags.named(cmd, nil) {
		return usageErrorf("--app asks the server: name neither a deployment nor a desired state beside it")
	}
	variables := map[string]any{"app": o.app}
	for name, value := range map[string]string{"version": o.version, "flavour": o.flavour, "backend": o.backend, "memory": o.memory} {
		if value != "" {
			variables[name] = value
		}
	}
	if cmd.Flags().Changed("scopes") {
		variables["scopes"] = append([]string{}, o.scopes...)
	}
	if cmd.Flags().Changed("replicas") {
		variables["replicas"] = o.replicas
	}
	if o.cpu != "" {
		cpu, err := schema.ParseCPU(o.cpu)
		if err != nil {
			return usageErrorf("--cpu: %v", err)
		}
		variables["cpu"] = float64(cpu) / 1000
	}
	if _, err := schema.ParseBytes(o.memory); o.memory != "" && err != nil {
		return usageErrorf("--memory: %v", err)
	}
	if o.replicas < 0 || o.replicas > schema.MaxReplicas {
		return usageErrorf("--replicas: %d is not between 0 and %d", o.replicas, schema.MaxReplicas)
	}
	ask, err := server.open()
	if err != nil {
		return err
	}
	defer ask.Close()
	e, err := explainServer(cmd.Context(), ask, matchFlavourQuery, variables)
	if err != nil {
		return err
	}
	return tellExplained(c.out, o.output, e)
}

func newExplained(e planner.Explanation) explained {
	d := e.Decision
	out := explained{
		Deployment: d.Deployment, App: e.App, Version: e.Version, Resolved: e.Resolved,
		Action: d.Action, Reason: d.Reason, Release: d.Release, Flavour: d.Flavour, Backend: d.Backend,
		Better: e.Better, Choices: []explainedChoice{}, Releases: []explainedRelease{},
	}
	for _, c := range e.Candidates {
		choice := explainedChoice{
			Flavour: c.Flavour, Backend: c.Backend, Chosen: c.Chosen, Fits: c.Fits, Reason: c.Reason,
			Score: explainedScore(c.Score), Selectors: []explainedSelector{},
		}
		for _, v := range c.Selectors {
			choice.Selectors = append(choice.Selectors, explainedSelector{v.Selector, v.Required, v.Weight, string(v.Match)})
		}
		out.Choices = append(out.Choices, choice)
	}
	for _, r := range e.Releases {
		out.Releases = append(out.Releases, explainedRelease(r))
	}
	return out
}

func tellExplained(w io.Writer, output string, e explained) error {
	if output == "json" {
		return writeJSON(w, e)
	}
	head := fmt.Sprintf("%s: %s", cmp.Or(e.Deployment, e.App), e.Action)
	if e.Reason != "" {
		head += ", " + e.Reason
	}
	fmt.Fprintln(w, oneLine(head))
	if e.App != "" {
		fmt.Fprintf(w, "app:     %s, version %s\n", oneLine(e.App), oneLine(cmp.Or(e.Version, "newest")))
	}
	if e.Resolved != "" {
		fmt.Fprintf(w, "release: %s\n", oneLine(e.Resolved))
	}
	if len(e.Choices) > 0 {
		fmt.Fprintln(w)
		t := newTable(w, "FLAVOUR", "BACKEND", "CHOICE", "SELECTORS", "REASON")
		for _, c := range e.Choices {
			t.row(c.Flavour, c.Backend, verdict(c), selectorWords(c.Selectors), c.Reason)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if e.Better != "" {
		fmt.Fprintf(w, "\na better choice exists now: %s; pods stay where they are\n", oneLine(e.Better))
	}
	if len(e.Releases) > 0 {
		fmt.Fprintln(w)
		t := newTable(w, "OTHER RELEASE", "REPO", "WHY NOT")
		for _, r := range e.Releases {
			t.row(r.Version, r.Repo, r.Reason)
		}
		return t.flush()
	}
	return nil
}

func verdict(c explainedChoice) string {
	switch {
	case c.Chosen:
		return "chosen"
	case c.Fits:
		return "fits"
	default:
		return "no"
	}
}

func selectorWords(selectors []explainedSelector) string {
	words := make([]string, len(selectors))
	for i, s := range selectors {
		words[i] = s.Selector + ": " + s.Match
		if !s.Required {
			words[i] += fmt.Sprintf(" (optional, weight %d)", s.Weight)
		}
	}
	return strings.Join(words, "; ")
}
