package statuses_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/berthdev/berth/sources/forge"
)

// A forge that is away is asked ever more seldom, about one thing at a time.
func TestAnOutage(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.faults = func(r request) fault {
			if hostOf(r.repo) == hostOf(desired) {
				return fault{err: transient("connection refused")}
			}
			return fault{}
		}
		for i := range 50 {
			p.Set(desired, "c1", status(fmt.Sprint("berth/", i), forge.Success, "running"))
		}
		p.Set(desired, "c1", status("berth", forge.Success, "50 of 50 running"))
		p.pass(24 * time.Hour)
		if n := p.asked(); n < 100 || n > 400 {
			t.Errorf("asked %d times", n)
		}
		p.Set(other, "c1", status("berth", forge.Success, "another host"))
		p.want("berth success another host")
		if n := p.log.count("cannot be told"); n > 10 {
			t.Errorf("%d lines", n)
		}
		p.set(func() { p.faults = nil })
		p.pass(6 * time.Minute)
		if got := p.sent(); len(got) != 51 || got[0] != "berth success 50 of 50 running" {
			t.Errorf("%d sent, first %v", len(got), got[:1])
		}
		if n := p.log.count("can be told again"); n != 1 {
			t.Errorf("%d lines", n)
		}
	})
}

// A repository about which a forge never answers keeps no other one back.
func TestAHangingRepository(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.faults = func(r request) fault { return fault{hang: r.repo == desired} }
		for i := range 10 {
			p.Set(desired, fmt.Sprint("c", i), status("berth", forge.Success, "1 of 1 running"))
		}
		for i := range 20 {
			p.Set(apps, fmt.Sprint("a", i), status("berth/manifest", forge.Success, "1 release in the catalog"))
			p.pass(0)
			if got := p.last(apps, fmt.Sprint("a", i), "berth/manifest"); got != "success 1 release in the catalog" {
				t.Errorf("%d: it is %s", i, got)
			}
			p.pass(7 * time.Second)
		}
	})
}

// One thing about which the forge fails keeps nothing else back.
func TestOneThingThatFails(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.faults = func(r request) fault {
			if r.context == "berth" {
				return fault{err: transient("500")}
			}
			return fault{}
		}
		p.Set(desired, "c1", status("berth", forge.Success, "1 of 1 running"))
		for i := range 100 {
			p.Set(desired, "c1", status("berth/one", forge.Pending, fmt.Sprint(i)))
			p.pass(time.Minute)
			if got := p.last(desired, "c1", "berth/one"); got != fmt.Sprint("pending ", i) {
				t.Fatalf("%d: it is %s", i, got)
			}
		}
		tries := 0
		for _, r := range p.requests {
			if r.context == "berth" {
				tries++
			}
		}
		if tries > 40 {
			t.Errorf("it was tried %d times", tries)
		}
	})
}

// Newer commits about which the forge fails keep no older one back.
func TestCommitsThatFail(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.faults = func(r request) fault {
			if r.commit != "c1" {
				return fault{err: transient("500")}
			}
			return fault{}
		}
		p.Set(desired, "c1", status("berth", forge.Pending, "0 of 1 running"))
		p.Set(desired, "c8", status("berth", forge.Failure, "superseded"))
		p.Set(desired, "c9", status("berth", forge.Success, "1 of 1 running"))
		p.pass(24 * time.Hour)
		for i := range 100 {
			p.Set(desired, "c1", status("berth", forge.Pending, fmt.Sprint(i)))
			p.pass(6 * time.Minute)
			if got := p.last(desired, "c1", "berth"); got != fmt.Sprint("pending ", i) {
				t.Fatalf("%d: it is %s", i, got)
			}
		}
		if n := p.asked(); n > 1000 || p.log.count("cannot be told") > 20 {
			t.Errorf("asked %d times", n)
		}
	})
}

// What a person must mend is told once, and tried seldom.
func TestARefusal(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		refusing := func(r request) fault {
			if r.State != "" {
				return fault{err: terminal("the token lacks statuses:write")}
			}
			return fault{}
		}
		p.faults = refusing
		for c := range 10 {
			for i := range 30 {
				p.Set(desired, fmt.Sprint("c", c), status(fmt.Sprint("berth/", i), forge.Success, "running"))
			}
		}
		p.pass(time.Hour)
		first := len(p.sent())
		if first > 30 {
			t.Errorf("tried %d times in an hour", first)
		}
		for i := range 600 { // something new each second
			p.Set(desired, "c9", status("berth", forge.Pending, fmt.Sprint(i)))
			p.pass(time.Second)
		}
		if n := len(p.sent()) - first; n < 1 || n > 8 {
			t.Errorf("tried %d times more in ten minutes", n)
		}
		if n := p.log.count("level=ERROR"); n != 1 || p.log.count("give the token statuses:write") != n {
			t.Errorf("%d errors", n)
		}
		p.set(func() { p.faults, p.requests = nil, nil })
		p.pass(3 * time.Hour)
		if got := len(p.sent()); got != 301 || p.log.count("can be told again") != 1 {
			t.Errorf("%d sent", got)
		}
	})
}

// A commit that the forge does not know, and a context of which it takes no more,
// stop only themselves.
func TestARefusalStopsOnlyItself(t *testing.T) {
	for name, refused := range map[string]func(r request) bool{
		"commit":  func(r request) bool { return r.commit == "c1" },
		"context": func(r request) bool { return r.context == "berth" && r.commit == "c1" },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, p *post) {
				p.faults = func(r request) fault {
					if r.State != "" && refused(r) {
						return fault{err: terminal("validation failed")}
					}
					return fault{}
				}
				p.Set(desired, "c1", status("berth", forge.Success, "1 of 1 running"))
				for i := range 30 {
					p.Set(desired, "c1", status(fmt.Sprint("berth/", i), forge.Success, "running"))
				}
				p.pass(time.Second)
				p.Set(desired, "c2", status("berth", forge.Success, "2 of 2 running"))
				p.pass(0)
				if got := p.last(desired, "c2", "berth"); got != "success 2 of 2 running" {
					t.Errorf("it is %s", got)
				}
				p.pass(time.Hour)
				got := len(p.sent())
				if name == "context" && p.last(desired, "c1", "berth/29") != "success running" || name == "commit" && got > 12 {
					t.Errorf("%d sent", got)
				}
			})
		})
	}
}

// What cannot be read is a matter of the whole repository.
func TestARefusalToRead(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.faults = func(request) fault { return fault{err: terminal("the token is refused")} }
		for i := range 10 {
			p.Set(desired, fmt.Sprint("c", i), status("berth", forge.Success, "running"))
		}
		p.pass(10 * time.Minute)
		if n := p.asked(); n > 5 || p.log.count("level=ERROR") != 1 {
			t.Errorf("asked %d times", n)
		}
		p.set(func() { p.faults = nil })
		p.pass(2 * time.Hour)
		if n := len(p.sent()); n != 10 {
			t.Errorf("%d sent", n)
		}
	})
}
