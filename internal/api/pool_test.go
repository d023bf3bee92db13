package api

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/internal/access"
)

func TestPool(t *testing.T) {
	p := newPool(20, streamsOpen)
	ann, bob, eve := access.Caller{Name: "ann", Role: access.Viewer}, access.Caller{Name: "bob", Role: access.Viewer}, access.Caller{Name: "eve", Role: access.Admin}
	for i, step := range []struct {
		caller access.Caller
		n      int // negative: it is given back
		says   string
	}{
		{ann, 11, "10 streams are open, which is the most for one caller"},
		{ann, 10, ""},
		{ann, 1, "10 streams are open, which is the most for one caller"},
		{bob, 8, ""},
		{bob, 1, "18 streams are open, which is the most"}, // the last ones are an admin's
		{eve, 2, ""},
		{eve, 1, "20 streams are open, which is the most"},
		{ann, -10, ""},
		{bob, 2, ""},
		{eve, -2, ""}, {bob, -10, ""},
	} {
		if step.n < 0 {
			p.give(step.caller, -step.n)
			continue
		}
		says := ""
		if refusal := p.take(step.caller, step.n); refusal != nil {
			says = refusal.err.Message
		}
		if says != step.says {
			t.Errorf("step %d: %q", i, says)
		}
	}
	if p.taken() != 0 || len(p.by) != 0 {
		t.Errorf("%+v", p.by)
	}
}

// unread sends a request and reads nothing of its answer but the head.
func (w *web) unread(query string, headers ...string) (end func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	resp := w.send(ctx, http.MethodPost, "/graphql", `{"query":"`+query+`"}`, append(headers, "Content-Type", "application/json")...) //nolint:bodyclose // end does
	synctest.Wait()
	return func() { cancel(); resp.Body.Close() }
}

// Answers that wait for slow readers are bounded, and given up in time.
func TestAnswersThatNobodyReadsAreBounded(t *testing.T) {
	query := "{" + times(200, "a%d:deployments{nodes{name state reason}} ") + "}"
	inWorld(t, func(r *rig) {
		size := len(r.api.Execute(r.t.Context(), query, "", nil).Data)
		if size <= smallAnswer {
			t.Fatalf("%d bytes are not counted", size)
		}
		r.api.answers = newPool(3*size, bytesHeld) // one for each
		for what, headers := range map[string][]string{"JSON": nil, "events": {"Accept", eventStream}} {
			w := serveWorld(r)
			end := w.unread(query, headers...)
			if n := r.api.answers.taken(); n != size {
				t.Errorf("%s: %d bytes are held, not %d", what, n, size)
			}
			resp := w.send(r.t.Context(), http.MethodPost, "/graphql", `{"query":"`+query+`"}`, append(headers, "Content-Type", "application/json")...)
			if body := whole(w, resp); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "wait for who reads them") {
				t.Errorf("%s: %d %.300s", what, resp.StatusCode, body)
			}
			resp.Body.Close()
			if code, _ := w.post(`{"query":"{instance{name}}"}`); code != http.StatusOK {
				t.Errorf("%s: a small answer is refused: %d", what, code)
			}
			time.Sleep(streamTime + time.Second)
			synctest.Wait()
			if n := r.api.answers.taken(); n != 0 {
				t.Errorf("%s: %d bytes are held for who was cut off", what, n)
			}
			end()
			w.close()
		}
	})
}

// Who reads nothing of a subscription is cut off after a while, and what it had
// is given back.
func TestStreamThatNobodyReadsIsCutOff(t *testing.T) {
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		w.handler.stall = 7 * time.Second // longer than a request may take
		end := w.unread("subscription{deployments{name "+times(300, "a%d:name ")+"}}", "Accept", eventStream)
		defer end()
		time.Sleep(w.handler.stall - time.Second)
		synctest.Wait()
		if n := w.handler.streams.taken(); n != 1 {
			t.Errorf("%d streams are open before its time", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n, turns := w.handler.streams.taken(), len(r.api.turns); n != 0 || turns != 0 {
			t.Errorf("%d streams are open, %d turns are held", n, turns)
		}
	})
}

// An answer of a subscription counts until its client read it.
func TestAnswersOfSubscriptionsAreHeld(t *testing.T) {
	query := "subscription{deployments{deployment{" + times(200, "a%d:reason b%[1]d:name c%[1]d:why ") + "}}}"
	inWorld(t, func(r *rig) {
		answers, err := r.api.Subscribe(r.t.Context(), query, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		first := offered(answers)
		synctest.Wait() // the next one is made
		if n := r.api.answers.taken(); n < 2*smallAnswer || n < len(first.Data) {
			t.Errorf("%d bytes are held", n)
		}
		r.api.answers.most, r.api.answers.share = 1, 1
		got := offered(answers)
		for ; got != nil && len(got.Errors) == 0; got = offered(answers) {
		}
		if got == nil || got.Errors[0].Extensions["code"] != string(Unavailable) {
			t.Errorf("%+v", got)
		}
		if got, more := <-answers; more {
			t.Errorf("it goes on: %s", got.Data)
		}
		if n := r.api.answers.taken(); n != 0 {
			t.Errorf("%d bytes are held for what ended", n)
		}
	})
}

// Queries that are asked at once are bounded, those that are answered count no more.
func TestQueriesAreBounded(t *testing.T) {
	const query = `{"query":"{instance{name}}"}`
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		w.handler.queries = newPool(4, queriesAsked) // two for each
		for range cap(r.api.turns) {
			r.api.turns <- struct{}{}
		}
		var asked sync.WaitGroup
		for range 2 {
			asked.Go(func() {
				if code, body := w.post(query); code != http.StatusOK || strings.Contains(body, "errors") {
					t.Errorf("%d %s", code, body)
				}
			})
		}
		synctest.Wait()
		if code, body := w.post(query); code != http.StatusServiceUnavailable || !strings.Contains(body, "2 queries are being answered") {
			t.Errorf("%d %s", code, body)
		}
		for range cap(r.api.turns) {
			<-r.api.turns
		}
		asked.Wait()
		l := w.subscribe("subscription{events{id}}")
		if n := w.handler.queries.taken(); n != 0 {
			t.Errorf("%d queries are counted when all are answered", n)
		}
		l.cancel()
		l.take()
	})
}

// A log counts as many pods as it reads, also when others come.
func TestLogsThatAreReadAreBounded(t *testing.T) {
	const path = "/logs?deployment=stardist-john&deployment=db&follow=1"
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		w.handler.reading = newPool(7, podsRead) // three for each: a pod may come before the end of the former one is known
		l := w.listen(func(ctx context.Context) *http.Response { return w.send(ctx, http.MethodGet, path, "") })
		l.take()
		if code, body := w.get("/logs?deployment=db&deployment=fiji"); code != http.StatusServiceUnavailable || !strings.Contains(body, "the logs of 3 pods are being read") {
			t.Errorf("%d %s", code, body)
		}
		for range 3 {
			r.docker.Delete(r.container("db"))
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			if got := strings.Join(l.take(), "\n"); strings.Contains(got, "no more pods") {
				t.Error(got)
			}
		}
		if n := w.handler.reading.taken(); n != 2 {
			t.Errorf("%d pods are read", n)
		}
		l.cancel()
		l.take()
		synctest.Wait()
		if n := w.handler.reading.taken(); n != 0 {
			t.Errorf("%d pods are read for nobody", n)
		}
	})
}
