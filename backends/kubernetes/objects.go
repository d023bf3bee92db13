package kubernetes

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// objects are what stands for a workload, each with its kind, all in one namespace.
type objects struct {
	Claims     []*corev1.PersistentVolumeClaim // of its named volumes; applied first
	Service    *corev1.Service                 // nil: it has no ports; one that is there is removed
	Deployment *appsv1.Deployment              // applied last, by way of decide
}

// history is how many old ReplicaSets are kept: the one that is gone back to when
// a rollout fails is among them, also after some that failed.
const history = 5

// The ports that a Service can take on every node, unless the cluster was told otherwise.
const (
	firstNodePort = 30000
	lastNodePort  = 32767
)

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// objects translates a workload. Errors are invalid: the workload can never run
// as it is declared.
func (s settings) objects(w backends.Workload) (objects, error) {
	if !dnsLabel.MatchString(w.Deployment) {
		return objects{}, refuse("the deployment", "use letters, digits and dashes", "its name is no DNS label")
	}
	if err := backends.Allowed(w, s.cfg.Allow); err != nil {
		return objects{}, err
	}
	template, err := s.template(w)
	if err != nil {
		return objects{}, err
	}
	meta := metav1.ObjectMeta{
		Namespace: s.namespaceOf(w.User), Name: w.Deployment, Labels: objectLabels(s.instance, w), Annotations: memory(w),
	}
	meta.Annotations[annotationApplied] = hashOf(&template)
	replicas, kept := int32(w.Replicas), int32(history)
	deadline := progressDeadline(w.Rollout)
	return objects{
		Claims:  s.claims(w),
		Service: s.service(w),
		Deployment: &appsv1.Deployment{
			TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
			ObjectMeta: meta,
			Spec: appsv1.DeploymentSpec{
				Replicas:                &replicas,
				RevisionHistoryLimit:    &kept,
				ProgressDeadlineSeconds: &deadline,
				MinReadySeconds:         seconds(w.Rollout.MinReady),
				Strategy:                s.strategy(w),
				Selector:                &metav1.LabelSelector{MatchLabels: selector(s.instance, w.Deployment)},
				Template:                template,
			},
		},
	}, nil
}

// progressDeadline is the rollout's timeout. Kubernetes wants it to be more than
// the time that a pod must stay ready, and takes the largest number for none.
func progressDeadline(r backends.Rollout) int32 {
	if r.Timeout <= 0 {
		return math.MaxInt32
	}
	return max(seconds(r.Timeout), seconds(r.MinReady)+1)
}

// strategy says how old pods are replaced. Rolling, a new pod is there before an
// old one goes, unless the old one holds what the new one needs.
func (s settings) strategy(w backends.Workload) appsv1.DeploymentStrategy {
	if w.Rollout.Strategy == schema.Recreate {
		return appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	}
	unavailable, surge := intstr.FromInt32(0), intstr.FromInt32(1)
	if s.exclusive(w) {
		unavailable, surge = surge, unavailable
	}
	return appsv1.DeploymentStrategy{
		Type:          appsv1.RollingUpdateDeploymentStrategyType,
		RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &unavailable, MaxSurge: &surge},
	}
}

// exclusive tells whether an old pod may hold what a new one needs: a port of the
// node, or a volume that one node mounts.
func (s settings) exclusive(w backends.Workload) bool {
	if w.Pod.Network == backends.NetworkHost {
		return len(w.Pod.Ports) > 0
	}
	return slices.ContainsFunc(w.Pod.Ports, onNode) ||
		s.access() == corev1.ReadWriteOnce && slices.ContainsFunc(w.Pod.Volumes, func(v schema.Volume) bool { return v.Name != "" })
}

// onNode tells whether a port is taken on the pod's node: a fixed host port that
// a Service cannot take for all nodes.
func onNode(p schema.Port) bool { return p.Host != 0 && !nodePort(p) }

func nodePort(p schema.Port) bool {
	return p.HostIP == "" && firstNodePort <= p.Host && p.Host <= lastNodePort
}

// service returns the Service by which others reach the deployment's pods, under
// its name and the container's ports.
func (s settings) service(w backends.Workload) *corev1.Service {
	spec := corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Selector: selector(s.instance, w.Deployment)}
	for _, p := range w.Pod.Ports {
		port := corev1.ServicePort{
			Name: portName(p), Protocol: protocol(p), Port: int32(p.Container), TargetPort: intstr.FromString(portName(p)),
		}
		if nodePort(p) {
			port.NodePort, spec.Type = int32(p.Host), corev1.ServiceTypeNodePort
		}
		at := slices.IndexFunc(spec.Ports, func(o corev1.ServicePort) bool { return o.Name == port.Name })
		switch {
		case at < 0:
			spec.Ports = append(spec.Ports, port)
		case spec.Ports[at].NodePort == 0:
			spec.Ports[at].NodePort = port.NodePort
		}
	}
	if len(spec.Ports) == 0 || w.Pod.Network == backends.NetworkNone {
		return nil
	}
	labels := objectLabels(s.instance, w)
	delete(labels, labelVersion) // it is the same for all releases
	return &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespaceOf(w.User), Name: serviceName(w.Deployment), Labels: labels,
			Annotations: map[string]string{annotationApplied: hashOf(&spec)},
		},
		Spec: spec,
	}
}

// serviceName is the deployment's name, by which its pods are found. The name of
// a Service begins with a letter.
func serviceName(deployment string) string {
	if c := deployment[0]; '0' <= c && c <= '9' {
		return dnsName("svc-"+deployment, maxName)
	}
	return deployment
}

// portName names a port by what it is: what the app speaks there is not known.
func portName(p schema.Port) string {
	name := "tcp"
	if p.Protocol == schema.UDP {
		name = "udp"
	}
	return fmt.Sprintf("%s-%d", name, p.Container)
}

func protocol(p schema.Port) corev1.Protocol {
	if p.Protocol == schema.UDP {
		return corev1.ProtocolUDP
	}
	return corev1.ProtocolTCP
}

// seconds rounds up to whole seconds.
func seconds(d time.Duration) int32 {
	return int32(min(math.Ceil(max(0, d.Seconds())), math.MaxInt32-1))
}

// refuse returns the error of a workload that can never run as it is declared.
func refuse(deployment, hint, format string, args ...any) error {
	return &schema.Error{Op: "run", Resource: deployment, Kind: schema.Invalid, Hint: hint, Err: fmt.Errorf(format, args...)}
}
