package proposal

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/berthdev/berth/reconciler/planner"
)

// MaxSummary is how many letters a summary has at most: what forges show of the
// description of a commit status.
const MaxSummary = 140

// Summary says it in one line of at most [MaxSummary] letters, the gravest first:
// "+1 ~2 -0, stardist-john: 0.4.9 -> 0.4.11 cuda on lab".
func (r *Report) Summary() string {
	switch {
	case len(r.Errors) > 0:
		return withMore(r.Errors[0].Error(), len(r.Errors)-1)
	case len(r.Conflicts) > 0:
		return withMore(fmt.Sprintf("%s was changed on %s too", r.Conflicts[0], r.into()), len(r.Conflicts)-1)
	case r.failing() > 0:
		return withMore(r.Rows[0].Deployment+": "+r.Rows[0].Reason, r.failing()-1)
	case r.Blind:
		return line("no backend answers: what would become of pods is not known; declared otherwise: " + several(r.declared(), "deployment"))
	case len(r.Rows) == 0:
		return "no pod is touched"
	case r.held > 0:
		return line(fmt.Sprintf("%s, %s would be held: too many at once", r.Changes.text(), several(r.held, "removal")))
	}
	return r.counted()
}

// counted returns the counts, and as many rows as there is room for. The last may
// be cut, if a part of it says something.
func (r *Report) counted() string {
	const least = 40
	text, separator := r.Changes.text(), ", "
	for i := range r.Rows {
		more := ""
		if left := len(r.Rows) - i - 1; left > 0 {
			more = fmt.Sprintf("; %d more", left)
		}
		phrase := clean(r.Rows[i].phrase())
		room := MaxSummary - letters(text+separator+more)
		switch {
		case letters(phrase) <= room:
			text += separator + phrase
		case i == 0 || room >= least:
			return text + separator + cut(phrase, room) + more
		default:
			return fmt.Sprintf("%s; %d more", text, len(r.Rows)-i)
		}
		separator = "; "
	}
	return text
}

// declared counts the deployments whose own document differs.
func (r *Report) declared() int {
	n := len(r.Untouched)
	for i := range r.Rows {
		if r.Rows[i].Declared {
			n++
		}
	}
	return n
}

// text renders the counts: "+1 ~2 -0, 1 waiting".
func (c Changes) text() string {
	text := fmt.Sprintf("+%d ~%d -%d", c.Create, c.Replace, c.Remove)
	if c.Wait > 0 {
		text += fmt.Sprintf(", %d waiting", c.Wait)
	}
	if c.Hold > 0 {
		text += fmt.Sprintf(", %d held", c.Hold)
	}
	return text
}

// phrase says in a few words what would become of a deployment.
func (r *Row) phrase() string {
	text := r.Deployment + ": "
	switch r.Action {
	case planner.Remove:
		text += "removed"
	case planner.Wait:
		return text + "waits, " + r.Reason
	case planner.Hold:
		return text + "held, " + r.Reason
	case planner.Keep:
		text += "stays as it runs"
	default:
		text += r.moves()
	}
	if r.Loses > 0 {
		text += ", loses " + several(r.Loses, "pod")
	}
	return text
}

// moves says from where to where: "0.4.9 -> 0.4.11 cuda on lab".
func (r *Row) moves() string {
	from, to := r.Places()
	text := moved(from.Release, to.Release)
	if flavour := moved(from.Flavour, to.Flavour); flavour != "" {
		text += " " + flavour
	}
	if backend := moved(from.Backend, to.Backend); backend != "" {
		text += " on " + backend
	}
	switch {
	case r.From != nil && from.Replicas != to.Replicas:
		text += fmt.Sprintf(", %d -> %s", from.Replicas, several(to.Replicas, "pod"))
	case r.From != nil && from.Release == to.Release && len(r.Changed) > 0:
		text += ", changes " + strings.Join(r.Changed, ", ")
	}
	return text
}

// moved renders what may be another than before: "0.4.9 -> 0.4.11".
func moved(from, to string) string {
	if from == "" || to == "" || from == to {
		return cmp.Or(to, from)
	}
	return from + " -> " + to
}

// into names the branch into which it is to be merged.
func (r *Report) into() string { return cmp.Or(r.Branch, "the base") }

// withMore cuts a text so that it is still said how many there are besides.
func withMore(text string, more int) string { return withRest(text, more, "") }

// withRest does the same, and ends with a note.
func withRest(text string, more int, note string) string {
	rest := note
	if more > 0 {
		rest = fmt.Sprintf(" (and %d more)", more) + note
	}
	return cut(clean(text), MaxSummary-letters(rest)) + rest
}

func line(s string) string { return cut(clean(s), MaxSummary) }

func letters(s string) int { return len([]rune(s)) }
