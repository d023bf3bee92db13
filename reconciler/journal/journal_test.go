package journal_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/berthdev/berth/reconciler/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that rises by a second each time it is asked for.
func clock() func() time.Time {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	return func() time.Time { now = now.Add(time.Second); return now }
}

func messages(events []*journal.Event) []string {
	out := []string{}
	for _, e := range events {
		out = append(out, e.Message)
	}
	return out
}

// Whatever is recorded, the newest events are kept, in order, and each
// deployment keeps its own newest within its share of the bounds.
func TestBoundsAndOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := journal.Options{
			Events: rapid.IntRange(1, 12).Draw(t, "events"), PerDeployment: rapid.IntRange(1, 6).Draw(t, "each"), Now: clock(),
		}
		j := journal.New(o)
		var all []journal.Event
		of := map[string][]journal.Event{}
		for i := range rapid.IntRange(0, 120).Draw(t, "n") {
			e := journal.Event{Message: fmt.Sprint(i), Deployment: rapid.SampledFrom([]string{"", "a", "a", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}).Draw(t, "deployment")}
			j.Record(e)
			all = append(all, e)
			of[e.Deployment] = append(of[e.Deployment], e)
		}
		checkGlobal(t, j, all, o.Events)
		total, deployments := 0, 0
		for name, events := range of {
			if name == "" {
				continue
			}
			got := j.Of(name)
			total += len(got)
			deployments++
			if len(got) > o.PerDeployment {
				t.Fatalf("%d events of %s, want at most %d", len(got), name, o.PerDeployment)
			}
			if share := min(o.PerDeployment, 4*o.Events/len(of), len(events)); len(got) < share {
				t.Fatalf("%d events of %s, want at least its share of %d", len(got), name, share)
			}
			for i, e := range got {
				if want := events[len(events)-1-i]; e.Message != want.Message {
					t.Fatalf("event %d of %s is %q, want %q", i, name, e.Message, want.Message)
				}
			}
		}
		if total > 4*o.Events {
			t.Fatalf("%d events of %d deployments, want at most %d", total, deployments, 4*o.Events)
		}
	})
}

func checkGlobal(t *rapid.T, j *journal.Journal, all []journal.Event, most int) {
	got := j.Events(nil)
	if len(got) != min(len(all), most) || j.Last() != uint64(len(all)) {
		t.Fatalf("%d events up to %d, want %d of %d", len(got), j.Last(), most, len(all))
	}
	for i, e := range got {
		want := all[len(all)-1-i]
		if e.Message != want.Message || e.ID != uint64(len(all)-i) || e.Severity != journal.Info || e.Time.IsZero() {
			t.Fatalf("event %d is %+v, want %q", i, e, want.Message)
		}
	}
}

func TestTheQuietSurviveTheNoisy(t *testing.T) {
	j := journal.New(journal.Options{Events: 100})
	for i := range 60 {
		j.Record(journal.Event{Deployment: "quiet", Message: fmt.Sprint(i)})
	}
	for i := range 10_000 {
		j.Record(journal.Event{Deployment: fmt.Sprintf("noisy%d", i%5), Message: fmt.Sprint(i)})
	}
	if got := messages(j.Of("quiet")); len(got) != 50 || got[0] != "59" || got[49] != "10" {
		t.Errorf("of the quiet one there are %d events left: %v", len(got), got)
	}
	if got := j.Events(func(e *journal.Event) bool { return e.Deployment == "quiet" }); len(got) != 0 {
		t.Errorf("%d events of the quiet one among the newest", len(got))
	}
}

func TestRepeatsAreLeftOut(t *testing.T) {
	j := journal.New(journal.Options{})
	crash := journal.Event{Kind: journal.Pod, Deployment: "one", Pod: "p", Message: "died"}
	ask := journal.Event{Kind: journal.Request, Deployment: "one", Message: "try again"}
	for _, e := range []journal.Event{crash, crash, {Deployment: "two", Message: "ready"}, crash, ask, ask, crash} {
		j.Record(e)
	}
	if got, want := messages(j.Of("one")), []string{"died", "try again", "try again", "died"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if j.Last() != 5 {
		t.Errorf("%d events, want 5", j.Last())
	}
}

func TestTextsAreBounded(t *testing.T) {
	j := journal.New(journal.Options{})
	long := "\xff" + strings.Repeat("ä", 5000)
	j.Record(journal.Event{Message: long, Deployment: long, Pod: long, App: long, Backend: long, Source: long, Commit: long, State: long})
	e := j.Events(nil)[0]
	for _, text := range []string{e.Message, e.Deployment, e.Pod, e.App, e.Backend, e.Source, e.Commit, e.State} {
		if len(text) > journal.MaxMessage || !utf8.ValidString(text) || !strings.HasSuffix(text, "ä…") {
			t.Errorf("a text of %d bytes: …%q", len(text), text[max(0, len(text)-9):])
		}
	}
	if len(e.Pod) > journal.MaxName {
		t.Errorf("a name of %d bytes", len(e.Pod))
	}
	if got := j.Of(e.Deployment); len(got) != 1 {
		t.Errorf("not found by its name: %v", got)
	}
}

func TestANilJournalKnowsNothing(t *testing.T) {
	var j *journal.Journal
	j.Record(journal.Event{})
	j.Begin(journal.Rollout{})
	j.Turn("one", journal.Ready, "")
	j.Remember([]journal.Rollout{{}})
	j.InForce("c", time.Now(), nil)
	j.Outcome("c", journal.VerdictSuccess, "")
	j.Seed([]journal.CommitRecord{{Hash: "c"}})
	if _, known := j.Rollout("one"); known || j.Last() > 0 || len(j.Events(nil))+len(j.Of("one"))+len(j.Rollouts("one"))+len(j.Commits()) > 0 {
		t.Error("it remembers something")
	}
}

func BenchmarkRecord(b *testing.B) {
	j := journal.New(journal.Options{})
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("d%05d", i)
	}
	b.ReportAllocs()
	states := []string{"ready", "progressing"}
	i := 0
	for b.Loop() {
		i++
		j.Record(journal.Event{
			Kind: journal.State, Deployment: names[i*7919%len(names)], State: states[i/len(names)%2], Message: "1 of 1 running 0.1.0 cpu on docker",
		})
	}
}

// BenchmarkEvents looks through a full journal for the 50 newest of a kind.
func BenchmarkEvents(b *testing.B) {
	j := journal.New(journal.Options{})
	for i := range 20_000 {
		kind := journal.Step
		if i%200 == 0 {
			kind = journal.Backend
		}
		j.Record(journal.Event{Kind: kind, Message: fmt.Sprint(i)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if got := j.Events(func(e *journal.Event) bool { return e.Kind == journal.Backend }); len(got) != 50 {
			b.Fatalf("%d events", len(got))
		}
	}
}
