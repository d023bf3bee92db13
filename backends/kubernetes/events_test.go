package kubernetes

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What happens to a pod is told, and whether its deployment is worse off. What a
// rollout brings with it is not worth a word, unless a container ends.
func TestPodChange(t *testing.T) {
	app := func(s corev1.ContainerStatus) *corev1.Pod {
		s.Name = containerName
		return &corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{s}}}
	}
	ended := func(code int32, reason string) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ContainerID: "one", ExitCode: code, Reason: reason}}
	}
	begun := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	made, runs, ready := &corev1.Pod{}, app(corev1.ContainerStatus{State: begun}), app(corev1.ContainerStatus{State: begun, Ready: true})
	again := app(corev1.ContainerStatus{State: begun, LastTerminationState: ended(1, "Error")})
	going := ready.DeepCopy()
	going.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	failed := &corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, Message: "The node was low on resource: memory."}}
	for _, test := range []struct {
		name    string
		was, is *corev1.Pod
		rollout bool
		words   string
		worse   bool
	}{
		{name: "made", is: made, words: "pod was made"},
		{name: "made by a rollout", is: made, rollout: true},
		{name: "started", was: made, is: runs, words: "container was started"},
		{name: "started by a rollout", was: made, is: runs, rollout: true},
		{name: "ready", was: runs, is: ready},
		{name: "not ready", was: ready, is: runs, words: "container is not ready any more", worse: true},
		{name: "ended", was: ready, is: app(corev1.ContainerStatus{State: ended(1, "Error")}), words: "container ended with exit code 1", worse: true},
		{name: "ended in a rollout", was: runs, is: app(corev1.ContainerStatus{State: ended(0, "Completed")}), rollout: true, words: "container ended with exit code 0", worse: true},
		{name: "out of memory", was: ready, is: app(corev1.ContainerStatus{State: ended(137, whyOOM)}), words: "container was killed for using more memory than it may", worse: true},
		{name: "ended and started at once", was: ready, is: again, words: "container ended with exit code 1", worse: true},
		{name: "the same end again", was: again, is: again},
		{name: "failed", was: ready, is: failed, words: "pod failed: The node was low on resource: memory", worse: true},
		{name: "removed", was: ready, words: "pod was removed", worse: true},
		{name: "removed at last", was: going},
		{name: "removed by a rollout", was: ready, rollout: true},
		{name: "being removed by a rollout", was: ready, is: going, rollout: true},
		{name: "being removed", was: ready, is: going, words: "pod is being removed", worse: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			words, worse := podChange(test.was, test.is, test.rollout)
			if words != test.words || worse != test.worse {
				t.Errorf("told %q, worse %t; want %q, %t", words, worse, test.words, test.worse)
			}
		})
	}
}
