package kubernetes

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// observation is what there is of one deployment, as the caches hold it. Other
// objects than its own must not be among it.
type observation struct {
	Deployment  *appsv1.Deployment // nil: there is none
	ReplicaSets []*appsv1.ReplicaSet
	Pods        []*corev1.Pod
	Services    []*corev1.Service
}

// revision is the annotation by which the controller counts ReplicaSets.
const revision = "deployment.kubernetes.io/revision"

// owns tells whether a ReplicaSet is of the Deployment that is there.
func (o observation) owns(r *appsv1.ReplicaSet) bool {
	owner := metav1.GetControllerOf(r)
	return o.Deployment != nil && owner != nil && owner.UID == o.Deployment.UID
}

func revisionOf(r *appsv1.ReplicaSet) int {
	n, err := strconv.Atoi(r.Annotations[revision])
	if err != nil {
		return 0
	}
	return n
}

// pods returns the pods of a deployment, by ordinal: those of each ReplicaSet are
// counted by age. If no pod is there but the Deployment is, it stands for them, as
// backends.PodAbsent. What remembers a rollout that was given up is among them.
// Pods that ended for good are left out: Kubernetes has replaced them.
func (s settings) pods(o observation) []backends.Pod {
	live, going := s.split(o)
	out := slices.Concat(live, going)
	if f := o.failure(); f != nil {
		kept := false
		for i := range live {
			if live[i].SpecHash == f.spec && !serves(&out[i]) {
				out[i].State, out[i].InputHash, out[i].Reason = backends.PodFailed, f.input, f.reason
				out[i].ExitCode = cmp.Or(out[i].ExitCode, f.exitCode)
				kept = true
			}
		}
		if !kept && !o.recovered(live, f) {
			out = append(out, s.given(o, f))
		}
	}
	if len(live) == 0 && o.Deployment != nil {
		d := o.Deployment
		p := remembered(d, &d.Spec.Template, d.Spec.MinReadySeconds)
		p.ID, p.Name, p.CreatedAt, p.State = string(d.UID), d.Name, d.CreationTimestamp.Time, backends.PodAbsent
		out = append(out, p)
	}
	for i := range out {
		out[i].Backend = s.cfg.Name
	}
	slices.SortStableFunc(out, func(a, b backends.Pod) int {
		return cmp.Or(cmp.Compare(a.Ordinal, b.Ordinal), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// split returns the pods that stay and those that are going, each with its ordinal.
func (s settings) split(o observation) (live, going []backends.Pod) {
	pods := slices.Clone(o.Pods)
	slices.SortFunc(pods, func(a, b *corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	next := map[string]int{}
	for _, pod := range pods {
		if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
			continue
		}
		set := o.setOf(pod)
		p := s.pod(pod, set)
		p.Endpoints = s.endpoints(pod, o.Services)
		if set != nil && o.edited(set) {
			p.SpecHash = ""
		}
		owner := ""
		if set != nil {
			owner = string(set.UID)
		}
		if p.State == backends.PodGoing {
			p.Ordinal = len(going)
			going = append(going, p)
			continue
		}
		p.Ordinal = next[owner]
		next[owner]++
		live = append(live, p)
	}
	return live, going
}

// edited tells whether a ReplicaSet is of a template that somebody else made of
// Berth's: a later one of the same specification is there.
func (o observation) edited(set *appsv1.ReplicaSet) bool {
	spec := set.Annotations[annotationSpecHash]
	return slices.ContainsFunc(o.ReplicaSets, func(r *appsv1.ReplicaSet) bool {
		return r.Annotations[annotationSpecHash] == spec && revisionOf(r) > revisionOf(set)
	})
}

// setOf returns the ReplicaSet that a pod belongs to; nil: it is not known.
func (o observation) setOf(pod *corev1.Pod) *appsv1.ReplicaSet {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return nil
	}
	at := slices.IndexFunc(o.ReplicaSets, func(r *appsv1.ReplicaSet) bool { return r.UID == owner.UID })
	if at < 0 {
		return nil
	}
	return o.ReplicaSets[at]
}

// pod returns one pod, with what its ReplicaSet remembers.
func (s settings) pod(pod *corev1.Pod, set *appsv1.ReplicaSet) backends.Pod {
	p := backends.Pod{Restart: schema.RestartUnlessStopped}
	if set != nil {
		p = remembered(set, &set.Spec.Template, set.Spec.MinReadySeconds)
	}
	p.Deployment = pod.Labels[labelDeployment]
	p.ID, p.Name, p.CreatedAt = string(pod.UID), pod.Name, pod.CreationTimestamp.Time
	p.GPUs = heldGPUs(pod)
	p.State, p.Reason = stateOf(pod)
	if c := appStatus(pod); c != nil {
		p.Digest = digest(c.ImageID)
		p.Restarts = int(c.RestartCount)
		p.StartedAt = startedAt(c)
		if t := lastEnd(c); t != nil {
			p.ExitCode = int(t.ExitCode)
		}
		p.Health = health(pod, c)
	}
	return p
}

// appStatus returns what is known of the container that Berth asked for.
func appStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	for i := range pod.Status.ContainerStatuses {
		if pod.Status.ContainerStatuses[i].Name == containerName {
			return &pod.Status.ContainerStatuses[i]
		}
	}
	return nil
}

// startedAt returns when the container was started last. One that could not be
// started says the beginning of the epoch, which is never.
func startedAt(c *corev1.ContainerStatus) time.Time {
	var at time.Time
	if c.State.Running != nil {
		at = c.State.Running.StartedAt.Time
	} else if end := lastEnd(c); end != nil {
		at = end.StartedAt.Time
	}
	if at.Unix() <= 0 {
		return time.Time{}
	}
	return at
}

// lastEnd returns how the container ended last; nil: it never did.
func lastEnd(c *corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	if c.State.Terminated != nil {
		return c.State.Terminated
	}
	return c.LastTerminationState.Terminated
}

// health tells what the probes say, and whether Kubernetes takes the pod for ready for
// all else. Before the startup probe succeeded, and until the pod was ready once since
// the container was started, it is starting.
func health(pod *corev1.Pod, c *corev1.ContainerStatus) backends.Health {
	app := appContainer(pod.Spec.Containers)
	switch held := unready(pod); {
	case held != nil && c.Ready && c.State.Running != nil:
		if held.LastTransitionTime.After(c.State.Running.StartedAt.Time) {
			return backends.HealthUnhealthy
		}
		return backends.HealthStarting
	case app == nil || app.ReadinessProbe == nil:
		return backends.HealthNone
	case c.Ready:
		return backends.HealthHealthy
	case c.Started == nil || !*c.Started || c.State.Running == nil:
		return backends.HealthStarting
	}
	for _, cond := range pod.Status.Conditions {
		if cond.Type == corev1.ContainersReady && cond.LastTransitionTime.After(c.State.Running.StartedAt.Time) {
			return backends.HealthUnhealthy
		}
	}
	return backends.HealthStarting
}

// serves tells whether Kubernetes takes the pod for ready.
func serves(p *backends.Pod) bool {
	return p.State == backends.PodRunning && (p.Health == backends.HealthNone || p.Health == backends.HealthHealthy)
}

// digest returns what the image resolved to.
func digest(imageID string) string {
	if i := strings.LastIndex(imageID, "sha256:"); i >= 0 {
		return imageID[i:]
	}
	return ""
}

// heldGPUs names as many of the node's GPUs as the pod holds: which ones, nobody tells.
func heldGPUs(pod *corev1.Pod) []string {
	c := appContainer(pod.Spec.Containers)
	if c == nil {
		return nil
	}
	var ids []string
	for _, r := range gpuResources {
		n := c.Resources.Limits[r.name]
		for i := range min(n.Value(), maxGPUs) {
			ids = append(ids, gpuID(cmp.Or(pod.Spec.NodeName, "cluster"), r.vendor, int(i)))
		}
	}
	return ids
}

// endpoints are where a pod answers: at its own address in the cluster, or at the
// node's where it takes a port of it, or its Service a port of every node.
func (s settings) endpoints(pod *corev1.Pod, services []*corev1.Service) []backends.Endpoint {
	c := appContainer(pod.Spec.Containers)
	if c == nil || pod.Status.PodIP == "" {
		return nil
	}
	var out []backends.Endpoint
	for _, p := range c.Ports {
		e := backends.Endpoint{
			Host: pod.Status.PodIP, Port: uint16(p.ContainerPort), Container: uint16(p.ContainerPort), //nolint:gosec // the server checks ports
			Protocol: schema.Protocol(strings.ToLower(string(p.Protocol))),
		}
		port, on := p.HostPort, p.HostIP
		if port == 0 {
			port, on = nodePortOf(services, p.Name), ""
		}
		if port != 0 && !pod.Spec.HostNetwork {
			e.Host, e.Port = cmp.Or(s.cfg.Address, on, pod.Status.HostIP), uint16(port) //nolint:gosec // the server checks ports
		}
		out = append(out, e)
	}
	return out
}

// nodePortOf returns the port that Services take on every node for a container's
// port of a name; 0: none.
func nodePortOf(services []*corev1.Service, name string) int32 {
	for _, s := range services {
		for _, p := range s.Spec.Ports {
			if p.NodePort != 0 && name != "" && p.TargetPort.StrVal == name {
				return p.NodePort
			}
		}
	}
	return 0
}

// given returns the pod that stands for a rollout that was given up and whose pods are gone.
func (s settings) given(o observation, f *failure) backends.Pod {
	name, uid, _ := strings.Cut(f.pod, "/")
	return backends.Pod{
		ID: cmp.Or(uid, fmt.Sprintf("%s/%s", o.Deployment.UID, f.at.UTC().Format(time.RFC3339))), Name: cmp.Or(name, o.Deployment.Name),
		Deployment: o.Deployment.Labels[labelDeployment], App: o.Deployment.Annotations[annotationApp],
		Release: f.release, Flavour: f.flavour, Image: f.image, SpecHash: f.spec, InputHash: f.input,
		Restart: schema.RestartUnlessStopped, State: backends.PodFailed, Reason: f.reason, ExitCode: f.exitCode,
		CreatedAt: f.at, StartedAt: f.at,
	}
}
