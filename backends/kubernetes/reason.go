package kubernetes

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/berthdev/berth/backends"
)

// whyOOM is the kubelet's reason for a container that was killed for its memory.
const whyOOM = "OOMKilled"

// unpullable are the kubelet's reasons for an image that it has not.
var unpullable = map[string]bool{
	"ErrImagePull": true, "ImagePullBackOff": true, "InvalidImageName": true, "ErrImageNeverPull": true,
	"ImageInspectError": true, "RegistryUnavailable": true, "SignatureValidationFailed": true,
}

// unstartable are its reasons for a container that cannot be started as it is declared.
var unstartable = map[string]bool{
	"CreateContainerConfigError": true, "CreateContainerError": true, "RunContainerError": true, "PostStartHookError": true,
}

// neverStarted are its reasons for a container that ended without having run: its
// command is not there, for one.
var neverStarted = map[string]bool{"StartError": true, "ContainerCannotRun": true}

// stateOf tells where a pod stands, and why in words where it does not run. It
// tells nothing that the app itself wrote: that may hold a secret.
func stateOf(pod *corev1.Pod) (backends.PodState, string) {
	if pod.DeletionTimestamp != nil {
		return backends.PodGoing, ""
	}
	if why := unscheduled(pod); why != "" {
		return backends.PodCreated, why
	}
	c := appStatus(pod)
	if c == nil {
		return backends.PodCreated, ""
	}
	switch {
	case c.State.Running != nil && c.Ready:
		return backends.PodRunning, cmp.Or(heldUp(pod), ranBefore(c))
	case c.State.Running != nil:
		return backends.PodRunning, ranBefore(c)
	case c.State.Terminated != nil:
		return backends.PodRestarting, crashing(c)
	case c.State.Waiting == nil:
		return backends.PodCreated, ""
	}
	w := c.State.Waiting
	end := lastEnd(c)
	switch {
	case unpullable[w.Reason]:
		return backends.PodCreated, fmt.Sprintf("the image %s cannot be pulled: %s", c.Image, message(w.Message, w.Reason))
	case unstartable[w.Reason] && end == nil:
		return backends.PodCreated, "it cannot be started: " + message(w.Message, w.Reason)
	case end != nil:
		return backends.PodRestarting, crashing(c)
	}
	return backends.PodCreated, troubleOfOthers(pod)
}

// unscheduled says why no node takes the pod; empty: one does, or none was sought yet.
func unscheduled(pod *corev1.Pod) string {
	for _, cond := range pod.Status.Conditions {
		if cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionFalse && cond.Reason == corev1.PodReasonUnschedulable {
			return "no node fits: " + message(cond.Message, "none is told to be free")
		}
	}
	return ""
}

// crashing says how a container ended, and how often.
func crashing(c *corev1.ContainerStatus) string {
	t := lastEnd(c)
	if t == nil {
		return "crashing"
	}
	times := ""
	if c.RestartCount > 0 {
		times = fmt.Sprintf(" (%d times)", c.RestartCount+1)
	}
	switch {
	case neverStarted[t.Reason]:
		return "it cannot be started: " + message(t.Message, t.Reason)
	case t.Reason == whyOOM:
		return "crashing, it was killed for using more memory than it may" + times
	case t.Signal != 0:
		return fmt.Sprintf("crashing, it was ended by signal %d%s", t.Signal, times)
	default:
		return fmt.Sprintf("crashing, it ended with exit code %d%s", t.ExitCode, times)
	}
}

// ranBefore says why a container that runs was started again; empty: it was not,
// or by itself.
func ranBefore(c *corev1.ContainerStatus) string {
	if t := c.LastTerminationState.Terminated; t != nil && t.Reason == whyOOM {
		return "it was killed for using more memory than it may, and started again"
	}
	return ""
}

// noise is what messages say of Kubernetes' own ways, and nothing of the cause.
var noise = []*regexp.Regexp{
	regexp.MustCompile(`^Back-off pulling image "[^"]*": `),
	regexp.MustCompile(`\b(?:ErrImagePull|ImagePullBackOff): `),
	regexp.MustCompile(`failed to (?:pull and unpack image|resolve reference|resolve image) "[^"]*": `),
	regexp.MustCompile(`(?:rpc error: )?code = \w+ desc = `),
	regexp.MustCompile(`^.*unable to start container process: `),
	regexp.MustCompile(`: unknown$`),
	regexp.MustCompile(`^(\d+/\d+ nodes are available: [^.]*)\. .*$`), // what it tried to make room; keeps the first sentence
}

// message returns what Kubernetes says, on one line and bounded, or otherwise.
func message(text, otherwise string) string {
	const most = 300
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	for _, re := range noise {
		text = re.ReplaceAllString(text, "$1")
	}
	text = strings.TrimSuffix(strings.TrimSpace(text), ".")
	if text == "" {
		return otherwise
	}
	return clip(text, most)
}

// describe says in words where a pod stands that does not serve.
func describe(p *backends.Pod) string {
	if p.Reason != "" {
		return p.Reason
	}
	switch {
	case p.State == backends.PodCreated:
		return "being started"
	case p.State == backends.PodRestarting:
		return "crashing"
	case p.Health == backends.HealthUnhealthy:
		return "unhealthy"
	case p.Health == backends.HealthStarting:
		return "running, not healthy yet"
	default:
		return "running, not ready yet"
	}
}
