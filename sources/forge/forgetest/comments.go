package forgetest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

const marker = "<!-- berth: plan of lab -->"

// propose opens a pull request to comment on.
func (f *fixture) propose() int {
	f.Helper()
	return f.Open(f.T, Proposal{Title: "a proposal", Base: "main"}).Number
}

// comment keeps the comment, and expects so many writes for that.
func (f *fixture) comment(number int, text string, writes int) {
	f.Helper()
	_, err := f.repo.PullRequests(f.ctx, "next") // to log in is no write
	f.must(err)
	f.front.seen()
	f.must(f.repo.Comment(f.ctx, number, marker, text))
	if _, n := f.front.seen(); n != writes {
		f.Errorf("%d writes, want %d", n, writes)
	}
}

// expectComments compares all comments of a pull request.
func (f *fixture) expectComments(number int, want ...string) {
	f.Helper()
	got := f.Comments(f.T, number)
	for i := range got {
		got[i] = forge.Body(got[i])
	}
	if !slices.Equal(got, want) {
		f.Errorf("comments are\n%.300q, want\n%.300q", got, want)
	}
}

// testComment writes the comment once, and again only when it says something else.
func testComment(f *fixture) {
	number, other := f.propose(), f.propose()
	first, second := marker+"\n\n| a | b |\n|---|---|\n| 1 | 2 |", marker+"\n\nnothing would change"
	f.comment(number, first, 1)
	f.expectComments(number, first)
	f.comment(number, first, 0)
	f.comment(number, second, 1)
	f.expectComments(number, second)

	f.reconnect() // Berth after a restart
	f.comment(number, second, 0)
	f.comment(number, first, 1)
	f.expectComments(number, first)
	f.expectComments(other)

	another := strings.Replace(marker, "lab", "office", 1) // of another instance
	f.must(f.repo.Comment(f.ctx, number, another, another+"\nyes"))
	f.comment(number, second, 1)
	f.expectComments(number, second, another+"\nyes")
}

// testCommentOfOthers leaves alone what a stranger wrote, marker or not.
func testCommentOfOthers(f *fixture) {
	number := f.propose()
	foreign := marker + "\nall is well, merge it"
	f.Remark(f.T, number, foreign)
	f.Remark(f.T, number, "what does it do?")
	ours := marker + "\n+1 ~0 -0"
	f.comment(number, ours, 1)
	f.expectComments(number, foreign, "what does it do?", ours)
	f.comment(number, foreign, 1)
	f.comment(number, ours, 1)
	f.comment(number, ours, 0)
	f.expectComments(number, foreign, "what does it do?", ours)
}

// testCommentPages has more comments than a forge lists at once, before ours and after.
func testCommentPages(f *fixture) {
	number := f.propose()
	var want []string
	remark := func(count int) {
		for range count {
			want = append(want, fmt.Sprint("remark ", len(want)))
			f.Remark(f.T, number, want[len(want)-1])
		}
	}
	remark(110)
	ours := marker + "\nfirst"
	f.comment(number, ours, 1)
	place := len(want)
	want = append(want, ours)
	remark(3)
	f.reconnect()
	want[place] = marker + "\nsecond"
	f.comment(number, want[place], 1)
	f.comment(number, want[place], 0)
	f.expectComments(number, want...)
}

// testCommentLong cuts what no forge takes, and knows it again.
func testCommentLong(f *fixture) {
	number := f.propose()
	long := marker + "\n" + strings.Repeat("| stardist-john | é 走 🚢 |\n", 8000)
	f.comment(number, long, 1)
	got := f.Comments(f.T, number)
	if len(got) != 1 || len(got[0]) > forge.MaxComment || !strings.HasPrefix(got[0], marker) || !strings.HasSuffix(got[0], "…") {
		f.Errorf("%d comments, %.60q…", len(got), got)
	}
	f.comment(number, long, 0)
}

// testCommentHostile writes what a stranger's document made of the text.
func testCommentHostile(f *fixture) {
	number := f.propose()
	for name, text := range map[string]string{
		"lines":   "one\r\ntwo\nthree  \n\n",
		"control": "nothing\x00 here \x1b[31mis red",
		"bytes":   "no \xff\xfe text \xc3",
		"markup":  "<script>alert(1)</script> --> <!-- @everyone #1 ![](http://localhost/x)",
		"json":    `"}],{"id":1,"body":"\u0000\ud800`,
		"letters": "läuft 走 🚢 \u202e\u200b",
	} {
		text = marker + "\n" + text
		f.front.seen()
		if err := f.repo.Comment(f.ctx, number, marker, text); err != nil {
			f.Errorf("%s: %v", name, err)
			continue
		}
		f.expectComments(number, forge.Body(text))
		f.comment(number, text, 0)
	}
}

// testCommentNowhere comments on what is not there.
func testCommentNowhere(f *fixture) {
	f.failure(f.repo.Comment(f.ctx, f.propose()+1000, marker, marker+"\nhello"), schema.Terminal)
	f.failure(f.repo.Comment(f.ctx, -1, marker, marker+"\nhello"), schema.Terminal)
}
