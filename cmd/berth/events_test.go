package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// However many events happen while the connection is lost, each is printed once,
// also those that happen between the pages and the subscription.
func TestFollowingEventsLosesNone(t *testing.T) {
	const before, missed, late = 60, 1234, 7
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var happened []*eventItem
	happen := func(n int) {
		for range n {
			id := len(happened) + 1
			happened = append(happened, &eventItem{ID: fmt.Sprint(id), Time: at.Add(time.Duration(id/2) * time.Second), Kind: "state", Severity: "info", Message: fmt.Sprint(id)})
		}
	}
	matching := func(v map[string]any) []*eventItem {
		since, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(v["filter"].(map[string]any)["since"])) // zero when there is none
		return slices.DeleteFunc(slices.Clone(happened), func(e *eventItem) bool { return e.Time.Before(since) })
	}
	happen(before)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rounds := 0
	var server eventServer
	server.query = func(document string, v map[string]any) (string, error) {
		if document == pingQuery {
			return knows, nil
		}
		found := matching(v) // the newest first, page by page
		slices.Reverse(found)
		from := 0
		if after, ok := v["after"].(string); ok {
			fmt.Sscan(after, &from)
		}
		page := found[from:min(from+v["first"].(int), len(found))]
		nodes, err := json.Marshal(page)
		return fmt.Sprintf(`{"events": {"nodes": %s, "pageInfo": {"hasNextPage": %t, "endCursor": "%d"}}}`, nodes, from+len(page) < len(found), from+len(page)), err
	}
	server.subscribed = func(v map[string]any, each func(json.RawMessage) error) error {
		rounds++
		if rounds == 2 {
			happen(late)
		}
		found := matching(v)
		for _, e := range found[max(0, len(found)-v["last"].(int)):] {
			data, err := json.Marshal(map[string]any{"events": e})
			if err != nil {
				return err
			}
			if err := each(data); err != nil {
				return err
			}
		}
		if rounds == 2 {
			cancel()
			return ctx.Err()
		}
		happen(missed)
		return errAway
	}
	var out, told strings.Builder
	e := &events{ask: server, options: eventsOptions{limit: 50, output: "json"}, filter: map[string]any{}, console: console{out: &out, err: &told}}
	if err := e.goOn(ctx); ctx.Err() == nil {
		t.Fatal(err)
	}
	next := before - 50 + 1
	for line := range strings.Lines(out.String()) {
		var e eventItem
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.ID != fmt.Sprint(next) {
			t.Fatalf("event %s is printed where %d should be", e.ID, next)
		}
		next++
	}
	if next != before+missed+late+1 {
		t.Errorf("the last event that was printed is %d, of %d\n%s", next-1, len(happened), told.String())
	}
}

// eventServer is a fakeServer whose subscriptions know what is asked for.
type eventServer struct {
	fakeServer
	subscribed func(variables map[string]any, each func(json.RawMessage) error) error
}

func (s eventServer) Subscribe(_ context.Context, _ string, variables map[string]any, each func(json.RawMessage) error) error {
	return s.subscribed(variables, each)
}
