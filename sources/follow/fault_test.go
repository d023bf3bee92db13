package follow

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/schema"
)

// TestDeadSourcesDelayNoOther has a hundred servers that take connections and
// never answer, a hundred that refuse, one that panics, and one that works.
func TestDeadSourcesDelayNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		documents := map[string]string{"z.yaml": repoDocument("zebra"), "p.yaml": repoDocument("panicking")}
		for i := range 100 {
			hanging, refusing := fmt.Sprintf("hanging-%d", i), fmt.Sprintf("refusing-%d", i)
			documents[hanging+".yaml"], documents[refusing+".yaml"] = repoDocument(hanging), repoDocument(refusing)
			w.repo(hanging).set(func(r *fakeRepo) { r.hang = true })
			w.repo(refusing).set(func(r *fakeRepo) { r.failure = away("connection refused") })
		}
		w.repo("panicking").set(func(r *fakeRepo) { r.panics = true })
		zebra := w.repo("zebra")
		zebra.push("first", map[string]string{"manifest.yaml": manifest("org.zebra", "1.0.0")})
		w.desired.push("first", documents)
		stop := w.run()
		time.Sleep(2 * time.Minute) // hanging ones give their place away after seconds
		w.wantApps("org.zebra@1.0.0")

		// Once they are known to be dead, nothing of them is felt.
		time.Sleep(20 * time.Minute)
		for range 20 {
			zebra.push("again", map[string]string{"manifest.yaml": manifest("org.zebra", fmt.Sprintf("1.0.%d", len(zebra.history)))})
			w.Wake(hint(zebra.url, "refs/heads/main"))
			time.Sleep(time.Second)
			w.wantApps(fmt.Sprintf("org.zebra@1.0.%d", len(zebra.history)-1))
		}
		if s := w.status("panicking"); !strings.Contains(s.Problem, "a hostile pack") {
			t.Errorf("status: %+v", s)
		}
		if s := w.status("hanging-0"); !strings.Contains(s.Problem, "deadline exceeded") {
			t.Errorf("status: %+v", s)
		}
		stop()
		for _, r := range w.repos {
			if n := r.opened(); n != 0 {
				t.Errorf("%s: %d sources are open", r.url, n)
			}
		}
	})
}

func TestFailuresBackOffAndAreLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.desired.push("first", map[string]string{"a.yaml": deployment("a", "org.a")})
		w.desired.set(func(r *fakeRepo) { r.failure = away("connection refused") })
		w.run()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		asked := w.desired.asked()
		want := time.Second
		for i := 1; i < len(asked); i++ {
			if got := asked[i].Sub(asked[i-1]); !between(got, want) {
				t.Errorf("attempt %d came after %s, want about %s", i+1, got, want)
			}
			want = min(2*want, 5*time.Minute)
		}
		if n := strings.Count(w.logged(), "cannot be read"); n != bits.Len(uint(len(asked))) { // of the attempts 1, 2, 4, 8, …
			t.Errorf("%d lines for %d attempts:\n%s", n, len(asked), w.logged())
		}
		if w.State() != nil {
			t.Error("there is a desired state")
		}
		changes, _ := w.takeChanges()
		if len(changes) != 1 || !slices.Equal(changes[0].Sources, []string{DesiredName}) {
			t.Errorf("changes: %+v", changes)
		}

		// Another problem is news; so is its end.
		w.desired.set(func(r *fakeRepo) { r.failure = away("no route to host") })
		w.WakeAll()
		synctest.Wait()
		w.desired.set(func(r *fakeRepo) { r.failure = nil })
		w.WakeAll()
		synctest.Wait()
		w.wantDeployments("a")
		for _, want := range []string{"no route to host", "source can be read again"} {
			if strings.Count(w.logged(), want) != 1 {
				t.Errorf("%q is not once in the log:\n%s", want, w.logged())
			}
		}
		if s := w.status(DesiredName); s.Problem != "" || s.Failures != 0 {
			t.Errorf("status: %+v", s)
		}
	})
}

func TestWhatAPersonMustMendIsAskedEverLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.desired.set(func(r *fakeRepo) {
			r.failure = &schema.Error{Op: "fetch", Kind: schema.Terminal, Err: errors.New("authentication required")}
		})
		w.run()
		time.Sleep(time.Hour)
		if n := len(w.desired.asked()); n < 12 || n > 18 {
			t.Errorf("asked %d times in an hour", n)
		}
	})
}

func TestAWakeIsAnsweredAtOnceAndFloodsAreSpaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.desired.push("first", nil)
		w.run()
		synctest.Wait()
		for range 5 {
			w.WakeAll()
			synctest.Wait()
		}
		if asked := w.desired.asked(); len(asked) != 6 || asked[5].Sub(asked[0]) != 0 {
			t.Errorf("asked at %v", asked)
		}
		time.Sleep(10 * time.Second)
		before := len(w.desired.asked())
		for range 10_000 { // a flood of ten seconds
			w.WakeAll()
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		if n := len(w.desired.asked()) - before; n < 20 || n > 30 {
			t.Errorf("a flood of ten seconds made %d attempts", n)
		}
	})
}

func TestAWakeDuringAnAttemptMakesAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.desired.push("first", nil)
		answer := make(chan struct{})
		w.desired.set(func(r *fakeRepo) { r.answer = answer })
		w.run()
		synctest.Wait()
		w.WakeAll()
		w.WakeAll()
		answer <- struct{}{}
		synctest.Wait()
		if n := len(w.desired.asked()); n != 2 {
			t.Errorf("asked %d times", n)
		}
		answer <- struct{}{}
		synctest.Wait()
		if n := len(w.desired.asked()); n != 2 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestPollsAreSpreadAroundTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.desired.push("first", nil)
		w.run()
		time.Sleep(time.Hour)
		asked := w.desired.asked()
		different := map[time.Duration]bool{}
		for i := 1; i < len(asked); i++ {
			got := asked[i].Sub(asked[i-1])
			different[got] = true
			if !between(got, 30*time.Second) {
				t.Errorf("a poll came after %s", got)
			}
		}
		if len(asked) < 110 || len(different) < 50 {
			t.Errorf("%d polls, %d different times", len(asked), len(different))
		}
	})
}

func TestWhatIsStoredIsUsedWhenTheRemoteIsAway(t *testing.T) {
	tests := []struct {
		name   string
		away   func(*fakeRepo)
		within time.Duration
	}{
		{"it refuses", func(r *fakeRepo) { r.failure = away("connection refused") }, 0},
		{"it hangs", func(r *fakeRepo) { r.hang = true }, patience},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				apps := w.repo("apps")
				w.repo("never-read").set(test.away)
				stored := w.desired.push("first", map[string]string{
					"a.yaml": deployment("a", "org.a"), "repos.yaml": repoDocument("apps") + "---\n" + repoDocument("never-read"),
				})
				storedApps := apps.push("first", map[string]string{"manifest.yaml": manifest("org.a", "1.0.0")})
				w.desired.push("second", map[string]string{"b.yaml": deployment("b", "org.a")})
				w.desired.set(test.away)
				w.desired.set(func(r *fakeRepo) { r.stored = stored })
				apps.set(test.away)
				apps.set(func(r *fakeRepo) { r.stored = storedApps })
				w.run()
				time.Sleep(2*test.within + time.Millisecond)
				synctest.Wait()
				w.wantDeployments("a")
				w.wantApps("org.a@1.0.0")
				if s := w.status(DesiredName); !s.Stored || s.Commit != stored.Commit {
					t.Errorf("status: %+v", s)
				}
				if r, _ := w.Catalog().Repo("never-read"); r.Commit != "" {
					t.Errorf("a repo that was never read: %+v", r)
				}

				w.desired.set(func(r *fakeRepo) { r.failure, r.hang = nil, false })
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				w.wantDeployments("a", "b")
				if s := w.status(DesiredName); s.Stored || s.Problem != "" {
					t.Errorf("status: %+v", s)
				}
			})
		})
	}
}

// TestTheRemoteIsHeardBeforeWhatIsStored: what is stored may be days old.
func TestTheRemoteIsHeardBeforeWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stored := w.desired.push("first", map[string]string{"a.yaml": deployment("a", "org.a")})
		w.desired.push("second", map[string]string{"a.yaml": "", "b.yaml": deployment("b", "org.a")})
		answer := make(chan struct{})
		w.desired.set(func(r *fakeRepo) { r.stored, r.answer = stored, answer })
		w.run()
		time.Sleep(patience / 2)
		w.wantDeployments()
		close(answer)
		synctest.Wait()
		w.wantDeployments("b")
		for _, c := range w.changes {
			if strings.Contains(strings.Join(c.Deployments, " "), "a") {
				t.Errorf("what is stored was used: %+v", c)
			}
		}
	})
}

func TestARewoundDesiredState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		push := func(message, name string) {
			w.desired.push(message, map[string]string{name + ".yaml": deployment(name, "org.a")})
		}
		look := func(rewound bool) {
			t.Helper()
			w.WakeAll()
			synctest.Wait()
			changes, _ := w.takeChanges()
			if len(changes) != 1 || changes[0].Rewound != rewound || (w.View().Rewound != "") != rewound || (w.status(DesiredName).Rewound != "") != rewound {
				t.Errorf("at %q: rewound is %q, want %v; changes: %+v", w.Head().Message, w.View().Rewound, rewound, changes)
			}
		}
		back := func(to int) { w.desired.set(func(r *fakeRepo) { r.head = r.history[to] }) }
		push("zero", "a")
		push("one", "b")
		push("two\n\nBerth-Confirm: removal\n", "c")
		push("three", "d")
		w.run()
		synctest.Wait()
		w.takeChanges()

		back(1)
		look(true)
		w.wantDeployments("a", "b") // the planner holds the removals, not the hub
		back(0)
		look(true)
		if text := w.View().Rewound; !strings.Contains(text, short(w.desired.history[3].Commit)) || !strings.Contains(text, short(w.desired.history[0].Commit)) {
			t.Errorf("it does not say from where to where: %s", text)
		}
		back(1)
		look(true) // still older than the furthest
		back(3)
		look(false)
		back(2)
		look(false) // that commit confirms it
		back(1)
		look(true)
		push("another way", "e")
		look(false) // it is no ancestor of what was there
	})
}

func TestConfirmed(t *testing.T) {
	for message, want := range map[string]bool{
		"":                                      false,
		"Berth-Confirm: removal":                true,
		"clean up\n\nberth-confirm:removal\r\n": true,
		"clean up\n\n  Berth-Confirm: removal ": true,
		"say Berth-Confirm: removal":            false,
		"Berth-Confirm: removals":               false,
		"Berth-Confirm:\nremoval":               false,
	} {
		if got := Confirmed(message); got != want {
			t.Errorf("Confirmed(%q) = %v", message, got)
		}
	}
}
