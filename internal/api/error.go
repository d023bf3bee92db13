package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"

	graphql "github.com/graph-gophers/graphql-go"
	gqlerrors "github.com/graph-gophers/graphql-go/errors"

	"github.com/berthdev/berth/schema"
)

// A Code tells programs what went wrong.
type Code string

// The codes.
const (
	BadInput    Code = "BAD_INPUT"   // the query, a variable or an argument is wrong
	NotFound    Code = "NOT_FOUND"   // there is no such thing
	TooMuch     Code = "TOO_MUCH"    // the query asks for more than a bound allows
	Forbidden   Code = "FORBIDDEN"   // the caller may not do this
	Unavailable Code = "UNAVAILABLE" // something does not answer now; it may later
	Timeout     Code = "TIMEOUT"     // it took too long
	Internal    Code = "INTERNAL"    // a bug of Berth
)

// An Error is an error of a query: what is wrong, and the way out.
type Error struct {
	Code    Code
	Message string
	Hint    string // what to do; may be empty
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Extensions returns what is told to programs besides the message.
func (e *Error) Extensions() map[string]any {
	ext := map[string]any{"code": string(e.Code)}
	if e.Hint != "" {
		ext["hint"] = e.Hint
	}
	return ext
}

// codes tell what the kinds of errors mean to whoever asks.
var codes = map[schema.ErrorKind]Code{
	schema.Invalid: BadInput, schema.Waiting: Unavailable, schema.Transient: Unavailable, schema.Terminal: Unavailable,
}

// asError returns an error as one of a query.
func asError(err error) *Error {
	var own *Error
	var of *schema.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: Timeout, Message: err.Error(), Hint: "try again"}
	case errors.As(err, &of):
		bare := *of
		bare.Hint = ""
		return &Error{Code: codes[schema.KindOf(of)], Message: bare.Error(), Hint: of.Hint}
	}
	return &Error{Code: codes[schema.KindOf(err)], Message: err.Error()}
}

func badInput(hint, format string, args ...any) *Error {
	return &Error{Code: BadInput, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// checkLength refuses a query that is too long; nil: it is not.
func checkLength(query string) *Error {
	if len(query) <= maxQuery {
		return nil
	}
	return &Error{Code: TooMuch, Message: fmt.Sprintf("the query's length of %d bytes is more than %d", len(query), maxQuery), Hint: "ask for less in one query, and give values as variables"}
}

// late tells why a query ended whose context did.
func late(ctx context.Context) *Error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return tookTooLong()
	}
	return &Error{Code: Timeout, Message: "the query was given up by whoever asked"}
}

func tookTooLong() *Error {
	return &Error{Code: Timeout, Message: fmt.Sprintf("the query took longer than %v", limit), Hint: "ask for less at once, or try again later"}
}

// failed is the answer to a query that was ended for one reason: data that is
// only in part there would be taken for the whole. Of the errors that followed
// from the reason, the first names the field.
func failed(e *Error, followed ...*gqlerrors.QueryError) *graphql.Response {
	out := &gqlerrors.QueryError{Err: e, Message: e.Message, Extensions: e.Extensions()}
	for _, q := range followed {
		if q.Message == e.Message {
			out.Path = q.Path
			break
		}
	}
	return &graphql.Response{Errors: []*gqlerrors.QueryError{out}}
}

// explained completes the errors of an answer: each has a code, and they stand in
// the order of the fields' names, for fields are answered side by side.
func explained(r *graphql.Response) *graphql.Response {
	slices.SortStableFunc(r.Errors, func(a, b *gqlerrors.QueryError) int {
		return strings.Compare(fmt.Sprint(a.Path...), fmt.Sprint(b.Path...))
	})
	for _, q := range r.Errors {
		if q.Extensions == nil {
			explain(q)
		}
	}
	return r
}

func explain(q *gqlerrors.QueryError) {
	switch {
	case q.ResolverError != nil:
		e := asError(q.ResolverError)
		q.Message, q.Extensions = e.Message, e.Extensions()
	case errors.Is(q, graphql.ErrTooManySelections), q.Rule == "MaxDepthExceeded", q.Rule == "OverlapValidationLimitExceeded":
		q.Extensions = (&Error{Code: TooMuch, Hint: "ask for less in one query"}).Extensions()
	default:
		q.Extensions = (&Error{Code: BadInput, Hint: "the schema says what can be asked: see docs/api.md"}).Extensions()
	}
}

// panicErrors turns panics of resolvers into errors.
type panicErrors struct{}

func (panicErrors) MakePanicError(_ context.Context, value any) *gqlerrors.QueryError {
	e, ok := value.(*Error)
	if !ok {
		e = &Error{Code: Internal, Message: "the server could not answer this", Hint: "its log says why; please report it as a bug"}
	}
	return &gqlerrors.QueryError{Err: e, Message: e.Message, Extensions: e.Extensions()}
}

// panicLog logs panics that are bugs.
type panicLog struct{ log *slog.Logger }

func (l panicLog) LogPanic(_ context.Context, value any) {
	if _, ok := value.(*Error); ok {
		return // a meter ended the query
	}
	l.log.Error("a query found a bug", "panic", fmt.Sprint(value), "stack", string(debug.Stack()))
}
