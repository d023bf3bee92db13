package api

import (
	"context"
	"testing"
	"testing/synctest"

	graphql "github.com/graph-gophers/graphql-go"
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
