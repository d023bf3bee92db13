package api

import (
	"cmp"
	"strconv"

	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/reconciler/journal"
)

// event resolves Event.
type event struct {
	w *world
	e *journal.Event
}

func (e event) ID() id                  { return id(strconv.FormatUint(e.e.ID, 10)) }
func (e event) Time() graphql.Time      { return moment(e.e.Time) }
func (e event) Kind() string            { return enum(e.e.Kind) }
func (e event) Severity() string        { return enum(cmp.Or(e.e.Severity, journal.Info)) }
func (e event) Message() string         { return e.w.meter.takeText(e.e.Message) }
func (e event) DeploymentName() string  { return e.e.Deployment }
func (e event) Deployment() *deployment { return e.w.deployment(e.e.Deployment) }
func (e event) App() string             { return e.e.App }
func (e event) Pod() string             { return e.e.Pod }
func (e event) Backend() string         { return e.e.Backend }
func (e event) Source() string          { return e.e.Source }
func (e event) Commit() string          { return e.e.Commit }
func (e event) State() *string          { return orNone(e.e.State, enum[string]) }

// chronological is the order of events.
const chronological = "TIME"

// events are listed as they happened.
var events = noun[event]{
	name: "event", usual: chronological,
	orders: map[string]order[event]{chronological: func(a, b event) int { return cmp.Compare(a.e.ID, b.e.ID) }},
	mark:   func(e event) []string { return []string{strconv.FormatUint(e.e.ID, 10)} },
	probe: func(w *world, left []string) (event, bool) {
		m := marks{left: left}
		e := event{w, &journal.Event{ID: uint64(m.int())}}
		return e, m.ok()
	},
}

type eventFilter struct {
	Deployment, App, Pod, Backend, Source, Commit, Kind, Severity *[]string
	Since, Before                                                 *graphql.Time
	Not                                                           *eventFilter
}

func (f *eventFilter) filter(depth int) (filter[event], error) {
	if f == nil {
		return filter[event]{}, nil
	}
	var c conditions[event]
	c.text("deployment", f.Deployment, event.DeploymentName)
	c.text("app", f.App, event.App)
	c.text("pod", f.Pod, event.Pod)
	c.text("backend", f.Backend, event.Backend)
	c.text("source", f.Source, event.Source)
	c.text("commit", f.Commit, event.Commit)
	c.enum("kind", f.Kind, event.Kind)
	c.enum("severity", f.Severity, event.Severity)
	c.test(f.Since != nil, func(e event) bool { return !e.e.Time.Before(f.Since.Time) })
	c.test(f.Before != nil, func(e event) bool { return e.e.Time.Before(f.Before.Time) })
	if f.Not != nil {
		c.not(depth, f.Not.filter)
	}
	return c.filter()
}

// listEvents lists events that are given the newest first.
func (w *world) listEvents(newestFirst []*journal.Event, f *eventFilter, words *string, direction string, p paging) (*connection[event], error) {
	keep, err := f.filter(0)
	if err != nil {
		return nil, err
	}
	if keep, err = search(keep, words, func(e event) []string {
		return []string{e.e.Message, e.e.Deployment, e.e.App, e.e.Pod, e.e.Backend, e.e.Source, e.e.Commit}
	}); err != nil {
		return nil, err
	}
	last := len(newestFirst) - 1
	of := listing[event]{len(newestFirst), func(i int) event { return event{w, newestFirst[last-i]} }, chronological}
	return events.page(w, of, keep, &orderBy{chronological, direction}, p)
}
