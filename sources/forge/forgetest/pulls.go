package forgetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

// expectPullRequests compares what is listed for a base.
func (f *fixture) expectPullRequests(base string, want ...forge.PullRequest) {
	f.Helper()
	got, err := f.repo.PullRequests(f.ctx, base)
	f.must(err)
	if !slices.Equal(got, want) {
		f.Errorf("pull requests of %q are\n%+v, want\n%+v", base, got, want)
	}
}

// testPullRequests lists what is open, by base.
func testPullRequests(f *fixture) {
	f.expectPullRequests("")
	plain := f.Open(f.T, Proposal{Title: "declare <b>stardist</b> for @john | é", Base: "main"})
	other := f.Open(f.T, Proposal{Title: "to another branch", Base: "next"})
	draft := f.Open(f.T, Proposal{Title: "not yet", Base: "main", Draft: true})
	fork := f.Open(f.T, Proposal{Title: "from a stranger", Base: "main", Fork: true})
	closed := f.Open(f.T, Proposal{Title: "no more", Base: "main"})

	f.expectPullRequests("main", closed, fork, draft, plain)
	f.Close(f.T, closed.Number)
	f.expectPullRequests("main", fork, draft, plain)
	f.expectPullRequests("next", other)
	f.expectPullRequests("", fork, draft, other, plain)
	f.expectPullRequests("nowhere")
	f.expectPullRequests("main&state=closed")

	if f.Gone {
		gone := f.Open(f.T, Proposal{Title: "from nowhere", Base: "next", Fork: true, Gone: true})
		f.expectPullRequests("next", gone, other)
	}
}

// testPullRequestPages has more than a forge lists at once, and where that costs
// nothing, more than are looked at.
func testPullRequestPages(f *fixture) {
	count := cmp.Or(f.Page, 50) + 2
	if f.Many {
		count = forge.MaxPullRequests + 5
	}
	var want []forge.PullRequest
	for i := range count {
		want = append(want, f.Open(f.T, Proposal{Title: fmt.Sprint("proposal ", i), Base: "main"}))
	}
	slices.Reverse(want)
	f.expectPullRequests("main", want[:min(count, forge.MaxPullRequests)]...)
}

// testMergeBase has the forge tell where pull requests left their bases, which have
// got other commits since.
func testMergeBase(f *fixture) {
	for _, p := range []Proposal{{Title: "here", Base: "main"}, {Title: "from a fork", Base: "main", Fork: true}, {Title: "elsewhere", Base: "next"}} {
		f.Commit(f.T)
		opened := f.Open(f.T, p)
		f.Commit(f.T)
		want := f.MergeBase(f.T, opened.Number)
		if got, err := f.repo.MergeBase(f.ctx, opened); err != nil || got != want || want == "" {
			f.Errorf("%s: the merge base is %q, %v, want %q", p.Title, got, err, want)
		}
		former := opened
		former.Head = strings.Repeat("0", len(opened.Head))
		if got, _ := f.repo.MergeBase(f.ctx, former); got != "" {
			f.Errorf("%s: the merge base of a commit that is not there is %q", p.Title, got)
		}
	}
	_, err := f.repo.MergeBase(f.ctx, forge.PullRequest{Number: 1, Base: "main", Head: "main"})
	f.failure(err, schema.Terminal)
}
