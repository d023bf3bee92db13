// Package forgetest is the conformance suite of [forge.Repo]: every client of a
// forge passes it, and what it does not hold is not part of the contract. A
// client's own test describes a forge in a [Harness] and calls [Run]. The forge
// may be a real one, or a small server that behaves as its documentation says.
//
// The suite stands between the client and the forge as a proxy: so it sees what
// is written, and answers itself where it tries what no forge does on demand.
package forgetest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/sources/forge"
)

// patience is how long one call may take, whatever the forge does.
const patience = time.Minute

// A Harness is a forge with one repository, made for one test. It has the
// branches main and next. What a forge cannot do is left out, and not tested.
type Harness struct {
	// API is the root of the forge's API: http on this machine.
	API string
	// Connect returns a new client of the repository that takes the forge's API to
	// be at api, the address of the suite's proxy.
	Connect func(t testing.TB, api string) forge.Repo
	// Secrets are what no error may hold: tokens.
	Secrets []string

	// Commit makes a new commit in the repository and returns its hash.
	Commit func(t testing.TB) string
	// Open opens a pull request with a new commit, and returns what the client
	// shall see of it.
	Open func(t testing.TB, p Proposal) forge.PullRequest
	// MergeBase returns where a pull request left its base.
	MergeBase func(t testing.TB, number int) string
	// Close closes a pull request without merging it.
	Close func(t testing.TB, number int)
	// Comments returns the texts of a pull request's comments, the oldest first.
	Comments func(t testing.TB, number int) []string
	// Remark writes a comment as somebody else.
	Remark func(t testing.TB, number int, text string)

	// Letters is how many of a description the forge takes.
	Letters int
	// Shown is what the forge makes of a state; nil: it has them all.
	Shown map[forge.State]forge.State
	// Limits are the ways in which this forge asks to wait, besides Retry-After.
	Limits []Limit
	// Page is how many pull requests come at once at most. Default: 50.
	Page int
	// Many tells that opening pull requests costs next to nothing.
	Many bool
	// Gone tells that a fork can be deleted while its pull request is open.
	Gone bool
}

// A Proposal is a pull request to be opened.
type Proposal struct {
	Title string
	Base  string
	Fork  bool // from another repository
	Gone  bool // which was deleted since
	Draft bool
}

// A Limit is a way in which a forge asks to wait.
type Limit struct {
	Name   string
	Status int
	// Header says until when, in whole seconds.
	Header func(until time.Time) http.Header
	Body   string
}

// A test is one of the suite.
type test struct {
	name string
	run  func(*fixture)
}

// answered are the tests in which the forge answers, and faults those in which the
// suite does in its place.
var (
	answered = []test{
		{"Statuses", testStatuses},
		{"StatusPages", testStatusPages},
		{"StatusText", testStatusText},
		{"StatusUnknownCommit", testStatusUnknownCommit},
		{"StatusConcurrent", testStatusConcurrent},
		{"PullRequests", testPullRequests},
		{"PullRequestPages", testPullRequestPages},
		{"MergeBase", testMergeBase},
		{"Comment", testComment},
		{"CommentOfOthers", testCommentOfOthers},
		{"CommentPages", testCommentPages},
		{"CommentLong", testCommentLong},
		{"CommentHostile", testCommentHostile},
		{"CommentNowhere", testCommentNowhere},
	}
	faults = []test{
		{"Limits", testLimits},
		{"LimitHolds", testLimitHolds},
		{"ServerErrors", testServerErrors},
		{"Refused", testRefused},
		{"Garbage", testGarbage},
		{"Endless", testEndless},
		{"EndlessPages", testEndlessPages},
		{"Redirect", testRedirect},
		{"Cancelled", testCancelled},
		{"Away", testAway},
	}
)

// Run runs the suite. Open makes a forge for one test.
func Run(t *testing.T, open func(t testing.TB) Harness) {
	RunAnswered(t, open)
	run(t, faults, open)
}

// RunAnswered runs the part of the suite in which the forge itself answers: what a
// real one adds to the whole suite on a small server.
func RunAnswered(t *testing.T, open func(t testing.TB) Harness) { run(t, answered, open) }

func run(t *testing.T, tests []test, open func(t testing.TB) Harness) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(newFixture(t, open(t))) })
	}
}

// A fixture is one test's forge with a client of it.
type fixture struct {
	*testing.T
	Harness
	ctx   context.Context
	front *front
	repo  forge.Repo
}

func newFixture(t *testing.T, h Harness) *fixture {
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience)
	t.Cleanup(cancel)
	f := &fixture{T: t, Harness: h, ctx: ctx, front: newFront(t, h.API)}
	f.repo = h.Connect(t, f.front.api)
	return f
}

// reconnect makes a new client: one that has been asked to wait waits.
func (f *fixture) reconnect() { f.repo = f.Connect(f.T, f.front.api) }

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// shown is what the forge shows of a status.
func (f *fixture) shown(s forge.Status) forge.Status {
	if as, ok := f.Shown[s.State]; ok {
		s.State = as
	}
	s.Description = forge.Line(s.Description, f.Letters)
	return s
}

// expectStatuses compares what a commit has, by context.
func (f *fixture) expectStatuses(commit string, want ...forge.Status) {
	f.Helper()
	got, err := f.repo.Statuses(f.ctx, commit)
	f.must(err)
	for i := range want {
		want[i] = f.shown(want[i])
	}
	byContext := func(a, b forge.Status) int { return strings.Compare(a.Context, b.Context) }
	slices.SortFunc(got, byContext)
	slices.SortFunc(want, byContext)
	if !slices.Equal(got, want) {
		f.Errorf("statuses are\n%+v, want\n%+v", got, want)
	}
}

// A call is a use of the contract, for what all of it has in common.
type call struct {
	name string
	do   func(context.Context, forge.Repo) error
}

// calls returns one use of each method, all of which the forge carries out.
func (f *fixture) calls() []call {
	commit := f.Commit(f.T)
	proposal := f.Open(f.T, Proposal{Title: "a proposal", Base: "main"})
	said := 0
	return []call{
		{"Statuses", func(ctx context.Context, r forge.Repo) error {
			_, err := r.Statuses(ctx, commit)
			return err
		}},
		{"SetStatus", func(ctx context.Context, r forge.Repo) error {
			said++
			return r.SetStatus(ctx, commit, forge.Status{Context: "berth", State: forge.Pending, Description: fmt.Sprint("look ", said)})
		}},
		{"PullRequests", func(ctx context.Context, r forge.Repo) error {
			_, err := r.PullRequests(ctx, "main")
			return err
		}},
		{"MergeBase", func(ctx context.Context, r forge.Repo) error {
			_, err := r.MergeBase(ctx, proposal)
			return err
		}},
		{"Comment", func(ctx context.Context, r forge.Repo) error {
			said++
			return r.Comment(ctx, proposal.Number, marker, fmt.Sprint(marker, "\nlook ", said))
		}},
	}
}

// within calls with a limit of time, which no behaviour of a forge may exceed.
func (f *fixture) within(c call) error {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.ctx, patience)
	defer cancel()
	err := c.do(ctx, f.repo)
	if ctx.Err() != nil {
		f.Fatalf("%s takes longer than %v", c.name, patience)
	}
	return err
}
