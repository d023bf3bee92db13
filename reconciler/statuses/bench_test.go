package statuses_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/berthdev/berth/reconciler/statuses"
	"github.com/berthdev/berth/sources/forge"
)

// A listener is a repository whose forge takes everything, and says when.
type listener struct {
	forge.Repo
	heard chan struct{}
}

func (l *listener) Statuses(context.Context, string) ([]forge.Status, error) { return nil, nil }
func (l *listener) SetStatus(context.Context, string, forge.Status) error {
	l.heard <- struct{}{}
	return nil
}

// BenchmarkSet measures the time from knowing a status to the request that tells
// it, of a commit that the forge was asked about, with nothing else to do, and
// while a thousand others wait for another forge.
func BenchmarkSet(b *testing.B) {
	for _, waiting := range []int{0, 1000} {
		b.Run(fmt.Sprint("waiting=", waiting), func(b *testing.B) {
			l := &listener{heard: make(chan struct{})}
			s := statuses.NewSender(statuses.Options{Open: func(_ context.Context, repo string) (forge.Repo, error) {
				if repo == other {
					return nil, transient("connection refused")
				}
				return l, nil
			}})
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error)
			go func() { ended <- s.Run(ctx) }()
			defer func() { cancel(); <-ended }()
			for i := range waiting {
				s.Set(other, "c1", status(fmt.Sprint("berth/", i), forge.Pending, "waiting"))
			}
			for i := 0; b.Loop(); i++ {
				b.StopTimer() // each time another host, for one takes only so many in a minute
				repo := fmt.Sprintf("https://%d.example.org/apps.git", i)
				if _, err := s.Known(ctx, repo, "c1"); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				s.Set(repo, "c1", status("berth", forge.Success, "1 of 1 running"))
				<-l.heard
			}
		})
	}
}
