package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/berthdev/berth/backends"
)

// podOf is the name of the first pod of a deployment.
func (r *rig) podOf(deployment string) string {
	r.t.Helper()
	s, ok := r.engine.View().Status(deployment)
	if !ok || len(s.Pods) == 0 {
		r.t.Fatal("no pod of " + deployment)
	}
	return s.Pods[0].Name
}

// write has the first pods of deployments write, one after the other: deployment
// and line in turns.
func (r *rig) write(lines ...string) {
	r.t.Helper()
	for i := 0; i < len(lines); i += 2 {
		time.Sleep(time.Second)
		if !r.docker.Write(r.container(lines[i]), lines[i+1]+"\n") {
			r.t.Fatal("no container of " + lines[i])
		}
	}
}

func TestLogs(t *testing.T) {
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		begun := time.Now()
		r.write("db", "one", "stardist-john", "two", "db", "three", "db", "four")
		db, john := "["+r.podOf("db")+"] ", "["+r.podOf("stardist-john")+"] "
		for target, want := range map[string]string{
			"?deployment=db":                     "one\nthree\nfour\n",
			"?pod=" + r.podOf("db"):              "one\nthree\nfour\n",
			"?deployment=db&tail=2":              "three\nfour\n",
			"?deployment=db&tail=0":              "",
			"?deployment=db&tail=1&timestamps=1": begun.Add(4*time.Second).UTC().Format(time.RFC3339Nano) + " four\n",
			"?deployment=db&since=1500ms":        "three\nfour\n",
			"?deployment=db&since=" + url.QueryEscape(begun.Add(4*time.Second).Format(time.RFC3339Nano)): "four\n",
			"?deployment=db&deployment=stardist-john":                                                    db + "one\n" + john + "two\n" + db + "three\n" + db + "four\n",
			"?deployment=db&pod=" + r.podOf("stardist-john") + "&tail=1":                                 john + "two\n" + db + "four\n",
			"?deployment=db&pod=" + r.podOf("db"):                                                        "one\nthree\nfour\n", // once
		} {
			if code, body := w.get("/logs" + target); code != 200 || body != want {
				t.Errorf("%s: %d\n%s", target, code, body)
			}
		}
		pod := r.podOf("db")
		if code, body := w.get("/logs?deployment=db&tail=1", "Accept", lineJSON); code != 200 || body !=
			`{"pod":"`+pod+`","backend":"docker","time":"`+begun.Add(4*time.Second).UTC().Format(time.RFC3339Nano)+`","stderr":false,"text":"four"}`+"\n" {
			t.Errorf("JSON: %d %s", code, body)
		}
	})
}

// Before the first plan, and of a backend that was never listed, nobody knows
// what runs: that is no answer that it is not there.
func TestLogsOfWhatIsNotKnownYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		w := serveWorld(r)
		defer w.close()
		unavailable := func(target, why string) {
			t.Helper()
			if code, body := w.get("/logs"+target, "Accept", lineJSON); code != 503 || !strings.Contains(body, why) {
				t.Errorf("%s: %d %s", target, code, body)
			}
		}
		unavailable("?deployment=db&follow=1", "the desired state was not read yet")
		unavailable("?pod=db-0", "the desired state was not read yet")
		r.docker.Cut()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.engine.Run(ctx) }()
		r.settle()
		unavailable("?pod=db-0&follow=1", "what docker runs is not known yet")
		if code, body := w.get("/logs?pod=db-0&backend=cluster"); code != 404 {
			t.Errorf("a backend that was listed: %d %s", code, body)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestLogsThatCannotBeRead(t *testing.T) {
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		for target, want := range map[string]struct {
			code int
			body string
		}{
			"?deployment=bd":                      {404, "did you mean db?"},
			"?pod=" + r.podOf("db") + "x":         {404, "did you mean " + r.podOf("db") + "?"},
			"?deployment=db&backend=dokcer":       {404, "did you mean docker?"},
			"?deployment=db&backend=cluster":      {404, "has no pods"},
			"":                                    {400, "name deployment=NAME or pod=NAME"},
			"?deployment=db&tial=1":               {400, "did you mean tail?"},
			"?deployment=db&tail=100001":          {400, "from 0 to 100000"},
			"?deployment=db&tail=-1":              {400, "from 0 to 100000"},
			"?deployment=db&since=yesterday":      {400, "write a duration"},
			"?deployment=db&since=-1h":            {400, "write a duration"},
			"?deployment=db&follow=maybe":         {400, "write follow=1"},
			"?deployment=db&tail=1&tail=2":        {400, "give it once"},
			"?" + strings.Repeat("pod=x%20&", 60): {404, "there is no pod"},
			"?%zz":                                {400, "URL"},
		} {
			code, body := w.get("/logs" + target)
			if code != want.code || !strings.Contains(body, want.body) {
				t.Errorf("%s: %d %s", target, code, body)
			}
		}
		if code, body := w.get("/logs?deployment=db", "Accept", "image/png"); code != 406 {
			t.Errorf("%d %s", code, body)
		}
		if code, body := w.ask(http.MethodPost, "/logs?deployment=db", ""); code != 405 {
			t.Errorf("%d %s", code, body)
		}
		r.docker.Cut()
		if code, body := w.get("/logs?deployment=db"); code != 503 || !strings.Contains(body, "UNAVAILABLE") {
			t.Errorf("the engine is away: %d %s", code, body)
		}
		r.docker.Restore()
		r.settle()
	})
}

// follow begins to follow logs.
func (w *web) follow(query string, headers ...string) *listener {
	w.t.Helper()
	return w.listen(func(ctx context.Context) *http.Response {
		return w.send(ctx, http.MethodGet, "/logs?follow=1&"+query, "", headers...)
	})
}

func TestFollowLogs(t *testing.T) {
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		r.write("db", "one", "db", "two")
		pod := r.podOf("db")
		l := w.follow("pod=" + pod + "&tail=1")
		diff(t, l.take(), "two")
		time.Sleep(time.Hour) // no deadline of a request ends it
		r.write("db", "three", "db", "four")
		diff(t, l.take(), "three", "four")
		none := w.follow("pod=" + pod + "&tail=0")
		diff(t, none.take())
		r.write("db", "five")
		diff(t, l.take(), "five")
		diff(t, none.take(), "five")
		none.cancel()
		diff(t, none.take(), "END")
		w.handler.EndStreams()
		diff(t, l.take(), "berth: the server stops (ask again when it runs)", "END")
	})
}

// Who follows a deployment is told of its later pods too.
func TestFollowLogsOfLaterPods(t *testing.T) {
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		label := "[" + r.podOf("db") + "] "
		l := w.follow("deployment=db")
		r.write("db", "one")
		diff(t, l.take(), label+"one")
		r.docker.Delete(r.container("db"))
		r.settle()
		r.write("db", "two")
		diff(t, l.take(), "["+r.podOf("db")+"] two")
		l.cancel()
		diff(t, l.take(), "END")
		ofPod := w.follow("pod=" + r.podOf("db") + "&tail=0") // a pod alone ends
		diff(t, ofPod.take())
		r.docker.Delete(r.container("db"))
		r.settle()
		diff(t, ofPod.take(), "END")
	})
}

// An engine that goes away is told among the lines, and the other pods go on.
func TestFollowLogsWithoutAnEngine(t *testing.T) {
	inWorld(t, func(r *rig) {
		w := serveWorld(r)
		defer w.close()
		r.write("db", "one")
		l := w.follow("deployment=db&deployment=stardist-anna", "Accept", lineJSON)
		if got := l.take(); len(got) != 1 || !strings.Contains(got[0], `"text":"one"`) {
			t.Errorf("%q", got)
		}
		r.docker.Cut()
		synctest.Wait()
		got := l.take()
		if len(got) != 1 || !strings.Contains(got[0], `{"error":{"message":`) || !strings.Contains(got[0], "UNAVAILABLE") {
			t.Errorf("%q", got)
		}
		time.Sleep(time.Minute)
		if got := l.take(); len(got) != 0 {
			t.Errorf("%q", got)
		}
		r.docker.Restore()
		r.settle()
		l.cancel()
		l.take()
	})
}

func TestRepeats(t *testing.T) {
	at := func(s int) backends.LogLine { return backends.LogLine{Time: time.Unix(int64(s), 0)} }
	r := repeats{until: time.Unix(5, 0), same: 2}
	var got []bool
	for _, s := range []int{3, 5, 5, 5, 6, 4} { // what is older than new lines is new
		got = append(got, r.repeat(at(s)))
	}
	if d := cmp.Diff([]bool{true, true, true, false, false, false}, got); d != "" {
		t.Error(d)
	}
	if none := (repeats{}); none.repeat(at(0)) {
		t.Error("the first line is none that was told")
	}
}

func FuzzLogQuery(f *testing.F) {
	for _, s := range []string{"deployment=a&tail=5", "pod=a&pod=b&since=10m&follow=1", "since=2026-11-21T12:00:00Z&pod=a", "%zz", "pod=&tail=-1"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseLogQuery(raw, now)
		if (q == nil) == (err == nil) {
			t.Fatalf("%v, %v", q, err)
		}
		if err != nil {
			if err.Hint == "" || len(err.Message) > 1000 {
				t.Errorf("%q: %q (%q)", raw, err.Message, err.Hint)
			}
			return
		}
		if n := len(q.deployments) + len(q.pods); n == 0 || n > maxLogPods || q.tail > maxTail || q.tail < -1 {
			t.Errorf("%q: %+v", raw, q)
		}
		again, err := parseLogQuery(raw, now)
		if d := cmp.Diff(q, again, cmp.AllowUnexported(logQuery{}), cmpopts.EquateEmpty()); err != nil || d != "" {
			t.Error(d)
		}
	})
}
