package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/berthdev/berth/backends"
)

// A replica is one ordinal of the deployment with the pods that count for it.
type replica struct {
	ordinal int
	current *backends.Pod // nil: none
	old     *backends.Pod // the one to go back to; nil: none
	going   bool          // a current pod is being removed: its name is still taken
}

// A world is the deployment's pods, sorted out.
type world struct {
	w        backends.Workload
	now      time.Time
	replicas []replica
	newest   []time.Time   // when the last pod of each replica was made
	surplus  []Step        // removals that nothing speaks against
	failed   *backends.Pod // what remembers that this input failed; nil: it did not
	waiting  bool          // a pod is being removed
	again    time.Time     // the earliest time at which time alone changes something
}

func observe(w backends.Workload, pods []backends.Pod, now time.Time) *world {
	n := max(w.Replicas, 0)
	o := &world{w: w, now: now, replicas: make([]replica, n), newest: make([]time.Time, n)}
	for i := range o.replicas {
		o.replicas[i].ordinal = i
	}
	for _, p := range pods {
		if o.wants(p.Ordinal) && p.CreatedAt.After(o.newest[p.Ordinal]) {
			o.newest[p.Ordinal] = p.CreatedAt
		}
	}
	sorted := slices.Clone(pods)
	slices.SortFunc(sorted, o.byMerit)
	o.sort(sorted)
	return o
}

// wants tells whether the workload has the replica.
func (o *world) wants(ordinal int) bool { return ordinal >= 0 && ordinal < len(o.replicas) }

// sort gives each pod its place, or removes it.
func (o *world) sort(pods []backends.Pod) {
	spec, input := o.w.SpecHash(), o.w.InputHash()
	var changed []*backends.Pod // that failed with another input
	for i := range pods {
		p := &pods[i]
		switch {
		case p.State == backends.PodGoing:
			o.waiting = true
			if o.wants(p.Ordinal) && p.SpecHash == spec {
				o.replicas[p.Ordinal].going = true
			}
		case !o.wants(p.Ordinal):
			o.remove(p, fmt.Sprintf("%d replicas are wanted", len(o.replicas)))
		case p.State == backends.PodFailed && p.InputHash != input:
			changed = append(changed, p)
		case p.State == backends.PodFailed:
			if o.failed == nil {
				o.failed = p
			}
		case p.SpecHash == spec:
			o.keep(p, &o.replicas[p.Ordinal].current)
		case p.State == backends.PodCreated:
			o.remove(p, "it never ran and is not wanted any more")
		default:
			o.keep(p, &o.replicas[p.Ordinal].old)
		}
	}
	for _, p := range changed {
		if c := o.replicas[p.Ordinal].current; c == nil || !o.overtaken(c) { // else it tells that c did not end by itself
			o.remove(p, "what failed has changed")
		}
	}
}

// byMerit orders pods by whether they are good, then by age. So the first of
// several current pods is the one to keep; and so is the first of several old
// ones: a younger one that is not good never was, or the older would be gone.
func (o *world) byMerit(a, b backends.Pod) int {
	if x, y := o.wants(a.Ordinal) && o.good(&a), o.wants(b.Ordinal) && o.good(&b); x != y {
		if x {
			return -1
		}
		return 1
	}
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}

// keep keeps the first pod in its place and removes every other.
func (o *world) keep(p *backends.Pod, place **backends.Pod) {
	if *place == nil {
		*place = p
		return
	}
	o.remove(p, "another pod stands for the same replica")
}

func (o *world) remove(p *backends.Pod, reason string) {
	o.surplus = append(o.surplus, step(Remove, p, reason))
}

func step(verb Verb, p *backends.Pod, reason string) Step {
	return Step{Verb: verb, Pod: p.ID, Ordinal: p.Ordinal, Reason: reason}
}

// good tells whether the pod is ready, or ended as it may.
func (o *world) good(p *backends.Pod) bool {
	ready, _ := p.Ready(o.now)
	return ready || p.Complete() && !o.overtaken(p)
}

// overtaken tells whether a pod that ended may have been stopped for another one
// of its replica, which was made after it started. Then its exit code says nothing.
func (o *world) overtaken(p *backends.Pod) bool {
	return p.State == backends.PodExited && p.StartedAt.Before(o.newest[p.Ordinal])
}

// wake notes that time alone may change something at t; zero is no time.
func (o *world) wake(t time.Time) {
	if t.After(o.now) && (o.again.IsZero() || t.Before(o.again)) {
		o.again = t
	}
}

// allGood tells whether every replica has a good current pod.
func (o *world) allGood() bool {
	return !slices.ContainsFunc(o.replicas, func(r replica) bool {
		return r.current == nil || !o.good(r.current)
	})
}
