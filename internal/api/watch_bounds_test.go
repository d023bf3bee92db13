package api

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/internal/access"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/desired"
)

// crowd declares deployments that all depend on db, so that relations that lead
// there and back multiply.
func (r *rig) crowd(n int) {
	r.t.Helper()
	var docs []*schema.Deployment
	for i := range n {
		docs = append(docs, &schema.Deployment{Name: fmt.Sprintf("crowd%02d", i), App: "org.fiji", Version: "2.15.0", DependsOn: []string{"db"}})
	}
	r.feed.set(func() {
		r.feed.state, _ = r.feed.state.With(commitHash(2), desired.FileChange{Path: "crowd.yaml", Parsed: schema.DesiredFile{Deployments: docs}})
	})
	r.engine.Changed(engine.Change{Everything: true})
	r.settle()
	if got := r.engine.View().State.Dependents("db"); len(got) <= n {
		r.t.Fatalf("%d depend on db", len(got))
	}
}

// around leads from db to what depends on it and back, so often.
func around(times int, fields string) string {
	return strings.Repeat("{dependents{dependsOn", times) + "{" + fields + "}" + strings.Repeat("}}", times)
}

// TestHostileSubscriptions asks for answers that are larger than any may be: the
// first one ends the subscription, with one error, and the turn is given back.
func TestHostileSubscriptions(t *testing.T) {
	const only = `filter:{name:["db"]}`
	tests := []struct{ name, query, message string }{
		{"objects", "subscription{deployments(" + only + "){deployment" + around(6, "name") + "}}", "objects"},
		{"fields that count nothing", "subscription{deployments(" + only + "){deployment" + around(3, times(900, "a%d:name ")) + "}}", ""},
		{"pods", `subscription{pods(filter:{deployment:["db"]}){pod{deployment` + around(5, "name") + "}}}", "objects"},
		{"events", `subscription{events(last:1,filter:{deployment:["db"]}){deployment` + around(6, "name") + "}}", "objects"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(r *rig) {
				r.crowd(20)
				r.journal.Record(journal.Event{Kind: journal.State, Deployment: "db"})
				w := serveWorld(r)
				defer w.close()
				l := w.subscribe(tt.query)
				got := l.take()
				if len(got) < 3 || !strings.Contains(got[0], `"code":"TOO_MUCH"`) || !strings.Contains(got[0], tt.message) ||
					!strings.HasPrefix(got[0], `{"errors":`) || len(got[0]) > 2000 || got[1] != "event: complete" || got[len(got)-1] != "END" {
					t.Errorf("%.500q", got)
				}
				if n := len(r.api.turns); n != 0 {
					t.Errorf("%d turns are held", n)
				}
				l.cancel()
			})
		})
	}
}

// What a mutation answers has the same bounds, though it is of a newer world.
func TestHostileMutation(t *testing.T) {
	inWorld(t, func(r *rig) {
		r.crowd(20)
		r.api.o.Engine = failedEngine{r.api.o.Engine}
		ctx := access.With(r.t.Context(), access.Caller{Name: "ann", Role: access.Admin})
		got := r.api.Execute(ctx, `mutation{retry(deployment:"fiji"){deployment{app{deployments{nodes{dependsOn`+around(4, "name")+`}}}}}}`, "", nil)
		if len(got.Errors) != 1 || got.Errors[0].Extensions["code"] != string(TooMuch) || !strings.Contains(got.Errors[0].Message, "objects") || got.Data != nil {
			t.Errorf("%d bytes, %v", len(got.Data), got.Errors)
		}
	})
}

// An answer that takes too long ends with the time limit of a query.
func TestTimeLimitOfASubscription(t *testing.T) {
	inWorld(t, func(r *rig) {
		w := r.api.look(r.t.Context())
		w.meter.restart(r.t.Context())
		if e := w.meter.stopped(); e != nil {
			t.Error(e)
		}
		time.Sleep(limit + time.Second)
		if e := w.meter.stopped(); e == nil || e.Code != Timeout {
			t.Error(e)
		}
		w.meter.restart(r.t.Context())
		if e := w.meter.stopped(); e != nil {
			t.Error("the next answer ends too:", e)
		}
	})
}

// What is held against every change is less than what a query may filter by.
func TestFiltersOfSubscriptionsAreBounded(t *testing.T) {
	values := func(n int) string { return "[" + strings.Repeat(`"a*" `, n) + "]" }
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		for filter, want := range map[string]bool{
			"name:" + values(maxWatched):                                   true,
			"name:" + values(300) + ",app:" + values(201):                  false,
			"name:" + values(300) + ",not:{not:{app:" + values(201) + "}}": false,
		} {
			l := w.subscribe("subscription{deployments(filter:{" + filter + "}){name}}")
			if refused := strings.Contains(strings.Join(l.take(), ""), "BAD_INPUT"); refused == want {
				t.Errorf("%.80s: refused: %v", filter, refused)
			}
			l.cancel()
			l.take()
		}
	})
}
