package engine

import (
	"slices"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/planner"
)

// notAsked is the problem of a backend before the first answer or error.
const notAsked = "not asked yet"

// world is what was observed of the backends. The engine's mu guards it.
type world struct {
	backends []planner.Backend // in the order of the configuration
	pods     map[string][]backends.Pod
	// touched counts, for each deployment, the observations made by workers, so
	// that a list which began before one does not undo it.
	touched map[string]uint64
	clock   uint64
}

func newWorld(bs []Backend) world {
	w := world{pods: map[string][]backends.Pod{}, touched: map[string]uint64{}}
	for _, b := range bs {
		w.backends = append(w.backends, planner.Backend{
			Name: b.Name(), Type: b.Config.Type, Priority: b.Config.Priority, Problem: notAsked,
		})
	}
	return w
}

// listed takes in a whole list of a backend's pods, which was asked for at the
// given clock. It returns the deployments whose pods changed by it.
func (w *world) listed(backend int, capacity backends.Capacity, pods []backends.Pod, asked uint64) []string {
	b := &w.backends[backend]
	b.Capacity, b.Known, b.Problem = capacity, true, ""
	byName := map[string][]backends.Pod{}
	for _, p := range pods {
		byName[p.Deployment] = append(byName[p.Deployment], p)
	}
	for name := range w.pods {
		if _, seen := byName[name]; !seen {
			byName[name] = nil
		}
	}
	var changed []string
	for name, seen := range byName {
		if w.touched[name] <= asked && w.replace(b.Name, name, seen) {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return changed
}

// observed takes in the pods that a worker saw of one deployment, and tells
// whether anything changed by it.
func (w *world) observed(backend, deployment string, pods []backends.Pod) bool {
	w.clock++
	w.touched[deployment] = w.clock
	return w.replace(backend, deployment, pods)
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
	return !slices.EqualFunc(own, pods, samePod)
}

// samePod tells whether two observations of a pod say the same to the planner.
func samePod(a, b backends.Pod) bool {
	return a.ID == b.ID && a.State == b.State && a.Health == b.Health && a.StartedAt.Equal(b.StartedAt) &&
		a.Restarts == b.Restarts && a.Reason == b.Reason && slices.Equal(a.Endpoints, b.Endpoints)
}

// lost notes that a backend does not answer.
func (w *world) lost(backend int, why string) (news bool) {
	news = w.backends[backend].Problem != why
	w.backends[backend].Problem = why
	return news
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
	for _, p := range pods {
		if ok, _ := p.Ready(now); ok {
			n++
		}
	}
	return n
}
