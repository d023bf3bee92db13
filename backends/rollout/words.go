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

// describeFailed says in words why a rollout failed, as its failed pod tells.
func describeFailed(p *backends.Pod) string {
	return fmt.Sprintf("replica %d: %s; not tried again until the input changes", p.Ordinal, describe(p))
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
		return "crashing, it " + ended(p) + why
	case backends.PodExited:
		return ended(p) + why
	case backends.PodFailed:
		return describeGivenUp(p)
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

func describeGivenUp(p *backends.Pod) string {
	switch {
	case p.Reason != "":
		return p.Reason
	case p.Health == backends.HealthUnhealthy:
		return "unhealthy"
	case p.ExitCode != 0:
		return ended(p)
	default:
		return "not ready in time"
	}
}

// ended says how a container ended, and how often, if its engine started it again.
func ended(p *backends.Pod) string {
	text := fmt.Sprintf("ended with exit code %d", p.ExitCode)
	if p.Restarts > 0 {
		text += fmt.Sprintf(" (%d times)", p.Restarts+1)
	}
	return text
}
