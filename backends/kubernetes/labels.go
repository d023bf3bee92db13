package kubernetes

import (
	"strconv"
	"strings"
	"time"

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

// The annotations of a Deployment: what its pods remember. The controller copies
// them to the ReplicaSet of the pods, so what an old pod remembers stays there.
const (
	annotationApp       = "berth.dev/app"
	annotationRelease   = "berth.dev/release"
	annotationFlavour   = "berth.dev/flavour"
	annotationUser      = "berth.dev/user"
	annotationSource    = "berth.dev/source"
	annotationCommit    = "berth.dev/commit"
	annotationSpecHash  = "berth.dev/spec-hash"
	annotationInputHash = "berth.dev/input-hash"
	annotationMinReady  = "berth.dev/min-ready"
	annotationRestart   = "berth.dev/restart"
	annotationImage     = "berth.dev/image"
	annotationCPU       = "berth.dev/cpu"     // in thousandths
	annotationMemory    = "berth.dev/memory"  // in bytes
	annotationGPUs      = "berth.dev/gpus"    // how many each pod holds, as "2 nvidia"
	annotationNotKept   = "berth.dev/volumes-not-kept"
	annotationApplied   = "berth.dev/applied" // hash of what Berth applied last; see applied
	annotationGood      = "berth.dev/good-spec"
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
		annotationRestart:   string(w.Pod.Restart),
		annotationImage:     w.Pod.Image,
		annotationNotKept:   strings.Join(notKept(w.Pod.Volumes), ","),
	}
	if w.Rollout.MinReady > 0 {
		m[annotationMinReady] = w.Rollout.MinReady.String()
	}
	if w.Pod.CPU > 0 {
		m[annotationCPU] = strconv.FormatInt(int64(w.Pod.CPU), 10)
	}
	if w.Pod.Memory > 0 {
		m[annotationMemory] = strconv.FormatInt(int64(w.Pod.Memory), 10)
	}
	if w.Pod.GPUs > 0 {
		m[annotationGPUs] = strings.TrimSpace(strconv.Itoa(w.Pod.GPUs) + " " + string(w.Pod.GPUVendor))
	}
	for key, value := range m {
		if value == "" {
			delete(m, key)
		}
	}
	return m
}

// notKept returns the names of the volumes that go with their deployment.
func notKept(volumes []schema.Volume) []string {
	var names []string
	for _, v := range volumes {
		if v.Name != "" && !kept(v) {
			names = append(names, v.Name)
		}
	}
	return sortedSet(names)
}

func kept(v schema.Volume) bool { return v.Keep == nil || *v.Keep }

// remembered returns what a Deployment or ReplicaSet tells of its pods. What
// cannot be read is left at its zero value: annotations may be anybody's.
func remembered(object metav1.Object) backends.Pod {
	labels, notes := object.GetLabels(), object.GetAnnotations()
	p := backends.Pod{
		Deployment: labels[labelDeployment],
		App:        notes[annotationApp],
		Release:    notes[annotationRelease],
		Flavour:    notes[annotationFlavour],
		Source:     notes[annotationSource],
		Commit:     notes[annotationCommit],
		SpecHash:   notes[annotationSpecHash],
		InputHash:  notes[annotationInputHash],
		Restart:    schema.RestartPolicy(notes[annotationRestart]),
		Image:      notes[annotationImage],
	}
	if d, err := time.ParseDuration(notes[annotationMinReady]); err == nil && d > 0 {
		p.MinReady = d
	}
	if n, err := strconv.ParseInt(notes[annotationCPU], 10, 64); err == nil && n > 0 {
		p.CPU = schema.CPU(n)
	}
	if n, err := strconv.ParseInt(notes[annotationMemory], 10, 64); err == nil && n > 0 {
		p.Memory = schema.Bytes(n)
	}
	return p
}
