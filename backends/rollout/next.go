package rollout

import (
	"time"

	"github.com/berthdev/berth/backends"
)

// Next returns the steps to take now towards w, in order, given all pods of the
// deployment on this backend, and where it stands. It is pure.
//
// With no steps left, the progress is final until a pod changes or until
// Progress.Again. Progress.Pods are the given pods.
func Next(w backends.Workload, pods []backends.Pod, now time.Time) ([]Step, backends.Progress) {
	panic("next commit")
}
