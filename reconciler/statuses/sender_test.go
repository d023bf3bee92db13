package statuses_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/reconciler/statuses"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

func TestWhatWasOvertakenIsSkipped(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.set(func() { p.latency = 300 * time.Millisecond })
		p.Set(desired, "c1", status("berth", forge.Pending, "0 of 3 running"))
		p.pass(400 * time.Millisecond) // the forge was asked, and the first one is under way
		p.Set(desired, "c1", status("berth", forge.Pending, "1 of 3 running"))
		p.Set(desired, "c1", status("berth", forge.Pending, "2 of 3 running"))
		p.Set(desired, "c1", status("berth", forge.Success, "3 of 3 running"))
		p.Set(desired, "c1", status("berth/one", forge.Pending, "back"))
		p.Set(desired, "c1", status("berth/one", forge.Success, "and forth"))
		p.pass(time.Minute)
		p.want("berth pending 0 of 3 running", "berth/one success and forth", "berth success 3 of 3 running")
		p.Set(desired, "c1", status("berth", forge.Success, "3 of 3 running"))
		p.pass(time.Minute)
		p.want()
	})
}

func TestNothingIsDelayed(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.Set(desired, "c1", status("berth", forge.Pending, "0 of 1 running"))
		p.pass(0)
		p.want("berth pending 0 of 1 running")
		p.pass(time.Hour)
		p.Set(desired, "c1", status("berth", forge.Success, "1 of 1 running"))
		p.pass(0) // no time at all
		p.want("berth success 1 of 1 running")
	})
}

func TestARestartSaysNothingTwice(t *testing.T) {
	for _, gitlab := range []bool{false, true} {
		t.Run(fmt.Sprintf("gitlab=%v", gitlab), func(t *testing.T) {
			inBubble(t, func(t *testing.T, p *post) {
				p.gitlab = gitlab
				say := func() {
					p.Set(desired, "c1", status("berth", forge.Error, "the desired state cannot be read: connection refused"))
					p.Set(desired, "c1", status("berth/one", forge.Success, "running"))
				}
				say()
				p.want("berth error the desired state cannot be read: connection refused", "berth/one success running")
				p.restart()
				say()
				p.pass(time.Hour)
				p.want()
				p.restart()
				p.Set(desired, "c1", status("berth", forge.Success, "1 of 1 running"))
				p.want("berth success 1 of 1 running")
			})
		})
	}
}

func TestALostAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		lost := fault{err: transient("connection reset"), stored: true}
		p.faults = func(r request) fault {
			if r.Description == "lost" {
				return lost
			}
			return fault{}
		}
		p.Set(desired, "c1", status("berth", forge.Pending, "lost"))
		p.pass(5 * time.Minute)
		p.want("berth pending lost") // it has arrived, as the forge tells
		p.set(func() { lost.stored = false })
		p.Set(desired, "c2", status("berth", forge.Pending, "lost"))
		p.pass(0)
		p.set(func() { lost.err = nil })
		p.pass(5 * time.Minute)
		p.want("berth pending lost", "berth pending lost")
	})
}

// A request that was given up arrives after a newer one.
func TestALateArrivalDoesNotStayLast(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.faults = func(r request) fault {
			if r.State == forge.Pending {
				return fault{err: transient("timeout"), late: 40 * time.Second}
			}
			return fault{}
		}
		p.Set(desired, "c1", status("berth", forge.Pending, "0 of 1 running"))
		p.pass(0)
		p.Set(desired, "c1", status("berth", forge.Success, "1 of 1 running"))
		p.pass(30 * time.Second)
		p.want("berth pending 0 of 1 running", "berth success 1 of 1 running")
		p.pass(15 * time.Second)
		if got := p.last(desired, "c1", "berth"); got != "pending 0 of 1 running" {
			t.Fatalf("the test itself is wrong: %s", got)
		}
		p.pass(time.Minute)
		p.want("berth success 1 of 1 running")
		p.pass(time.Hour)
		p.want()
	})
}

// A request of a process that was killed arrives after those of the next.
func TestALateArrivalOfAFormerProcess(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.Set(desired, "c1", status("berth", forge.Success, "1 of 1 running"))
		p.want("berth success 1 of 1 running")
		p.restart()
		p.Set(desired, "c1", status("berth", forge.Success, "1 of 1 running"))
		p.pass(30 * time.Second)
		p.set(func() {
			p.has[target{desired, "c1", "berth"}] = status("berth", forge.Pending, "0 of 1 running")
		})
		p.pass(time.Minute)
		p.want("berth success 1 of 1 running")
		p.restart()
		p.Set(desired, "c1", status("berth", forge.Success, "1 of 1 running"))
		p.pass(30 * time.Second)
		p.set(func() { clear(p.has) }) // a forge that was put back
		p.pass(time.Minute)
		p.want("berth success 1 of 1 running")
	})
}

func TestKnown(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		known := func(commit string) []forge.Status {
			t.Helper()
			got, err := p.Known(t.Context(), desired, commit)
			if err != nil {
				t.Error(err)
			}
			return got
		}
		foreign := status("ci/build", forge.Success, "built")
		p.has[target{desired, "c1", "ci/build"}] = foreign
		p.set(func() { p.latency = time.Second })
		answers := make(chan []forge.Status)
		for range 3 {
			go func() { answers <- known("c1") }()
		}
		for range 3 {
			if diff := cmp.Diff([]forge.Status{foreign}, <-answers); diff != "" {
				t.Error(diff)
			}
		}
		ours := status("berth", forge.Pending, "0 of 1 running")
		p.Set(desired, "c1", ours)
		p.pass(2 * time.Second)
		if diff := cmp.Diff([]forge.Status{ours, foreign}, known("c1")); diff != "" {
			t.Error(diff)
		}
		if got := known("c2"); len(got) > 0 || p.asked() != 2 {
			t.Errorf("%v is known; the forge was asked %d times", got, p.asked())
		}
	})
}

func TestKnownWaitsWhileTheForgeDoesNotAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.faults = func(request) fault { return fault{err: transient("connection refused")} }
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := p.Known(ctx, desired, "c1")
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") || schema.KindOf(err) != schema.Transient {
			t.Errorf("Known: %v", err)
		}
		time.AfterFunc(time.Minute, func() { p.set(func() { p.faults = nil }) })
		if _, err := p.Known(t.Context(), desired, "c1"); err != nil {
			t.Errorf("Known: %v", err)
		}
		p.set(func() { p.faults = func(request) fault { return fault{err: terminal("the token is refused")} } })
		if _, err := p.Known(t.Context(), desired, "c2"); schema.KindOf(err) != schema.Terminal {
			t.Errorf("Known: %v", err)
		}
		before := p.total()
		if _, err := p.Known(t.Context(), desired, "c3"); schema.KindOf(err) != schema.Terminal || p.total() != before {
			t.Errorf("Known: %v, after %d requests", err, p.total()-before)
		}
	})
}

func TestARepositoryWithoutForge(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		local := "file:///srv/git/desired.git"
		p.Set(local, "c1", status("berth", forge.Pending, "0 of 1 running"))
		p.pass(0)
		if _, err := p.Known(t.Context(), local, "c1"); !errors.Is(err, forge.ErrNone) {
			t.Errorf("Known: %v", err)
		}
		p.Set(desired, "c1", status("berth", forge.Pending, "0 of 1 running"))
		p.want("berth pending 0 of 1 running")
		if n := p.log.count("level=WARN") + p.log.count("level=ERROR"); n > 0 {
			t.Errorf("%d warnings", n)
		}
	})
}

// A repository that has no forge for good costs next to nothing.
func TestARepositoryThatNeverHasAForge(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		local := "file:///srv/git/desired.git"
		for i := range 2000 {
			p.Set(local, fmt.Sprint("c", i), status("berth/plan", forge.Success, "+1 ~0 -0"))
		}
		p.pass(0)
		for range 24 * 12 { // as a reporter asks
			if _, err := p.Known(t.Context(), local, "c1"); !errors.Is(err, forge.ErrNone) {
				t.Fatalf("Known: %v", err)
			}
			p.pass(5 * time.Minute)
		}
		if p.opened > 30 {
			t.Errorf("a forge was looked for %d times in a day", p.opened)
		}
		p.Set(local, "c2000", status("berth", forge.Success, "1 of 1 running"))
		p.pass(5 * time.Minute)
		if p.opened > 32 || p.total() > 0 {
			t.Errorf("a forge was looked for %d times", p.opened)
		}
		if n := p.waiting(); n != 0 {
			t.Errorf("%v wait", n)
		}
	})
}

// A proxy may answer in the place of a forge that starts anew. What is said then is
// told once the forge is found, of the newest commits.
func TestAForgeThatIsFoundLater(t *testing.T) {
	inBubble(t, func(t *testing.T, p *post) {
		p.set(func() { p.hidden = true })
		for i := range 100 {
			p.Set(desired, fmt.Sprint("c", i), status("berth", forge.Pending, "0 of 1 running"))
		}
		p.pass(30 * time.Second)
		p.Set(desired, "c99", status("berth", forge.Failure, "image not found"))
		p.set(func() { p.hidden = false })
		if n := p.waiting(); n != 0 {
			t.Errorf("%v wait for a forge that nobody knows", n)
		}
		p.pass(90 * time.Second)
		if got := p.last(desired, "c99", "berth"); got != "failure image not found" {
			t.Errorf("it is %q", got)
		}
		p.pass(time.Hour)
		if n := len(p.sent()); n != 32 {
			t.Errorf("%d sent", n)
		}
		if known, err := p.Known(t.Context(), desired, "c98"); err != nil || len(known) != 1 {
			t.Errorf("%v, %v", known, err)
		}
		if n := p.log.count("level=WARN") + p.waiting(); n != 0 {
			t.Errorf("%v warnings, or statuses that wait", n)
		}
	})
}

func TestTheEndIsGraceful(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name           string
			grace, latency time.Duration
			hang           bool
			took           time.Duration
			sent           int
		}{
			{"nothing is left", 0, 0, false, 0, 1},
			{"what is due is sent", 0, 100 * time.Millisecond, false, 200 * time.Millisecond, 1},
			{"but no longer than the grace", 0, 1500 * time.Millisecond, false, 2 * time.Second, 1},
			{"nor for a forge that hangs", 0, 0, true, 2 * time.Second, 0},
			{"no grace", -1, time.Second, false, 0, 0},
		} {
			p := &post{fakeForges: newForges(), t: t}
			p.latency = tt.latency
			p.faults = func(request) fault { return fault{hang: tt.hang} }
			p.start(tt.grace)
			p.Set(desired, "c1", status("berth", forge.Success, "1 of 1 running"))
			asked := make(chan error, 1)
			sender := p.Sender
			go func() { _, err := sender.Known(t.Context(), other, "c2"); asked <- err }()
			if tt.latency == 0 {
				synctest.Wait()
			}
			began := time.Now()
			p.stop()
			if took := time.Since(began); took != tt.took {
				t.Errorf("%s: it took %v", tt.name, took)
			}
			<-asked
			p.Set(desired, "c2", status("berth", forge.Success, "1 of 1 running"))
			if _, err := p.Known(t.Context(), desired, "c2"); err == nil {
				t.Errorf("%s: it answers after its end", tt.name)
			}
			if got := len(p.sent()); got != tt.sent {
				t.Errorf("%s: %d sent", tt.name, got)
			}
		}
	})
}

func TestSetBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newForges()
		s := statuses.NewSender(statuses.Options{Open: f.open})
		s.Set(desired, "c1", status("berth", forge.Success, "1 of 1 running"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Run(ctx); err != nil || len(f.sent()) != 1 {
			t.Errorf("%v, %d sent", err, len(f.sent()))
		}
	})
}
