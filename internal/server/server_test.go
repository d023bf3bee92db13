package server_test

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/berthdev/berth/internal/access"
	"github.com/berthdev/berth/internal/server"
	"github.com/berthdev/berth/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// options fills in what a test does not care about.
func options(o server.Options) server.Options {
	o.Listen = cmp.Or(o.Listen, "127.0.0.1:0")
	o.Metrics = prometheus.NewRegistry()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Guard == nil {
		o.Guard = access.New(access.Options{Logger: o.Logger})
	}
	if o.Ready == nil {
		o.Ready = func() (bool, string) { return true, "" }
	}
	o.Webhooks = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	return o
}

// run runs a server until the test ends and returns its URL.
func run(t *testing.T, o server.Options) string {
	t.Helper()
	s, err := server.New(options(o))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s.URL()
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestHealthAndReadiness(t *testing.T) {
	ok, why := false, "backend docker was not listed yet"
	url := run(t, server.Options{Ready: func() (bool, string) { return ok, why }})
	if code, _ := get(t, url+"/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d", code)
	}
	if code, body := get(t, url+"/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, why) {
		t.Errorf("/readyz before: %d %q", code, body)
	}
	ok = true
	if code, _ := get(t, url+"/readyz"); code != http.StatusOK {
		t.Errorf("/readyz after: %d", code)
	}
	if code, _ := get(t, url+"/metrics"); code != http.StatusOK {
		t.Errorf("/metrics: %d", code)
	}
	if code, _ := get(t, url+"/webhooks/generic"); code != http.StatusAccepted {
		t.Errorf("webhooks are not mounted: %d", code)
	}
	if code, _ := get(t, url+"/nowhere"); code != http.StatusNotFound {
		t.Errorf("unknown path: %d", code)
	}
}

func TestTakenPortIsExplained(t *testing.T) {
	url := run(t, server.Options{})
	_, err := server.New(options(server.Options{Listen: strings.TrimPrefix(url, "http://")}))
	if err == nil || schema.KindOf(err) != schema.Terminal || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("a taken port gives %v", err)
	}
}

// What each path needs of who asks.
func TestPathsNeedARole(t *testing.T) {
	token := access.NewToken()
	e := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, access.From(r.Context()).Name) })
	url := run(t, server.Options{API: stub{e}, Guard: access.New(access.Options{Logger: slog.New(slog.DiscardHandler), Access: schema.Access{
		Tokens: []schema.Token{{Name: "ci", Role: access.Viewer, Hash: access.Hash(token)}},
	}})})
	for path, want := range map[string][3]int{ // from this machine, through a proxy, through a proxy with a token
		"/healthz": {200, 200, 200}, "/readyz": {200, 200, 200}, "/webhooks/generic": {202, 202, 202},
		"/metrics": {200, 401, 200}, "/graphql": {200, 401, 200}, "/logs": {200, 401, 200}, "/elsewhere": {404, 404, 404}, "/": {200, 200, 200},
	} {
		for i, header := range []http.Header{{}, {"X-Forwarded-For": {"192.0.2.1"}}, {"X-Forwarded-For": {"192.0.2.1"}, "Authorization": {"Bearer " + token}}} {
			req, err := http.NewRequest(http.MethodGet, url+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header = header
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want[i] {
				t.Errorf("%s with %v: %d", path, header, resp.StatusCode)
			}
			// Only who may ask something keeps the connection.
			if known := want[i] == 200 && want[0] != want[1]; resp.Close == known {
				t.Errorf("%s with %v: closed: %v", path, header, resp.Close)
			}
		}
	}
}

type stub struct{ http.Handler }

func (stub) EndStreams() {}
