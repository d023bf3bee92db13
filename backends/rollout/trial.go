package rollout

import (
	"fmt"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

const (
	// manyRestarts is how often a pod without an old one must have crashed before
	// it is given up for it.
	manyRestarts = 3
	// slack is added to the time in which a pod without an old one is young, for
	// timeouts so short that Berth could miss it.
	slack = time.Minute
)

// failure returns why the replica's current pod must be given up; empty: it must not.
func (o *world) failure(r replica) string {
	p := r.current
	switch {
	case p == nil || o.good(p):
		return ""
	case p.State == backends.PodCreated && p.Reason != "":
		return "it cannot be started: " + p.Reason
	case p.State == backends.PodCreated && p.Trouble != "" && r.old != nil:
		return o.startedInTime(p)
	case p.State == backends.PodExited && p.Restart == schema.RestartNo && !o.overtaken(p):
		return describe(p) // with success it would be good
	case r.old != nil && p.State == backends.PodRunning && p.Health == backends.HealthUnhealthy:
		return describe(p)
	}
	if p.State != backends.PodRunning && p.State != backends.PodRestarting {
		return "" // it is about to be started
	}
	if _, at := p.Ready(o.now); !at.IsZero() {
		o.wake(at)
		return "" // it is well, and only has to stay so
	}
	deadline := o.deadline(p)
	if deadline.IsZero() || o.now.Before(deadline) {
		o.wake(deadline)
		return ""
	}
	if r.old == nil && !o.young(p) {
		return ""
	}
	return fmt.Sprintf("not ready within %s: %s", o.w.Rollout.Timeout, describe(p))
}

// startedInTime returns why a pod must be given up that could not be started yet,
// while an old one stands aside or still runs; empty: there is time left.
func (o *world) startedInTime(p *backends.Pod) string {
	deadline := o.deadline(p)
	if deadline.IsZero() || o.now.Before(deadline) {
		o.wake(deadline)
		return ""
	}
	return fmt.Sprintf("not started within %s: %s", o.w.Rollout.Timeout, p.Trouble)
}

// deadline returns when a pod on trial must be ready; zero: there is none. Each
// crash moves the time of the last start, so then the creation counts.
func (o *world) deadline(p *backends.Pod) time.Time {
	if o.w.Rollout.Timeout <= 0 {
		return time.Time{}
	}
	from := p.StartedAt
	if p.Restarts > 0 || from.IsZero() {
		from = p.CreatedAt
	}
	return from.Add(o.w.Rollout.Timeout)
}

// young tells whether a late pod without an old one has surely not been good
// for long: see "Giving up" in the package's documentation.
func (o *world) young(p *backends.Pod) bool {
	until := p.CreatedAt.Add(2*o.w.Rollout.Timeout + slack)
	return o.now.Before(until) && (p.Restarts == 0 || p.Restarts >= manyRestarts)
}
