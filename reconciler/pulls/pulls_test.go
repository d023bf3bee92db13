package pulls

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeForge is a repository with pull requests that a test sets, and a planner
// that says what each would do.
type fakeForge struct {
	mu       sync.Mutex
	open     []forge.PullRequest
	against  int
	plans    map[string]Plan  // by head
	fail     map[string]error // by what is done: "list", "comment", "plan HEAD"
	listed   int
	planned  []string // heads
	compared []string // likewise: of which the merge base was asked for
	said     []string
	full     bool            // no comment is admitted
	asks     bool            // planning asks for the merge base
	panics   string          // the head on which planning panics
	slow     map[string]bool // heads whose plan ends only with its context
	comments map[int]string
}

func (f *fakeForge) locked(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func (f *fakeForge) Statuses(context.Context, string) ([]forge.Status, error) { return nil, nil }

func (f *fakeForge) SetStatus(context.Context, string, forge.Status) error { return nil }

func (f *fakeForge) PullRequests(_ context.Context, base string) ([]forge.PullRequest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listed++
	if f.fail["list"] != nil {
		return nil, f.fail["list"]
	}
	return slices.DeleteFunc(slices.Clone(f.open), func(p forge.PullRequest) bool { return p.Base != base }), nil
}

func (f *fakeForge) MergeBase(_ context.Context, p forge.PullRequest) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.compared = append(f.compared, p.Head)
	if err := f.fail["merge base"]; err != nil {
		return "", err
	}
	return "base of " + p.Head, nil
}

func (f *fakeForge) Comment(_ context.Context, number int, marker, text string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail["comment"] != nil {
		return f.fail["comment"]
	}
	f.comments[number] = strings.TrimPrefix(text, marker+"\n")
	return nil
}

func (f *fakeForge) Set(repo, commit string, s forge.Status) {
	f.locked(func() {
		f.said = append(f.said, fmt.Sprintf("%s %s %s: %s", commit, s.Context, s.State, s.Description))
	})
}

func (f *fakeForge) admit(string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.full
}

func (f *fakeForge) plan(ctx context.Context, pr Request) (Plan, error) {
	slow := false
	if f.locked(func() { slow = f.slow[pr.Head] }); slow {
		<-ctx.Done()
		return Plan{}, &schema.Error{Op: "fetch", Resource: pr.Head, Kind: schema.Transient, Err: ctx.Err()}
	}
	if f.panics == pr.Head {
		panic("a bug")
	}
	since := ""
	if f.asks {
		commit, err := pr.MergeBase(ctx)
		if err != nil {
			return Plan{}, err
		}
		since = " since " + commit
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.planned = append(f.planned, pr.Head)
	plan := f.plans[pr.Head]
	plan.Summary += since
	return plan, f.fail["plan "+pr.Head]
}

func (f *fakeForge) repos() []Repo {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []Repo{{Name: "desired-state", URL: "https://git.example/desired", Base: "main", Context: "berth/plan", Against: f.against, Plan: f.plan}}
}

func pull(number int, head string) forge.PullRequest {
	return forge.PullRequest{Number: number, Head: head, Base: "main", Ref: fmt.Sprintf("refs/pull/%d/head", number)}
}

// bubble runs a test with a follower, in a bubble of testing/synctest.
func bubble(t *testing.T, test func(t *testing.T, f *fakeForge, follower *Follower)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeForge{plans: map[string]Plan{}, fail: map[string]error{}, comments: map[int]string{}}
		follower := New(Options{
			Repos: f.repos, Outbox: f, Admit: f.admit, Marker: "<!-- berth -->", Logger: slog.New(slog.DiscardHandler),
			Open: func(context.Context, string) (forge.Repo, error) { return f, f.fail["open"] },
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- follower.Run(ctx) }()
		synctest.Wait()
		test(t, f, follower)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func (f *fakeForge) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	f.locked(func() {
		if !slices.Equal(f.said, want) {
			t.Errorf("it said\n%s\nwant\n%s", strings.Join(f.said, "\n"), strings.Join(want, "\n"))
		}
		f.said = nil
	})
}

var one = Plan{State: forge.Success, Summary: "+1 ~0 -0", Comment: "one"}

func TestAPullRequest(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeForge, follower *Follower) {
		f.locked(func() {
			f.plans["h1"] = one
			f.open = []forge.PullRequest{pull(7, "h1"), {Number: 8, Head: "x", Base: "other"}}
		})
		follower.Wake("apps") // another repo's
		f.expect(t)
		follower.Wake("desired-state")
		f.expect(t, "h1 berth/plan success: +1 ~0 -0")
		if f.comments[7] != "one" {
			t.Errorf("comments %v", f.comments)
		}
		// Nothing is told twice, and what did not change is not planned again.
		follower.Wake("desired-state")
		follower.Changed()
		f.expect(t)
		if len(f.planned) != 1 || f.listed != 3 {
			t.Errorf("planned %v, listed %d times", f.planned, f.listed)
		}
		// A push to it.
		f.locked(func() {
			f.plans["h2"] = Plan{State: forge.Failure, Summary: "a.yaml:1:1: unknown field", Comment: "broken"}
			f.open[0].Head = "h2"
		})
		follower.Wake("desired-state")
		f.expect(t, "h2 berth/plan failure: a.yaml:1:1: unknown field")
		if f.comments[7] != "broken" {
			t.Errorf("comments %v", f.comments)
		}
	})
}

// Without a hint, pull requests are found by listing them from time to time.
func TestNobodyHints(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeForge, _ *Follower) {
		f.locked(func() { f.plans["h1"] = one; f.open = []forge.PullRequest{pull(7, "h1")} })
		time.Sleep(defaultInterval + time.Second)
		f.expect(t, "h1 berth/plan success: +1 ~0 -0")
	})
}

// A plan is made again when what it was made against is another, but not for
// every small change of it.
func TestWhatPlansAreMadeAgainst(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeForge, follower *Follower) {
		f.locked(func() { f.plans["h1"] = one; f.open = []forge.PullRequest{pull(7, "h1")} })
		follower.Wake("desired-state")
		f.expect(t, "h1 berth/plan success: +1 ~0 -0")
		for i := range 100 {
			f.locked(func() {
				f.against++
				f.plans["h1"] = Plan{State: forge.Success, Summary: fmt.Sprintf("+%d", i), Comment: "one"}
			})
			follower.Changed()
			time.Sleep(time.Second / 10)
		}
		time.Sleep(settle)
		synctest.Wait()
		if last := f.said[len(f.said)-1]; last != "h1 berth/plan success: +99" || len(f.planned) > 4 {
			t.Errorf("said %v, planned %v", f.said, f.planned)
		}
	})
}

// What fails with one delays no other, and is tried again.
func TestOneThatCannotBePlanned(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeForge, follower *Follower) {
		f.locked(func() {
			f.plans["h1"], f.plans["h2"], f.plans["h3"] = one, one, one
			f.fail["plan h1"] = &schema.Error{Op: "fetch", Resource: "h1", Kind: schema.Transient, Err: errors.New("it does not answer")}
			f.fail["plan h3"] = &schema.Error{Op: "read", Resource: "h3", Kind: schema.Invalid, Err: errors.New("too many files")}
			f.open = []forge.PullRequest{pull(7, "h1"), pull(8, "h2"), pull(9, "h3")}
		})
		follower.Wake("desired-state")
		f.expect(t, "h1 berth/plan error: it cannot be planned: fetch h1: it does not answer", "h2 berth/plan success: +1 ~0 -0", "h3 berth/plan error: it cannot be planned: read h3: too many files")
		f.locked(func() { delete(f.fail, "plan h1") })
		time.Sleep(firstPause)
		f.expect(t, "h1 berth/plan success: +1 ~0 -0")
		if len(f.planned) != 4 {
			t.Errorf("planned %v", f.planned)
		}
	})
}

// What cannot be planned yet is no error.
func TestOneThatIsNotThereYet(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeForge, follower *Follower) {
		f.locked(func() {
			f.plans["h1"] = one
			f.fail["plan h1"] = &schema.Error{Op: "plan", Resource: "h1", Kind: schema.Waiting, Err: errors.New("it is not there yet")}
			f.open = []forge.PullRequest{pull(7, "h1")}
		})
		follower.Wake("desired-state")
		f.expect(t)
		f.locked(func() { delete(f.fail, "plan h1") })
		time.Sleep(firstPause)
		f.expect(t, "h1 berth/plan success: +1 ~0 -0")
	})
}

// While the forge is away or limits, nothing is lost and it is not pressed.
func TestAForgeThatIsAway(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeForge, follower *Follower) {
		away := &schema.Error{Op: "comment", Kind: schema.Transient, Err: errors.New("it does not answer")}
		f.locked(func() {
			f.plans["h1"] = one
			f.open = []forge.PullRequest{pull(7, "h1")}
			f.fail["comment"] = away
		})
		follower.Wake("desired-state")
		f.expect(t, "h1 berth/plan success: +1 ~0 -0")
		f.locked(func() {
			delete(f.fail, "comment")
			f.fail["list"] = &schema.Error{Op: "list", Kind: schema.Transient, Err: &forge.Limited{Until: time.Now().Add(time.Hour)}}
			f.listed = 0
		})
		time.Sleep(firstPause)
		follower.Wake("desired-state")
		time.Sleep(30 * time.Minute)
		follower.Wake("desired-state")
		synctest.Wait()
		if f.listed != 1 || len(f.comments) > 0 {
			t.Errorf("listed %d times while it is limited, comments %v", f.listed, f.comments)
		}
		f.locked(func() { delete(f.fail, "list") })
		time.Sleep(time.Hour)
		f.expect(t)
		if f.comments[7] != "one" || len(f.planned) != 1 {
			t.Errorf("comments %v, planned %v", f.comments, f.planned)
		}
	})
}

func TestARepositoryWithoutAForge(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeForge, follower *Follower) {
		f.locked(func() {
			f.fail["open"] = forge.ErrNone
			f.plans["h1"] = one
			f.open = []forge.PullRequest{pull(7, "h1")}
		})
		follower.Wake("desired-state")
		time.Sleep(time.Hour)
		f.expect(t)
	})
}

// A comment tells of the newest commit, also where that cannot be planned.
func TestACommentIsNeverStale(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeForge, follower *Follower) {
		f.locked(func() {
			f.plans["h1"] = one
			f.open = []forge.PullRequest{pull(7, "h1")}
		})
		follower.Wake("desired-state")
		f.expect(t, "h1 berth/plan success: +1 ~0 -0")
		f.locked(func() {
			f.fail["plan h2"] = &schema.Error{Op: "read", Resource: "h2", Kind: schema.Invalid, Err: errors.New("too many files")}
			f.open[0].Head = "h2"
		})
		follower.Wake("desired-state")
		f.expect(t, "h2 berth/plan error: it cannot be planned: read h2: too many files")
		if c := f.comments[7]; !strings.Contains(c, "too many files") {
			t.Errorf("the comment says %q of a commit that is not the newest", c)
		}
		f.locked(func() { f.plans["h3"] = Plan{State: forge.Success, Summary: "nothing changes"}; f.open[0].Head = "h3" })
		follower.Wake("desired-state")
		f.expect(t, "h3 berth/plan success: nothing changes")
		if c := f.comments[7]; !strings.Contains(c, "nothing changes") {
			t.Errorf("the comment says %q", c)
		}
	})
}

// While too much is written, statuses are set, and comments follow.
func TestACommentThatMustWait(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeForge, follower *Follower) {
		f.locked(func() {
			f.full, f.open, f.plans["a"], f.plans["b"] = true, []forge.PullRequest{pull(2, "b"), pull(1, "a")}, one, one
		})
		follower.Wake("desired-state")
		f.expect(t, "b berth/plan success: +1 ~0 -0", "a berth/plan success: +1 ~0 -0")
		time.Sleep(time.Minute)
		f.locked(func() {
			if len(f.comments) > 0 || len(f.planned) != 2 {
				t.Errorf("comments %v, planned %v", f.comments, f.planned)
			}
			f.full = false
		})
		time.Sleep(2 * time.Minute)
		f.locked(func() {
			if len(f.comments) != 2 || len(f.planned) != 2 {
				t.Errorf("comments %v, planned %v", f.comments, f.planned)
			}
		})
		f.expect(t)
	})
}

// A plan that stands is not taken back because it cannot be made again at once.
func TestAPlanThatStands(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeForge, follower *Follower) {
		f.locked(func() {
			f.plans["h1"] = one
			f.open = []forge.PullRequest{pull(7, "h1")}
		})
		follower.Wake("desired-state")
		f.expect(t, "h1 berth/plan success: +1 ~0 -0")
		f.locked(func() {
			f.against++
			f.plans["h1"] = Plan{State: forge.Success, Summary: "+2 ~0 -0", Comment: "two"}
			f.fail["plan h1"] = &schema.Error{Op: "fetch", Resource: "h1", Kind: schema.Transient, Err: errors.New("it does not answer")}
		})
		follower.Changed()
		time.Sleep(settle + firstPause/4)
		f.expect(t)
		f.locked(func() { delete(f.fail, "plan h1") })
		time.Sleep(time.Minute)
		f.expect(t, "h1 berth/plan success: +2 ~0 -0")
		if f.comments[7] != "two" {
			t.Errorf("comments %v", f.comments)
		}
	})
}

// What takes its time delays others once, not each time that it is tried.
func TestOneThatTakesForEver(t *testing.T) {
	bubble(t, func(t *testing.T, f *fakeForge, follower *Follower) {
		f.locked(func() {
			f.slow = map[string]bool{}
			for n := range 10 {
				head := fmt.Sprintf("slow%d", n)
				f.slow[head] = true
				f.open = append(f.open, pull(100-n, head))
			}
		})
		follower.Wake("desired-state")
		time.Sleep(11 * planTime)
		synctest.Wait()
		f.locked(func() { f.said = nil; f.plans["h1"] = one; f.open = append(f.open, pull(7, "h1")) })
		follower.Wake("desired-state")
		time.Sleep(2*planTime + time.Second)
		synctest.Wait()
		f.locked(func() {
			if !slices.Contains(f.said, "h1 berth/plan success: +1 ~0 -0") {
				t.Errorf("it said %v", f.said)
			}
		})
	})
}
