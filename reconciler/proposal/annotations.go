package proposal

import (
	"fmt"
	"path"
	"strings"

	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
)

// Annotations renders the report as workflow commands of GitHub Actions, one on a
// line: the summary, then the gravest first, for GitHub shows ten of each level. Files are told below a
// folder, for a desired state that is not at the top of its repository; empty:
// they are as they stand.
//
// Their form is that of GitHub's "Workflow commands for GitHub Actions":
// ::error file={name},line={line},col={col},title={title}::{message}.
func (r *Report) Annotations(folder string) string {
	a := annotations{folder: folder}
	a.add("notice", schema.Position{}, "plan", r.Summary())
	for _, p := range r.Errors {
		at := schema.Position{File: p.File, Line: p.Line, Column: p.Column}
		p.File, p.Line, p.Column = "", 0, 0
		a.add("error", at, "invalid", p.Error())
	}
	for _, file := range r.Conflicts {
		a.add("error", schema.Position{File: file}, "conflict", "it was changed on "+r.into()+" too")
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		a.add(row.level(), row.Position, "plan", row.annotation())
	}
	for _, note := range r.Notes {
		a.add("notice", schema.Position{}, "plan", note)
	}
	return a.text.String()
}

// level says how loud a row is told.
func (r *Row) level() string {
	switch {
	case r.Fails:
		return "error"
	case r.Loses > 0 || r.Action == planner.Wait || r.Action == planner.Hold:
		return "warning"
	default:
		return "notice"
	}
}

// annotation says what would become of it, and why.
func (r *Row) annotation() string {
	if r.Action == planner.Wait || r.Action == planner.Hold {
		return r.phrase() // which holds the reason
	}
	return r.phrase() + " (" + r.Reason + ")"
}

type annotations struct {
	folder string
	text   strings.Builder
}

func (a *annotations) add(level string, at schema.Position, title, message string) {
	var properties []string
	if at.File != "" {
		properties = append(properties, "file="+property(clean(path.Join(a.folder, at.File))))
		if at.Line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d", at.Line))
		}
		if at.Line > 0 && at.Column > 0 {
			properties = append(properties, fmt.Sprintf("col=%d", at.Column))
		}
	}
	properties = append(properties, "title="+property("berth: "+title))
	fmt.Fprintf(&a.text, "::%s %s::%s\n", level, strings.Join(properties, ","), data.Replace(cut(clean(message), mostReason)))
}

// What a workflow command escapes in its message, and in its properties.
var (
	data       = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	properties = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func property(s string) string { return properties.Replace(s) }
