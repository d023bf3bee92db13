package kubernetes

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

const (
	// containerName is the name of a pod's one container.
	containerName = "app"
	// drain is how long a pod with ports goes on serving after it was told to go:
	// until then, others may still be sent to it.
	drain = 5 * time.Second
)

// template returns what pods are made of. It follows from the pod's specification
// and the configuration alone: what says how pods are rolled must not be in it,
// or to change that would replace them.
func (s settings) template(w backends.Workload) (corev1.PodTemplateSpec, error) {
	p := w.Pod
	if err := possible(w); err != nil {
		return corev1.PodTemplateSpec{}, err
	}
	security, err := podSecurity(w)
	if err != nil {
		return corev1.PodTemplateSpec{}, err
	}
	no := false
	volumes, mounts := mountsOf(w)
	grace := int64(seconds(p.StopGracePeriod))
	c := corev1.Container{
		Name:            containerName,
		Image:           p.Image,
		ImagePullPolicy: pullPolicy(p.Pull),
		Command:         literal(p.Command),
		Args:            literal(p.Args),
		WorkingDir:      p.Workdir,
		Env:             environment(p.Env),
		Ports:           containerPorts(p),
		VolumeMounts:    mounts,
		Resources:       withNeeds(resources(p), p),
		SecurityContext: containerSecurity(p),
	}
	c.StartupProbe, c.ReadinessProbe = probes(p.Healthcheck)
	if len(c.Ports) > 0 {
		c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: int64(drain.Seconds())}}}
		grace += int64(drain.Seconds())
	}
	spec := corev1.PodSpec{
		AutomountServiceAccountToken:  &no,
		EnableServiceLinks:            &no,
		ServiceAccountName:            s.cfg.ServiceAccount,
		DeprecatedServiceAccount:      s.cfg.ServiceAccount, // the server sets it too: what Berth does not own, it cannot take away
		ImagePullSecrets:              pullSecrets(s.cfg.ImagePullSecrets),
		TerminationGracePeriodSeconds: &grace,
		SecurityContext:               security,
		Containers:                    []corev1.Container{c},
		Volumes:                       volumes,
		Tolerations:                   s.tolerations(p),
		NodeSelector:                  s.nodeSelector(p),
		Affinity:                      s.affinity(p),
	}
	if p.Network == backends.NetworkHost {
		spec.HostNetwork, spec.DNSPolicy = true, corev1.DNSClusterFirstWithHostNet
	}
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: selector(s.instance, w.Deployment)}, Spec: spec}, nil
}

// possible refuses what a Deployment's pods cannot do.
func possible(w backends.Workload) error {
	p := w.Pod
	switch {
	case p.Network == backends.NetworkNone:
		return refuse(w.Deployment, "leave network out, or name a Docker backend", "Kubernetes knows no pod without a network")
	case p.Restart == schema.RestartNo, p.Restart == schema.RestartOnFailure:
		return refuse(w.Deployment, "leave restart out, or name a Docker backend",
			"restart: %s cannot be had: a Deployment's containers are started again whenever they end", p.Restart)
	}
	for name := range p.Env { // the server's error would print the value
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return refuse(w.Deployment, `a name has no "=" in it`, "the environment variable %q has no usable name", name)
		}
	}
	return nil
}

// environment returns the variables in a fixed order.
func environment(env map[string]string) []corev1.EnvVar {
	vars := make([]corev1.EnvVar, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		vars = append(vars, corev1.EnvVar{Name: name, Value: plainText(env[name])})
	}
	return vars
}

func literal(words []string) []string {
	var out []string
	for _, w := range words {
		out = append(out, plainText(w))
	}
	return out
}

// plainText keeps Kubernetes from replacing $(NAME) in a value, and $$ by $:
// only a $ before one of the two must be doubled.
func plainText(s string) string {
	if !strings.Contains(s, "$(") && !strings.Contains(s, "$$") {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		b.WriteByte(s[i])
		if s[i] == '$' && i+1 < len(s) && (s[i+1] == '(' || s[i+1] == '$') {
			b.WriteByte('$')
		}
	}
	return b.String()
}

// containerPorts returns the ports that the container serves. One that must be
// taken on the node is; on the node's own network they all are already.
func containerPorts(p backends.PodSpec) []corev1.ContainerPort {
	var out []corev1.ContainerPort
	for _, port := range p.Ports {
		c := corev1.ContainerPort{Name: portName(port), ContainerPort: int32(port.Container), Protocol: protocol(port)}
		if onNode(port) && p.Network == "" {
			c.HostPort, c.HostIP = int32(port.Host), port.HostIP
		}
		at := slices.IndexFunc(out, func(o corev1.ContainerPort) bool { return o.Name == c.Name })
		switch {
		case at < 0:
			out = append(out, c)
		case out[at].HostPort == 0:
			out[at].HostPort, out[at].HostIP = c.HostPort, c.HostIP
		}
	}
	return out
}

// resources returns what the container may use, which is also set aside for it.
func resources(p backends.PodSpec) corev1.ResourceRequirements {
	var r corev1.ResourceRequirements
	set := func(list *corev1.ResourceList, name corev1.ResourceName, q resource.Quantity) {
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[name] = q
	}
	if p.CPU > 0 {
		set(&r.Requests, corev1.ResourceCPU, *resource.NewMilliQuantity(int64(p.CPU), resource.DecimalSI))
		set(&r.Limits, corev1.ResourceCPU, *resource.NewMilliQuantity(int64(p.CPU), resource.DecimalSI))
	}
	if p.Memory > 0 {
		set(&r.Requests, corev1.ResourceMemory, amount(p.Memory))
		set(&r.Limits, corev1.ResourceMemory, amount(p.Memory))
	}
	if p.GPUs > 0 {
		set(&r.Limits, gpuResource(p.GPUVendor), *resource.NewQuantity(int64(p.GPUs), resource.DecimalSI))
	}
	return r
}

// amount writes an amount with the unit that it was most likely written with.
func amount(b schema.Bytes) resource.Quantity {
	format := resource.DecimalSI
	if b%1024 == 0 && b%1000 != 0 {
		format = resource.BinarySI
	}
	return *resource.NewQuantity(int64(b), format)
}

func pullPolicy(p schema.PullPolicy) corev1.PullPolicy {
	switch p {
	case schema.PullAlways:
		return corev1.PullAlways
	case schema.PullNever:
		return corev1.PullNever
	default:
		return corev1.PullIfNotPresent
	}
}

func pullSecrets(names []string) []corev1.LocalObjectReference {
	var out []corev1.LocalObjectReference
	for _, name := range names {
		out = append(out, corev1.LocalObjectReference{Name: name})
	}
	return out
}

// podSecurity returns as whom the pod runs. A container engine's own filter of
// system calls is what Docker gives every container; Kubernetes only if asked.
// Named volumes belong to the pod's group, or to its user's, as far as they are
// known by number.
func podSecurity(w backends.Workload) (*corev1.PodSecurityContext, error) {
	s := &corev1.PodSecurityContext{}
	if !w.Pod.Privileged {
		s.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
	}
	if w.Pod.User != "" {
		user, group, hasGroup := strings.Cut(w.Pod.User, ":")
		uid, err := id(w, user)
		if err != nil {
			return nil, err
		}
		s.RunAsUser = uid
		owner := uid
		if hasGroup {
			if s.RunAsGroup, err = id(w, group); err != nil {
				return nil, err
			}
			owner = s.RunAsGroup
		}
		if *uid != 0 {
			yes := true
			s.RunAsNonRoot = &yes
			if slices.ContainsFunc(w.Pod.Volumes, func(v schema.Volume) bool { return v.Name != "" }) {
				once := corev1.FSGroupChangeOnRootMismatch
				s.FSGroup, s.FSGroupChangePolicy = owner, &once
			}
		}
	}
	if s.SeccompProfile == nil && s.RunAsUser == nil {
		return nil, nil //nolint:nilnil // the pod needs none
	}
	return s, nil
}

// id reads a user or group of a container.
func id(w backends.Workload, text string) (*int64, error) {
	if text == "root" {
		text = "0"
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return nil, refuse(w.Deployment, "write it as 1000 or 1000:1000, in the flavour's user or the deployment's runAs",
			"Kubernetes knows users by number only, not %q", text)
	}
	return &n, nil
}

// containerSecurity returns what the container may do: as on Docker, no more than
// it had when it started.
func containerSecurity(p backends.PodSpec) *corev1.SecurityContext {
	if p.Privileged {
		yes := true
		return &corev1.SecurityContext{Privileged: &yes}
	}
	add, drop := backends.CapabilitySets(p.Capabilities)
	s := &corev1.SecurityContext{Capabilities: &corev1.Capabilities{}}
	for _, c := range add {
		s.Capabilities.Add = append(s.Capabilities.Add, corev1.Capability(c))
	}
	for _, c := range drop {
		s.Capabilities.Drop = append(s.Capabilities.Drop, corev1.Capability(c))
	}
	if !slices.Contains(add, "SYS_ADMIN") && !slices.Contains(add, "ALL") { // with these, Kubernetes takes escalation as given
		no := false
		s.AllowPrivilegeEscalation = &no
	}
	return s
}
