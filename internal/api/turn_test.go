package api

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/internal/access"
)

// Answers of subscriptions wait for their turn as queries do, and hold none while
// a client does not read.
func TestAnswersOfSubscriptionsTakeTurns(t *testing.T) {
	inWorld(t, func(r *rig) {
		ctx, cancel := context.WithCancel(r.t.Context())
		defer cancel()
		for range cap(r.api.turns) {
			r.api.turns <- struct{}{}
		}
		answers, err := r.api.Subscribe(ctx, `subscription{deployments{name deployment{pods{name}}}}`, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := offered(answers); got != nil {
			t.Errorf("answered out of turn: %s", got.Data)
		}
		for range cap(r.api.turns) {
			<-r.api.turns
		}
		for range 2 {
			synctest.Wait()
			if n := len(r.api.turns); n != 0 {
				t.Errorf("%d turns are held by what waits for its client", n)
			}
			if got := offered(answers); got == nil || len(got.Errors) > 0 {
				t.Errorf("%+v", got)
			}
		}
		cancel()
		for range answers {
		}
		synctest.Wait()
		if n := len(r.api.turns); n != 0 {
			t.Errorf("%d turns are held by what ended", n)
		}
	})
}

// However many queries somebody sends, others have their turn soon.
func TestTurnsAreShared(t *testing.T) {
	inWorld(t, func(r *rig) {
		as := func(name string) context.Context {
			return access.With(r.t.Context(), access.Caller{Name: name, Role: access.Viewer})
		}
		for range cap(r.api.turns) {
			r.api.turns <- struct{}{}
		}
		var asked sync.WaitGroup
		var mu sync.Mutex
		var order []string
		ask := func(name string) {
			asked.Go(func() {
				leave, ok := r.api.take(as(name))
				if !ok {
					t.Error("no turn for " + name)
					return
				}
				defer leave()
				mu.Lock()
				defer mu.Unlock()
				order = append(order, name)
			})
			synctest.Wait()
		}
		for range 100 {
			ask("ann")
		}
		ask("bob")
		for range cap(r.api.turns) {
			<-r.api.turns
		}
		asked.Wait()
		if at := slices.Index(order, "bob"); at > 2*cap(r.api.turns) {
			t.Errorf("%d came before: %v", at, order)
		}
		if n := len(r.api.lanes.by); n != 0 {
			t.Errorf("%d lanes are left", n)
		}
	})
}

// offered is the answer that can be taken now; nil: none.
func offered(answers <-chan *graphql.Response) *graphql.Response {
	synctest.Wait()
	select {
	case a := <-answers:
		return a
	default:
		return nil
	}
}
