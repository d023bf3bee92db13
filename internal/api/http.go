package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/internal/access"
)

// Bounds on what clients may make the server hold.
const (
	maxBody    = 256 << 10        // bytes of a request
	maxStreams = 200              // subscriptions and logs at once
	maxReading = 400              // pods whose logs are read at once
	maxQueries = 500              // that are read, wait for their turn or are answered
	aliveTime  = 15 * time.Second // how often a subscription without news tells that it lives
	streamTime = 30 * time.Second // how long the client of a stream may take to read one answer
)

// A Handler answers requests to an API: /graphql, also with subscriptions as
// server-sent events, and /logs. Who may make them was decided before; the
// context of a request carries the caller.
type Handler struct {
	api     *API
	mux     *http.ServeMux
	streams *pool // subscriptions and logs
	reading *pool // pods of logs, each of which has an engine tell it
	queries *pool
	ending  context.Context
	end     context.CancelFunc
	alive   time.Duration
	stall   time.Duration
}

// NewHandler returns the handler of an API.
func NewHandler(a *API) *Handler {
	h := &Handler{api: a, mux: http.NewServeMux(), streams: newPool(maxStreams, streamsOpen), reading: newPool(maxReading, podsRead), queries: newPool(maxQueries, queriesAsked), alive: aliveTime, stall: streamTime}
	h.ending, h.end = context.WithCancel(context.Background())
	h.mux.HandleFunc("/graphql", h.graphql)
	h.mux.HandleFunc("/logs", h.logs)
	return h
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// EndStreams ends the subscriptions and logs that are open, and lets no new one
// begin: the server stops.
func (h *Handler) EndStreams() { h.end() }

func (h *Handler) graphql(w http.ResponseWriter, r *http.Request) {
	if isVisit(r) {
		head(w, plainText+"; charset=utf-8")
		_, _ = io.WriteString(w, usage) // who went away needs no answer
		return
	}
	caller := access.From(r.Context())
	if refusal := h.queries.take(caller, 1); refusal != nil {
		refusal.write(w)
		return
	}
	done := sync.OnceFunc(func() { h.queries.give(caller, 1) })
	defer done()
	q, refusal := readQuery(w, r)
	if refusal != nil {
		refusal.write(w)
		return
	}
	ctx := r.Context()
	if r.Method != http.MethodPost {
		// A link must not do anything: whoever follows it may only look.
		ctx = access.With(ctx, access.Caller{Name: caller.Name, Role: access.Viewer})
	}
	kind := operationKind(q.Query, q.Operation)
	switch {
	case kind == "mutation" && r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		refuse(http.StatusMethodNotAllowed, BadInput, "a GET request may not hold a mutation", "send it with POST").write(w)
	case kind == "mutation" && h.handOn(w, r, q):
	case kind == "subscription" && q.answer != eventStream:
		refuse(http.StatusNotAcceptable, BadInput, "a subscription is answered by server-sent events", "ask with Accept: text/event-stream").write(w)
	case kind == "subscription":
		done() // from now on it is a stream
		h.subscribe(w, r.WithContext(ctx), q)
	case q.answer == eventStream:
		h.answer(ctx, w, q, h.tellOnce)
	default:
		h.answer(ctx, w, q, func(w http.ResponseWriter, answer *graphql.Response) { writeAnswer(w, q.answer, answer) })
	}
}

// handOn has the replica that leads carry out a mutation, if this one may not, and
// tells whether it has answered. The leader knows the caller by the token alone. What
// it looks at again, this one does too: it is asked for the outcome.
func (h *Handler) handOn(w http.ResponseWriter, r *http.Request, q *queryRequest) bool {
	o := h.api.o
	if o.Relay == nil || !o.Engine.View().Standby || r.Header.Get("Authorization") == "" {
		return false
	}
	body, err := json.Marshal(q)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(h.ending, cancel)() // it may be that it takes over
	answer, err := o.Relay.Ask(ctx, r, body)
	if err != nil {
		o.Logger.Info("a request could not be handed to the leader", "leader", h.api.leader(), "error", err)
		return false
	}
	if answer.Status == http.StatusOK {
		h.api.Execute(context.WithValue(ctx, handedOn{}, true), q.Query, q.Operation, q.Variables)
	}
	head(w, answer.Kind)
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body) // who went away needs no answer
	return true
}

// answer answers a query. The answer counts as long as it is written: a client may
// be slow to read it, and it waits in memory.
func (h *Handler) answer(ctx context.Context, w http.ResponseWriter, q *queryRequest, write func(http.ResponseWriter, *graphql.Response)) {
	answer := h.api.Execute(ctx, q.Query, q.Operation, q.Variables)
	done, refusal := h.api.hold(ctx, answer)
	if refusal != nil {
		refusal.write(w)
		return
	}
	defer done()
	write(w, answer)
}

// writeAnswer writes the answer to a query. Of the two JSON types the newer one
// says by its status, too, when there is no answer but errors.
func writeAnswer(w http.ResponseWriter, kind string, answer *graphql.Response) {
	status := http.StatusOK
	if kind == graphqlJSON && answer.Data == nil && len(answer.Errors) > 0 {
		status = http.StatusBadRequest
		if code, ok := answer.Errors[0].Extensions["code"].(string); ok && statuses[Code(code)] != 0 {
			status = statuses[Code(code)]
		}
	}
	writeJSON(w, status, kind, answer)
}

// errUnwritable is what is told where JSON cannot be made of an answer.
const errUnwritable = `{"errors":[{"message":"the answer cannot be written as JSON","extensions":{"code":"INTERNAL"}}]}`

// statuses of errors for which nothing was answered; for others it is 400.
var statuses = map[Code]int{
	Forbidden:   http.StatusForbidden,
	Unavailable: http.StatusServiceUnavailable,
	Timeout:     http.StatusServiceUnavailable,
	Internal:    http.StatusInternalServerError,
}

func writeJSON(w http.ResponseWriter, status int, kind string, answer *graphql.Response) {
	parts, err := inJSON(answer)
	if err != nil {
		status, parts = http.StatusInternalServerError, [][]byte{[]byte(errUnwritable)}
	}
	head(w, kind+"; charset=utf-8")
	w.WriteHeader(status)
	for _, part := range append(parts, []byte("\n")) {
		_, _ = w.Write(part) // who went away needs no answer
	}
}

// head sets what every answer says of itself.
func head(w http.ResponseWriter, kind string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
}

// A refusal is the answer to a request that cannot be understood or served.
type refusal struct {
	status int
	err    *Error
}

func refuse(status int, code Code, message, hint string) *refusal {
	return &refusal{status, &Error{Code: code, Message: message, Hint: hint}}
}

func (f *refusal) write(w http.ResponseWriter) {
	if f.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	writeJSON(w, f.status, plainJSON, failed(f.err))
}

// begin takes one of the places for streams. The context that it returns ends
// with the request and with the server; done gives the place back.
func (h *Handler) begin(r *http.Request) (ctx context.Context, done func(), refusal *refusal) {
	if h.ending.Err() != nil {
		return nil, nil, refuse(http.StatusServiceUnavailable, Unavailable, "the server stops", "try again when it runs")
	}
	caller := access.From(r.Context())
	if refusal := h.streams.take(caller, 1); refusal != nil {
		return nil, nil, refusal
	}
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(h.ending, cancel)
	return ctx, sync.OnceFunc(func() { stop(); cancel(); h.streams.give(caller, 1) }), nil
}
