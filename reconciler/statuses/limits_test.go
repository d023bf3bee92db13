package statuses_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

// A host that asks to wait is left alone until then; others are not.
func TestALimitedHostIsLeftAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		limited := true
		p.faults = func(r request) fault {
			if limited && r.repo != other {
				return fault{err: limit(10 * time.Minute)}
			}
			return fault{}
		}
		for _, repo := range []string{desired, apps, other} {
			for i := range 6 {
				p.Set(repo, fmt.Sprint("c", i), status("berth", forge.Success, "1 of 1 running"))
			}
		}
		p.pass(9 * time.Minute)
		asked := p.asked()
		if got := len(p.sent()); got != 6 || asked > 16 {
			t.Errorf("%d sent, asked %d times", got, asked)
		}
		p.pass(4 * time.Minute)
		if n := p.asked() - asked; n != 1 {
			t.Errorf("%d requests found that it was not long enough", n)
		}
		p.set(func() { limited, p.requests = false, nil })
		p.pass(9 * time.Minute)
		if got := len(p.sent()); got != 12 {
			t.Errorf("%d sent", got)
		}
		if n := p.log.count("a forge asks to wait"); n != 2 {
			t.Errorf("%d lines", n)
		}
	})
}

// What a forge says of the time is not believed without bounds.
func TestSillyLimits(t *testing.T) {
	for _, wait := range []time.Duration{-time.Hour, 0, 87600 * time.Hour} {
		inBubble(t, func(t *testing.T, p *post) {
			p.faults = func(request) fault { return fault{err: limit(wait)} }
			p.Set(desired, "c1", status("berth", forge.Success, "1 of 1 running"))
			p.pass(10 * time.Minute)
			if n := p.asked(); n > 10 {
				t.Errorf("%v: asked %d times", wait, n)
			}
			p.set(func() { p.faults, p.until = nil, map[string]time.Time{} })
			p.pass(3 * time.Hour)
			p.want("berth success 1 of 1 running")
		})
	}
}

// A burst passes at once, summaries and newer commits first; then it is one in a
// while, as GitHub wants it, but a summary never waits.
func TestABurst(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.latency = 50 * time.Millisecond
		p.faults = func(request) fault { return fault{err: limit(time.Second)} } // so that all is said before anything is sent
		p.Set(desired, "c0", status("berth", forge.Pending, "c0"))
		p.pass(100 * time.Millisecond)
		p.set(func() { p.faults = nil })
		for _, commit := range []string{"c1", "c2"} {
			for i := range 300 {
				p.Set(desired, commit, status(fmt.Sprintf("berth/%03d", i), forge.Success, commit))
			}
			p.Set(desired, commit, status("berth", forge.Pending, commit))
		}
		p.pass(5 * time.Second)
		got := p.sent()
		slices.Sort(got[:3])
		if want := []string{"berth pending c0", "berth pending c1", "berth pending c2"}; len(got) < 23 || !slices.Equal(got[:3], want) {
			t.Errorf("sent %v", got)
		}
		for i, sent := range got[3:] {
			if want := fmt.Sprintf("berth/%03d success c2", i); sent != want {
				t.Errorf("sent %s, want %s", sent, want)
			}
		}
		p.Set(desired, "c3", status("berth", forge.Success, "c3"))
		p.pass(100 * time.Millisecond) // the forge is asked what it has
		if p.last(desired, "c3", "berth") != "success c3" {
			t.Error("a summary waits")
		}
		p.pass(2 * time.Hour)
		if got := len(p.sent()); got != 604 {
			t.Errorf("%d sent", got)
		}
		p.most(t, time.Minute, 80)
		p.most(t, time.Hour, 450)
	})
}

// Comments are counted with the statuses, and no summary waits for them.
func TestCommentsAreCounted(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		if _, err := p.Known(t.Context(), desired, "c1"); err != nil {
			t.Fatal(err)
		}
		admit := func(repo string) bool {
			ok := p.Admit(repo)
			if ok {
				p.set(func() {
					p.requests = append(p.requests, request{target{repo, "", ""}, status("", "comment", ""), time.Now()})
				})
			}
			return ok
		}
		burst := 0
		for range 100 {
			if admit(apps) { // another repository of the same host
				burst++
			}
		}
		p.Set(desired, "c1", status("berth", forge.Success, "1 of 1 running"))
		p.pass(0)
		if burst != 20 || p.last(desired, "c1", "berth") != "success 1 of 1 running" {
			t.Errorf("%d comments; the summary is %q", burst, p.last(desired, "c1", "berth"))
		}
		if !admit(other) {
			t.Error("another host is full too")
		}
		for i := range 500 {
			p.Set(desired, "c1", status(fmt.Sprint("berth/", i), forge.Success, "running"))
		}
		comments := 0
		for range 3 * 60 * 60 / 5 {
			p.pass(5 * time.Second)
			if admit(desired) {
				comments++
			}
		}
		if p.waiting() > 0 || comments < 300 {
			t.Errorf("%d statuses wait, %d comments", p.waiting(), comments)
		}
		p.set(func() { p.requests = slices.DeleteFunc(p.requests, func(r request) bool { return r.repo == other }) })
		p.most(t, time.Minute, 80)
		p.most(t, time.Hour, 450)

		p.set(func() { p.faults = func(request) fault { return fault{err: limit(10 * time.Minute)} } })
		p.Set(desired, "c2", status("berth", forge.Success, "1 of 1 running"))
		p.pass(9 * time.Minute)
		if admit(apps) || !admit(other) {
			t.Error("a comment is written while the forge asks to wait, or none elsewhere")
		}
	})
}

// What changes all the time keeps its place among those that wait.
func TestAPlaceIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		for i := range 30 {
			p.Set(desired, "c1", status(fmt.Sprint("berth/", i), forge.Success, "running"))
		}
		p.pass(0)
		p.Set(desired, "c1", status("berth/restless", forge.Pending, "0"))
		for i := range 60 {
			p.Set(desired, "c1", status(fmt.Sprint("berth/later-", i), forge.Success, "running"))
		}
		for i := range 15 {
			p.Set(desired, "c1", status("berth/restless", forge.Pending, fmt.Sprint(i)))
			p.pass(time.Second)
		}
		if got := p.last(desired, "c1", "berth/restless"); got == " " {
			t.Error("it was not sent")
		}
	})
}

// most tells of any time in which more was sent.
func (p *post) most(t *testing.T, in time.Duration, most int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	var sent []time.Time
	for _, r := range p.requests {
		if r.State != "" {
			sent = append(sent, r.at)
		}
	}
	for i, first := range sent {
		if i+most < len(sent) && sent[i+most].Sub(first) < in {
			t.Errorf("more than %d in %v from %v", most, in, first)
			return
		}
	}
}

// GitHub takes 1000 statuses of one commit and context, and no more.
func TestTheLastStatusesAreKept(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		at := target{desired, "c1", "berth"}
		say := func(state forge.State, text string) {
			p.Set(desired, "c1", status("berth", state, text))
			p.pass(20 * time.Second)
		}
		for i := range 1000 {
			say(forge.Pending, fmt.Sprint(i, " of 1000 running"))
		}
		if n := p.count[at]; n != 900 {
			t.Fatalf("%d sent", n)
		}
		say(forge.Success, "1000 of 1000 running")
		if got := p.last(desired, "c1", "berth"); got != "success 1000 of 1000 running" {
			t.Errorf("it is %s", got)
		}
		for i := range 200 {
			say(forge.Pending, fmt.Sprint(i))
			say(forge.Failure, fmt.Sprint(i))
		}
		if n := p.count[at]; n != 990 || p.log.count("takes only so many") != 1 {
			t.Errorf("%d sent", n)
		}
		p.Set(desired, "c1", status("berth/one", forge.Success, "running"))
		p.pass(time.Minute)
		if got := p.last(desired, "c1", "berth/one"); got != "success running" {
			t.Errorf("another context is %s", got)
		}
	})
}

// What a former process sent counts too, as the forge says when it takes no more.
func TestAForgeThatTakesNoMore(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.faults = func(r request) fault {
			if r.Context == "berth" && r.State != "" {
				return fault{err: &schema.Error{Op: "set status", Kind: schema.Terminal, Err: forge.ErrFull}}
			}
			return fault{}
		}
		for i := range 10 {
			p.Set(desired, "c1", status("berth", forge.Failure, fmt.Sprint(i)))
			p.pass(time.Hour)
		}
		p.want("berth failure 0")
		if n := p.log.count("takes only so many"); n != 1 || p.log.count("level=ERROR") != 0 || p.waiting() != 0 {
			t.Errorf("%d lines, %d wait", n, p.waiting())
		}
		p.Set(desired, "c1", status("berth/one", forge.Success, "running"))
		p.want("berth/one success running")
	})
}
