package follow

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/sources"
)

func TestHistoryOfTheDesiredState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		history := func(n int) (messages []string) {
			t.Helper()
			found, err := w.History(t.Context(), n)
			if err != nil {
				t.Error(err)
			}
			for _, c := range found {
				messages = append(messages, c.Message)
			}
			return messages
		}
		w.desired.push("first", nil)
		w.desired.push("second", nil)
		if got := history(10); got != nil {
			t.Errorf("before anything was read: %q", got)
		}
		w.run()
		synctest.Wait()
		w.desired.push("not read yet", nil)
		if diff := cmp.Diff([]string{"second", "first"}, history(10)); diff != "" {
			t.Errorf("history (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"second"}, history(1)); diff != "" {
			t.Errorf("one commit (-want +got):\n%s", diff)
		}
	})
}

// TestSourcesWaitsForNothing asks while a source is being opened, which may take
// as long as a file system that hangs, and while another is being fetched.
func TestSourcesWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opening := make(chan struct{})
		w := newWorld(t, func(o *Options) {
			open := o.Open
			o.Open = func(s Spec) (sources.Source, error) {
				if strings.HasSuffix(s.URL, "/slow.git") {
					<-opening
				}
				return open(s)
			}
		})
		w.repo("slow")
		w.repo("hanging").set(func(r *fakeRepo) { r.hang = true })
		w.desired.push("first", map[string]string{"a.yaml": repoDocument("slow"), "b.yaml": repoDocument("hanging")})
		w.run()
		synctest.Wait()
		w.Hub.swapping.Lock() // as somebody does who is slow to be told
		var names []string
		for _, s := range w.Sources() {
			names = append(names, s.Name)
		}
		if diff := cmp.Diff([]string{DesiredName, "hanging", "slow"}, names); diff != "" {
			t.Errorf("sources (-want +got):\n%s", diff)
		}
		for _, name := range names {
			if !w.WakeSource(name) {
				t.Errorf("%s was not woken", name)
			}
		}
		if n := w.Wake(hint("https://git.example.org/slow", "")); n != 1 {
			t.Errorf("woken by URL: %d", n)
		}
		w.WakeAll()
		w.Hub.swapping.Unlock()
		close(opening)
	})
}

func TestWakeSourceGoesByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apps := w.repo("apps")
		apps.push("first", map[string]string{"manifest.yaml": manifest("org.a", "1.0.0")})
		twin := strings.Replace(repoDocument("apps"), "name: apps", "name: twin", 1)
		w.desired.push("first", map[string]string{"a.yaml": repoDocument("apps"), "b.yaml": twin})
		w.run()
		synctest.Wait()
		asked := func(name string, want bool) (desired, repos int) {
			t.Helper()
			desired, repos = len(w.desired.asked()), len(apps.asked())
			if woken := w.WakeSource(name); woken != want {
				t.Errorf("waking %q: %t", name, woken)
			}
			synctest.Wait()
			return len(w.desired.asked()) - desired, len(apps.asked()) - repos
		}
		for _, none := range []string{"", "app", "Apps", "apps ", "ap*", apps.url, desiredURL} {
			if desired, repos := asked(none, false); desired+repos != 0 {
				t.Errorf("%q woke %d and %d", none, desired, repos)
			}
		}
		for _, name := range []string{"apps", "twin"} {
			if desired, repos := asked(name, true); desired != 0 || repos != 1 {
				t.Errorf("%s woke %d and %d", name, desired, repos)
			}
		}
		if desired, repos := asked(DesiredName, true); desired != 1 || repos != 0 {
			t.Errorf("the desired state woke %d and %d", desired, repos)
		}
		w.desired.push("second", map[string]string{"b.yaml": ""})
		w.WakeSource(DesiredName)
		synctest.Wait()
		asked("twin", false)
	})
}

func TestChangesNameTheSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.repo("a"), w.repo("b")
		a.push("first", map[string]string{"manifest.yaml": manifest("org.a", "1.0.0")})
		b.push("first", map[string]string{"manifest.yaml": manifest("org.b", "1.0.0")})
		w.desired.push("first", map[string]string{"b.yaml": repoDocument("b"), "a.yaml": repoDocument("a")})
		named := func() (all []string) {
			changes, _ := w.takeChanges()
			for _, c := range changes {
				all = append(all, strings.Join(c.Sources, "+"))
			}
			slices.Sort(all) // several sources are read at once
			return all
		}
		step := func(what string, do func(), want ...string) {
			t.Helper()
			do()
			synctest.Wait()
			if diff := cmp.Diff(want, named()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		again := func(name string) { w.WakeSource(name) }
		step("the start", func() { w.run() }, "a", "a+b+"+DesiredName, "b")
		step("nothing new", func() { w.WakeAll() })
		step("a failure", func() {
			a.set(func(r *fakeRepo) { r.failure = away("connection refused") })
			again("a")
		}, "a")
		step("the same failure", func() { again("a") })
		step("another failure", func() {
			a.set(func(r *fakeRepo) { r.failure = away("no route") })
			again("a")
		}, "a")
		step("an answer again", func() {
			a.set(func(r *fakeRepo) { r.failure = nil })
			again("a")
		}, "a")
		step("a repo that is no more", func() {
			w.desired.push("second", map[string]string{"b.yaml": ""})
			again(DesiredName)
		}, "b+"+DesiredName)
		step("another rank, of the same source", func() {
			w.desired.push("third", map[string]string{"a.yaml": repoDocument("a", "priority: 7")})
			again(DesiredName)
		}, DesiredName)
		step("other files of the same source", func() {
			w.desired.push("fourth", map[string]string{"a.yaml": repoDocument("a", "paths: [manifest.yaml]")})
			again(DesiredName)
		}, "a", "a+"+DesiredName)
	})
}
