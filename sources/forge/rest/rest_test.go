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
		"half":        {200, `{"id":7`, schema.Transient, "breaks off"},
		"nothing":     {200, ``, schema.Transient, "breaks off"},
		"text":        {200, `<html>`, schema.Transient, "not the JSON of a forge"},
		"other type":  {200, `[1]`, schema.Transient, "not the JSON of a forge"},
		"long":        {200, strings.Repeat(" ", forge.MaxResponse+1), schema.Transient, "too long"},
		"message":     {400, `{"message":"no \u001b[31mgood"}`, schema.Terminal, "look at a/b: the forge answers 400 Bad Request: no [31mgood"},
		"fields":      {400, `{"message":{"name":["is taken","is bad"],"age":["is 3"]}}`, schema.Terminal, "age is 3, name is taken, is bad"},
		"errors":      {422, `{"message":"Validation Failed","errors":[{"code":"custom","message":"too long"},{"field":"base"}]}`, schema.Terminal, "Validation Failed: too long, field base"},
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
	reset := fmt.Sprint(now.Unix() + 45)
	for name, test := range map[string]struct {
		status int
		said   string
		header map[string]string
		want   time.Duration // 0: it does not
	}{
		"seconds":         {429, "", map[string]string{"Retry-After": "30"}, 30 * time.Second},
		"none":            {429, "", map[string]string{"Retry-After": "0"}, time.Second},
		"date":            {429, "", map[string]string{"Retry-After": "Sat, 21 Nov 2026 12:01:30 GMT"}, 90 * time.Second},
		"past":            {429, "", map[string]string{"Retry-After": "Sat, 21 Nov 2026 11:00:00 GMT"}, defaultWait},
		"nonsense":        {429, "", map[string]string{"Retry-After": "soon", "RateLimit-Reset": "later"}, defaultWait},
		"nothing":         {429, "", nil, defaultWait},
		"reset":           {429, "", map[string]string{"RateLimit-Reset": reset}, 45 * time.Second},
		"reset of GitHub": {429, "", map[string]string{"X-RateLimit-Reset": reset}, 45 * time.Second},
		"both":            {429, "", map[string]string{"Retry-After": "5", "RateLimit-Reset": reset}, 5 * time.Second},
		"too long":        {429, "", map[string]string{"Retry-After": "999999999"}, maxWait},
		"never":           {429, "", map[string]string{"RateLimit-Reset": "9223372036854775807"}, maxWait},
		"busy":            {503, "", map[string]string{"Retry-After": "7"}, 7 * time.Second},
		"down":            {503, "", nil, 0},
		"forbidden":       {403, "", map[string]string{"X-RateLimit-Reset": reset, "X-RateLimit-Remaining": "10"}, 0},
		"nothing remains": {403, "", map[string]string{"X-RateLimit-Reset": reset, "X-RateLimit-Remaining": "0"}, 45 * time.Second},
		"second limit":    {403, "", map[string]string{"Retry-After": "7"}, 7 * time.Second},
		"in words":        {403, "You have exceeded a secondary rate limit.", nil, defaultWait},
		"in old words":    {403, "You have triggered an abuse detection mechanism.", nil, defaultWait},
		"wrong":           {400, "no rate limit", map[string]string{"Retry-After": "7"}, 0},
		"their clock":     {429, "", map[string]string{"Date": "Sat, 21 Nov 2026 11:00:00 GMT", "X-RateLimit-Reset": fmt.Sprint(now.Unix() - 3590)}, 10 * time.Second},
	} {
		header := http.Header{}
		for k, v := range test.header {
			header.Set(k, v)
		}
		var p pause
		until, ok := p.refused(&Refusal{Status: test.status, Message: test.said}, header, now)
		if ok != (test.want > 0) || ok && until.Sub(now) != test.want {
			t.Errorf("%s: %v, %v", name, until.Sub(now), ok)
		}
	}
}

// What does not say how long is asked less and less often, until it is well.
func TestVagueLimits(t *testing.T) {
	var p pause
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		until, _ := p.refused(&Refusal{Status: 429}, nil, now)
		if got := until.Sub(now); got != want*time.Minute {
			t.Errorf("waits %v, want %d minutes", got, want)
		}
		now = until
	}
	p.passed(nil, now)
	if until, _ := p.refused(&Refusal{Status: 429}, nil, now); until.Sub(now) != defaultWait {
		t.Errorf("waits %v after it was well", until.Sub(now))
	}
}

// The last answer of a window closes it, before a refusal does.
func TestNothingRemains(t *testing.T) {
	asked := 0
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", fmt.Sprint(time.Now().Unix()+60))
		fmt.Fprint(w, "{}")
	})
	if _, err := c.Do(t.Context(), Call{Op: "list"}, &struct{}{}); err != nil {
		t.Fatal(err)
	}
	other := c.With(func(context.Context) (string, error) { return "", nil }, nil)
	_, err := other.Do(t.Context(), Call{Op: "list"}, &struct{}{})
	var limited *forge.Limited
	if !errors.As(err, &limited) || asked != 1 {
		t.Errorf("asked %d times, error %v", asked, err)
	}
}

// A token that was refused is asked for again once.
func TestRenew(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+secret+"2" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		fmt.Fprint(w, "{}")
	})
	token, renewed := secret+"1", 0
	other := c.With(func(context.Context) (string, error) { return token, nil }, func(refused string) bool {
		renewed++
		if refused != token {
			t.Errorf("%q was refused", refused)
		}
		token = secret + fmt.Sprint(renewed+1)
		return true
	})
	for _, want := range []int{1, 1} {
		if _, err := other.Do(t.Context(), Call{Op: "list"}, nil); err != nil || renewed != want {
			t.Errorf("renewed %d times: %v", renewed, err)
		}
	}
	token = secret + "bad"
	if _, err := other.Do(t.Context(), Call{Op: "list"}, nil); StatusOf(err) != 401 || renewed != 2 {
		t.Errorf("renewed %d times: %v", renewed, err)
	}
}

func TestBasic(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprintf(w, `{"message":%q}`, user+" "+password+" "+r.Header.Get("Authorization"))
	}))
	defer s.Close()
	c, err := New(Options{Base: s.URL, Username: "john", Token: func(context.Context) (string, error) { return secret, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Do(t.Context(), Call{Op: "look"}, nil)
	if want := "look: the forge answers 422 Unprocessable Entity: john *** Basic ***"; err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
}

// A list is read one by one, and what is known is not sent again.
func TestEach(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Link", `<https://example.org/?page=2>; rel="next", <https://example.org/?page=9>; rel="last"`)
		fmt.Fprint(w, `[1, 2, 3]`)
	})
	var got []int
	each := Each(func(n int) { got = append(got, n) })
	header, err := c.Do(t.Context(), Call{Op: "list"}, each)
	if err != nil || fmt.Sprint(got) != "[1 2 3]" || !HasNext(header) {
		t.Errorf("%v, %v, %v", got, header, err)
	}
	if _, err = c.Do(t.Context(), Call{Op: "list", ETag: header.Get("ETag")}, each); StatusOf(err) != http.StatusNotModified || len(got) != 3 {
		t.Errorf("%v, %v", got, err)
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
