package gittest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// deliverTime bounds one delivery.
const deliverTime = time.Minute

// Hooks deliver webhooks, each once, as forges do: whoever does not answer misses it.
type Hooks struct {
	client  http.Client
	running sync.WaitGroup

	mu   sync.Mutex
	sent []Delivery
}

// A Delivery is an event that was posted to somebody.
type Delivery struct {
	URL    string
	Event  string
	At     time.Time // when it was
	Status int       // the answer's; 0: there was none
}

// NewHooks returns hooks that end with the test.
func NewHooks(t testing.TB) *Hooks {
	h := &Hooks{client: http.Client{Timeout: deliverTime, Transport: &http.Transport{DisableKeepAlives: true}}}
	t.Cleanup(h.running.Wait)
	return h
}

// Post delivers an event; sign adds to the header what proves its sender. It does
// not wait for the answer.
func (h *Hooks) Post(url, event string, payload any, sign func(header http.Header, body []byte)) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	sign(req.Header, body)
	h.running.Go(func() {
		d := Delivery{URL: url, Event: event, At: time.Now()}
		if resp, err := h.client.Do(req); err == nil {
			resp.Body.Close()
			d.Status = resp.StatusCode
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.sent = append(h.sent, d)
	})
	return nil
}

// Sent returns the deliveries that have ended.
func (h *Hooks) Sent() []Delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.sent)
}
