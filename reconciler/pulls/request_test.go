package pulls

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

// A stranger's pull request on which the planner panics is told of as one that
// cannot be planned. Others are planned.
func TestOneThatPanics(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeForge, follower *Follower) {
		f.locked(func() {
			f.panics = "h1"
			f.plans["h2"] = one
			f.open = []forge.PullRequest{pull(7, "h1"), pull(8, "h2")}
		})
		follower.Wake("desired-state")
		f.expect(t, "h1 berth/plan error: it cannot be planned: plan pull request 7: a bug of Berth's; its log tells more", "h2 berth/plan success: +1 ~0 -0")
		time.Sleep(time.Hour)
		f.expect(t)
	})
}

// The forge is asked once for each head where it left its base, and again after
// what may pass.
func TestMergeBasesAreAskedOnce(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeForge, follower *Follower) {
		replan := func(want ...string) {
			t.Helper()
			f.locked(func() { f.against++ })
			follower.Changed()
			time.Sleep(settle + time.Second)
			synctest.Wait()
			f.locked(func() {
				if !slices.Equal(f.compared, want) {
					t.Errorf("asked for %q, want %q", f.compared, want)
				}
				f.compared = nil
			})
		}
		f.locked(func() {
			f.asks = true
			f.plans["h1"], f.plans["h2"] = one, one
			f.open = []forge.PullRequest{pull(7, "h1")}
		})
		replan("h1")
		f.expect(t, "h1 berth/plan success: +1 ~0 -0 since base of h1")
		replan()
		f.locked(func() {
			f.open[0].Head = "h2"
			f.fail["merge base"] = &schema.Error{Op: "find the merge base", Kind: schema.Terminal, Err: errors.New("there is none")}
		})
		replan("h2")
		f.expect(t, "h2 berth/plan success: +1 ~0 -0 since ")
		replan()
		f.locked(func() {
			f.open[0].Head = "h1"
			f.fail["merge base"] = &schema.Error{Op: "find the merge base", Kind: schema.Transient, Err: errors.New("it is away")}
		})
		follower.Wake("desired-state")
		f.expect(t, "h1 berth/plan error: it cannot be planned: find the merge base: it is away")
		f.locked(func() { f.compared = nil; delete(f.fail, "merge base") })
		replan("h1")
		f.expect(t, "h1 berth/plan success: +1 ~0 -0 since base of h1")
	})
}

// A hint at any source of a repository is one at its pull requests.
func TestOtherNamesWake(t *testing.T) {
	rounds, at := map[string]*round{}, time.Now()
	repos := []Repo{{Name: "a", Also: []string{"b", "c"}}}
	match(rounds, repos, nil, at)
	for name, due := range map[string]bool{"a": true, "b": true, "c": true, "d": false} {
		rounds["a"].due = at.Add(time.Hour)
		match(rounds, repos, map[string]bool{name: true}, at)
		if got := rounds["a"].due.Equal(at); got != due {
			t.Errorf("%s wakes: %t", name, got)
		}
	}
}
