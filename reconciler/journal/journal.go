// Package journal remembers, in memory and within bounds, what happened: events,
// the rollouts of each deployment, and what became of each commit of the desired
// state. It is for people who ask; nothing is decided by it. After a restart it
// begins with what pods and git tell.
//
// # Bounds
//
// The newest events are kept, whatever they are about ([Options.Events]). Beside
// them the newest of each deployment are, so that one that is noisy does not hide
// what happened to the others ([Options.PerDeployment]); of those there are four
// times as many in all, however many deployments there are. When they are too
// many, the deployment that has the most loses its oldest: with the defaults, 800
// deployments have 50 events each, 10,000 have four. The same holds for rollouts,
// of which there are at most twice as many in all as of events. Every text of an
// event is cut ([MaxMessage], [MaxName]). So a journal with the defaults, of
// events of some 300 bytes each, holds some 20 MB when it is full.
//
// # Readers and writers
//
// What was recorded never changes, so a reader needs pointers only, and finds
// them in atomic variables: slots that a writer fills one after the other
// (events.go), and lists that it replaces (shelf.go). Writers take turns, for as
// long as it takes to fill a slot; they wait for no reader, nor readers for them.
package journal

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"
)

// Options bound a journal.
type Options struct {
	Events        int // in all; default 10,000
	PerDeployment int // of them, kept for one deployment although others press: default 50
	Rollouts      int // for each deployment; default 10
	Commits       int // default 200
	Now           func() time.Time
}

// Journal is safe for concurrent use. Writers never wait for readers: what is
// read is a value that no write changes. A nil *Journal records nothing.
type Journal struct {
	now    func() time.Time
	bell   bell
	events ring

	mu       sync.Mutex // held by writers, one at a time
	stories  *shelf[Event]
	rollouts *shelf[Rollout]
	commits  atomic.Pointer[history]
	most     int    // how many commits are kept
	inForce  string // the commit; empty: not known yet
}

// New returns an empty journal.
func New(o Options) *Journal {
	o.Events = cmp.Or(max(0, o.Events), 10_000)
	o.PerDeployment = cmp.Or(max(0, o.PerDeployment), 50)
	o.Rollouts = cmp.Or(max(0, o.Rollouts), 10)
	if o.Now == nil {
		o.Now = time.Now
	}
	j := &Journal{
		now: o.Now, events: newRing(o.Events), most: cmp.Or(max(0, o.Commits), 200),
		stories: newShelf[Event](o.PerDeployment, 4*o.Events), rollouts: newShelf[Rollout](o.Rollouts, 2*o.Events),
	}
	j.commits.Store(newHistory(nil))
	return j
}
