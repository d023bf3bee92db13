package backends

import "fmt"

// Ended says in words how the pod's container ended, and how often, if its
// engine started it again.
func (p Pod) Ended() string {
	text := fmt.Sprintf("ended with exit code %d", p.ExitCode)
	if p.Restarts > 0 {
		text += fmt.Sprintf(" (%d times)", p.Restarts+1)
	}
	return text
}

// GivenUp says in words why a pod was given up by a rollout, as far as it tells.
func (p Pod) GivenUp() string {
	switch {
	case p.Reason != "":
		return p.Reason
	case p.Trouble != "":
		return "it could not be started: " + p.Trouble
	case p.Health == HealthUnhealthy:
		return "unhealthy"
	case p.ExitCode != 0:
		return p.Ended()
	default:
		return "not ready in time"
	}
}
