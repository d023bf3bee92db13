package forgetest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

// testStatuses writes statuses one over the other: the newest of each context
// counts, and each commit has its own.
func testStatuses(f *fixture) {
	commit, other := f.Commit(f.T), f.Commit(f.T)
	f.expectStatuses(commit)

	whole := forge.Status{Context: "berth", State: forge.Pending, Description: "0 of 2 running", URL: "https://berth.example.org/commits/1?a=b&c=d"}
	f.must(f.repo.SetStatus(f.ctx, commit, whole))
	f.expectStatuses(commit, whole)

	one := forge.Status{Context: "berth/stardist-john", State: forge.Pending}
	f.must(f.repo.SetStatus(f.ctx, commit, one))
	for _, state := range []forge.State{forge.Success, forge.Failure, forge.Pending, forge.Error, forge.Success} {
		whole.State, whole.Description = state, "it is "+string(state)
		f.must(f.repo.SetStatus(f.ctx, commit, whole))
		f.expectStatuses(commit, whole, one)
	}

	whole.Description, whole.URL = "2 of 2 running", "" // the state stays
	f.must(f.repo.SetStatus(f.ctx, commit, whole))
	f.expectStatuses(commit, whole, one)
	f.must(f.repo.SetStatus(f.ctx, commit, whole))
	f.expectStatuses(commit, whole, one)

	f.expectStatuses(other)
}

// testStatusPages has more contexts than a forge lists at once.
func testStatusPages(f *fixture) {
	commit := f.Commit(f.T)
	var want []forge.Status
	for i := range 110 {
		s := forge.Status{Context: fmt.Sprintf("berth/web-%03d", i), State: forge.Success, Description: fmt.Sprint("pod ", i)}
		f.must(f.repo.SetStatus(f.ctx, commit, s))
		want = append(want, s)
	}
	f.expectStatuses(commit, want...)
}

// testStatusText writes descriptions that a forge would refuse as they are.
func testStatusText(f *fixture) {
	commit := f.Commit(f.T)
	var want []forge.Status
	for name, text := range map[string]string{
		"empty":   "",
		"long":    strings.Repeat("stardist-john: é image not found; ", 40),
		"lines":   "one\ntwo\r\n\tthree",
		"control": "nothing\x00 here \x1b[31mis red\x7f",
		"bytes":   "no \xff\xfe text \xc3",
		"markup":  `<b>"bold"</b> & 'quoted' \ @everyone`,
		"letters": "läuft 走 🚢",
	} {
		s := forge.Status{Context: "berth/" + name, State: forge.Failure, Description: text}
		if err := f.repo.SetStatus(f.ctx, commit, s); err != nil {
			f.Errorf("%s: %v", name, err)
			continue
		}
		want = append(want, s)
	}
	f.expectStatuses(commit, want...)
}

// testStatusUnknownCommit: what the forge does not know has no status, and gets none.
func testStatusUnknownCommit(f *fixture) {
	f.Commit(f.T)
	unknown := strings.Repeat("0123456789", 4)
	f.expectStatuses(unknown)
	s := forge.Status{Context: "berth", State: forge.Success}
	f.failure(f.repo.SetStatus(f.ctx, unknown, s), schema.Terminal)

	f.front.seen()
	for _, no := range []string{"", "main", "HEAD", "../../user", strings.Repeat("g", 40), unknown + "/..", unknown[:39]} {
		f.failure(f.repo.SetStatus(f.ctx, no, s), schema.Terminal)
		if got, err := f.repo.Statuses(f.ctx, no); err == nil {
			f.Errorf("%q has statuses: %v", no, got)
		}
	}
	if n, _ := f.front.seen(); n > 0 {
		f.Errorf("%d requests for what is no commit", n)
	}
}

func testStatusConcurrent(f *fixture) {
	commit := f.Commit(f.T)
	var want []forge.Status
	var group sync.WaitGroup
	for i := range 8 {
		s := forge.Status{Context: fmt.Sprint("berth/", i), State: forge.Success}
		want = append(want, s)
		group.Go(func() {
			if err := f.repo.SetStatus(f.ctx, commit, s); err != nil {
				f.Error(err)
			}
			if _, err := f.repo.PullRequests(f.ctx, ""); err != nil {
				f.Error(err)
			}
		})
	}
	group.Wait()
	f.expectStatuses(commit, want...)
}
