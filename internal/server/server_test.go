package server_test

import (
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

// serve runs a server until the test ends and returns its URL.
func serve(t *testing.T, ready func() (bool, string)) string {
	t.Helper()
	hooks := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	s, err := server.New(server.Options{
		Listen: "127.0.0.1:0", Ready: ready, Metrics: prometheus.NewRegistry(), Webhooks: hooks,
		Guard: access.New(access.Options{Logger: slog.New(slog.DiscardHandler)}), Logger: slog.New(slog.DiscardHandler),
	})
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
	return "http://" + s.Addr()
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
	url := serve(t, func() (bool, string) { return ok, why })
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
	url := serve(t, func() (bool, string) { return true, "" })
	_, err := server.New(server.Options{
		Listen: strings.TrimPrefix(url, "http://"), Logger: slog.New(slog.DiscardHandler),
		Guard: access.New(access.Options{Logger: slog.New(slog.DiscardHandler)}),
	})
	if err == nil || schema.KindOf(err) != schema.Terminal || !strings.Contains(err.Error(), "--listen") {
		t.Errorf("a taken port gives %v", err)
	}
}
