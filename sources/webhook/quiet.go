package webhook

import (
	"sync"
	"time"
)

// quietTime is how long lines of one sort are kept back after one was logged:
// whoever can send requests must not be able to fill a disk.
const quietTime = 10 * time.Second

// A quiet lets one line of each sort through, and then none for a while.
type quiet struct {
	now   func() time.Time
	mu    sync.Mutex
	sorts map[string]*sort
}

type sort struct {
	until time.Time
	held  int
}

func newQuiet(now func() time.Time) *quiet { return &quiet{now: now, sorts: map[string]*sort{}} }

// allow tells whether a line of this sort may be logged now, and how many were
// kept back since the last one.
func (q *quiet) allow(name string) (held int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.sorts[name]
	if s == nil {
		s = &sort{}
		q.sorts[name] = s
	}
	now := q.now()
	if now.Before(s.until) {
		s.held++
		return 0, false
	}
	held, s.held, s.until = s.held, 0, now.Add(quietTime)
	return held, true
}
