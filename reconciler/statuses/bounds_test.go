package statuses

import (
	"context"
	"fmt"
	"testing"

	"github.com/berthdev/berth/sources/forge"
)

// However much is said of however many repositories, what waits is bounded.
func TestWhatWaitsIsBounded(t *testing.T) {
	s := NewSender(Options{Open: func(context.Context, string) (forge.Repo, error) { return nil, forge.ErrNone }})
	const repos = maxBeyond/maxWaiting + 10
	for i := range maxWaiting + 10 {
		for n := range repos {
			s.Set(fmt.Sprint("https://git.example.org/lab/", n), fmt.Sprint(i), forge.Status{Context: "berth", State: forge.Pending})
		}
	}
	commits := 0
	for _, r := range s.repos {
		commits += len(r.commits)
	}
	if most := maxBeyond + repos*maxCommits; commits != most || s.beyond != maxBeyond {
		t.Errorf("%d commits, %d beyond; want %d", commits, s.beyond, most)
	}
	for _, r := range s.repos {
		s.forgetAll(r, nil)
	}
	if s.beyond != 0 {
		t.Errorf("%d beyond, of none", s.beyond)
	}
}
