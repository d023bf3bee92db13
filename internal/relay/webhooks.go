package relay

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// maxWaiting bounds what waits to be handed on, in bytes. What finds no room is
// left to the leader's own polls.
const maxWaiting = 16 << 20

// A replica learns some seconds later than the Lease who leads: until waitTime after
// it came, a webhook is handed on again every retryTime. A leader reads all of its
// repositories when it begins.
const (
	waitTime  = time.Minute
	retryTime = time.Second
)

// Webhooks returns a handler that answers as next does, and has [Relay.Run] hand on
// what next took: this replica is woken by it too, and is up to date when it leads.
func (r *Relay) Webhooks(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		if in.Header.Get(mark) != "" {
			http.Error(w, "this replica does not lead", http.StatusServiceUnavailable)
			return
		}
		var body bytes.Buffer
		seen := *in // next reads no more of the body than it may hold
		seen.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(in.Body, &body), in.Body}
		status := statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(&status, &seen)
		if status.status == http.StatusAccepted && !r.queue.add(handed(in, body.Bytes())) {
			r.log.Warn("a webhook is not handed to the leader: too many wait", "leader", r.leader())
		}
	})
}

// Run hands webhooks on until ctx ends.
func (r *Relay) Run(ctx context.Context) error {
	for {
		q, err := r.queue.next(ctx)
		if err != nil {
			return err
		}
		if err := r.deliver(ctx, q); err != nil {
			return err
		}
	}
}

// deliver hands a webhook on, sooner or later or never; the error is that of ctx.
func (r *Relay) deliver(ctx context.Context, q request) error {
	for {
		answer, err := r.send(ctx, q)
		if err == nil && answer.Status >= http.StatusInternalServerError {
			err = fmt.Errorf("it answers with status %d", answer.Status)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && answer.Status >= http.StatusMultipleChoices:
			r.log.Warn("the leader refuses a webhook that was handed to it", "leader", r.leader(), "status", answer.Status,
				"hint", "give all replicas the same webhook secrets")
			return nil
		case err == nil:
			return nil
		case time.Since(q.came) > waitTime:
			r.log.Info("a webhook could not be handed to the leader", "leader", r.leader(), "error", err)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retryTime):
		}
	}
}

// statusWriter notes how a request was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A queue holds requests in the order in which they came.
type queue struct {
	mu      sync.Mutex
	waiting []request
	bytes   int
	news    chan struct{} // holds one when something was added
}

func newQueue() *queue { return &queue{news: make(chan struct{}, 1)} }

// add tells whether there is room.
func (q *queue) add(r request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes+r.size() > maxWaiting {
		return false
	}
	q.bytes += r.size()
	q.waiting = append(q.waiting, r)
	select {
	case q.news <- struct{}{}:
	default:
	}
	return true
}

// next waits for a request.
func (q *queue) next(ctx context.Context) (request, error) {
	for {
		q.mu.Lock()
		if len(q.waiting) > 0 {
			r := q.waiting[0]
			q.waiting[0] = request{} // it is held no longer
			q.waiting = q.waiting[1:]
			q.bytes -= r.size()
			q.mu.Unlock()
			return r, nil
		}
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return request{}, ctx.Err()
		case <-q.news:
		}
	}
}
