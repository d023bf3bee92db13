package follow

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/sources"
)

func TestRepoDocumentsStartAndStopFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apps, moved := w.repo("apps"), w.repo("moved")
		apps.push("first", map[string]string{"manifest.yaml": manifest("org.a", "1.0.0")})
		moved.push("first", map[string]string{"manifest.yaml": manifest("org.a", "2.0.0")})
		say := func(text string) {
			w.desired.push("say", map[string]string{"repos.yaml": text})
			w.Wake(hint(desiredURL, ""))
			synctest.Wait()
		}
		w.desired.push("first", nil)
		w.run()
		synctest.Wait()
		w.wantApps()

		say(repoDocument("apps"))
		w.wantApps("org.a@1.0.0")

		asked := len(apps.asked())
		say(repoDocument("apps", "apps: [org.b]", "priority: 3"))
		w.wantApps()
		say(repoDocument("apps", "apps: [org.a]", "priority: 3"))
		w.wantApps("org.a@1.0.0")
		if len(apps.asked()) != asked || apps.opened() != 1 {
			t.Errorf("other rights restarted the follower")
		}

		// While a new address does not answer, what the old one published stays.
		answer := make(chan struct{})
		moved.set(func(r *fakeRepo) { r.answer = answer })
		say("kind: Repo\nname: apps\nurl: https://git.example.org/moved.git\n")
		w.wantApps("org.a@1.0.0")
		if apps.opened() != 0 || moved.opened() != 1 {
			t.Errorf("open: %d %d", apps.opened(), moved.opened())
		}
		close(answer)
		synctest.Wait()
		w.wantApps("org.a@2.0.0")

		say("kind: Repo\nname: apps\nurl: [https://git.example.org/moved.git\n")
		w.wantApps("org.a@2.0.0")
		moved.push("second", map[string]string{"manifest.yaml": manifest("org.a", "2.1.0")})
		w.Wake(hint(moved.url, "main"))
		synctest.Wait()
		w.wantApps("org.a@2.1.0") // a broken document stops nothing

		say("kind: Repo\nname: other\nurl: [apps\n")
		w.wantApps("org.a@2.1.0") // it stood in a file that cannot be read

		say("")
		w.wantApps()
		if moved.opened() != 0 || len(w.Sources()) != 1 {
			t.Errorf("open: %d, sources: %+v", moved.opened(), w.Sources())
		}
		if !strings.Contains(w.logged(), "repo is followed no more") {
			t.Errorf("log:\n%s", w.logged())
		}
	})
}

func TestAnEmptiedRepoLeavesTheCatalog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apps := w.repo("apps")
		apps.push("first", map[string]string{"manifest.yaml": manifest("org.a", "1.0.0")})
		w.desired.push("first", map[string]string{"repos.yaml": repoDocument("apps")})
		w.run()
		synctest.Wait()
		apps.push("second", map[string]string{"manifest.yaml": ""})
		w.WakeAll()
		synctest.Wait()
		w.wantApps()
		if r, _ := w.Catalog().Repo("apps"); r.Commit == "" {
			t.Errorf("it counts as never read: %+v", r)
		}
	})
}

// TestAReplacedFollowerChangesNothingAnyMore: what it was reading when its
// document changed is not taken.
func TestAReplacedFollowerChangesNothingAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apps := w.repo("apps")
		answer := make(chan struct{})
		apps.push("first", map[string]string{"manifest.yaml": manifest("org.a", "1.0.0")})
		apps.set(func(r *fakeRepo) { r.answer = answer })
		w.desired.push("first", map[string]string{"repos.yaml": repoDocument("apps")})
		w.run()
		synctest.Wait()
		w.desired.push("second", map[string]string{"repos.yaml": ""})
		w.Wake(hint(desiredURL, ""))
		close(answer)
		synctest.Wait()
		w.wantApps()
		if apps.opened() != 0 {
			t.Errorf("%d sources are open", apps.opened())
		}
	})
}

func TestTheIntervalOfADocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apps := w.repo("apps")
		apps.push("first", nil)
		w.desired.push("first", map[string]string{"repos.yaml": repoDocument("apps", "interval: 10s")})
		w.run()
		time.Sleep(10 * time.Minute)
		if n := len(apps.asked()); n < 54 || n > 68 {
			t.Errorf("asked %d times in ten minutes", n)
		}
		w.desired.push("second", map[string]string{"repos.yaml": repoDocument("apps", "interval: 1s")})
		w.Wake(hint(desiredURL, ""))
		synctest.Wait()
		before := len(apps.asked())
		time.Sleep(10 * time.Minute)
		if n := len(apps.asked()) - before; n < 108 || n > 136 { // never more often than every 5 s
			t.Errorf("asked %d times in ten minutes", n)
		}
		if apps.opened() != 1 {
			t.Errorf("%d sources are open", apps.opened())
		}
	})
}

func TestWakeConcerns(t *testing.T) {
	tests := []struct {
		configured, resolved, hinted string
		want                         bool
	}{
		{"main", "refs/heads/main", "", true},
		{"main", "refs/heads/main", "main", true},
		{"main", "refs/heads/main", "refs/heads/main", true},
		{"refs/heads/main", "refs/heads/main", "main", true},
		{"main", "refs/heads/main", "refs/heads/next", false},
		{"main", "refs/heads/main", "refs/tags/v1.0.0", false},
		{"", "refs/heads/main", "refs/heads/main", true},
		{"", "refs/heads/main", "refs/heads/next", false},
		{"", "refs/heads/main", "HEAD", true},
		{"main", "", "refs/heads/next", true}, // nothing is known of it yet
		{"^1", "refs/tags/v1.2.0", "refs/tags/v1.3.0", true},
		{"^1", "refs/tags/v1.2.0", "v1.3.0", true},
		{"^1", "refs/tags/v1.2.0", "refs/heads/main", false},
		{"v1.2.0", "refs/tags/v1.2.0", "refs/tags/v1.3.0", false},
		{"v1.2.0", "refs/tags/v1.2.0", "refs/tags/v1.2.0", true},
	}
	for _, test := range tests {
		if got := concerns(test.configured, test.resolved, test.hinted); got != test.want {
			t.Errorf("concerns(%q, %q, %q) = %v", test.configured, test.resolved, test.hinted, got)
		}
	}
}

func TestWakeCountsTheSourcesOfARepository(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo("apps").push("first", nil)
		w.desired.push("first", map[string]string{
			"repos.yaml": repoDocument("apps") + "---\nkind: Repo\nname: again\nurl: https://git.example.org/apps.git\nref: next\n",
		})
		w.run()
		synctest.Wait()
		for url, want := range map[string]int{"https://git.example.org/apps": 2, desiredURL: 1, "https://git.example.org/other": 0} {
			if got := w.Wake(hint(url, "main")); got != want {
				t.Errorf("Wake(%s) = %d, want %d", url, got, want)
			}
		}
		if got := w.Wake(hint("https://git.example.org/apps", "refs/heads/other")); got != 0 {
			t.Errorf("a branch that nobody follows woke %d", got)
		}
		spellings := []string{"https://git.example.org/apps", "https://git.example.org/apps.git", "https://git.example.org/other"}
		for source, want := range map[string]int{"": 2, "apps": 1, "again": 1, DesiredName: 0, "nobody": 0} {
			if got := w.Wake(sources.Hint{URLs: spellings, Ref: "main", Source: source}); got != want {
				t.Errorf("%d of source %q are woken, want %d", got, source, want)
			}
		}
	})
}

func TestNoPasswordIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) {
			o.Desired.URL = "https://ada:hunter2@git.example.org/desired.git"
			open := o.Open
			o.Open = func(s Spec) (sources.Source, error) {
				s.URL = strings.Replace(s.URL, "ada:hunter2@", "", 1)
				return open(s)
			}
		})
		w.desired.push("first", nil)
		w.run()
		synctest.Wait()
		w.desired.set(func(r *fakeRepo) { r.panics = true })
		w.WakeAll()
		synctest.Wait()
		told := w.State().URL + fmt.Sprint(w.Sources()) + w.logged()
		if strings.Contains(told, "hunter2") || !strings.Contains(told, "git.example.org") {
			t.Errorf("the password is told, or nothing is: %s", told)
		}
	})
}
