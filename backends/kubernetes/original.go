package kubernetes

import (
	"cmp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// original returns the template that was applied with these annotations of a
// Deployment, which somebody may have edited since; nil: it is not known any more. An
// edit mostly makes a ReplicaSet that is newer than the one of what Berth applied, but
// may find one of an older release again: what the specification says of the app
// tells.
func (o observation) original(notes map[string]string, app corev1.Container) *corev1.PodTemplateSpec {
	var found []*appsv1.ReplicaSet
	for _, r := range o.ReplicaSets {
		c := appContainer(r.Spec.Template.Spec.Containers)
		if o.owns(r) && r.Annotations[annotationSpecHash] == notes[annotationSpecHash] &&
			r.Annotations[annotationApplied] == notes[annotationApplied] && c != nil && c.Image == app.Image {
			found = append(found, r)
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.SortFunc(found, func(a, b *appsv1.ReplicaSet) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(revisionOf(a), revisionOf(b)))
	})
	at := slices.IndexFunc(found, func(r *appsv1.ReplicaSet) bool { return declares(app, r.Spec.Template.Spec) })
	return own(found[max(at, 0)].Spec.Template)
}

// declares tells whether a pod's app is as the specification says, however Berth is
// configured.
func declares(app corev1.Container, spec corev1.PodSpec) bool {
	app = corev1.Container{Name: app.Name, Image: app.Image, Command: app.Command, Args: app.Args, WorkingDir: app.WorkingDir, Env: app.Env}
	why, err := lacks(&corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{app}}}, &corev1.Pod{Spec: spec})
	return why == "" && err == nil
}

// own returns what is Berth's of a ReplicaSet's template: not what others have
// added, nor defaults, which they may change. Of what Berth itself may have set, by
// another version even, all is left: to apply less would change the pods.
func own(template corev1.PodTemplateSpec) *corev1.PodTemplateSpec {
	t := template.DeepCopy()
	t.Annotations = nil
	for key := range t.Labels {
		if !strings.HasPrefix(key, "berth.dev/") && !strings.HasPrefix(key, "app.kubernetes.io/") {
			delete(t.Labels, key)
		}
	}
	p := &t.Spec
	p.InitContainers, p.EphemeralContainers = nil, nil
	p.Containers = slices.DeleteFunc(p.Containers, func(c corev1.Container) bool { return c.Name != containerName })
	drop(&p.RestartPolicy, corev1.RestartPolicyAlways)
	drop(&p.SchedulerName, corev1.DefaultSchedulerName)
	drop(&p.DNSPolicy, corev1.DNSClusterFirst)
	app := appContainer(p.Containers)
	if app == nil {
		return t
	}
	p.Volumes = slices.DeleteFunc(p.Volumes, func(v corev1.Volume) bool {
		return !slices.ContainsFunc(app.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == v.Name })
	})
	drop(&app.TerminationMessagePath, corev1.TerminationMessagePathDefault)
	drop(&app.TerminationMessagePolicy, corev1.TerminationMessageReadFile)
	for _, probe := range []*corev1.Probe{app.StartupProbe, app.ReadinessProbe} {
		if probe != nil {
			drop(&probe.SuccessThreshold, 1)
		}
	}
	return t
}

// drop leaves out a field that has its default.
func drop[T comparable](field *T, otherwise T) {
	if *field == otherwise {
		*field = *new(T)
	}
}
