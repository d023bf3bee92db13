package backendtest

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
)

// Print has a pod of the test app print text.
func Print(t testing.TB, p backends.Pod, stderr bool, text string) {
	t.Helper()
	path := "/print"
	if stderr {
		path += "?stderr"
	}
	post(t, p, path, text)
}

// Crash ends a pod of the test app with an error.
func Crash(t testing.TB, p backends.Pod) {
	t.Helper()
	post(t, p, "/exit?code=1", "")
}

// post asks the test app for something, once it answers.
func post(t testing.TB, p backends.Pod, path, body string) {
	t.Helper()
	if len(p.Endpoints) == 0 {
		t.Fatalf("pod %s has no endpoint", p.Name)
	}
	at := p.Endpoints[0]
	url := "http://" + hostPort(at) + path
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		resp, err := client.Post(url, "text/plain", strings.NewReader(body))
		if err == nil {
			_ = resp.Body.Close() // there is nothing in it
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v, %v", url, resp, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
