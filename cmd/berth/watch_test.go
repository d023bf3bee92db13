package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/schema"
)

// watched runs a watch against a server that goes through a number of rounds: of
// each, what a look gives and what is heard then. It ends with the last round.
func watched(t *testing.T, kind, output string, rounds []round) (out, notices string) {
	t.Helper()
	q, err := getOptions{output: output, watch: true}.query([]string{kind}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := -1
	server := fakeServer{
		query: func(document string, _ map[string]any) (string, error) {
			if document == pingQuery && (n+1 == len(rounds) || rounds[n+1].err == nil) {
				return `{"instance": {"ready": true}}`, nil // the next look will be answered
			}
			n++
			if n == len(rounds) {
				cancel()
				return "", ctx.Err()
			}
			return pageOf("", rounds[n].there...), rounds[n].err
		},
		subscribe: func(_ context.Context, each func(json.RawMessage) error) error {
			for _, change := range rounds[n].heard {
				if err := each(json.RawMessage(change)); err != nil {
					return err
				}
			}
			return errAway
		},
	}
	var stdout, stderr strings.Builder
	w := newWatch(q, console{out: &stdout, err: &stderr}, server)
	w.pause = 0
	if err := w.run(ctx); err != nil {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String()
}

type round struct {
	there []string
	err   error
	heard []string
}

var errAway = &schema.Error{Op: "ask", Resource: "http://x", Kind: schema.Transient, Err: errors.New("connection refused")}

func TestWatchHears(t *testing.T) {
	web, db := `{"name": "web", "state": "READY", "replicas": 1, "readyReplicas": 1}`, `{"name": "db", "state": "WAITING", "replicas": 1}`
	out, notices := watched(t, "deployments", "table", []round{
		{there: []string{db, web}, heard: []string{
			`{"change": {"kind": "ADDED", "name": "db", "item": ` + db + `}}`, // what was printed already
			`{"change": {"kind": "ADDED", "name": "web", "item": ` + web + `}}`,
			`{"change": {"kind": "MODIFIED", "name": "db", "item": {"name": "db", "state": "READY", "replicas": 1, "readyReplicas": 1}}}`,
			`{"change": {"kind": "REMOVED", "name": "web"}}`,
			`{"change": {"kind": "REMOVED", "name": "never-seen"}}`,
		}},
		{err: errAway}, {err: errAway},
		{there: []string{db}}, // it changed while the server was away
		{there: nil},          // and went
	})
	want := `NAME   STATE     READY   APP   VERSION   FLAVOUR   BACKEND   REASON   SINCE
db     waiting   0/1     -     -         -         -         -        -
web    ready     1/1     -     -         -         -         -        -
db     ready     1/1     -     -         -         -         -        -
web    gone      -       -     -         -         -         -        -
db     waiting   0/1     -     -         -         -         -        -
db     gone      -       -     -         -         -         -        -
`
	if diff := cmp.Diff(want, out); diff != "" {
		t.Error(diff)
	}
	want = strings.Repeat("the server went away (connection refused); asking again until it is back\nthe server is back\n", 3)
	if diff := cmp.Diff(want, notices); diff != "" {
		t.Error(diff)
	}
}

// What has no subscription is looked at again; ages are no changes.
func TestWatchLooksAgain(t *testing.T) {
	read := func(at, state string) string {
		return `{"name": "apps", "kind": "REPO", "state": "` + state + `", "lastSuccess": "` + at + `"}`
	}
	rounds := []round{
		{there: []string{read("2026-11-21T12:00:00Z", "READY")}},
		{there: []string{read("2026-11-21T12:01:00Z", "READY")}},
		{there: []string{read("2026-11-21T12:01:00Z", "FAILED")}},
		{there: nil},
	}
	out, notices := watched(t, "sources", "name", rounds)
	if out != "source/apps\nsource/apps\n" || notices != "" {
		t.Errorf("%s%s", out, notices)
	}
	out, _ = watched(t, "sources", "json", rounds)
	var kinds []string
	for line := range strings.Lines(out) {
		var c struct{ Change, Kind, Name string }
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, c.Change+" "+c.Kind+" "+c.Name)
	}
	want := []string{"added source apps", "modified source apps", "modified source apps", "removed source apps"}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
}

// Every event is told once, also over a restart of the server, which counts anew.
func TestWatchEvents(t *testing.T) {
	event := func(id, at, message string) string {
		return `{"id": "` + id + `", "time": "2026-11-21T12:00:` + at + `Z", "kind": "STATE", "severity": "INFO", "message": "` + message + `"}`
	}
	one, two, three, four := event("9", "01", "one"), event("10", "01", "two"), event("11", "02", "three"), event("1", "03", "four")
	out, _ := watched(t, "events", "table", []round{
		{there: []string{two, one}, heard: []string{ // the newest comes first
			`{"change": ` + one + `}`, `{"change": ` + two + `}`, `{"change": ` + three + `}`,
		}},
		{there: []string{four}},
	})
	var messages []string
	for line := range strings.Lines(out) {
		messages = append(messages, strings.Fields(line)[3])
	}
	if diff := cmp.Diff([]string{"MESSAGE", "one", "two", "three", "four"}, messages); diff != "" {
		t.Error(diff)
	}
}

// A server that never answered, and one that refuses, end the watch.
func TestWatchFails(t *testing.T) {
	refused := &schema.Error{Op: "ask", Kind: schema.Terminal, Err: errors.New("no token")}
	for _, want := range []error{errAway, refused} {
		q, err := getOptions{output: "table", watch: true}.query([]string{"pods"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		server := fakeServer{query: func(string, map[string]any) (string, error) { return "", want }}
		var out, notices strings.Builder
		if err := newWatch(q, console{out: &out, err: &notices}, server).run(t.Context()); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}
