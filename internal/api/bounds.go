package api

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/graph-gophers/graphql-go/errors"
	"github.com/graph-gophers/graphql-go/introspection"
)

// Bounds of one query. They are far above what people and the commands ask for,
// and low enough that whoever may ask cannot take the server from the others.
const (
	limit         = 10 * time.Second
	maxQuery      = 64 << 10 // bytes
	maxDepth      = 16       // the usual introspection query has 15
	maxSelections = 1000     // fields as written, fragments spread
	maxOverlaps   = 200_000  // pairs of fields that are compared when a query is checked
	parallelism   = 2        // fields of one query that are answered at once
	maxPage       = 500      // things
	maxObjects    = 20_000   // in an answer
	maxWork       = 2_000_000
	maxText       = 16 << 20 // bytes of an answer
	fieldText     = 32       // bytes that a field counts, besides its name and long texts
)

// A meter counts what answering one query costs, and ends it when that is too
// much: lists then fail, and in a query all other resolvers panic with the error,
// which the library turns into one that names the field. A resolver that may fail
// only so needs no error to return, and the library answers such fields without a
// goroutine for each.
type meter struct {
	ctx                 context.Context
	until               time.Time // when an answer of a subscription has taken too long; zero: ctx says it
	panics              bool      // only where the library recovers: not in what precedes an answer of a subscription
	objects, work, text atomic.Int64
	keys                map[string]int // lengths of aliases by field, see [aliases]
	cause               atomic.Pointer[Error]
}

// stop ends the query; the first cause counts.
func (m *meter) stop(e *Error) { m.cause.CompareAndSwap(nil, e) }

// stopped returns why the query ends; nil: it goes on.
func (m *meter) stopped() *Error {
	if e := m.cause.Load(); e != nil {
		return e
	}
	switch {
	case m.ctx.Err() != nil:
		m.stop(late(m.ctx))
	case !m.until.IsZero() && time.Now().After(m.until):
		m.stop(tookTooLong())
	}
	return m.cause.Load()
}

// restart begins to count for another answer, which the library makes.
func (m *meter) restart(ctx context.Context) {
	m.ctx, m.until, m.panics = ctx, time.Now().Add(limit), true
	for _, n := range []*atomic.Int64{&m.objects, &m.work, &m.text} {
		n.Store(0)
	}
	m.cause.Store(nil)
}

func (m *meter) check() {
	if e := m.stopped(); e != nil && m.panics {
		panic(e)
	}
}

// takeObjects counts objects that become part of the answer.
func (m *meter) takeObjects(n int) {
	m.countObjects(n)
	m.check()
}

// spendObjects is takeObjects for a resolver that can return an error.
func (m *meter) spendObjects(n int) error {
	m.countObjects(n)
	return m.failure()
}

func (m *meter) countObjects(n int) {
	if m.objects.Add(int64(n)) > maxObjects {
		m.stop(&Error{Code: TooMuch, Message: fmt.Sprintf("the answer would hold more than %d objects", maxObjects),
			Hint: "ask for fewer with `first`, and for the next ones with `after`; or ask for fewer relations at once"})
	}
}

// takeWork counts steps: a field that is answered, a thing that is looked at.
func (m *meter) takeWork(n int) {
	if m.work.Add(int64(n)) > maxWork {
		m.stop(&Error{Code: TooMuch, Message: "the query takes too much work",
			Hint: "ask for less at once: fewer fields, a smaller `first`, no lists within lists that are filtered or searched"})
	}
}

// spend is takeWork for a resolver that can return an error.
func (m *meter) spend(n int) error {
	m.takeWork(n)
	return m.failure()
}

// failure is stopped as an error: a nil *Error is none.
func (m *meter) failure() error {
	if e := m.stopped(); e != nil {
		return e
	}
	return nil
}

// takeText counts text of a length that others chose.
func (m *meter) takeText(s string) string {
	m.countText(jsonLength(s))
	m.check()
	return s
}

// takeField counts a field of which nothing is known yet but its name: it is
// written anew for each object.
func (m *meter) takeField(name string) {
	m.takeWork(1)
	m.countText(fieldText + max(len(name), m.keys[name]))
}

func (m *meter) countText(n int) {
	if m.text.Add(int64(n)) > maxText {
		m.stop(&Error{Code: TooMuch, Message: fmt.Sprintf("the answer would hold more than %d MiB of text", maxText>>20),
			Hint: "ask for fewer with `first`, or for less of each"})
	}
}

// jsonLength is how long a text becomes in JSON as Go writes it, roughly.
func jsonLength(s string) int {
	n := len(s)
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"', c == '\\', c == '\n', c == '\t', c == '\r':
			n++
		case c < ' ', c == '<', c == '>', c == '&':
			n += 5
		}
	}
	return n
}

// tracer has the meter of a query count every field that is answered.
type tracer struct{}

func (tracer) TraceQuery(ctx context.Context, _, _ string, _ map[string]any, _ map[string]*introspection.Type) (context.Context, func([]*errors.QueryError)) {
	return ctx, func([]*errors.QueryError) {}
}

func (tracer) TraceField(ctx context.Context, _, _, field string, _ bool, _ map[string]any) (context.Context, func(*errors.QueryError)) {
	m := meterOf(ctx)
	if m == nil {
		return ctx, done
	}
	m.takeField(field)
	return ctx, m.leave
}

func done(*errors.QueryError) {}

// meterOf returns the meter of a query, or of the answer of a subscription; nil:
// there is none.
func meterOf(ctx context.Context) *meter {
	if w, ok := ctx.Value(key{}).(*world); ok {
		return w.meter
	}
	if t, ok := ctx.Value(turnKey{}).(*turns); ok {
		return t.answer.Load()
	}
	return nil
}

// leave ends a query that is stopped when a field was answered. Here the library
// holds nothing that a panic would keep, and with it all that is left of a list is
// passed over, also the fields whose resolvers count nothing.
func (m *meter) leave(*errors.QueryError) {
	if e := m.cause.Load(); e != nil && m.panics {
		panic(e)
	}
}
