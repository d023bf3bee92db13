package forgetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

// failure expects an error of a kind that is fit to be shown.
func (f *fixture) failure(err error, kind schema.ErrorKind) {
	f.Helper()
	var known *schema.Error
	if !errors.As(err, &known) {
		f.Fatalf("error %#v is no schema.Error", err)
	}
	text := err.Error()
	if known.Kind != kind {
		f.Errorf("error is %s, want %s: %s", known.Kind, kind, text)
	}
	if known.Op == "" || known.Resource == "" || len(text) > 1000 {
		f.Errorf("error is not fit to be shown: %q", text)
	}
	if at := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); at >= 0 {
		f.Errorf("error holds what cannot be printed at %d: %q", at, text)
	}
	for _, secret := range f.Secrets {
		if shown := fmt.Sprintf("%s %+v %#v", text, known, errors.Unwrap(known)); strings.Contains(shown, secret) {
			f.Errorf("error holds a secret: %s", shown)
		}
	}
}

// echo answers with a status, and repeats all it was sent, secrets too.
func echo(status int, header http.Header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		if body == "" {
			said := strconv.Quote(fmt.Sprint("404 Not Found \x1b[31m\n", r.Header))
			body = `{"message":` + said + `,"error":` + said + `}`
		}
		fmt.Fprint(w, body)
	}
}

// retryAfter are the forms of the header, of RFC 9110, section 10.2.3.
var retryAfter = []Limit{
	{Name: "429, seconds", Status: http.StatusTooManyRequests, Header: func(until time.Time) http.Header {
		return http.Header{"Retry-After": {strconv.Itoa(int(time.Until(until).Round(time.Second).Seconds()))}}
	}},
	{Name: "429, date", Status: http.StatusTooManyRequests, Header: func(until time.Time) http.Header {
		return http.Header{"Retry-After": {until.UTC().Format(http.TimeFormat)}}
	}},
	{Name: "503, seconds", Status: http.StatusServiceUnavailable, Header: func(until time.Time) http.Header {
		return http.Header{"Retry-After": {strconv.Itoa(int(time.Until(until).Round(time.Second).Seconds()))}}
	}},
}

// testLimits: whoever is asked to wait is told until when.
func testLimits(f *fixture) {
	const slack = 3 * time.Second // times in headers are of whole seconds
	calls := f.calls()
	for _, limit := range append(retryAfter, f.Limits...) {
		for _, c := range calls {
			asked := time.Now()
			until := asked.Add(100 * time.Second)
			f.front.answer(echo(limit.Status, limit.Header(until), limit.Body))
			f.reconnect()
			err := f.within(c)
			took := time.Since(asked) // a client counts from when it is answered
			f.failure(err, schema.Transient)
			var limited *forge.Limited
			if !errors.As(err, &limited) {
				f.Errorf("%s, %s: %v is not limited", limit.Name, c.name, err)
			} else if off := limited.Until.Sub(until).Abs(); off > slack+took {
				f.Errorf("%s, %s: %v away from when the forge says", limit.Name, c.name, off)
			}
		}
	}
}

// testLimitHolds: a client that was asked to wait leaves the forge alone.
func testLimitHolds(f *fixture) {
	calls := f.calls()
	f.front.answer(echo(http.StatusTooManyRequests, http.Header{"Retry-After": {"2"}}, ""))
	var limited *forge.Limited
	if err := f.within(calls[0]); !errors.As(err, &limited) {
		f.Fatalf("%v is not limited", err)
	}
	f.front.answer(nil)
	f.front.seen()
	for _, c := range calls {
		err := f.within(c)
		if time.Now().After(limited.Until) {
			break // the machine is slow
		}
		if n, _ := f.front.seen(); err == nil || n > 0 {
			f.Errorf("%s asks %d times, and gets %v", c.name, n, err)
		}
	}
	time.Sleep(time.Until(limited.Until))
	for _, c := range calls {
		if err := f.within(c); err != nil {
			f.Errorf("after the wait: %v", err)
		}
	}
}

// testServerErrors: what the forge does wrong passes.
func testServerErrors(f *fixture) {
	for _, c := range f.calls() {
		for _, status := range []int{500, 502, 503, 504} {
			f.front.answer(echo(status, nil, ""))
			err := f.within(c)
			f.failure(err, schema.Transient)
			if limited := (*forge.Limited)(nil); errors.As(err, &limited) {
				f.Errorf("%s, %d: limited", c.name, status)
			}
		}
		f.front.answer(nil)
		if err := f.within(c); err != nil {
			f.Errorf("after it is well again: %v", err)
		}
	}
}

// testRefused: what the forge refuses does not pass by itself.
func testRefused(f *fixture) {
	for _, c := range f.calls() {
		for _, status := range []int{400, 401, 403, 404, 410, 422} {
			if c.name == "Statuses" && status == 422 {
				continue // says that the commit is unknown
			}
			f.front.answer(echo(status, nil, ""))
			f.failure(f.within(c), schema.Terminal)
		}
		f.front.answer(nil)
		if err := f.within(c); err != nil {
			f.Errorf("after it is allowed: %v", err)
		}
	}
}

// testGarbage answers with what is no answer. A write may count as done then.
func testGarbage(f *fixture) {
	bodies := map[string]string{
		"nothing":     "",
		"page":        "<!DOCTYPE html><title>Maintenance</title>",
		"text":        `"hello"`,
		"number":      "1e999",
		"half":        `[{"number":1`,
		"types":       `[{"number":"x","id":{},"iid":[],"state":1,"body":2,"head":3}]`,
		"object":      `{"statuses":{},"id":"x","username":1,"login":2}`,
		"deep":        strings.Repeat("[", 1<<20),
		"wrong":       `[{"number":-1,"iid":-1},{"number":99999999999999999999}]`,
		"null":        "null",
		"nulls":       "[null, null]",
		"bytes":       "[\"\xff\xfe\x00\"]",
		"empty":       "[]",
		"emptyObject": "{}",
	}
	for _, c := range f.calls() {
		for name, body := range bodies {
			f.front.answer(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
			err := f.within(c)
			var known *schema.Error
			if err == nil {
				continue
			} else if errors.As(err, &known) {
				f.failure(err, known.Kind)
			} else {
				f.Errorf("%s, %s: %#v is no schema.Error", c.name, name, err)
			}
		}
	}
}

// testEndless answers without an end, fast or slow.
func testEndless(f *fixture) {
	chunk := []byte(strings.Repeat(`{"body":"`+strings.Repeat("x", 1000)+`"},`, 64))
	for _, c := range f.calls() {
		if c.name != "PullRequests" && c.name != "Comment" {
			continue // to read so much takes its time
		}
		f.front.answer(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, "[")
			for sent := 0; r.Context().Err() == nil; sent += len(chunk) {
				if _, err := w.Write(chunk); err != nil {
					return
				}
				if sent > 2*forge.MaxResponse {
					f.Errorf("%s reads %d bytes", c.name, sent)
					return
				}
			}
		})
		err := f.within(c)
		var known *schema.Error
		if !errors.As(err, &known) {
			f.Errorf("%s: %v", c.name, err)
		}
	}
}

// testEndlessPages has a forge that says after each page that there is another.
func testEndlessPages(f *fixture) {
	calls := f.calls()
	f.must(f.within(calls[1]))
	f.front.change(func(res *http.Response) {
		if res.Request.Method != http.MethodGet {
			return
		}
		query := res.Request.URL.Query()
		page, _ := strconv.Atoi(query.Get("page"))
		query.Set("page", strconv.Itoa(max(page, 1)+1))
		next := *res.Request.URL
		next.RawQuery = query.Encode()
		res.Header.Set("Link", fmt.Sprintf("<%s>; rel=\"next\"", &next))
		res.Header.Set("X-Next-Page", query.Get("page"))
		res.Header.Set("X-Total-Count", "1000000000")
		res.Header.Set("X-Total", "1000000000")
	})
	f.front.seen()
	for _, c := range calls {
		_ = f.within(c)
		if n, _ := f.front.seen(); n > 200 {
			f.Errorf("%s asks %d times", c.name, n)
		}
	}
}

// testRedirect sends the client to another host, which must not get a secret.
func testRedirect(f *fixture) {
	calls := f.calls()
	thief := newFront(f, f.API)
	thief.answer(func(w http.ResponseWriter, r *http.Request) {
		for _, secret := range f.Secrets {
			if strings.Contains(fmt.Sprint(r.Header, r.URL), secret) {
				f.Errorf("another host gets the secret of %s %s", r.Method, r.URL.Path)
			}
		}
		fmt.Fprint(w, "[]")
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		f.front.answer(func(w http.ResponseWriter, r *http.Request) {
			to := strings.TrimSuffix(thief.api, "/") + "/elsewhere"
			w.Header().Set("Location", to)
			w.WriteHeader(status)
		})
		for _, c := range calls {
			f.failure(f.within(c), schema.Terminal)
		}
	}
	if n, _ := thief.seen(); n > 0 {
		f.Errorf("%d requests follow to another host", n)
	}
}

// testCancelled: a call ends soon after its context, also one that waits.
func testCancelled(f *fixture) {
	calls := f.calls()
	arrived := make(chan struct{}, 100)
	f.front.answer(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a server sees no hanging up before it has read
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	for _, c := range calls {
		ctx, cancel := context.WithCancel(f.ctx)
		go func() {
			<-arrived
			cancel()
		}()
		begun := time.Now()
		err := c.do(ctx, f.repo)
		f.failure(err, schema.Transient)
		if !errors.Is(err, context.Canceled) || time.Since(begun) > patience {
			f.Errorf("%s ends after %v: %v", c.name, time.Since(begun), err)
		}
		f.front.seen()
		if err := c.do(ctx, f.repo); !errors.Is(err, context.Canceled) {
			f.Errorf("%s of an ended context: %v", c.name, err)
		}
		if n, _ := f.front.seen(); n > 0 {
			f.Errorf("%s asks after its end", c.name)
		}
	}
}

// testAway: a forge that breaks connections off, or is not there, comes back.
func testAway(f *fixture) {
	for _, c := range f.calls() {
		f.front.answer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		f.failure(f.within(c), schema.Transient)
		f.front.answer(nil)
		if err := f.within(c); err != nil {
			f.Errorf("after it is back: %v", err)
		}
	}
}
