package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/berthdev/berth/internal/client"
)

// Who interrupts a watch before the first answer came made no mistake.
func TestTopIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	ask, err := client.New(client.Options{Server: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer ask.Close()
	if err := watchTop(ctx, console{out: io.Discard, err: io.Discard}, ask, topOptions{sortBy: "cpu"}, nil); err != nil {
		t.Error(err)
	}
}
