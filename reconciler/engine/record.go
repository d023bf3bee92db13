package engine

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/sources/catalog"
)

// What the journal is told is told here: of all that is logged, also what the
// quota of lines leaves out. It says nothing twice in a row by itself.

// recordState tells where a deployment stands now. The caller holds mu.
func (e *Engine) recordState(s *status, level slog.Level, message string) {
	e.journal.Record(journal.Event{
		Kind: journal.State, Severity: severity(level), Message: message, State: string(s.State),
		Deployment: s.Deployment, App: e.appOf(s.Deployment), Backend: s.Backend, Commit: s.Commit,
	})
}

func severity(level slog.Level) journal.Severity {
	switch {
	case level >= slog.LevelError:
		return journal.Error
	case level >= slog.LevelWarn:
		return journal.Warning
	default:
		return journal.Info
	}
}

// appOf returns the identifier of a deployment's app: as declared, or else as its
// pods tell. The caller holds mu.
func (e *Engine) appOf(name string) string {
	if e.view.State != nil {
		if d, declared := e.view.State.Deployment(name); declared {
			return d.App
		}
	}
	if pods := e.world.pods[name]; len(pods) > 0 {
		return pods[0].App
	}
	return ""
}

// recordStep tells of a step that was taken for a decision.
func (e *Engine) recordStep(backend string, d planner.Decision, s backends.Step, text string) {
	status, _ := e.View().Status(d.Deployment)
	ev := journal.Event{
		Kind: journal.Step, Message: text, Deployment: d.Deployment, Pod: s.Pod, Backend: backend, Commit: status.Commit,
	}
	if d.Workload != nil {
		ev.App = d.Workload.App
	}
	e.journal.Record(ev)
}

// recordPod tells of a change of a pod that Berth did not make. The caller holds mu.
func (e *Engine) recordPod(backend string, level slog.Level, s *status, ev backends.Event) {
	e.journal.Record(journal.Event{
		Kind: journal.Pod, Severity: severity(level), Message: ev.What, Deployment: ev.Deployment, App: e.appOf(ev.Deployment), Pod: ev.Pod, Backend: backend, Commit: s.Commit,
	})
}

// recordBackend tells that a backend answers, or does not.
func (e *Engine) recordBackend(backend string, level slog.Level, message string) {
	e.journal.Record(journal.Event{Kind: journal.Backend, Severity: severity(level), Message: message, Backend: backend})
}

// recordInForce tells that the commit of a view comes into force, if it does. The
// caller holds mu; the view is about to be planned.
func (e *Engine) recordInForce(v view, now time.Time) {
	commit := v.State.Commit
	if commit == "" || e.plan != nil && commit == e.view.State.Commit {
		return
	}
	since, changed := now, slices.Sorted(maps.Keys(e.edited))
	text := "it comes into force, and changes " + some(changed, "no deployment")
	if e.plan == nil { // it may have been in force before this process began
		since, changed = e.madeAt(commit, now)
		text = "it is in force"
	}
	e.journal.InForce(commit, since, changed)
	e.journal.Record(journal.Event{Kind: journal.Commit, Message: "commit " + short(commit) + ": " + text, Commit: commit})
}

// madeAt returns what pods tell of a commit: since when it has been in force, at
// the latest, and which deployments it changed. The caller holds mu.
func (e *Engine) madeAt(commit string, now time.Time) (since time.Time, changed []string) {
	since = now
	for name, pods := range e.world.pods {
		for i := range pods {
			if p := &pods[i]; p.Commit == commit {
				since, changed = earlier(p.CreatedAt, since), append(changed, name)
			}
		}
	}
	slices.Sort(changed)
	return since, slices.Compact(changed)
}

// recordOutcome tells what became of a commit, unless it was told last. The caller
// holds mu.
func (e *Engine) recordOutcome(o Outcome, level slog.Level) {
	if o == e.recorded {
		return
	}
	e.recorded = o
	e.journal.Outcome(o.Commit, string(o.Verdict), o.Summary)
	e.journal.Record(journal.Event{
		Kind: journal.Commit, Severity: severity(level), Commit: o.Commit,
		Message: "commit " + short(o.Commit) + " " + string(o.Verdict) + ": " + o.Summary,
	})
}

// manyApps is how many apps may change at once and be told of one by one.
const manyApps = 20

// recordApps tells of the apps whose releases changed since the last plan. The
// caller holds mu; v is about to be planned.
func (e *Engine) recordApps(v view) {
	if e.plan == nil || e.view.catalog == v.catalog {
		return // when Berth starts, no release is news
	}
	if len(e.apps) > manyApps {
		e.journal.Record(journal.Event{Kind: journal.App, Message: fmt.Sprintf("releases of %d apps came, changed or went", len(e.apps))})
		return
	}
	for _, id := range slices.Sorted(maps.Keys(e.apps)) {
		e.journal.Record(journal.Event{Kind: journal.App, App: id, Message: difference(e.view.catalog, v.catalog, id)})
	}
}

// difference says in words what changed of the releases of an app.
func difference(before, after *catalog.Catalog, identifier string) string {
	old, now := versions(before, identifier), versions(after, identifier)
	gone := func(of []string) func(string) bool {
		return func(version string) bool { return slices.Contains(of, version) }
	}
	came, went := slices.DeleteFunc(slices.Clone(now), gone(old)), slices.DeleteFunc(slices.Clone(old), gone(now))
	switch {
	case len(came) > 0 && len(went) > 0:
		return "releases " + some(came, "") + " came, " + some(went, "") + " went"
	case len(came) > 0:
		return "releases " + some(came, "") + " came"
	case len(went) > 0:
		return "releases " + some(went, "") + " went"
	default:
		return "its releases changed"
	}
}

func versions(c *catalog.Catalog, identifier string) (out []string) {
	if app, ok := c.App(identifier); ok {
		for _, r := range app.Releases {
			out = append(out, r.Version)
		}
	}
	return out
}

// some names the first few of several things, and how many more there are.
func some(of []string, none string) string {
	const few = 5
	switch {
	case len(of) == 0:
		return none
	case len(of) > few:
		return fmt.Sprintf("%s and %d more", strings.Join(of[:few], ", "), len(of)-few)
	default:
		return strings.Join(of, ", ")
	}
}
