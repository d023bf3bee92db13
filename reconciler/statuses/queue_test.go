package statuses_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/berthdev/berth/sources/forge"
)

// What is remembered is bounded; what was forgotten is asked of the forge again.
func TestForgetting(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		for i := range 40 {
			p.Set(desired, fmt.Sprint("c", i), status("berth", forge.Success, "1 of 1 running"))
			p.pass(10 * time.Minute)
		}
		if p.asked() != 41 || len(p.sent()) != 40 { // the first once more, for it was soon after the start
			t.Fatalf("asked %d times, sent %d", p.asked(), len(p.sent()))
		}
		p.Set(desired, "c39", status("berth", forge.Success, "1 of 1 running"))
		p.Set(desired, "c0", status("berth", forge.Success, "1 of 1 running"))
		p.pass(time.Minute)
		if p.asked() != 42 || len(p.sent()) != 40 {
			t.Errorf("asked %d times, sent %d", p.asked(), len(p.sent()))
		}
	})
}

// However many commits wait, none is lost: a forge with many open pull requests
// is told of all of them.
func TestWhatWaitsIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.faults = func(request) fault { return fault{err: transient("connection refused")} }
		p.Set(desired, "in-force", status("berth", forge.Failure, "0 of 1 running"))
		for i := range 100 {
			p.Set(desired, fmt.Sprint("c", i), status("berth/plan", forge.Success, "+1 ~0 -0"))
			p.pass(time.Second)
		}
		p.set(func() { p.faults, p.requests = nil, nil })
		p.pass(time.Hour)
		if got := len(p.sent()); got != 101 || p.last(desired, "in-force", "berth") != "failure 0 of 1 running" {
			t.Errorf("%d sent", got)
		}
		if n := p.log.count("too many commits wait"); n != 0 {
			t.Errorf("%d warnings", n)
		}
	})
}

// Beyond a bound the oldest are dropped, what sums up a commit last of all.
func TestTooManyCommitsWait(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.faults = func(request) fault { return fault{err: limit(10 * time.Minute)} }
		p.Set(desired, "in-force", status("berth", forge.Failure, "0 of 1 running"))
		p.pass(time.Second)
		for i := range 1100 {
			p.Set(desired, fmt.Sprint("c", i), status("berth/plan", forge.Success, "+1 ~0 -0"))
		}
		p.set(func() { p.faults, p.requests = nil, nil })
		p.pass(6 * time.Hour)
		if got := len(p.sent()); got != 1000 {
			t.Errorf("%d sent", got)
		}
		for commit, want := range map[string]string{"c100": " ", "c101": "success +1 ~0 -0", "c1099": "success +1 ~0 -0"} {
			if got := p.last(desired, commit, "berth/plan"); got != want {
				t.Errorf("%s: %q", commit, got)
			}
		}
		if got := p.last(desired, "in-force", "berth"); got != "failure 0 of 1 running" {
			t.Errorf("the commit in force: %q", got)
		}
		if n := p.log.count("too many commits wait"); n != 1 {
			t.Errorf("%d warnings", n)
		}
	})
}

func TestForgettingRepositories(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.faults = func(request) fault { return fault{err: transient("connection refused")} }
		for i := range 2100 {
			p.Set(fmt.Sprintf("https://%d.example.org/x.git", i), "c1", status("berth", forge.Success, "1 of 1 running"))
		}
		p.pass(0)
		p.set(func() { p.faults, p.requests = nil, nil })
		p.pass(time.Minute / 2)
		if got := len(p.sent()); got != 2000 || p.last("https://2099.example.org/x.git", "c1", "berth") == " " {
			t.Errorf("%d sent", got)
		}
	})
}
