package follow

import (
	"context"
	"sync"
	"time"
)

const (
	healthyLane = 8 // sources that answered last time, or were never asked
	failingLane = 4 // sources that did not
	// slowAfter is when a fetch gives its place in the lane to the next: it may
	// take its time, but not that of others.
	slowAfter = 5 * time.Second
)

// lanes bound how many remote sources are asked at once. Those that failed have
// a lane of their own, so that a hundred dead servers delay no living one. What is
// stored is read in another, for no server delays that.
type lanes struct{ healthy, failing, stored chan struct{} }

func newLanes() *lanes {
	return &lanes{healthy: make(chan struct{}, healthyLane), failing: make(chan struct{}, failingLane), stored: make(chan struct{}, healthyLane)}
}

// enter waits for a place. leave gives it up; it must be called.
func (l *lanes) enter(ctx context.Context, failing bool) (leave func(), err error) {
	lane := l.healthy
	if failing {
		lane = l.failing
	}
	select {
	case lane <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release := sync.OnceFunc(func() { <-lane })
	slow := time.AfterFunc(slowAfter, release)
	return func() { slow.Stop(); release() }, nil
}
