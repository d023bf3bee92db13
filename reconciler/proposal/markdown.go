package proposal

import (
	"fmt"
	"strings"

	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/sources/forge"
)

// How much of a comment its parts may take, in bytes. What the details are left
// is the rest.
const (
	roomMarker    = 500 // for what the sender puts before it
	roomConflicts = 5_000
	roomErrors    = 12_000
	roomRows      = 24_000
	roomNotes     = 7_000
)

// Markdown renders the whole report for a comment, in the Markdown of GitHub,
// Gitea and GitLab. It is at most [forge.MaxComment] bytes long, with some room
// for what marks the comment: rows that do not fit are counted. It begins with a
// headline and ends with an end of line.
func (r *Report) Markdown() string {
	var b strings.Builder
	b.WriteString("### " + r.headline() + "\n\n")
	for _, p := range r.overview() {
		b.WriteString(p + "\n\n")
	}
	b.WriteString(list(r.conflictLines(), roomConflicts))
	b.WriteString(list(r.errorLines(), roomErrors))
	b.WriteString(r.table())
	b.WriteString(list(r.noteLines(), roomNotes))
	foot := r.foot()
	r.details(&b, forge.MaxComment-roomMarker-len(foot))
	b.WriteString(foot)
	return b.String()
}

// headline says in a few words how it came out.
func (r *Report) headline() string {
	var wrong []string
	if n := len(r.Errors); n > 0 {
		wrong = append(wrong, several(n, "error"))
	}
	if n := len(r.Conflicts); n > 0 {
		wrong = append(wrong, several(n, "conflict"))
	}
	if n := r.failing(); n > 0 {
		wrong = append(wrong, several(n, "deployment")+" that can never run as declared")
	}
	switch {
	case len(wrong) > 0:
		return strings.Join(wrong, ", ")
	case r.Blind:
		return "What would become of pods is not known"
	case len(r.Rows) == 0:
		return "No pod is touched"
	default:
		return escaped(r.Changes.text())
	}
}

// overview says the most important in sentences.
func (r *Report) overview() []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if r.Blind {
		add("**No backend answers.** The documents were checked, and releases resolved.")
	}
	if n := r.Changes.Loses; n > 0 {
		add("**Loses %s:** stopped before others take their place, or for good.", several(n, "running pod"))
	}
	if r.held > 0 && !r.current {
		add("**Holds %s:** too many at once.", several(r.held, "removal"))
	}
	if len(r.Untouched) > 0 {
		add("Declared otherwise, without touching a pod: %s.", names(r.Untouched))
	}
	return out
}

// names renders the first of many names.
func names(all []string) string {
	const most = 20
	text := make([]string, 0, most)
	for _, name := range all[:min(len(all), most)] {
		text = append(text, code(name))
	}
	out := strings.Join(text, ", ")
	if more := len(all) - most; more > 0 {
		out += fmt.Sprintf(" and %d more", more)
	}
	return out
}

// list renders the lines as a list, as many as there is room for.
func list(lines []string, room int) string {
	text := rows(lines, "- ", "", room)
	if text != "" {
		text += "\n"
	}
	return text
}

// rows renders lines between a prefix and a suffix each, and how many there are
// for which there is no room.
func rows(lines []string, prefix, suffix string, room int) string {
	var b strings.Builder
	for i, l := range lines {
		if b.Len()+len(prefix)+len(l)+len(suffix)+len("\n") > room {
			fmt.Fprintf(&b, "%sand %d more%s\n", prefix, len(lines)-i, suffix)
			break
		}
		b.WriteString(prefix + l + suffix + "\n")
	}
	return b.String()
}

func (r *Report) conflictLines() []string {
	out := make([]string, len(r.Conflicts))
	for i, file := range r.Conflicts {
		out[i] = fmt.Sprintf("%s was changed on %s too, and is planned as it is there", code(file), code(r.into()))
	}
	return out
}

func (r *Report) errorLines() []string {
	out := make([]string, 0, len(r.Errors)+1)
	for _, p := range r.Errors {
		at := code(p.Position())
		p.File, p.Line, p.Column = "", 0, 0
		out = append(out, at+": "+prose(p.Error()))
	}
	if r.Old > 0 {
		out = append(out, fmt.Sprintf("%s there without it, and not counted", are(r.Old, "error")))
	}
	return out
}

func are(n int, one string) string {
	if n == 1 {
		return "1 " + one + " is"
	}
	return several(n, one) + " are"
}

func (r *Report) noteLines() []string {
	out := make([]string, len(r.Notes))
	for i, note := range r.Notes {
		out[i] = prose(note)
	}
	return out
}

// signs tell the actions, as in a diff.
var signs = map[planner.Action]string{
	planner.Create: "+ create", planner.Replace: "&#126; replace", planner.Remove: "− remove",
	planner.Hold: "held", planner.Wait: "waits", planner.Keep: "stays",
}

// table renders the rows.
func (r *Report) table() string {
	if len(r.Rows) == 0 {
		return ""
	}
	lines := make([]string, len(r.Rows))
	for i := range r.Rows {
		lines[i] = r.Rows[i].cells()
	}
	return "| | deployment | release | flavour | backend | pods | why |\n|---|---|---|---|---|---|---|\n" +
		rows(lines, "| ", " |", roomRows) + "\n"
}

// cells renders a row.
func (r *Row) cells() string {
	from, to := r.Places()
	what := signs[r.Action]
	switch {
	case r.Fails:
		what = "**never runs**"
	case r.Joins():
		what = "&#126; more pods"
	}
	return strings.Join([]string{
		what, code(r.Deployment), arrow(code(from.Release), code(to.Release)), arrow(code(from.Flavour), code(to.Flavour)),
		arrow(code(from.Backend), code(to.Backend)), r.pods(), prose(r.Because()),
	}, " | ")
}

// pods says how many there are, and what becomes of them.
func (r *Row) pods() string {
	from, to := r.Places()
	var parts []string
	switch {
	case r.From == nil && r.To == nil:
	case r.From == nil || r.To == nil || from.Replicas == to.Replicas:
		parts = append(parts, fmt.Sprint(max(from.Replicas, to.Replicas)))
	default:
		parts = append(parts, fmt.Sprintf("%d → %d", from.Replicas, to.Replicas))
	}
	if r.Loses > 0 {
		parts = append(parts, fmt.Sprintf("**loses %d**", r.Loses))
	}
	if r.Replaces > 0 {
		parts = append(parts, fmt.Sprintf("replaces %d", r.Replaces))
	}
	return strings.Join(parts, ", ")
}

// arrow renders what may be another than before.
func arrow(from, to string) string {
	if from == "" || to == "" || from == to {
		return max(from, to) // one of them is empty, or they are equal
	}
	return from + " → " + to
}

// details tells of the first rows what else they could have become, up to so many
// bytes in all.
func (r *Report) details(b *strings.Builder, most int) {
	for i := range r.Rows {
		if text := r.Rows[i].details(); b.Len()+len(text) <= most {
			b.WriteString(text)
		}
	}
}

func (r *Row) details() string {
	if len(r.Choices) == 0 {
		return ""
	}
	lines := make([]string, len(r.Choices))
	for i, c := range r.Choices {
		verdict := "no"
		switch {
		case c.Chosen:
			verdict = "**chosen**"
		case c.Fits:
			verdict = "fits"
		}
		lines[i] = strings.Join([]string{code(c.Flavour), code(c.Backend), verdict, prose(c.Reason)}, " | ")
	}
	text := fmt.Sprintf("<details><summary>%s: every flavour on every backend</summary>\n\n| flavour | backend | | why |\n|---|---|---|---|\n", code(r.Deployment))
	text += rows(lines, "| ", " |", roomRows) + "\n"
	if r.Better != "" {
		text += prose("Note: "+r.Better) + "\n\n"
	}
	return text + "</details>\n\n"
}

// foot says what it was computed on.
func (r *Report) foot() string {
	var b strings.Builder
	if r.Unchanged > 0 {
		fmt.Fprintf(&b, "Nothing becomes different for %s. ", several(r.Unchanged, "other deployment"))
	}
	if r.Base != "" {
		fmt.Fprintf(&b, "Planned on %s", code(short(r.Base)))
		if r.Head != "" {
			fmt.Fprintf(&b, " with what %s changed", code(short(r.Head)))
			if r.MergeBase != "" {
				fmt.Fprintf(&b, " since %s", code(short(r.MergeBase)))
			}
		}
		b.WriteString(".")
	}
	return strings.TrimSpace(b.String()) + "\n"
}
