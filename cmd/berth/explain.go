package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/reconciler/planner"
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

func newExplain(c console) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "explain DEPLOYMENT [URL|FOLDER]",
		Short: "Print why a deployment gets its release, flavour and backend, and why no other",
		Long: `Print the whole table of choices for one deployment: how its release was found,
and every flavour on every backend, with the reason for each that was not
chosen. It asks the backends and changes nothing.`,
		Example: `  berth explain stardist-john ./desired
  berth explain stardist-john https://git.example.org/lab/desired.git -o json`,
		Args: cobra.RangeArgs(1, 2),
	}
	flags := addConfigFlags(cmd)
	outputFlag(cmd, &output, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return flags.look(cmd, c, args[1:], func(ctx context.Context, l *look) error {
			in, err := l.input(ctx)
			if err != nil {
				return err
			}
			e, err := planner.Explain(in, args[0])
			if err != nil {
				return err
			}
			if output == "json" {
				return writeJSON(c.out, newExplained(e))
			}
			return tellExplained(c.out, newExplained(e))
		})
	}
	return cmd
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

func tellExplained(w io.Writer, e explained) error {
	fmt.Fprintf(w, "%s: %s", e.Deployment, e.Action)
	if e.Reason != "" {
		fmt.Fprintf(w, ", %s", e.Reason)
	}
	fmt.Fprintln(w)
	if e.App != "" {
		asked := e.Version
		if asked == "" {
			asked = "newest"
		}
		fmt.Fprintf(w, "app:     %s, version %s\n", e.App, asked)
	}
	if e.Resolved != "" {
		fmt.Fprintf(w, "release: %s\n", e.Resolved)
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
		fmt.Fprintf(w, "\na better choice exists now: %s; pods stay where they are\n", e.Better)
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
