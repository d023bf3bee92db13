package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/internal/client"
)

func logLine(pod string, second int, text string) client.LogLine {
	return client.LogLine{Pod: pod, Backend: "lab", Time: time.Date(2026, 11, 21, 12, 0, second, 0, time.UTC), Text: text}
}

// A connection that breaks again and again loses no line and doubles none, though
// lines have the same time and the same text.
func TestFollowingGoesOnWhereItStopped(t *testing.T) {
	all := []client.LogLine{
		logLine("a", 1, "one"), logLine("a", 1, "one"), logLine("b", 2, "two"), logLine("a", 3, "three"),
		logLine("b", 3, "three"), logLine("b", 3, "four"), logLine("a", 20, "five"), logLine("b", 21, "six"),
	}
	answers := 0
	var sinces []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/graphql" {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"data":{"instance":{"ready":true}}}`)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		since, _ := time.Parse(time.RFC3339Nano, r.URL.Query().Get("since")) // zero when there is none
		sinces = append(sinces, r.URL.Query().Get("since"))
		answers += 3
		for i, line := range all {
			if i >= answers {
				http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
			if !line.Time.Before(since) {
				json.NewEncoder(w).Encode(line)
			}
		}
	}))
	defer server.Close()
	ask, err := client.New(client.Options{Server: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer ask.Close()
	var out, told strings.Builder
	l := &logs{ask: ask, console: console{out: &out, err: &told}, query: client.LogQuery{Deployments: []string{"web"}, Follow: true, Tail: 10}}
	if err := l.followOn(t.Context(), newLogPrinter(&out, logsOptions{prefix: "always"}, []logKey{{"lab", "a"}, {"lab", "b"}})); err != nil {
		t.Fatal(err)
	}
	want := "a | one\na | one\nb | two\na | three\nb | three\nb | four\na | five\nb | six\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"", "2026-11-21T11:59:52Z", "2026-11-21T11:59:53Z"}, sinces); diff != "" {
		t.Error(diff)
	}
	if n := strings.Count(told.String(), "the server went away"); n != 2 || strings.Count(told.String(), "the server is back") != 2 {
		t.Errorf("told %q", told.String())
	}
}

// Who follows from now on, or a pod that had not written, gets what was written
// while the connection was lost: all of it, and nothing older.
func TestFollowingGoesOnWhereNothingWasTold(t *testing.T) {
	for _, tail := range []int{-1, 0, 10} {
		var asked []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/graphql" {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, `{"data":{"instance":{"ready":true}}}`)
				return
			}
			w.Header().Set("Content-Type", "application/x-ndjson")
			asked = append(asked, r.URL.RawQuery)
			if len(asked) == 1 {
				http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
		}))
		ask, err := client.New(client.Options{Server: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		l := &logs{ask: ask, console: console{out: io.Discard, err: io.Discard}, query: client.LogQuery{Deployments: []string{"web"}, Follow: true, Tail: tail}}
		before := time.Now()
		if err := l.followOn(t.Context(), newLogPrinter(io.Discard, logsOptions{}, nil)); err != nil {
			t.Fatal(err)
		}
		ask.Close()
		server.Close()
		if len(asked) != 2 {
			t.Fatalf("--tail %d: asked %q", tail, asked)
		}
		again, err := url.ParseQuery(asked[1])
		if err != nil {
			t.Fatal(err)
		}
		if tail < 0 {
			if asked[1] != asked[0] {
				t.Errorf("all is asked for as %q, and again as %q", asked[0], asked[1])
			}
			continue
		}
		since, err := time.Parse(time.RFC3339Nano, again.Get("since"))
		if err != nil || again.Has("tail") || since.Before(before) || since.After(time.Now()) {
			t.Errorf("--tail %d: asked again %q, followed since %s", tail, asked[1], before)
		}
	}
}

// A pod that fails is renamed: what it wrote before is not told again.
func TestFollowingKnowsARenamedPod(t *testing.T) {
	for _, failed := range []string{"web-0.failed", "web-0.failed.1"} {
		told := toldLines{}
		for _, l := range []client.LogLine{logLine("web-0", 1, "one"), logLine("web-0", 2, "two"), logLine("web-0-b", 2, "two")} {
			if told.again(l) {
				t.Errorf("%+v was told before", l)
			}
		}
		told.rewind()
		for _, l := range []client.LogLine{logLine(failed, 1, "one"), logLine(failed, 2, "two")} {
			if !told.again(l) {
				t.Errorf("%+v is told again", l)
			}
		}
		if told.again(logLine(failed, 2, "three")) {
			t.Errorf("what %s wrote later is not told", failed)
		}
	}
}

// Who follows several pods is told from the first line on which of them wrote it.
func TestFollowingSeveralNamesThem(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/graphql" {
			var q struct{ Variables struct{ Name string } }
			json.NewDecoder(r.Body).Decode(&q)
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"data":{"deployment":{"state":"READY","reason":"","pods":[{"name":"%s-0","backendName":"lab","state":"RUNNING"}]}}}`, q.Variables.Name)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		for _, line := range []client.LogLine{logLine("web-0", 1, "one"), logLine("database-0", 2, "two")} {
			json.NewEncoder(w).Encode(line)
		}
	}))
	defer server.Close()
	ask, err := client.New(client.Options{Server: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer ask.Close()
	var out strings.Builder
	l := &logs{ask: ask, console: console{out: &out, err: &out}, names: []string{"web", "database"}, options: logsOptions{follow: true, tail: -1, prefix: "auto"}}
	if err := l.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("web-0      | one\ndatabase-0 | two\n", out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestLogPrinter(t *testing.T) {
	lines := []client.LogLine{logLine("web-0", 1, "one"), logLine("database-0", 2, "two")}
	for name, tc := range map[string]struct {
		o    logsOptions
		pods []logKey
		want string
	}{
		"several":      {logsOptions{prefix: "auto"}, []logKey{{"lab", "web-0"}, {"lab", "database-0"}}, "web-0      | one\ndatabase-0 | two\n"},
		"another came": {logsOptions{prefix: "auto"}, []logKey{{"lab", "web-0"}}, "one\ndatabase-0 | two\n"},
		"of one name":  {logsOptions{prefix: "auto"}, []logKey{{"lab", "web-0"}, {"annex", "web-0"}}, "lab/web-0   | one\ndatabase-0  | two\n"},
		"never":        {logsOptions{prefix: "never"}, nil, "one\ntwo\n"},
		"with times": {logsOptions{prefix: "never", timestamps: true}, nil,
			"2026-11-21T12:00:01.000Z one\n2026-11-21T12:00:02.000Z two\n"},
		"for programs": {logsOptions{output: "json"}, nil,
			`{"pod":"web-0","backend":"lab","time":"2026-11-21T12:00:01Z","stderr":false,"text":"one"}` + "\n" +
				`{"pod":"database-0","backend":"lab","time":"2026-11-21T12:00:02Z","stderr":false,"text":"two"}` + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			p := newLogPrinter(&out, tc.o, tc.pods)
			for _, l := range lines {
				if err := p.print(l); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A pod that is named with its backend is that one alone, also where another
// backend has one of its name.
func TestLogsOfABackend(t *testing.T) {
	for _, tc := range []struct{ flag, names, want string }{
		{"", "pod/web-0", ""},
		{"", "pod/lab/web-0", "lab"},
		{"", "pod/lab/web-0 pod/lab/db-0", "lab"},
		{"lab", "pod/lab/web-0 pod/db-0 web", "lab"},
		{"lab", "pod/lab/web-0 pod/annex/web-0", "pod/annex/web-0 is not on the backend that --backend names, lab"},
		{"", "pod/lab/web-0 pod/annex/db-0", ""},
		{"", "web pod/lab/web-0", ""},
	} {
		got, err := (&logs{names: strings.Fields(tc.names), options: logsOptions{backend: tc.flag}}).backend()
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: %q, want %q", tc.names, got, tc.want)
		}
	}
	l := &logs{homes: map[string][]string{}, leftOut: map[logKey]bool{{"lab", "left.failed"}: true, {"lab", "any-0"}: true}}
	for _, pod := range []logKey{{"lab", "web-0"}, {"annex", "db-0"}, {"", "any-0"}} {
		l.addPod(pod)
	}
	for name, want := range map[string]bool{"web-0": false, "db-0": true, "any-0": false, "web-0.failed": false, "left.failed": true} {
		if l.unwanted(logLine(name, 1, "one")) != want {
			t.Errorf("a line of lab/%s: unwanted is %t", name, !want)
		}
	}
	told := toldLines{}
	told.again(logLine("web-0", 1, "one"))
	told.rewind()
	other := logLine("web-0", 1, "one")
	if other.Backend = "annex"; told.again(other) {
		t.Error("a line of a pod is taken for one of another backend's")
	}
}

func TestForTerminal(t *testing.T) {
	for text, want := range map[string]string{
		"plain\ttext, naïve 界":       "plain\ttext, naïve 界",
		"\x1b[1;31mred\x1b[0m":       "\x1b[1;31mred\x1b[0m\x1b[0m",
		"\x1b[2J\x1b[Hgone":          `\x1b[2J\x1b[Hgone`,
		"\x1b]0;title\x07":           `\x1b]0;title\x07`,
		"over\rwritten\b":            `over\x0dwritten\x08`,
		"\u009b31m, one rune of CSI": `\x9b31m, one rune of CSI`,
		"\x1b[31":                    `\x1b[31`,
	} {
		if got := forTerminal(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzForTerminal(f *testing.F) {
	for _, seed := range []string{"", "\x1b[1;31mred\x1b[0m", "\x1b[2J", "\x1b]0;t\x07", "\x9b1m", "a\xffb"} {
		f.Add(seed)
	}
	colours := regexp.MustCompile("\x1b\\[[0-9;:]*m")
	f.Fuzz(func(t *testing.T, text string) {
		got := colours.ReplaceAllString(forTerminal(text), "")
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0) }) {
			t.Errorf("%q lets through %q", text, got)
		}
	})
}
