package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/reconciler/proposal"
	"github.com/berthdev/berth/sources/follow"
	"github.com/berthdev/berth/sources/forge"
)

// runProposal plans what a branch or a folder would make different.
func (o *planOptions) runProposal(ctx context.Context, c console, l *look, in planner.Input) error {
	var p *follow.Proposal
	var err error
	if o.ref != "" {
		p, err = l.hub.Propose(ctx, follow.Ref{Name: o.ref})
	} else {
		p, err = l.hub.ProposeDir(ctx, o.dir)
	}
	if err != nil {
		return err
	}
	in.Desired = p.Before
	into := strings.TrimPrefix(l.hub.Head().Name, "refs/heads/")
	r := proposal.New(in, nil, proposal.Proposed{
		State: p.State, Branch: into, Problems: p.Problems(),
		Base: p.Base, Head: p.Head, MergeBase: p.MergeBase, Conflicts: p.Conflicts,
	})
	tellBackends(c, in)
	if err := o.writeReport(c, r, cmp.Or(o.dir, l.cfg.Desired.URL)); err != nil {
		return err
	}
	switch {
	case r.Verdict() == forge.Failure:
		return exitError(exitFailed)
	case len(r.Rows) > 0:
		return exitError(exitChanges)
	}
	return nil
}

// tellBackends tells which backends do not answer, and why.
func tellBackends(c console, in planner.Input) {
	for _, b := range in.Backends {
		if b.Problem != "" {
			fmt.Fprintf(c.err, "backend %s does not answer: %s\n", b.Name, oneLine(b.Problem))
		}
	}
}

// writeReport writes a report about the desired state at a place.
func (o *planOptions) writeReport(c console, r *proposal.Report, at string) error {
	var err error
	switch o.output {
	case "json":
		err = writeJSON(c.out, r)
	case "markdown":
		_, err = io.WriteString(c.out, r.Markdown())
	case "github":
		_, err = io.WriteString(c.out, r.Annotations(below(at)))
	default:
		err = tellReport(c, r)
	}
	return err
}

// below returns where a folder is below the one that the command runs in: there
// GitHub looks for files. Empty: it is this one, or is elsewhere.
func below(dir string) string {
	here, err := filepath.Abs(".")
	if err != nil {
		return ""
	}
	there, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	path, err := filepath.Rel(here, there)
	if err != nil || path == "." || !filepath.IsLocal(path) || strings.Contains(dir, ":") {
		return ""
	}
	return filepath.ToSlash(path)
}

// tellReport prints a report for people: what is wrong first.
func tellReport(c console, r *proposal.Report) error {
	for _, p := range r.Errors {
		fmt.Fprintln(c.err, oneLine(p.Error()))
	}
	for _, file := range r.Conflicts {
		fmt.Fprintf(c.err, "%s: changed on both sides\n", oneLine(file))
	}
	for _, note := range r.Notes {
		fmt.Fprintln(c.err, "note: "+oneLine(note))
	}
	t := newTable(c.out, "DEPLOYMENT", "ACTION", "RELEASE", "FLAVOUR", "BACKEND", "PODS", "WHY")
	for i := range r.Rows {
		row := &r.Rows[i]
		from, to := row.Places()
		action := signs[row.Action] + " " + string(row.Action)
		if row.Joins() {
			action = signs[planner.Replace] + " more pods"
		}
		t.row(row.Deployment, action, arrow(from.Release, to.Release),
			arrow(from.Flavour, to.Flavour), arrow(from.Backend, to.Backend), pods(row), row.Because())
	}
	if len(r.Rows) > 0 {
		if err := t.flush(); err != nil {
			return err
		}
	}
	if len(r.Untouched) > 0 {
		fmt.Fprintf(c.out, "declared otherwise, without touching a pod: %s\n", oneLine(strings.Join(r.Untouched, ", ")))
	}
	n := r.Changes
	_, err := fmt.Fprintf(c.out, "plan: %d to create, %d to replace, %d to remove, %d unchanged, %d held, %d waiting; %d %s lost\n",
		n.Create, n.Replace, n.Remove, r.Unchanged, n.Hold, n.Wait, n.Loses, plural(n.Loses, "pod is", "pods are"))
	return err
}

// pods says how many there are, and what becomes of them.
func pods(row *proposal.Row) string {
	count := func(p *proposal.Placement) string {
		if p == nil {
			return ""
		}
		return fmt.Sprint(p.Replicas)
	}
	text := arrow(count(row.From), count(row.To))
	if row.Loses > 0 {
		text += fmt.Sprintf(", loses %d", row.Loses)
	}
	if row.Replaces > 0 {
		text += fmt.Sprintf(", replaces %d", row.Replaces)
	}
	return text
}
