package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// What is asked of each pod and deployment for the tree.
const (
	treeCommitFields     = `commit { hash short message verdict inForce time }`
	treePodFields        = `name state ready reason deploymentName appIdentifier version flavourName backendName ` + treeCommitFields
	treeDeploymentFields = `name state reason appIdentifier version flavourName backendName pods { name } ` + treeCommitFields
)

type treeCommit struct {
	Hash    string     `json:"hash"`
	Short   string     `json:"short"`
	Message string     `json:"message"`
	Verdict word       `json:"verdict"`
	InForce bool       `json:"inForce"`
	Time    *time.Time `json:"time"`
}

// A leaf is what a branch ends in: a pod, or a deployment that has none.
type leaf struct {
	Name           string      `json:"name"`
	State          word        `json:"state"`
	Ready          bool        `json:"ready"`
	Reason         string      `json:"reason"`
	DeploymentName string      `json:"deploymentName"`
	AppIdentifier  string      `json:"appIdentifier"`
	Version        string      `json:"version"`
	FlavourName    string      `json:"flavourName"`
	BackendName    string      `json:"backendName"`
	Commit         *treeCommit `json:"commit"`
	Pods           []named     `json:"pods"`
}

// The tree as programs get it.
type (
	treeOfCommit struct {
		Commit   string          `json:"commit"`
		Message  string          `json:"message"`
		Verdict  word            `json:"verdict"`
		InForce  bool            `json:"inForce"`
		Releases []treeOfRelease `json:"releases"`
	}
	treeOfRelease struct {
		App      string          `json:"app"`
		Version  string          `json:"version"`
		Flavours []treeOfFlavour `json:"flavours"`
	}
	treeOfFlavour struct {
		Flavour string             `json:"flavour"`
		Pods    []treePod          `json:"pods"`
		Without []treeOfDeployment `json:"deploymentsWithoutPods"`
	}
	treePod struct {
		Name       string `json:"name"`
		Deployment string `json:"deployment"`
		Backend    string `json:"backend"`
		State      word   `json:"state"`
		Ready      bool   `json:"ready"`
		Reason     string `json:"reason"`
	}
	treeOfDeployment struct {
		Name   string `json:"name"`
		State  word   `json:"state"`
		Reason string `json:"reason"`
	}
)

func newTree(c console) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "tree [DEPLOYMENT]",
		Short: "Draw what runs: commit -> release -> flavour -> pods",
		Long: `Ask a running Berth for its pods and draw where each comes from: the commit of
the desired state that made it, the release and flavour that it runs. A
deployment that has no pod stands where its pods would be, with the reason.`,
		Example: `  berth tree
  berth tree stardist-john
  berth tree -o json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeNames(firstOnly, "deployments"),
	}
	flags := addServerFlags(cmd)
	outputFlag(cmd, &output, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		server, err := flags.open()
		if err != nil {
			return err
		}
		defer server.Close()
		leaves, err := findLeaves(cmd.Context(), server, args)
		if err != nil {
			return err
		}
		tree := growTree(leaves)
		switch {
		case output != "table":
			return writeAs(output, c.out, tree)
		case len(tree) == 0:
			fmt.Fprintln(c.err, "no pods")
			return nil
		}
		d := &drawing{out: c.out, colours: coloursOf(c.out), width: terminalWidth(c.out), pen: penOf(os.Getenv)}
		return d.draw(tree)
	}
	return cmd
}

// findLeaves asks for the pods, and for the deployments that have none.
func findLeaves(ctx context.Context, c querier, args []string) ([]leaf, error) {
	pods, _ := resourceOf("pods")
	deployments, _ := resourceOf("deployments")
	var ofPods, ofDeployments listing
	if len(args) > 0 {
		ofPods.filter = map[string]any{"deployment": args}
		ofDeployments.filter = map[string]any{"name": args}
	}
	var out []leaf
	found := false
	collect := func(text json.RawMessage) error {
		var l leaf
		if err := json.Unmarshal(text, &l); err != nil {
			return err
		}
		found = true
		if len(l.Pods) == 0 {
			out = append(out, l)
		}
		return nil
	}
	if err := pods.pages(ctx, c, pods.pageDocument(treePodFields), ofPods, collect); err != nil {
		return nil, err
	}
	if err := deployments.pages(ctx, c, deployments.pageDocument(treeDeploymentFields), ofDeployments, collect); err != nil {
		return nil, err
	}
	if !found && len(args) > 0 {
		return nil, deployments.missing(ctx, c, args[0])
	}
	return out, nil
}

// growTree puts the leaves under their commits, releases and flavours: the
// commit in force first, then the newest, the rest by name.
func growTree(leaves []leaf) []treeOfCommit {
	slices.SortStableFunc(leaves, compareLeaves)
	out := []treeOfCommit{}
	for i, l := range leaves {
		if i == 0 || leaves[i-1].commit().Hash != l.commit().Hash {
			k := l.commit()
			out = append(out, treeOfCommit{Commit: k.Hash, Message: k.Message, Verdict: k.Verdict, InForce: k.InForce, Releases: []treeOfRelease{}})
		}
		c := &out[len(out)-1]
		if n := len(c.Releases); n == 0 || c.Releases[n-1].App != l.AppIdentifier || c.Releases[n-1].Version != l.Version {
			c.Releases = append(c.Releases, treeOfRelease{App: l.AppIdentifier, Version: l.Version, Flavours: []treeOfFlavour{}})
		}
		r := &c.Releases[len(c.Releases)-1]
		if n := len(r.Flavours); n == 0 || r.Flavours[n-1].Flavour != l.FlavourName {
			r.Flavours = append(r.Flavours, treeOfFlavour{Flavour: l.FlavourName, Pods: []treePod{}, Without: []treeOfDeployment{}})
		}
		f := &r.Flavours[len(r.Flavours)-1]
		if l.DeploymentName == "" {
			f.Without = append(f.Without, treeOfDeployment{l.Name, l.State, l.Reason})
		} else {
			f.Pods = append(f.Pods, treePod{l.Name, l.DeploymentName, l.BackendName, l.State, l.Ready, l.Reason})
		}
	}
	return out
}

// commit is the leaf's commit; an empty one when it is not known.
func (l *leaf) commit() treeCommit {
	if l.Commit == nil {
		return treeCommit{}
	}
	return *l.Commit
}

func compareLeaves(a, b leaf) int {
	ac, bc := a.commit(), b.commit()
	if ac.InForce != bc.InForce {
		if ac.InForce {
			return -1
		}
		return 1
	}
	var at, bt time.Time
	if ac.Time != nil {
		at = *ac.Time
	}
	if bc.Time != nil {
		bt = *bc.Time
	}
	return cmp.Or(bt.Compare(at), cmp.Compare(bc.Hash, ac.Hash), cmp.Compare(a.AppIdentifier, b.AppIdentifier), cmp.Compare(a.Version, b.Version),
		cmp.Compare(a.FlavourName, b.FlavourName), cmp.Compare(a.DeploymentName, b.DeploymentName), cmp.Compare(a.Name, b.Name), cmp.Compare(a.BackendName, b.BackendName))
}

// A pen is what the branches are drawn with.
type pen struct{ branch, last, through, none string }

var (
	boxes = pen{"├─ ", "└─ ", "│  ", "   "}
	ascii = pen{"|- ", "`- ", "|  ", "   "}
)

// penOf returns the pen that a locale can show (POSIX: LC_ALL, then LC_CTYPE, then LANG).
func penOf(getenv func(string) string) pen {
	locale := strings.ToLower(cmp.Or(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG")))
	if strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8") {
		return boxes
	}
	return ascii
}

// A drawing writes a tree.
type drawing struct {
	out     io.Writer
	colours colours
	width   int // of the terminal; 0: no limit
	pen     pen
	failed  error
}

func (d *drawing) draw(tree []treeOfCommit) error {
	for _, c := range tree {
		d.line("", c.label(), c.Verdict)
		for i, r := range c.Releases {
			rest := d.branch("", i == len(c.Releases)-1, r.label(), "")
			for j, f := range r.Flavours {
				d.flavour(rest, j == len(r.Flavours)-1, f)
			}
		}
	}
	return d.failed
}

func (d *drawing) flavour(prefix string, last bool, f treeOfFlavour) {
	rest := d.branch(prefix, last, cmp.Or(f.Flavour, "(no flavour)"), "")
	total := len(f.Pods) + len(f.Without)
	for i, p := range f.Pods {
		text := p.Name + " of " + p.Deployment + " on " + p.Backend
		if p.State == "running" && !p.Ready {
			text += ", not ready"
		}
		d.branch(rest, i == total-1, reasoned(text, p.Reason), p.State)
	}
	for i, w := range f.Without {
		d.branch(rest, len(f.Pods)+i == total-1, reasoned(w.Name+" has no pod", w.Reason), w.State)
	}
}

func reasoned(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + reason
}

func (c treeOfCommit) label() string {
	out := cmp.Or(shortHash(c.Commit), "(commit not known)")
	if c.Message != "" {
		out += fmt.Sprintf(" %q", c.Message)
	}
	if c.InForce {
		out += ", in force"
	}
	return out
}

func (r treeOfRelease) label() string {
	if r.Version == "" {
		return r.App + " (no release)"
	}
	return r.App + "@" + r.Version
}

// branch draws a line under others, and returns what stands before its own.
func (d *drawing) branch(prefix string, last bool, text string, state word) string {
	if last {
		d.line(prefix+d.pen.last, text, state)
		return prefix + d.pen.none
	}
	d.line(prefix+d.pen.branch, text, state)
	return prefix + d.pen.through
}

// line draws one line: the state stands first, so that cutting leaves it.
func (d *drawing) line(prefix, text string, state word) {
	if d.failed != nil {
		return
	}
	text, mark := oneLine(text), string(state)
	if d.width > 0 {
		text = cut(text, max(1, d.width-textWidth(prefix)-len(mark)-1))
	}
	if mark != "" {
		mark = d.colours.state(mark) + " "
	}
	_, d.failed = io.WriteString(d.out, prefix+mark+text+"\n")
}
