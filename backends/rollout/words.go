package rollout

import (
	"fmt"

	"github.com/berthdev/berth/backends"
)

// pending says in words what is waited for.
func (o *world) pending() string {
	good, first := 0, ""
	for _, r := range o.replicas {
		switch {
		case r.current != nil && o.good(r.current):
			good++
		case first != "":
		case r.current != nil:
			first = fmt.Sprintf("; replica %d is %s", r.ordinal, describe(r.current))
		case r.going:
			first = fmt.Sprintf("; replica %d is being removed", r.ordinal)
		default:
			first = fmt.Sprintf("; replica %d is still to be made", r.ordinal)
		}
	}
	return fmt.Sprintf("%d of %d replicas ready%s", good, len(o.replicas), first)
}

// gaveUp says in words that the rollout was given up for one of its pods, and
// what runs instead.
func (o *world) gaveUp(p *backends.Pod, why string) string {
	text := fmt.Sprintf("%s %s was given up: replica %d: %s", o.w.Release, o.w.Flavour, p.Ordinal, why)
	for _, r := range o.replicas {
		if r.old == nil {
			continue
		}
		if ready, _ := r.old.Ready(o.now); ready {
			text += fmt.Sprintf("; %s %s runs on", r.old.Release, r.old.Flavour)
			break
		}
	}
	return text + "; not tried again until the input changes"
}

// describe says in words where a pod stands that is not good.
func describe(p *backends.Pod) string {
	why := ""
	if p.Reason != "" {
		why = ": " + p.Reason
	}
	switch p.State {
	case backends.PodCreated:
		return "made, not started" + why
	case backends.PodRestarting:
		return "crashing, it " + p.Ended() + why
	case backends.PodExited:
		return p.Ended() + why
	case backends.PodFailed:
		return p.GivenUp()
	case backends.PodPaused:
		return "paused"
	}
	switch p.Health {
	case backends.HealthUnhealthy:
		return "unhealthy" + why
	case backends.HealthStarting:
		return "running, not healthy yet" + why
	default:
		return "running, not ready yet" + why
	}
}
