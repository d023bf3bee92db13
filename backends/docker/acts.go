package docker

import (
	"slices"
	"sync"
	"time"

	"github.com/docker/docker/api/types/events"
)

// afterglow is how long after an act of our own its events may still come.
const afterglow = 2 * time.Second

// acts remembers what Berth itself does to containers, so that the events that
// follow from it can be told from what others do.
type acts struct {
	now  func() time.Time
	mu   sync.Mutex
	open []*act
}

type act struct {
	container string // ID or name
	expected  []events.Action
	ended     time.Time // zero: under way
}

func newActs(now func() time.Time) *acts { return &acts{now: now} }

// begin notes an act and the events that will follow. The returned function
// notes its end.
func (a *acts) begin(container string, expected ...events.Action) (end func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.now().Add(-afterglow)
	a.open = slices.DeleteFunc(a.open, func(x *act) bool { return !x.ended.IsZero() && x.ended.Before(old) })
	x := &act{container: container, expected: expected}
	a.open = append(a.open, x)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		x.ended = a.now()
	}
}

// ours tells whether an event follows from an act of our own.
func (a *acts) ours(id, name string, action events.Action) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.now().Add(-afterglow)
	return slices.ContainsFunc(a.open, func(x *act) bool {
		return (x.container == id || x.container == name) && slices.Contains(x.expected, action) &&
			(x.ended.IsZero() || x.ended.After(old))
	})
}
