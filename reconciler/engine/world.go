package engine

import (
	"maps"
	"slices"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/planner"
)

// notAsked is the problem of a backend before the first answer or error.
const notAsked = "not asked yet"

// world is what was observed of the backends. The engine's mu guards it.
type world struct {
	backends []planner.Backend         // in the order of the configuration
	pods     map[string][]backends.Pod // a list is replaced, never changed
	seen     []sightings               // by backend
	clock    uint64
	unseen   map[string]bool // deployments of which the view does not show what is known now
}

// sightings are what workers saw of a backend since it was listed last.
type sightings struct {
	// touched tells when, by the world's clock, so that a list which began before
	// does not undo it.
	touched map[string]uint64
	// unsure are the deployments of which work was cut off: what it left is not known.
	unsure map[string]bool
	// heard tells when an event told of a pod's change that nobody has looked at.
	heard map[string]uint64
}

func newWorld(bs []Backend) world {
	w := world{pods: map[string][]backends.Pod{}, unseen: map[string]bool{}}
	for _, b := range bs {
		w.backends = append(w.backends, planner.Backend{
			Name: b.Name(), Type: b.Config.Type, Priority: b.Config.Priority, Problem: notAsked,
		})
		w.seen = append(w.seen, sightings{touched: map[string]uint64{}, unsure: map[string]bool{}, heard: map[string]uint64{}})
	}
	return w
}

// listed takes in a whole list of a backend's pods, which was asked for at the
// given clock. It returns the deployments about which anything changed by it.
func (w *world) listed(backend int, capacity backends.Capacity, pods []backends.Pod, asked uint64) []string {
	b, seen := &w.backends[backend], &w.seen[backend]
	b.Capacity, b.Known, b.Problem = capacity, true, ""
	byName := map[string][]backends.Pod{}
	for _, p := range pods {
		byName[p.Deployment] = append(byName[p.Deployment], p)
	}
	for name := range w.pods {
		if _, found := byName[name]; !found {
			byName[name] = nil
		}
	}
	for name := range seen.unsure {
		if _, found := byName[name]; !found {
			byName[name] = nil
		}
	}
	var changed []string
	for name, found := range byName {
		if seen.touched[name] > asked {
			continue
		}
		news := w.replace(b.Name, name, found)
		if news || seen.unsure[name] {
			changed = append(changed, name)
		}
		delete(seen.touched, name)
		delete(seen.unsure, name)
	}
	past := func(_ string, at uint64) bool { return at <= asked }
	maps.DeleteFunc(seen.touched, past)
	maps.DeleteFunc(seen.heard, past)
	slices.Sort(changed)
	return changed
}

// alsoOn returns another backend that was seen to have one of a backend's pods: then
// both are one engine, and what is removed from the one would be gone from the other.
// Empty: there is none.
func (w *world) alsoOn(backend int, pods []backends.Pod) string {
	name := w.backends[backend].Name
	for i := range pods {
		p := &pods[i]
		for _, o := range w.pods[p.Deployment] {
			if o.Backend != name && p.State != backends.PodAbsent && o.ID == p.ID && o.CreatedAt.Equal(p.CreatedAt) {
				return o.Backend
			}
		}
	}
	return ""
}

// observed takes in the pods that a worker saw of one deployment, which it began
// to look at at the given clock, and tells whether anything changed by it.
func (w *world) observed(backend int, deployment string, pods []backends.Pod, began uint64) bool {
	seen := &w.seen[backend]
	if seen.heard[deployment] <= began {
		delete(seen.heard, deployment)
	}
	w.touch(backend, deployment)
	delete(seen.unsure, deployment)
	return w.replace(w.backends[backend].Name, deployment, pods)
}

// forgot notes that the failed pods of one deployment were removed.
func (w *world) forgot(backend int, deployment string) {
	w.touch(backend, deployment)
	name := w.backends[backend].Name
	w.replace(name, deployment, slices.DeleteFunc(w.podsOn(name, deployment), func(p backends.Pod) bool {
		return p.State == backends.PodFailed
	}))
}

// lostTrack notes that a worker cannot tell what it left of one deployment.
func (w *world) lostTrack(backend int, deployment string) {
	w.touch(backend, deployment)
	w.seen[backend].unsure[deployment] = true
}

// hear notes that a pod of one deployment changed.
func (w *world) hear(backend int, deployment string) {
	w.clock++
	w.seen[backend].heard[deployment] = w.clock
}

// outdated tells whether pods of the deployment changed since it was looked at.
func (w *world) outdated(deployment string) bool {
	return slices.ContainsFunc(w.seen, func(s sightings) bool { return s.heard[deployment] > 0 })
}

// anyOutdated returns a deployment whose pods changed since it was looked at, the
// first by name; empty: there is none.
func (w *world) anyOutdated() string {
	first := ""
	for _, s := range w.seen {
		for name := range s.heard {
			if first == "" || name < first {
				first = name
			}
		}
	}
	return first
}

func (w *world) touch(backend int, deployment string) {
	w.clock++
	w.seen[backend].touched[deployment] = w.clock
}

func (w *world) replace(backend, deployment string, pods []backends.Pod) bool {
	before := w.pods[deployment]
	after := make([]backends.Pod, 0, len(pods)+len(before))
	var own []backends.Pod
	for _, p := range before {
		if p.Backend == backend {
			own = append(own, p)
		} else {
			after = append(after, p)
		}
	}
	after = append(after, pods...)
	if len(after) == 0 {
		delete(w.pods, deployment)
	} else {
		w.pods[deployment] = after
	}
	if !slices.EqualFunc(own, pods, sameSight) {
		w.unseen[deployment] = true
	}
	return !slices.EqualFunc(own, pods, samePod)
}

// sameSight tells whether two observations of a pod say the same to a reader.
func sameSight(a, b backends.Pod) bool {
	return samePod(a, b) && a.Name == b.Name && a.ExitCode == b.ExitCode && a.Digest == b.Digest && slices.Equal(a.GPUs, b.GPUs) &&
		a.Ordinal == b.Ordinal && a.CreatedAt.Equal(b.CreatedAt)
}

// samePod tells whether two observations of a pod say the same to the planner. A
// pod is what it was made of, but an object that stands for pods may change.
func samePod(a, b backends.Pod) bool {
	return a.ID == b.ID && a.State == b.State && a.SpecHash == b.SpecHash && a.InputHash == b.InputHash && a.Health == b.Health && a.StartedAt.Equal(b.StartedAt) &&
		a.Restarts == b.Restarts && a.Reason == b.Reason && slices.Equal(a.Endpoints, b.Endpoints)
}

// problem tells why a backend does not answer; empty: it does.
func (w *world) problem(backend string) string {
	for i := range w.backends {
		if w.backends[i].Name == backend {
			return w.backends[i].Problem
		}
	}
	return ""
}

// orchestrated tells whether a backend's engine keeps pods by an object of its own.
func (w *world) orchestrated(backend string) bool {
	return slices.ContainsFunc(w.backends, func(b planner.Backend) bool { return b.Name == backend && b.Capacity.Orchestrates })
}

// asked tells whether every backend was asked once, whatever came of it.
func (w *world) asked() bool {
	return !slices.ContainsFunc(w.backends, func(b planner.Backend) bool { return b.Problem == notAsked })
}

// podsOn returns the deployment's pods on one backend.
func (w *world) podsOn(backend, deployment string) []backends.Pod {
	var out []backends.Pod
	for _, p := range w.pods[deployment] {
		if p.Backend == backend {
			out = append(out, p)
		}
	}
	return out
}

// ready counts the pods that are ready at now.
func ready(pods []backends.Pod, now time.Time) int {
	n := 0
	for i := range pods {
		if ok, _ := pods[i].Ready(now); ok {
			n++
		}
	}
	return n
}

// good counts the pods that are as they should be at now: ready, or at their end
// with success where they are not to be started again.
func good(pods []backends.Pod, now time.Time) int {
	n := ready(pods, now)
	for i := range pods {
		if pods[i].Complete() {
			n++
		}
	}
	return n
}

// readyByTime returns when the next of the pods becomes ready by time alone;
// zero: none does.
func readyByTime(pods []backends.Pod, now time.Time) (next time.Time) {
	for i := range pods {
		if _, at := pods[i].Ready(now); !at.IsZero() {
			next = earlier(next, at)
		}
	}
	return next
}

// earlier returns the earlier of two times; zero is no time.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
