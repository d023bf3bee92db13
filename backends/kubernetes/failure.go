package kubernetes

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/berthdev/berth/backends"
)

// A failure is what a Deployment remembers of a rollout that was given up.
type failure struct {
	input    string // InputHash of what was tried
	spec     string // its SpecHash
	release  string
	flavour  string
	image    string
	reason   string
	exitCode int
	pod      string // the pod that told, as NAME/UID; empty: none was made
	at       time.Time
}

// podRef names a pod so that another one of its name is not taken for it.
func podRef(name, uid string) string { return name + "/" + uid }

// maxReason is how long a reason may be that an annotation tells, in bytes.
const maxReason = 1000

// failure returns the rollout that the Deployment remembers as given up; nil: none.
func (o observation) failure() *failure {
	if o.Deployment == nil || o.Deployment.Annotations[annotationFailedInput] == "" {
		return nil
	}
	notes := o.Deployment.Annotations
	f := &failure{
		input: notes[annotationFailedInput], spec: notes[annotationFailedSpec], release: notes[annotationFailedRelease],
		flavour: notes[annotationFailedFlavour], image: notes[annotationFailedImage], reason: clip(notes[annotationFailedReason], maxReason),
		pod: notes[annotationFailedPod],
	}
	f.exitCode, _ = strconv.Atoi(notes[annotationFailedExitCode])
	f.at, _ = time.Parse(time.RFC3339, notes[annotationFailedAt])
	return f
}

// annotations are how a Deployment remembers the failure.
func (f *failure) annotations() map[string]string {
	m := map[string]string{
		annotationFailedInput: f.input, annotationFailedSpec: f.spec, annotationFailedRelease: f.release,
		annotationFailedFlavour: f.flavour, annotationFailedImage: f.image, annotationFailedReason: f.reason,
		annotationFailedPod: f.pod, annotationFailedAt: f.at.UTC().Format(time.RFC3339),
	}
	if f.exitCode != 0 {
		m[annotationFailedExitCode] = strconv.Itoa(f.exitCode)
	}
	maps.DeleteFunc(m, func(_, value string) bool { return value == "" })
	return m
}

// recovered tells whether what failed serves now after all: where there was
// nothing to go back to, Kubernetes went on trying.
func (o observation) recovered(live []backends.Pod, f *failure) bool {
	replicas := o.replicas()
	return f.spec == o.Deployment.Annotations[annotationSpecHash] && replicas > 0 && len(live) >= replicas &&
		!slices.ContainsFunc(live, func(p backends.Pod) bool { return p.SpecHash != f.spec || !serves(&p) })
}

func (o observation) replicas() int {
	if o.Deployment.Spec.Replicas == nil {
		return 1
	}
	return int(*o.Deployment.Spec.Replicas)
}

// good returns the ReplicaSet of the last release that was good; nil: there is
// none besides what is tried now.
func (o observation) good() *appsv1.ReplicaSet {
	spec := o.Deployment.Annotations[annotationGood]
	var found *appsv1.ReplicaSet
	for _, r := range o.ReplicaSets {
		if spec != "" && o.owns(r) && r.Annotations[annotationSpecHash] == spec && (found == nil || revisionOf(r) > revisionOf(found)) {
			found = r
		}
	}
	return found
}

// givenUp returns the Deployment that remembers the failure: as it was when it was
// good last, or as wanted if there is nothing to go back to.
func (s settings) givenUp(wanted *appsv1.Deployment, back *appsv1.ReplicaSet, f *failure) *appsv1.Deployment {
	d := wanted.DeepCopy()
	if back != nil {
		for key := range d.Annotations {
			delete(d.Annotations, key)
		}
		for key, value := range back.Annotations {
			if strings.HasPrefix(key, "berth.dev/") && !slices.Contains(failedAnnotations, key) {
				d.Annotations[key] = value
			}
		}
		d.Annotations[annotationReplicas] = wanted.Annotations[annotationReplicas]
		d.Annotations[annotationGood] = back.Annotations[annotationSpecHash]
		d.Labels = objectLabels(s.instance, backends.Workload{
			Deployment: d.Name, App: back.Annotations[annotationApp], Release: back.Annotations[annotationRelease],
		})
		d.Spec.Template = *own(back.Spec.Template)
		d.Spec.MinReadySeconds = back.Spec.MinReadySeconds
	}
	maps.Copy(d.Annotations, f.annotations())
	return d
}

// forget returns a JSON merge patch that takes the memory of a rollout that was
// given up from the Deployment, and the names of the pods that failed, to be
// removed so that Kubernetes makes them anew; nil: none was given up.
func (s settings) forget(o observation) (merge []byte, pods []string) {
	f := o.failure()
	if f == nil {
		return nil, nil
	}
	notes := map[string]any{}
	for _, key := range failedAnnotations {
		if _, ok := o.Deployment.Annotations[key]; ok {
			notes[key] = nil
		}
	}
	merge, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": notes}})
	if err != nil {
		panic("kubernetes: annotations are plain data: " + err.Error())
	}
	live, _ := s.split(o)
	for i := range live {
		if live[i].SpecHash == f.spec && !serves(&live[i]) {
			pods = append(pods, live[i].Name)
		}
	}
	return merge, pods
}
