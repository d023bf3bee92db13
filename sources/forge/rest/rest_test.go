package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "c4nary-s3cret"

// serve returns a client of a server that answers so.
func serve(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(answer)
	c, err := New(Options{Base: s.URL + "/api/", Token: func(context.Context) (string, error) { return secret, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.CloseClientConnections(); s.Close() })
	return c
}

func TestAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		kind   schema.ErrorKind // empty: no error
		parts  string           // of the error, with | between them
	}{
		"good":        {200, `{"id":7}`, "", ""},
		"created":     {201, `{"id":7}`, "", ""},
		"text":        {200, `<html>`, schema.Transient, "not the JSON of a forge"},
		"other type":  {200, `[1]`, schema.Transient, "not the JSON of a forge"},
		"long":        {200, strings.Repeat(" ", forge.MaxResponse+1), schema.Transient, "longer than"},
		"message":     {400, `{"message":"no \u001b[31mgood"}`, schema.Terminal, "look at a/b: the forge answers 400 Bad Request: no [31mgood"},
		"fields":      {400, `{"message":{"name":["is taken","is bad"],"age":["is 3"]}}`, schema.Terminal, "age is 3, name is taken, is bad"},
		"error":       {403, `{"error":"insufficient_scope","error_description":"needs more"}`, schema.Terminal, "insufficient_scope: needs more|more rights"},
		"said twice":  {401, `{"error":"no","message":"no"}`, schema.Terminal, "Unauthorized: no (check the token for 127.0.0.1"},
		"not found":   {404, ``, schema.Terminal, "404 Not Found (check the URL"},
		"proxy":       {407, ``, schema.Terminal, "proxy setting"},
		"conflict":    {409, ``, schema.Transient, "409"},
		"broken":      {502, `<html>`, schema.Transient, "502 Bad Gateway"},
		"not changed": {304, ``, schema.Terminal, "304"},
		"secret":      {422, `{"message":"` + secret + `"}`, schema.Terminal, "***"},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if got := fmt.Sprint(r.Method, " ", r.URL, " ", r.Header.Get("Authorization")); got != "GET /api/x%2Fy?q=1 Bearer "+secret {
					t.Errorf("asks %s", got)
				}
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			})
			var into struct{ ID int }
			_, err := c.Do(t.Context(), Call{Op: "look", Resource: "at a/b", Path: "/x%2Fy", Query: map[string][]string{"q": {"1"}}}, &into)
			if test.kind == "" {
				if err != nil || into.ID != 7 {
					t.Errorf("%v, %v", into, err)
				}
				return
			}
			if err == nil || schema.KindOf(err) != test.kind || strings.Contains(err.Error(), secret) {
				t.Fatalf("error %q, want %s", err, test.kind)
			}
			for part := range strings.SplitSeq(test.parts, "|") {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %q", err, part)
				}
			}
		})
	}
}

func TestAsksToWait(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		status int
		header map[string]string
		want   time.Duration // 0: it does not
	}{
		"seconds":         {429, map[string]string{"Retry-After": "30"}, 30 * time.Second},
		"none":            {429, map[string]string{"Retry-After": "0"}, time.Second},
		"date":            {429, map[string]string{"Retry-After": "Sat, 21 Nov 2026 12:01:30 GMT"}, 90 * time.Second},
		"past":            {429, map[string]string{"Retry-After": "Sat, 21 Nov 2026 11:00:00 GMT"}, defaultWait},
		"nonsense":        {429, map[string]string{"Retry-After": "soon", "RateLimit-Reset": "later"}, defaultWait},
		"nothing":         {429, nil, defaultWait},
		"reset":           {429, map[string]string{"RateLimit-Reset": fmt.Sprint(now.Unix() + 45)}, 45 * time.Second},
		"reset of GitHub": {429, map[string]string{"X-RateLimit-Reset": fmt.Sprint(now.Unix() + 45)}, 45 * time.Second},
		"both":            {429, map[string]string{"Retry-After": "5", "RateLimit-Reset": fmt.Sprint(now.Unix() + 45)}, 5 * time.Second},
		"too long":        {429, map[string]string{"Retry-After": "999999999"}, maxWait},
		"busy":            {503, map[string]string{"Retry-After": "7"}, 7 * time.Second},
		"down":            {503, nil, 0},
		"forbidden":       {403, map[string]string{"RateLimit-Reset": fmt.Sprint(now.Unix() + 45)}, 0},
		"second limit":    {403, map[string]string{"Retry-After": "7"}, 7 * time.Second},
		"wrong":           {400, map[string]string{"Retry-After": "7"}, 0},
	} {
		res := &http.Response{StatusCode: test.status, Header: http.Header{}}
		for k, v := range test.header {
			res.Header.Set(k, v)
		}
		until, ok := asksToWait(res, now)
		if ok != (test.want > 0) || ok && until.Sub(now) != test.want {
			t.Errorf("%s: %v, %v", name, until.Sub(now), ok)
		}
	}
}

// A token that cannot be had is no reason to ask without one.
func TestNoToken(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	c.token = func(context.Context) (string, error) {
		return "", &schema.Error{Op: "read", Kind: schema.Terminal, Hint: "look", Err: errors.New("tokenFile is away")}
	}
	_, err := c.Do(t.Context(), Call{Op: "list", Resource: "it"}, nil)
	if err == nil || err.Error() != "list it: tokenFile is away (look)" || schema.KindOf(err) != schema.Terminal {
		t.Errorf("error %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, base := range []string{"", "gitlab.example.org", "ftp://x", "https://", "https://john:" + secret + "@x/", "https://[x"} {
		if _, err := New(Options{Base: base}); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", base, err)
		}
	}
}

// A slow body runs into the client's own timeout, whatever the context allows.
func TestSlow(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	c.http.Timeout = 50 * time.Millisecond
	_, err := c.Do(t.Context(), Call{Op: "list", Resource: "it"}, &struct{}{})
	if err == nil || schema.KindOf(err) != schema.Transient {
		t.Errorf("error %v", err)
	}
}

// FuzzMessage looks for what a forge may say of a refusal.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{`{"message":"a"}`, `{"message":{"a":["b"]},"error":[{}]}`, `[]`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(_ *testing.T, data []byte) { message(data) })
}
