package access

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/berthdev/berth/schema"
)

const (
	viewerToken = "berth_viewerviewerviewer"
	adminToken  = "berth_adminadminadmin"
	elsewhere   = "192.0.2.7:5555"
)

// rig is a guard with two tokens, whose clock and log the test holds.
type rig struct {
	*Guard
	now     time.Time
	log     bytes.Buffer
	metrics *prometheus.Registry
}

func newRig(t *testing.T, local schema.LocalAccess) *rig {
	t.Helper()
	r := &rig{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), metrics: prometheus.NewRegistry()}
	r.Guard = New(Options{
		Access: schema.Access{Local: local, Tokens: []schema.Token{
			{Name: "wall", Role: Viewer, Hash: Hash(viewerToken)},
			{Name: "ci", Role: Admin, Hash: Hash(adminToken)},
			{Name: "broken", Role: Admin, Hash: "sha256:"},
		}},
		Logger: slog.New(slog.NewTextHandler(&r.log, nil)), Metrics: r.metrics,
		Now: func() time.Time { return r.now },
	})
	return r
}

// ask makes a request to what needs a role; the body of a permitted one is its caller.
func (r *rig) ask(role Role, req *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r.Need(role, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		c := From(req.Context())
		fmt.Fprintf(w, "%s %s", c.Name, c.Role)
	})).ServeHTTP(w, req)
	return w
}

// request returns a GET request from an address with headers, given in pairs.
func request(from, host string, headers ...string) *http.Request {
	req := httptest.NewRequest(http.MethodGet, "http://"+host+"/graphql", nil)
	req.RemoteAddr = from
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return req
}

func TestDecisions(t *testing.T) {
	const here, host = "127.0.0.1:5555", "127.0.0.1:8484"
	viewer, admin := "Bearer "+viewerToken, "Bearer "+adminToken
	for name, tt := range map[string]struct {
		req  *http.Request
		role Role
		code int
		who  string // the caller of a permitted request, or a part of the code
	}{
		"this machine":              {request(here, host), Admin, 200, "local admin"},
		"by name":                   {request(here, "LOCALHOST:8484"), Admin, 200, "local admin"},
		"without port":              {request(here, "localhost"), Admin, 200, "local admin"},
		"IPv6":                      {request("[::1]:5555", "[::1]:8484"), Admin, 200, "local admin"},
		"IPv6 without port":         {request("[::1]:5555", "[::1]"), Admin, 200, "local admin"},
		"mapped IPv4":               {request("[::ffff:127.0.0.1]:5555", host), Admin, 200, "local admin"},
		"another loopback address":  {request("127.8.8.8:1", host), Admin, 200, "local admin"},
		"its own page":              {request(here, host, "Sec-Fetch-Site", "same-origin", "Origin", "http://"+host), Viewer, 200, "local admin"},
		"typed into a browser":      {request(here, host, "Sec-Fetch-Site", "none"), Viewer, 200, "local admin"},
		"rebound name":              {request(here, "evil.example:8484"), Viewer, 401, "UNAUTHENTICATED"},
		"name like localhost":       {request(here, "localhost.evil.example"), Viewer, 401, "UNAUTHENTICATED"},
		"name like an address":      {request(here, "127.0.0.1.evil.example"), Viewer, 401, "UNAUTHENTICATED"},
		"page of another site":      {request(here, host, "Sec-Fetch-Site", "cross-site"), Viewer, 401, "UNAUTHENTICATED"},
		"page of another port":      {request(here, host, "Sec-Fetch-Site", "same-site"), Viewer, 401, "UNAUTHENTICATED"},
		"other origin, old browser": {request(here, host, "Origin", "https://evil.example"), Viewer, 401, "UNAUTHENTICATED"},
		"origin of a file":          {request(here, host, "Origin", "null"), Viewer, 401, "UNAUTHENTICATED"},
		"proxy: Forwarded":          {request(here, host, "Forwarded", "for=192.0.2.1"), Viewer, 401, "UNAUTHENTICATED"},
		"proxy: X-Forwarded-For":    {request(here, host, "x-forwarded-for", "127.0.0.1"), Viewer, 401, "UNAUTHENTICATED"},
		"proxy: X-Forwarded-Port":   {request(here, host, "X-Forwarded-Port", "443"), Viewer, 401, "UNAUTHENTICATED"},
		"proxy: X-Forwarded-User":   {request(here, host, "x-forwarded-user", ""), Viewer, 401, "UNAUTHENTICATED"},
		"proxy: X-Real-IP":          {request(here, host, "X-Real-IP", ""), Viewer, 401, "UNAUTHENTICATED"},
		"proxy: Via":                {request(here, host, "Via", "1.1 proxy"), Viewer, 401, "UNAUTHENTICATED"},
		"wrong token here":          {request(here, host, "Authorization", "Bearer x"), Viewer, 401, "UNAUTHENTICATED"},
		"viewer's token here":       {request(here, host, "Authorization", viewer), Admin, 403, "FORBIDDEN"},
		"elsewhere":                 {request(elsewhere, host), Viewer, 401, "UNAUTHENTICATED"},
		"elsewhere, viewer":         {request(elsewhere, "berth.example", "Authorization", viewer), Viewer, 200, "wall viewer"},
		"elsewhere, too little":     {request(elsewhere, "berth.example", "Authorization", viewer), Admin, 403, "FORBIDDEN"},
		"elsewhere, admin":          {request(elsewhere, "berth.example", "Authorization", "bearer  "+adminToken), Admin, 200, "ci admin"},
		"through a proxy":           {request(here, "berth.example", "X-Forwarded-For", "192.0.2.1", "Authorization", admin), Admin, 200, "ci admin"},
		"two tokens":                {request(elsewhere, host, "Authorization", admin, "Authorization", admin), Viewer, 401, "UNAUTHENTICATED"},
		"basic":                     {request(elsewhere, host, "Authorization", "Basic "+adminToken), Viewer, 401, "UNAUTHENTICATED"},
		"no scheme":                 {request(elsewhere, host, "Authorization", adminToken), Viewer, 401, "UNAUTHENTICATED"},
		"empty token":               {request(elsewhere, host, "Authorization", "Bearer "), Viewer, 401, "UNAUTHENTICATED"},
		"the hash as token":         {request(elsewhere, host, "Authorization", "Bearer "+Hash(adminToken)), Viewer, 401, "UNAUTHENTICATED"},
		"long token":                {request(elsewhere, host, "Authorization", "Bearer "+strings.Repeat("x", maxToken)), Viewer, 401, "UNAUTHENTICATED"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newRig(t, "").ask(tt.role, tt.req)
			if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.who) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
			if challenge := w.Header().Get("WWW-Authenticate"); (w.Code == 401) != (challenge != "") {
				t.Errorf("WWW-Authenticate: %q", challenge)
			}
		})
	}
}

// People open pages in browsers, by links of other sites, with a password.
func TestPages(t *testing.T) {
	const here, host = "127.0.0.1:5555", "127.0.0.1:8484"
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	linked := []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest"}
	for name, tt := range map[string]struct {
		req  *http.Request
		code int
	}{
		"this machine":        {request(here, host), 200},
		"by a link":           {request(here, host, append(linked, "document")...), 200},
		"in a frame":          {request(here, host, append(linked, "iframe")...), 401},
		"rebound name":        {request(here, "evil.example:8484", append(linked, "document")...), 401},
		"elsewhere":           {request(elsewhere, host), 401},
		"with a password":     {request(elsewhere, host, "Authorization", basic("ada", viewerToken)), 200},
		"with a wrong one":    {request(elsewhere, host, "Authorization", basic("ada", "x")), 401},
		"with a token":        {request(elsewhere, host, "Authorization", "Bearer "+viewerToken), 200},
		"with both":           {request(elsewhere, host, "Authorization", basic("ada", viewerToken), "Authorization", "Bearer "+viewerToken), 401},
		"with no password":    {request(elsewhere, host, "Authorization", basic("ada", "")), 401},
		"the token as a name": {request(elsewhere, host, "Authorization", basic(viewerToken, "")), 401},
		"a broken credential": {request(elsewhere, host, "Authorization", "Basic !"), 401},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "")
			w := httptest.NewRecorder()
			r.NeedPage(Viewer, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, tt.req)
			if challenge := w.Header().Get("WWW-Authenticate"); w.Code != tt.code || (w.Code == 401) != strings.HasPrefix(challenge, "Basic") {
				t.Errorf("%d %q %s", w.Code, challenge, w.Body)
			}
		})
	}
}

// What this machine may do without a token is configured.
func TestLocalAccess(t *testing.T) {
	for local, want := range map[schema.LocalAccess][2]int{ // as viewer, as admin
		"": {200, 200}, "admin": {200, 200}, "viewer": {200, 403}, schema.LocalNone: {401, 401},
	} {
		r := newRig(t, local)
		for i, role := range []Role{Viewer, Admin} {
			if w := r.ask(role, request("127.0.0.1:1", "localhost")); w.Code != want[i] {
				t.Errorf("local %q as %s: %d", local, role, w.Code)
			}
		}
	}
}

// A refusal says what to do, in the form of GraphQL's errors, and is logged once
// in a while and counted, without the token.
func TestRefusalsAreToldLoggedAndCounted(t *testing.T) {
	r := newRig(t, "")
	for range 3 {
		w := r.ask(Viewer, request(elsewhere, "h", "Authorization", "Bearer berth_hunter2"))
		var told struct {
			Errors []struct {
				Message    string
				Extensions struct{ Code, Hint string }
			}
		}
		if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || len(told.Errors) != 1 || told.Errors[0].Extensions.Hint == "" {
			t.Errorf("%v: %s", err, w.Body)
		}
	}
	r.now = r.now.Add(quietTime)
	r.ask(Viewer, request(elsewhere, "h", "Authorization", "Bearer berth_hunter2"))
	log := r.log.String()
	if strings.Count(log, "a request was refused") != 2 || !strings.Contains(log, "reason=wrong address="+elsewhere) || !strings.Contains(log, "more=2") {
		t.Errorf("log:\n%s", log)
	}
	if strings.Contains(log, "hunter2") {
		t.Error("the token is logged")
	}
	families, err := r.metrics.Gather()
	if err != nil || len(families) != 1 {
		t.Fatal(families, err)
	}
	for _, m := range families[0].GetMetric() {
		if why := m.GetLabel()[0].GetValue(); (why == "wrong") != (m.GetCounter().GetValue() == 4) {
			t.Errorf("counted %v", m)
		}
	}
}

func TestFailedAttemptsAreLimitedByAddress(t *testing.T) {
	r := newRig(t, "")
	wrong := func(from string) int {
		return r.ask(Viewer, request(from, "h", "Authorization", "Bearer wrong")).Code
	}
	for i := range limitTries {
		if code := wrong(fmt.Sprintf("[2001:db8::%x]:1", i)); code != 401 { // one client has all of a /64
			t.Fatalf("attempt %d: %d", i, code)
		}
	}
	if code := wrong("[2001:db8::ffff]:2"); code != 429 {
		t.Errorf("one attempt too many: %d", code)
	}
	if code := wrong("[2001:db8:0:1::1]:2"); code != 401 {
		t.Errorf("another network: %d", code)
	}
	if w := r.ask(Viewer, request("[2001:db8::1]:1", "h", "Authorization", "Bearer "+viewerToken)); w.Code != 200 {
		t.Errorf("a right token is locked out: %d", w.Code)
	}
	r.now = r.now.Add(limitTime)
	if code := wrong("[2001:db8::1]:1"); code != 401 {
		t.Errorf("a minute later: %d", code)
	}
}

func TestLimitIsBounded(t *testing.T) {
	r := newRig(t, "")
	for i := range 3 * limitMost {
		r.limit.failed(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255))
	}
	r.limit.failed("no address")
	if n := len(r.limit.tries); n > limitMost {
		t.Errorf("%d addresses are remembered", n)
	}
}

func TestTokens(t *testing.T) {
	a, b := NewToken(), NewToken()
	if a == b || !strings.HasPrefix(a, "berth_") || CheckToken(a) != nil {
		t.Errorf("%s, %s", a, b)
	}
	for _, text := range []string{"", "berth_", "berth_short", a[1:], a + "x", "berth_" + strings.Repeat("!", 43)} {
		if CheckToken(text) == nil {
			t.Errorf("%q is taken", text)
		}
	}
	c := schema.Config{Access: schema.Access{Tokens: []schema.Token{{Name: "ci", Role: Admin, Hash: Hash(a)}}}}
	if problems := c.Validate(); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestLoopbackListeners(t *testing.T) {
	for listen, want := range map[string]bool{
		"127.0.0.1:8484": true, "localhost:1": true, "[::1]:1": true, ":8484": false, "0.0.0.0:1": false, "[::]:1": false, "berth.example:1": false, "x": false,
	} {
		if Loopback(listen) != want {
			t.Errorf("%s: %v", listen, !want)
		}
	}
}

func FuzzAuthorization(f *testing.F) {
	for _, s := range []string{"", "Bearer x", "bearer  " + viewerToken, "Basic eDp5", "Bearer\t" + adminToken, "Bearer " + adminToken + " "} {
		f.Add(s, "127.0.0.1:1", "localhost")
	}
	g := New(Options{Access: schema.Access{Tokens: []schema.Token{{Name: "ci", Role: Admin, Hash: Hash(adminToken)}}}, Logger: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, header, remote, host string) {
		r := &http.Request{Header: http.Header{"Authorization": {header}}, RemoteAddr: remote, Host: host}
		if c, why := g.caller(r); why == "" && !strings.Contains(header, adminToken) {
			t.Errorf("%q is let in as %+v", header, c)
		}
		delete(r.Header, "Authorization")
		if c, why := g.caller(r); why == "" && (c.Role != Admin || !loopback(remote) || !loopback(host)) {
			t.Errorf("%q to %q is let in as %+v", remote, host, c)
		}
	})
}
