package api

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/internal/access"
	"github.com/berthdev/berth/internal/relay"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
)

// standbyEngine is that of a replica that does not lead.
type standbyEngine struct{ Engine }

func (e standbyEngine) View() *engine.View {
	v := e.Engine.View()
	return &engine.View{Catalog: v.Catalog, Standby: true}
}

// TestStandbyRefusesWork: a replica that does not lead says who does, and is asked
// for nothing.
func TestStandbyRefusesWork(t *testing.T) {
	inWorld(t, func(r *rig) {
		leader := "berth-b"
		r.api.o.Engine, r.api.o.Leader = standbyEngine{r.api.o.Engine}, func() string { return leader }
		w := serveWorld(r)
		defer w.close()
		if _, body := w.post(`{"query":"{instance{leading leader}}"}`); !strings.Contains(body, `{"leading":false,"leader":"berth-b"}`) {
			t.Error(body)
		}
		if _, body := w.post(`{"query":"mutation{reconcile{what}}"}`); !strings.Contains(body, `this replica does not lead: berth-b does","path":["reconcile"],"extensions":{"code":"UNAVAILABLE"`) {
			t.Error(body)
		}
		leader = ""
		if _, body := w.post(`{"query":"mutation{retry(deployment:\"fiji\"){pods}}"}`); !strings.Contains(body, "this replica does not lead: none does") {
			t.Error(body)
		}
		if len(r.hub.woken) > 0 {
			t.Errorf("woken: %q", r.hub.woken)
		}
	})
}

// TestStandbyHandsOnWork: a replica that does not lead hands mutations with a token to
// the one that does, and nothing else.
func TestStandbyHandsOnWork(t *testing.T) {
	var asked []string
	leader := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Header.Get("Authorization")+" "+string(body))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, `{"data":"of the leader"}`)
	}))
	defer leader.Close()
	inWorld(t, func(r *rig) {
		r.api.o.Engine, r.api.o.Leader = standbyEngine{r.api.o.Engine}, func() string { return "berth-b" }
		r.api.o.Relay = relay.New(leader.Listener.Addr().String, schema.ServerTLS{}, slog.New(slog.DiscardHandler))
		h := NewHandler(r.api)
		ask := func(token, query string) string {
			in := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(`{"query":"`+query+`","variables":{"a":1}}`))
			in.Header.Set("Content-Type", "application/json")
			if token != "" {
				in.Header.Set("Authorization", token)
			}
			in = in.WithContext(access.With(in.Context(), access.Caller{Name: "ann", Role: access.Admin}))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, in)
			return fmt.Sprint(w.Code, " ", w.Header().Get("Content-Type"), " ", w.Body.String())
		}
		const work = "mutation{reconcile{what}}"
		if got := ask("Bearer x", work); got != `418 application/json {"data":"of the leader"}` {
			t.Error(got)
		}
		if got := ask("", work); !strings.Contains(got, "this replica does not lead") {
			t.Error(got)
		}
		if got := ask("Bearer x", "{instance{leading}}"); !strings.Contains(got, `"leading":false`) {
			t.Error(got)
		}
		leader.Close()
		if got := ask("Bearer x", work); !strings.Contains(got, "this replica does not lead") || strings.Contains(got, "use a token") {
			t.Error(got)
		}
		if len(r.hub.woken) > 0 {
			t.Errorf("woken for what the leader did not do: %q", r.hub.woken)
		}
	})
	if want := []string{`Bearer x {"query":"mutation{reconcile{what}}","operationName":"","variables":{"a":1}}`}; !slices.Equal(asked, want) {
		t.Errorf("asked of the leader: %q, want %q", asked, want)
	}
}

// TestStandbyLooksToo: what the leader was asked to look at again the replica that was
// asked looks at too, for whoever asked goes on to ask it for the outcome.
func TestStandbyLooksToo(t *testing.T) {
	leader := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":"of the leader"}`)
	}))
	defer leader.Close()
	inWorld(t, func(r *rig) {
		r.api.o.Engine, r.api.o.Leader = standbyEngine{r.api.o.Engine}, func() string { return "berth-b" }
		r.api.o.Relay = relay.New(leader.Listener.Addr().String, schema.ServerTLS{}, slog.New(slog.DiscardHandler))
		h := NewHandler(r.api)
		for role, want := range map[access.Role]int{access.Viewer: 0, access.Admin: 1} {
			in := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(`{"query":"mutation{reconcile{what}}"}`))
			in.Header.Set("Content-Type", "application/json")
			in.Header.Set("Authorization", "Bearer x")
			w := httptest.NewRecorder()
			r.hub.woken = nil
			h.ServeHTTP(w, in.WithContext(access.With(in.Context(), access.Caller{Name: "ann", Role: role})))
			if len(r.hub.woken) != want || w.Body.String() != `{"data":"of the leader"}` {
				t.Errorf("%s: woken %q, answered %s", role, r.hub.woken, w.Body)
			}
		}
	})
}

// TestStandbyThatEnds: a leader that does not answer keeps no replica from ending,
// which it does when it takes over.
func TestStandbyThatEnds(t *testing.T) {
	asked, over := make(chan struct{}), make(chan struct{})
	leader := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(asked); <-over }))
	defer leader.Close()
	defer close(over)
	inWorld(t, func(r *rig) {
		r.api.o.Engine, r.api.o.Leader = standbyEngine{r.api.o.Engine}, func() string { return "berth-b" }
		r.api.o.Relay = relay.New(leader.Listener.Addr().String, schema.ServerTLS{}, slog.New(slog.DiscardHandler))
		h := NewHandler(r.api)
		in := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(`{"query":"mutation{reconcile{what}}"}`))
		in.Header.Set("Content-Type", "application/json")
		in.Header.Set("Authorization", "Bearer x")
		w, began := httptest.NewRecorder(), time.Now()
		go func() { <-asked; h.EndStreams() }()
		h.ServeHTTP(w, in.WithContext(access.With(in.Context(), access.Caller{Name: "ann", Role: access.Admin})))
		if took := time.Since(began); took > 5*time.Second || !strings.Contains(w.Body.String(), "UNAVAILABLE") {
			t.Errorf("after %s: %s", took, w.Body)
		}
	})
}
