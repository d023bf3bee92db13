package api

import (
	"context"
	"sync/atomic"
)

// turnKey is what the context of a subscription carries its turns under.
type turnKey struct{}

// The turns of a subscription: each of its answers takes one of those that
// queries take, so that many subscriptions do not take the server from who
// reconciles. A turn lasts while an answer is made, not while a client reads it;
// the next answer is begun only when it did.
type turns struct {
	api    *API
	one    chan struct{}          // holds one from when an answer is begun until it is read
	held   atomic.Pointer[func()] // gives the turn back; nil: there is none
	answer atomic.Pointer[meter]  // of the answer that is made, or was made last
	keys   map[string]int         // see meter
}

func newTurns(a *API, query string) *turns {
	return &turns{api: a, one: make(chan struct{}, 1), keys: aliases(query)}
}

// begin waits for a turn; false: ctx ended.
func (t *turns) begin(ctx context.Context) bool {
	if !send(ctx, t.one, struct{}{}) {
		return false
	}
	leave, ok := t.api.take(ctx)
	if ok {
		t.held.Store(&leave)
	}
	return ok
}

// end gives the turn back, if there is one.
func (t *turns) end() {
	if leave := t.held.Swap(nil); leave != nil {
		(*leave)()
	}
}

// stopped returns why the answer that was just made is none; nil: it is whole.
func (t *turns) stopped() *Error {
	if m := t.answer.Load(); m != nil {
		return m.stopped()
	}
	return nil
}

// next lets the next answer begin.
func (t *turns) next() {
	select {
	case <-t.one:
	default: // an answer that says that there will be none was not begun
	}
}

// reply has the library answer for v, which is of the world w, in a turn; false:
// ctx ended. The answer has the bounds of a query.
func reply[T any](ctx context.Context, w *world, to chan<- T, v T) bool {
	t := ctx.Value(turnKey{}).(*turns)
	if !t.begin(ctx) {
		return false
	}
	w.meter.restart(ctx)
	w.meter.keys = t.keys
	t.answer.Store(w.meter)
	if !send(ctx, to, v) {
		t.end()
		return false
	}
	return true
}

// inTurn does work that precedes answers in a turn; false: ctx ended.
func inTurn(ctx context.Context, work func()) bool {
	leave, ok := ctx.Value(turnKey{}).(*turns).api.take(ctx)
	if !ok {
		return false
	}
	defer leave()
	work()
	return true
}
