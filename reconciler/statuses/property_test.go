package statuses_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/berthdev/berth/sources/forge"
)

// An act is one thing that happens.
type act struct {
	set     bool // or time passes
	target  target
	status  forge.Status
	pass    time.Duration
	restart bool
	grace   time.Duration
}

var (
	someRepos    = []string{desired, apps, other}
	someCommits  = []string{"c1", "c2"}
	someContexts = []string{"berth", "berth/one", "berth/two"}
	someStatuses = []forge.Status{
		status("", forge.Pending, "0 of 2 running"), status("", forge.Pending, "1 of 2 running"),
		status("", forge.Success, "2 of 2 running"), status("", forge.Failure, "one: image not found"),
		status("", forge.Error, "the engine does not answer, and nobody knows since when"),
	}
	somePauses = []time.Duration{
		0, time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second, 45 * time.Second, 2 * time.Minute, time.Hour,
	}
)

func drawAct(t *rapid.T) act {
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return act{restart: true, grace: rapid.SampledFrom([]time.Duration{-1, 0, 100 * time.Millisecond}).Draw(t, "grace")}
	case 1, 2, 3:
		return act{pass: rapid.SampledFrom(somePauses).Draw(t, "pause")}
	}
	a := act{set: true, status: rapid.SampledFrom(someStatuses).Draw(t, "status")}
	a.target = target{
		rapid.SampledFrom(someRepos).Draw(t, "repo"), rapid.SampledFrom(someCommits).Draw(t, "commit"),
		rapid.SampledFrom(someContexts).Draw(t, "context"),
	}
	a.status.Context = a.target.context
	return a
}

// drawFault draws what goes wrong with a request.
func drawFault(t *rapid.T) func() fault {
	delay := rapid.SampledFrom(somePauses[:5]).Draw(t, "after")
	late := rapid.SampledFrom(somePauses[1:6]).Draw(t, "late")
	f := rapid.SampledFrom([]func() fault{
		func() fault { return fault{} },
		func() fault { return fault{} },
		func() fault { return fault{after: delay} },
		func() fault { return fault{after: delay, err: transient("502")} },
		func() fault { return fault{after: delay, err: transient("connection reset"), stored: true} },
		func() fault { return fault{after: delay, err: transient("connection reset"), late: late} },
		func() fault { return fault{hang: true} },
		func() fault { return fault{hang: true, stored: true} },
		func() fault { return fault{hang: true, late: late} },
		func() fault { return fault{err: terminal("403")} },
		func() fault { return fault{err: limit(delay * 10)} },
	}).Draw(t, "fault")
	return f
}

// history is what was said of a target, and when.
type history []struct {
	forge.Status
	at time.Time
}

// may tells whether a status may be sent now: it was said last, or is overtaken
// only just.
func (h history) may(st forge.Status, now time.Time) bool {
	for i := len(h) - 1; i >= 0; i-- {
		if h[i].Status == st {
			return true
		}
		if h[i].at.Before(now) {
			return false
		}
	}
	return false
}

// TestDelivery lets everything go wrong between Berth and its forges: answers that
// are lost or late, requests that arrive when nobody believes it any more, forges
// that hang, fail, refuse and ask to wait, and Berth's own end at any moment. While
// it lasts nothing is sent that was overtaken, that a forge has already, or while
// the forge asks to wait, and nothing about one context at the same time. When it
// is over, each forge has last what was said last.
func TestDelivery(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		acts := rapid.SliceOfN(rapid.Custom(drawAct), 10, 100).Draw(rt, "acts")
		faults := rapid.SliceOfN(rapid.Custom(drawFault), 5, 80).Draw(rt, "faults")
		gitlab := rapid.Bool().Draw(rt, "gitlab")
		var p *post
		synctest.Test(t, func(t *testing.T) {
			p = &post{fakeForges: newForges(), t: t}
			p.gitlab = gitlab
			p.deliver(acts, faults)
		})
		if len(p.wrong) > 0 {
			rt.Fatalf("%s\n%s", strings.Join(p.wrong, "\n"), p.log.text.String())
		}
	})
}

func (p *post) deliver(acts []act, faults []func() fault) {
	said := map[target]history{}
	p.faults = func(r request) (f fault) {
		if h := said[r.target]; r.State != "" && !h.may(r.Status, r.at) {
			p.wrong = append(p.wrong, fmt.Sprintf("%v was overtaken: %v", r, h))
		}
		if len(faults) > 0 {
			f, faults = faults[0](), faults[1:]
		}
		return f
	}
	var grace time.Duration
	p.start(grace)
	for _, a := range acts {
		switch {
		case a.set:
			p.set(func() {
				said[a.target] = append(said[a.target], struct {
					forge.Status
					at time.Time
				}{a.status, time.Now()})
			})
			p.Set(a.target.repo, a.target.commit, a.status)
		case a.restart:
			p.stop()
			p.set(func() { clear(p.until) }) // the next process is told anew
			p.start(a.grace)
			for t, h := range said {
				p.Set(t.repo, t.commit, h[len(h)-1].Status)
			}
		default:
			p.pass(a.pass)
		}
	}
	p.pass(12 * time.Hour) // until all faults are over
	before := p.total()
	p.pass(24 * time.Hour)
	if n := p.total() - before; n > 0 {
		p.wrong = append(p.wrong, fmt.Sprintf("%d requests in peace", n))
	}
	p.stop()
	for t, h := range said {
		if got := p.has[t]; got != h[len(h)-1].Status {
			p.wrong = append(p.wrong, fmt.Sprintf("%v: the forge has %v; %v", t, got, h))
		}
	}
}
