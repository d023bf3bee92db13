// Package proposal tells what would become of the deployments if another desired
// state were in force: that of a pull request, a branch or a folder. It is pure:
// the same input gives the same [Report].
//
// It plans twice on the same catalog, capacities and pods, without the proposal
// and with it, and tells what differs. So what is under way anyway is not told,
// and what follows for others is: a new deployment may take the GPU that another
// one waits for.
//
// A report is one value for all who read it: a line for a commit status
// ([Report.Summary]), a comment on a pull request ([Report.Markdown]),
// annotations of a CI job ([Report.Annotations]), and JSON.
//
// What it reads was written by strangers. A report holds names of things and
// sentences about them, and never a value: no env, no content of a volume. Each
// form of it escapes what it is made of.
package proposal

import (
	"bytes"
	"encoding/json"

	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/desired"
	"github.com/berthdev/berth/sources/forge"
)

// Proposed is a desired state that somebody would like to be in force.
type Proposed struct {
	State     *desired.State
	Branch    string   // into which it is to be merged, for people; empty: not known
	Base      string   // the commit in force
	Head      string   // the commit that is proposed; empty: it is none, but a folder
	MergeBase string   // the newest commit that both have; empty: none, or not known
	Conflicts []string // files that both sides changed since; State holds those of base
	// Problems are those of State that are not there without it.
	Problems schema.Problems
}

// A Report is what would become of the deployments if a proposed desired state
// were in force. Its JSON has these fields, and "summary" and "verdict".
type Report struct {
	Base      string `json:"base"`
	Head      string `json:"head"`
	MergeBase string `json:"mergeBase"`
	Branch    string `json:"branch"`

	Changes   Changes  `json:"changes"`
	Rows      []Row    `json:"rows"`      // what would be different, the gravest first
	Unchanged int      `json:"unchanged"` // deployments of which no row tells
	Untouched []string `json:"untouched"` // those of them that are declared otherwise, and no pod is touched

	Errors    schema.Problems `json:"errors"`    // that the proposal brings
	Old       int             `json:"oldErrors"` // how many are there without it
	Conflicts []string        `json:"conflicts"` // files that both sides changed
	Notes     []string        `json:"notes"`     // what else a person should know, in words

	// Unseen names the backends of which nothing is known, for they did not answer
	// yet. Blind tells that there is no other: what would become of pods is not known.
	Unseen []string `json:"unseen"`
	Blind  bool     `json:"blind"`

	current bool // it tells what Berth would do now, and nothing is proposed
	held    int  // removals that would be held back, for they are too many
}

// Changes count the rows by what they do to pods.
type Changes struct {
	Create  int `json:"create"`
	Replace int `json:"replace"`
	Remove  int `json:"remove"`
	Wait    int `json:"wait"`
	Hold    int `json:"hold"`
	Loses   int `json:"loses"` // pods, of all rows
}

// A Row is what would become of one deployment.
type Row struct {
	Deployment string         `json:"deployment"`
	Action     planner.Action `json:"action"`
	From       *Placement     `json:"from"` // what runs without the proposal, in the end; nil: nothing
	To         *Placement     `json:"to"`   // what shall run with it; nil: nothing. With Wait and Hold it does not yet
	Changed    []string       `json:"changed"`
	Reason     string         `json:"reason"` // why this action, in words
	Why        string         `json:"why"`    // why this release, flavour and backend; empty: none is chosen

	Loses    int  `json:"loses"`    // running pods that go before others take their place, or for good
	Replaces int  `json:"replaces"` // running pods that go as soon as others took their place
	Declared bool `json:"declared"` // its own document differs; otherwise it follows from others
	Fails    bool `json:"fails"`    // it can never run as it is declared

	Position schema.Position `json:"position"` // where it is declared, or was
	Choices  []Choice        `json:"choices"`  // every flavour on every backend, the best first; of the first rows only
	Better   string          `json:"better"`   // a better choice that exists now, though its pods stay; may be empty
}

// Joins tells whether pods are made beside those that are there already: the
// deployment is not new.
func (r *Row) Joins() bool { return r.Action == planner.Create && r.From != nil }

// A Placement is what runs, and where. What is not known, or not chosen, is empty.
type Placement struct {
	Release  string `json:"release"`
	Flavour  string `json:"flavour"`
	Backend  string `json:"backend"`
	Replicas int    `json:"replicas"`
}

// A Choice is a flavour on a backend, and what speaks for or against it.
type Choice struct {
	Flavour string `json:"flavour"`
	Backend string `json:"backend"`
	Chosen  bool   `json:"chosen"`
	Fits    bool   `json:"fits"`
	Reason  string `json:"reason"`
}

// Verdict is success, or failure: the proposal has errors, conflicts with what it
// is to be merged into, or declares what can never run. What only waits, for a
// GPU, a release or another deployment, is a success.
func (r *Report) Verdict() forge.State {
	if len(r.Errors) > 0 || len(r.Conflicts) > 0 || r.failing() > 0 {
		return forge.Failure
	}
	return forge.Success
}

// failing counts the deployments that can never run as they are declared.
func (r *Report) failing() int {
	n := 0
	for i := range r.Rows {
		if r.Rows[i].Fails {
			n++
		}
	}
	return n
}

// MarshalJSON writes the report with its summary and verdict.
func (r *Report) MarshalJSON() ([]byte, error) {
	type plain Report // without this method
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // "1 -> 2 pods" is read by people too
	err := enc.Encode(struct {
		Summary string      `json:"summary"`
		Verdict forge.State `json:"verdict"`
		*plain
	}{r.Summary(), r.Verdict(), (*plain)(r)})
	return text.Bytes(), err
}
