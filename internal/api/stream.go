package api

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/internal/access"
)

// A stream is an answer that goes on. The deadlines that the server sets for a
// whole request are replaced by one for each write: a client that reads may stay
// as long as it likes, one that does not is cut off.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
}

// open begins the answer.
func (h *Handler) open(w http.ResponseWriter, kind string) *stream {
	s := &stream{w: w, control: http.NewResponseController(w), stall: h.stall}
	head(w, kind)
	w.Header().Set("X-Accel-Buffering", "no")  // asks proxies to pass on each part at once
	_ = s.control.SetReadDeadline(time.Time{}) // where there is none, there is none to lift
	_, _ = s.Write(nil)                        // the client learns at once that it is answered; a failure shows again
	return s
}

// Write sends a part at once.
func (s *stream) Write(p []byte) (int, error) {
	if err := s.writeAll(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeAll sends several parts at once.
func (s *stream) writeAll(parts ...[]byte) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(s.stall)) // as above
	for _, part := range parts {
		if _, err := s.w.Write(part); err != nil {
			return err
		}
	}
	return s.control.Flush()
}

// event sends a server-sent event. Its data has no line ends, as JSON has none.
func (s *stream) event(name string, data ...[]byte) error {
	return s.writeAll(slices.Concat([][]byte{[]byte("event: " + name + "\ndata: ")}, data, [][]byte{[]byte("\n\n")})...)
}

func (s *stream) next(answer *graphql.Response) error {
	parts, err := inJSON(answer)
	if err != nil {
		return err
	}
	return s.event("next", parts...)
}

// subscribe answers a subscription with server-sent events, in the form of
// GraphQL over SSE, distinct connections: next for each answer, and complete at
// the end, which is not said where the connection or the server ends.
func (h *Handler) subscribe(w http.ResponseWriter, r *http.Request, q *queryRequest) {
	ctx, done, refusal := h.begin(r)
	if refusal != nil {
		refusal.write(w)
		return
	}
	defer done()
	answers, err := h.api.Subscribe(ctx, q.Query, q.Operation, q.Variables)
	s := h.open(w, eventStream)
	if err != nil {
		_ = s.last(failed(asError(err)))
		return
	}
	defer func() {
		done() // what still answers ends
		for range answers {
		}
	}()
	if err := s.follow(ctx, answers, h.alive); err != nil {
		h.api.o.Logger.Debug("a subscription ended", "caller", access.From(ctx).Name, "reason", err)
	}
}

// follow passes answers on until there are no more, ctx ends or the client does
// not take them. Every so often it says that it lives: so a client can tell
// silence from a connection that is gone.
func (s *stream) follow(ctx context.Context, answers <-chan *graphql.Response, alive time.Duration) error {
	tick := time.NewTicker(alive)
	defer tick.Stop()
	if _, err := io.WriteString(s, ":\n\n"); err != nil {
		return err
	}
	for {
		var err error
		select {
		case answer, more := <-answers:
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case !more:
				return s.event("complete")
			}
			err = s.next(answer)
		case <-tick.C:
			_, err = io.WriteString(s, ":\n\n")
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// last sends the only answer, or the last one.
func (s *stream) last(answer *graphql.Response) error {
	if err := s.next(answer); err != nil {
		return err
	}
	return s.event("complete")
}

// tellOnce answers a query to whoever asked for events.
func (h *Handler) tellOnce(w http.ResponseWriter, answer *graphql.Response) {
	_ = h.open(w, eventStream).last(answer) // who went away needs no answer
}
