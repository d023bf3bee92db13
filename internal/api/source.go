package api

import (
	"cmp"
	"strings"

	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/sources/follow"
)

// source resolves Source.
type source struct {
	w     *world
	s     *follow.Status
	state string // of one that only marks a place in a list
}

func (s source) ID() id          { return id(s.s.Name) }
func (s source) Name() string    { return s.s.Name }
func (s source) URL() string     { return s.w.meter.takeText(s.s.URL) }
func (s source) Ref() string     { return s.s.Ref }
func (s source) Commit() string  { return s.s.Commit }
func (s source) Message() string { return s.w.meter.takeText(s.s.Message) }
func (s source) Problem() string { return s.w.meter.takeText(cmp.Or(s.s.Problem, s.s.Rewound)) }
func (s source) Failures() int32 { return count(s.s.Failures) }

func (s source) LastAttempt() *graphql.Time { return momentOrNone(s.s.Attempt) }
func (s source) LastSuccess() *graphql.Time { return momentOrNone(s.s.Success) }
func (s source) NextAttempt() *graphql.Time { return momentOrNone(s.s.Next) }

func (s source) Kind() string {
	if s.s.Name == follow.DesiredName {
		return "DESIRED"
	}
	return "REPO"
}

func (s source) State() string {
	switch {
	case s.state != "":
		return s.state
	case s.s.Problem != "":
		return "FAILED"
	case s.s.Rewound != "":
		return "REWOUND"
	case s.s.Commit == "", s.s.Stored:
		return "PENDING"
	}
	return "READY"
}

func (s source) Repo() *repo {
	if s.s.Name == follow.DesiredName {
		return nil
	}
	return s.w.repo(s.s.Name)
}

func compareSources(a, b source) int { return strings.Compare(a.s.Name, b.s.Name) }

// listedSources are listed by name.
var listedSources = noun[source]{
	name: "source", usual: "NAME",
	orders: map[string]order[source]{
		"NAME":  compareSources,
		"STATE": func(a, b source) int { return cmp.Or(strings.Compare(a.State(), b.State()), compareSources(a, b)) },
		"LAST_SUCCESS": func(a, b source) int {
			return cmp.Or(a.s.Success.Compare(b.s.Success), compareSources(a, b))
		},
	},
	mark: func(s source) []string { return []string{s.s.Name, markTime(s.s.Success), s.State()} },
	probe: func(w *world, left []string) (source, bool) {
		m := marks{left: left}
		s := source{w, &follow.Status{Name: m.text(), Success: m.time()}, m.text()}
		return s, m.ok()
	},
}

type sourceFilter struct {
	Name, Kind, State *[]string
	Not               *sourceFilter
}

func (f *sourceFilter) filter(depth int) (filter[source], error) {
	if f == nil {
		return filter[source]{}, nil
	}
	var c conditions[source]
	c.text("name", f.Name, source.Name)
	c.enum("kind", f.Kind, source.Kind)
	c.enum("state", f.State, source.State)
	if f.Not != nil {
		c.not(depth, f.Not.filter)
	}
	return c.filter()
}

func (w *world) listSources(f *sourceFilter, words *string, by *orderBy, p paging) (*connection[source], error) {
	keep, err := f.filter(0)
	if err != nil {
		return nil, err
	}
	if keep, err = search(keep, words, func(s source) []string {
		return []string{s.s.Name, s.s.URL, s.s.Ref, s.s.Message, s.s.Problem, s.s.Rewound}
	}); err != nil {
		return nil, err
	}
	const followed = "" // the order in which they stand
	return listedSources.page(w, all(w.sources, followed, func(s follow.Status) source { return source{w: w, s: &s} }), keep, by, p)
}
