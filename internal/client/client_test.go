package client_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/berthdev/berth/internal/client"
	"github.com/berthdev/berth/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open returns a client of a server.
func open(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// serve runs a handler until the test ends and returns a client of it.
func serve(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return open(t, client.Options{Server: s.URL, Token: "berth_secret"})
}

// says answers with a type and a body.
func says(code int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

func TestQueryAsksWithTokenAndDecodes(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Query     string
			Variables map[string]any
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/graphql" || r.Header.Get("Authorization") != "Bearer berth_secret" ||
			r.Header.Get("Content-Type") != "application/json" || q.Query != "query($n: String!) {…}" || q.Variables["n"] != "web" {
			t.Errorf("asked %s %s %v %+v", r.Method, r.URL, r.Header, q)
		}
		says(200, "application/graphql-response+json; charset=utf-8", `{"data":{"deployment":{"name":"web"}}}`)(w, r)
	})
	var got struct{ Deployment struct{ Name string } }
	if err := c.Query(t.Context(), "query($n: String!) {…}", map[string]any{"n": "web"}, &got); err != nil || got.Deployment.Name != "web" {
		t.Errorf("%+v, %v", got, err)
	}
}

// What answers decides what a person is told; the token is told to nobody.
func TestAnswersAreExplained(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		kind   schema.ErrorKind
		err    string // a part
		hint   string // a part
	}{
		"error of the query": {
			says(200, "application/json", `{"errors":[{"message":"there is no deployment wbe","extensions":{"code":"NOT_FOUND","hint":"did you mean web?"}}],"data":null}`),
			schema.Invalid, "no deployment wbe", "did you mean web?",
		},
		"no token": {
			says(401, "application/json", `{"errors":[{"message":"a token is needed","extensions":{"code":"UNAUTHENTICATED","hint":"give one"}}]}`),
			schema.Terminal, "a token is needed", "give one",
		},
		"viewer": {
			says(200, "application/json", `{"errors":[{"message":"the role admin is needed","extensions":{"code":"FORBIDDEN"}}]}`),
			schema.Terminal, "role admin", "",
		},
		"too many streams":   {says(503, "application/json", `{"errors":[{"message":"200 streams","extensions":{"code":"TOO_MANY"}}]}`), schema.Transient, "200 streams", ""},
		"colours":            {says(200, "application/json", `{"errors":[{"message":"\u001b[31mred\nline"}]}`), schema.Invalid, "[31mred line", ""},
		"web page":           {says(200, "text/html", "<html>"), schema.Terminal, "not Berth's API (HTTP 200, text/html)", "--server"},
		"other JSON":         {says(200, "application/json", `{"status":"UP"}`), schema.Terminal, "not Berth's API", "--server"},
		"broken JSON":        {says(200, "application/json", `{"data":`), schema.Terminal, "not Berth's API", ""},
		"not found":          {says(404, "text/plain", "404"), schema.Terminal, "HTTP 404", "--server"},
		"proxy":              {says(502, "text/html", "bad"), schema.Transient, "cannot reach it (HTTP 502)", "berth serve"},
		"proxy's own login":  {says(401, "text/html", "login"), schema.Terminal, "refuses (HTTP 401)", "proxies"},
		"TLS only":           {says(400, "text/plain", "Client sent an HTTP request to an HTTPS server.\n"), schema.Terminal, "TLS only", "https://"},
		"data of other form": {says(200, "application/json", `{"data":{"a":"text"}}`), schema.Terminal, "not what was asked for", "version"},
		"no content type":    {func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil }, schema.Terminal, "no content type", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, tt.answer)
			var into struct{ A int }
			err := c.Query(t.Context(), "{a}", nil, &into)
			var e *schema.Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			if e.Op != "ask" || e.Resource != c.Server() || e.Kind != tt.kind || !strings.Contains(e.Err.Error(), tt.err) || !strings.Contains(e.Hint, tt.hint) {
				t.Errorf("%s: %s", e.Kind, e)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("tells the token: %v", err)
			}
		})
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was followed") }))
	defer elsewhere.Close()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	err := c.Query(t.Context(), "{a}", nil, nil)
	if schema.KindOf(err) != schema.Terminal || !strings.Contains(err.Error(), "redirects") {
		t.Error(err)
	}
}

func TestNoServerIsTransientAndSaysWhatToDo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	nobody := conn.LocalAddr() // the connection has it, so that nobody listens there
	c := open(t, client.Options{Server: nobody.String()})
	want := fmt.Sprintf("ask http://%s: connection refused (start one with 'berth serve URL' or name another with --server or BERTH_SERVER)", nobody)
	for what, err := range map[string]error{
		"query":     c.Query(t.Context(), "{a}", nil, nil),
		"subscribe": c.Subscribe(t.Context(), "subscription{a}", nil, nil),
		"logs":      c.Logs(t.Context(), client.LogQuery{}, nil),
	} {
		if schema.KindOf(err) != schema.Transient || err.Error() != want {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"": "http://127.0.0.1:8484", "host:1": "http://host:1", "https://h/": "https://h", "https://h/berth/": "https://h/berth",
	} {
		if c := open(t, client.Options{Server: text}); c.Server() != want {
			t.Errorf("%q: %s", text, c.Server())
		}
	}
	for _, text := range []string{"ftp://h", "http://", "http://user:secret@h", "http://h?token=secret", "http://\x7f"} {
		if _, err := client.New(client.Options{Server: text}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := client.New(client.Options{Token: "se\ncret"}); err == nil || strings.Contains(err.Error(), "cret") {
		t.Errorf("token of two lines: %v", err)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(says(200, "application/json", `{"data":{}}`))
	s.Config.ErrorLog = nil
	defer s.Close()
	if err := open(t, client.Options{Server: s.URL}).Query(t.Context(), "{a}", nil, nil); err == nil || !strings.Contains(err.Error(), "unknown authority (name the authority's file") {
		t.Errorf("unknown authority: %v", err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(t, client.Options{Server: s.URL, CAFile: ca}).Query(t.Context(), "{a}", nil, nil); err != nil {
		t.Errorf("with its authority: %v", err)
	}
	other := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	if err := open(t, client.Options{Server: other, CAFile: ca}).Query(t.Context(), "{a}", nil, nil); err == nil || !strings.Contains(err.Error(), "as its certificate does") {
		t.Errorf("another name: %v", err)
	}
	plain := httptest.NewServer(says(200, "application/json", "{}"))
	defer plain.Close()
	if err := open(t, client.Options{Server: "https://" + strings.TrimPrefix(plain.URL, "http://")}).Query(t.Context(), "{a}", nil, nil); err == nil || !strings.Contains(err.Error(), "write http://") {
		t.Errorf("TLS to a plain server: %v", err)
	}
	for _, file := range []string{filepath.Join(t.TempDir(), "none"), os.Args[0]} {
		if _, err := client.New(client.Options{CAFile: file}); schema.KindOf(err) != schema.Terminal {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestSubscribe(t *testing.T) {
	const next = "event: next\ndata: {\"data\":{\"n\":%d}}\n\n"
	for name, tt := range map[string]struct {
		stream string
		want   []string
		err    string
	}{
		"to its end":         {fmt.Sprintf(": hello\n\n"+next+":\n\n"+next+"event: complete\ndata:\n\n", 1, 2), []string{`{"n":1}`, `{"n":2}`}, ""},
		"lost":               {fmt.Sprintf(next, 1), []string{`{"n":1}`}, "the connection was lost"},
		"broken in an event": {fmt.Sprintf(next, 1) + "event: next\ndata: {\"data\":", []string{`{"n":1}`}, "the connection was lost"},
		"an error":           {"event: next\ndata: {\"errors\":[{\"message\":\"no such field\"}]}\n\n", nil, "no such field"},
		"two data lines":     {"event: next\ndata: {\"data\":\ndata: 1}\n\nevent: complete\n\n", []string{"1"}, ""},
		"too much":           {"event: next\ndata: " + strings.Repeat("x", 9<<20), nil, "more at once than is taken"},
		"unknown event":      {"event: later\ndata: x\n\nevent: complete\n\n", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Accept") != "text/event-stream" {
					t.Errorf("Accept: %q", r.Header.Get("Accept"))
				}
				says(200, "text/event-stream", tt.stream)(w, r)
			})
			var got []string
			err := c.Subscribe(t.Context(), "subscription{n}", nil, func(m json.RawMessage) error {
				got = append(got, string(m))
				return nil
			})
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A stream ends with its context, and with the error of who takes it.
func TestStreamsEndWithTheirCaller(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/logs" {
			w.Header().Set("Content-Type", "application/x-ndjson")
			io.WriteString(w, `{"pod":"a","text":"one"}`+"\n")
		} else {
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "event: next\ndata: {\"data\":{}}\n\n")
		}
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	enough := errors.New("enough")
	for name, stream := range map[string]func(context.Context, func() error) error{
		"subscribe": func(ctx context.Context, each func() error) error {
			return c.Subscribe(ctx, "subscription{n}", nil, func(json.RawMessage) error { return each() })
		},
		"logs": func(ctx context.Context, each func() error) error {
			return c.Logs(ctx, client.LogQuery{Follow: true}, func(client.LogLine) error { return each() })
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		if err := stream(ctx, func() error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: cancelled: %v", name, err)
		}
		if err := stream(t.Context(), func() error { return enough }); !errors.Is(err, enough) {
			t.Errorf("%s: its caller's error: %v", name, err)
		}
	}
}

func TestLogs(t *testing.T) {
	since := time.Date(2026, 11, 21, 12, 0, 0, 500, time.UTC)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if want := "backend=lab&deployment=web&follow=1&pod=a&pod=b&since=2026-11-21T12%3A00%3A00.0000005Z&tail=5"; r.URL.RawQuery != want {
			t.Errorf("asked %s", r.URL.RawQuery)
		}
		says(200, "application/x-ndjson", `{"pod":"a","backend":"lab","time":"2026-11-21T12:00:01Z","stderr":true,"text":"<one>"}`+"\n\n"+
			`{"error":{"message":"the engine went away","extensions":{"code":"UNAVAILABLE","hint":"ask again"}}}`+"\n"+`{"pod":"b","text":"two"}`+"\n")(w, r)
	})
	var got []client.LogLine
	err := c.Logs(t.Context(), client.LogQuery{Deployments: []string{"web"}, Pods: []string{"a", "b"}, Backend: "lab", Follow: true, Tail: 5, Since: since},
		func(l client.LogLine) error { got = append(got, l); return nil })
	want := []client.LogLine{{Pod: "a", Backend: "lab", Time: since.Truncate(time.Second).Add(time.Second), Stderr: true, Text: "<one>"}, {Pod: "b", Text: "two"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if schema.KindOf(err) != schema.Transient || !strings.Contains(err.Error(), "the engine went away (ask again)") {
		t.Error(err)
	}
	c = serve(t, says(200, "application/x-ndjson", ""))
	if err := c.Logs(t.Context(), client.LogQuery{Tail: -1}, nil); err != nil {
		t.Errorf("an empty log: %v", err)
	}
}
