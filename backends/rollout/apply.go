package rollout

import (
	"context"
	"time"

	"github.com/berthdev/berth/backends"
)

// An Engine takes steps.
type Engine interface {
	// Pods lists all pods of the deployment, as they are now: failed ones and
	// those being removed included.
	Pods(ctx context.Context, deployment string) ([]backends.Pod, error)

	// Take takes one step. That something is already as the step would make it
	// (the pod is gone, it runs) is no error. A pod that Create could make but not
	// start stays, as PodCreated with a Reason; it is given up next.
	Take(ctx context.Context, w backends.Workload, s Step) error
}

// Apply takes the steps that [Next] names on e until none is left, and tells
// where the workload then stands.
//
// No step is taken twice. One that fails holds back those that need it; others
// go on. The error joins what failed, unless the rollout was given up over it:
// then the progress says so.
func Apply(ctx context.Context, w backends.Workload, e Engine, now func() time.Time) (backends.Progress, error) {
	panic("next commit")
}
