package journal_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/berthdev/berth/reconciler/journal"
)

// list renders commits as "c2 pending, c1 success".
func list(j *journal.Journal) string {
	var parts []string
	for _, c := range j.Commits() {
		parts = append(parts, c.Hash+" "+c.Verdict)
	}
	return strings.Join(parts, ", ")
}

func history(hashes ...string) []journal.CommitRecord {
	var out []journal.CommitRecord
	for _, h := range hashes {
		out = append(out, journal.CommitRecord{Hash: h, Message: "message of " + h + "\n\nbody", Author: "Ada", Time: time.Unix(1, 0)})
	}
	return out
}

func TestVerdicts(t *testing.T) {
	j := journal.New(journal.Options{})
	now := time.Now()
	j.InForce("c1", now, nil)
	j.Outcome("c1", journal.VerdictSuccess, "1 of 1 running")
	j.InForce("c2", now, []string{"b", "a"})
	j.InForce("c3", now, nil)
	j.Outcome("c3", journal.VerdictFailure, "a: no such file")
	j.InForce("c4", now, nil)
	if got, want := list(j), "c4 pending, c3 failure, c2 superseded, c1 success"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if c := j.Commits()[2]; !slices.Equal(c.Changed, []string{"a", "b"}) || !c.Since.Equal(now) {
		t.Errorf("c2 is %+v", c)
	}
	j.InForce("c1", now.Add(time.Hour), nil) // the branch went back
	if got, want := list(j), "c4 superseded, c3 failure, c2 superseded, c1 pending"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	j.Outcome("c9", journal.VerdictSuccess, "it was never in force")
	j.InForce("", now, nil)
	if n := len(j.Commits()); n != 4 {
		t.Errorf("%d commits", n)
	}
}

func TestSeed(t *testing.T) {
	j := journal.New(journal.Options{})
	j.Seed(history("c2", "c1"))
	if got, want := list(j), "c2 unknown, c1 unknown"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	j.InForce("c2", time.Unix(5, 0), nil)
	j.Outcome("c2", journal.VerdictSuccess, "2 of 2 running")
	j.InForce("x", time.Unix(6, 0), nil) // pushed over afterwards
	j.InForce("c4", time.Unix(7, 0), nil)
	j.Seed(history("c4", "c3", "c2", "c1"))
	if got, want := list(j), "c4 pending, c3 unknown, x superseded, c2 success, c1 unknown"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	c := j.Commits()[3]
	if c.Message != "message of c2" || c.Author != "Ada" || c.Summary != "2 of 2 running" || c.Since != time.Unix(5, 0) || c.Time != time.Unix(1, 0) {
		t.Errorf("c2 is %+v", c)
	}
	j.InForce("c5", time.Unix(8, 0), nil)
	j.Seed(history("c4", "c3")) // read before c5 came
	if got, want := list(j), "c5 pending, c4 superseded, c3 unknown, x superseded, c2 success, c1 unknown"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Whatever comes in whatever order: commits are there once, within the bound, the
// one in force among them, at most one is pending, and a history's order holds.
func TestCommitsAreBoundedAndInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 8).Draw(t, "most")
		j := journal.New(journal.Options{Commits: most, Now: clock()})
		inForce := ""
		for range rapid.IntRange(1, 12).Draw(t, "n") {
			hash := fmt.Sprintf("c%02d", rapid.IntRange(0, 20).Draw(t, "commit"))
			switch rapid.SampledFrom([]string{"force", "outcome", "seed"}).Draw(t, "what") {
			case "force":
				j.InForce(hash, time.Unix(1, 0), nil)
				inForce = hash
			case "outcome":
				j.Outcome(hash, journal.VerdictSuccess, "")
			case "seed":
				from := rapid.IntRange(0, 20).Draw(t, "from")
				var hashes []string
				for i := from; i >= 0 && len(hashes) < most; i-- {
					hashes = append(hashes, fmt.Sprintf("c%02d", i))
				}
				j.Seed(history(hashes...))
				checkOrder(t, j, hashes)
			}
			checkCommits(t, j, most, inForce)
		}
	})
}

func checkOrder(t *rapid.T, j *journal.Journal, hashes []string) {
	at := -1
	for _, c := range j.Commits() {
		i := slices.Index(hashes, c.Hash)
		if i >= 0 && i <= at {
			t.Fatalf("%s stands out of order: %s, want %v", c.Hash, list(j), hashes)
		}
		at = max(at, i)
	}
}

func checkCommits(t *rapid.T, j *journal.Journal, most int, inForce string) {
	seen := map[string]bool{}
	for _, c := range j.Commits() {
		if seen[c.Hash] {
			t.Fatalf("%s is there twice: %s", c.Hash, list(j))
		}
		seen[c.Hash] = true
		if c.Verdict == journal.VerdictPending && c.Hash != inForce {
			t.Fatalf("%s is pending, in force is %s", c.Hash, inForce)
		}
	}
	if len(seen) > most || inForce != "" && !seen[inForce] {
		t.Fatalf("%d commits, want at most %d, and %s among them: %s", len(seen), most, inForce, list(j))
	}
}
