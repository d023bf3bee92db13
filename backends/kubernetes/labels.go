package kubernetes

import (
	"cmp"
	"maps"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// FieldManager is the name under which Berth owns the fields that it sets.
const FieldManager = "berth"

// The labels of what Berth makes. They are short enough for what a label may
// hold, and selectable: the instance's label is how everything is found.
const (
	labelInstance   = "berth.dev/instance"
	labelDeployment = "berth.dev/deployment"
	labelName       = "app.kubernetes.io/name"     // the app, as far as a label can hold it
	labelOf         = "app.kubernetes.io/instance" // the deployment
	labelVersion    = "app.kubernetes.io/version"  // the release, as far as a label can hold it
	labelManagedBy  = "app.kubernetes.io/managed-by"
)

// The annotations of a Deployment: what its pods remember, besides what its
// template says. The controller copies them to the ReplicaSet of the pods, so what
// an old pod remembers stays there.
const (
	annotationApp       = "berth.dev/app"
	annotationRelease   = "berth.dev/release"
	annotationFlavour   = "berth.dev/flavour"
	annotationUser      = "berth.dev/user"
	annotationSource    = "berth.dev/source"
	annotationCommit    = "berth.dev/commit"
	annotationSpecHash  = "berth.dev/spec-hash"
	annotationInputHash = "berth.dev/input-hash"
	annotationMinReady  = "berth.dev/min-ready" // where it is no number of whole seconds
	annotationRestart   = "berth.dev/restart"   // where it is not unless-stopped
	annotationReplicas  = "berth.dev/replicas"  // as applied: others may have scaled it since
	annotationApplied   = "berth.dev/applied"   // hash of the template as applied, of the specification for a Service
	annotationGood      = "berth.dev/good-spec" // spec-hash of the last release that was good
)

// The annotations of a Deployment that remember a rollout that was given up.
const (
	annotationFailedInput    = "berth.dev/failed-input"
	annotationFailedSpec     = "berth.dev/failed-spec"
	annotationFailedRelease  = "berth.dev/failed-release"
	annotationFailedFlavour  = "berth.dev/failed-flavour"
	annotationFailedImage    = "berth.dev/failed-image"
	annotationFailedReason   = "berth.dev/failed-reason"
	annotationFailedExitCode = "berth.dev/failed-exit-code"
	annotationFailedPod      = "berth.dev/failed-pod" // name and uid of the pod that told, as NAME/UID
	annotationFailedAt       = "berth.dev/failed-at"
)

// The annotations of a PersistentVolumeClaim.
const (
	annotationVolume = "berth.dev/volume" // its name in the documents
	annotationKeep   = "berth.dev/keep"   // whether it outlives its deployment
)

// failedAnnotations are those that Forget removes.
var failedAnnotations = []string{
	annotationFailedInput, annotationFailedSpec, annotationFailedRelease, annotationFailedFlavour, annotationFailedImage,
	annotationFailedReason, annotationFailedExitCode, annotationFailedPod, annotationFailedAt,
}

// selector returns the labels that a deployment's pods carry, and by which its
// Deployment and Service find them.
func selector(instance, deployment string) map[string]string {
	return map[string]string{labelInstance: instance, labelDeployment: deployment}
}

// objectLabels returns the labels of what stands for the workload.
func objectLabels(instance string, w backends.Workload) map[string]string {
	labels := selector(instance, w.Deployment)
	labels[labelManagedBy] = FieldManager
	labels[labelOf] = w.Deployment
	for key, value := range map[string]string{labelName: w.App, labelVersion: w.Release} {
		if value = labelValue(value); value != "" {
			labels[key] = value
		}
	}
	return labels
}

// memory returns what the pods of the workload remember. What is not set is left out.
func memory(w backends.Workload) map[string]string {
	m := map[string]string{
		annotationApp:       w.App,
		annotationRelease:   w.Release,
		annotationFlavour:   w.Flavour,
		annotationUser:      w.User,
		annotationSource:    w.Source,
		annotationCommit:    w.Commit,
		annotationSpecHash:  w.SpecHash(),
		annotationInputHash: w.InputHash(),
		annotationReplicas:  strconv.Itoa(w.Replicas),
	}
	if r := w.Pod.Restart; r != schema.RestartUnlessStopped {
		m[annotationRestart] = string(r)
	}
	if r := w.Rollout.MinReady; r%time.Second != 0 {
		m[annotationMinReady] = r.String()
	}
	maps.DeleteFunc(m, func(_, value string) bool { return value == "" })
	return m
}

func kept(v schema.Volume) bool { return v.Keep == nil || *v.Keep }

// remembered returns what a Deployment or ReplicaSet tells of its pods: by its
// annotations, its template and the time that its pods must be ready. What cannot
// be read is left at its zero value: it may be anybody's.
func remembered(object metav1.Object, template *corev1.PodTemplateSpec, minReady int32) backends.Pod {
	notes := object.GetAnnotations()
	p := backends.Pod{
		Deployment: object.GetLabels()[labelDeployment],
		App:        notes[annotationApp],
		Release:    notes[annotationRelease],
		Flavour:    notes[annotationFlavour],
		Source:     notes[annotationSource],
		Commit:     notes[annotationCommit],
		SpecHash:   notes[annotationSpecHash],
		InputHash:  notes[annotationInputHash],
		Restart:    cmp.Or(schema.RestartPolicy(notes[annotationRestart]), schema.RestartUnlessStopped),
		MinReady:   time.Duration(minReady) * time.Second,
	}
	if d, err := time.ParseDuration(notes[annotationMinReady]); err == nil && d > 0 {
		p.MinReady = d
	}
	if c := appContainer(template.Spec.Containers); c != nil {
		p.Image = c.Image
		p.CPU = schema.CPU(c.Resources.Limits.Cpu().MilliValue())
		p.Memory = schema.Bytes(c.Resources.Limits.Memory().Value())
	}
	return p
}

// appContainer returns the container that Berth asked for: others may have added
// some, such as a proxy.
func appContainer(containers []corev1.Container) *corev1.Container {
	for i := range containers {
		if containers[i].Name == containerName {
			return &containers[i]
		}
	}
	return nil
}
