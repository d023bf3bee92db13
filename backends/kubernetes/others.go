package kubernetes

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// unready returns the condition by which Kubernetes says that it does not take a pod
// for ready; nil: it says no such thing.
func unready(pod *corev1.Pod) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if c := &pod.Status.Conditions[i]; c.Type == corev1.PodReady && c.Status != corev1.ConditionTrue {
			return c
		}
	}
	return nil
}

// heldUp says what keeps a pod from being ready whose app is: a container or a gate
// that others added, or its node; empty: nothing does.
func heldUp(pod *corev1.Pod) string {
	if unready(pod) == nil {
		return ""
	}
	if why := troubleOfOthers(pod); why != "" {
		return why
	}
	for _, c := range others(pod) {
		if !c.Ready && c.State.Terminated == nil {
			return fmt.Sprintf("its container %s is not ready", c.Name)
		}
	}
	for _, gate := range pod.Spec.ReadinessGates {
		if !slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == gate.ConditionType && c.Status == corev1.ConditionTrue
		}) {
			return fmt.Sprintf("its readiness gate %s is not met", message(string(gate.ConditionType), "without a name"))
		}
	}
	return fmt.Sprintf("its node %s is not ready", pod.Spec.NodeName)
}

// troubleOfOthers says what is wrong with a container that others added to a pod,
// as a proxy beside the app or what prepares its start; empty: nothing is.
func troubleOfOthers(pod *corev1.Pod) string {
	for _, c := range others(pod) {
		wait, end := c.State.Waiting, lastEnd(&c)
		switch {
		case c.State.Running != nil, c.State.Terminated != nil && c.State.Terminated.ExitCode == 0:
		case wait != nil && unpullable[wait.Reason]:
			return fmt.Sprintf("the image %s of its container %s cannot be pulled: %s", c.Image, c.Name, message(wait.Message, wait.Reason))
		case wait != nil && unstartable[wait.Reason] && end == nil:
			return fmt.Sprintf("its container %s cannot be started: %s", c.Name, message(wait.Message, wait.Reason))
		case end != nil && neverStarted[end.Reason]:
			return fmt.Sprintf("its container %s cannot be started: %s", c.Name, message(end.Message, end.Reason))
		case end != nil:
			return fmt.Sprintf("its container %s is %s", c.Name, crashing(&c))
		}
	}
	return ""
}

// others returns what is known of the containers that Berth did not ask for, in the
// order in which they are started.
func others(pod *corev1.Pod) []corev1.ContainerStatus {
	all := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	return slices.DeleteFunc(all, func(c corev1.ContainerStatus) bool { return c.Name == containerName })
}
