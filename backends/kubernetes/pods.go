package kubernetes

import (
	"context"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berthdev/berth/backends"
)

// Pods implements [backends.Backend].
func (b *Backend) Pods(ctx context.Context) ([]backends.Pod, error) {
	s, err := b.session(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.caughtUp(ctx, ""); err != nil {
		return nil, err
	}
	var out []backends.Pod
	for _, name := range s.names() {
		views := s.views(name)
		for _, namespace := range slices.Sorted(maps.Keys(views)) {
			v := views[namespace]
			out = append(out, b.observed(v.observation)...)
			if left := v.leftover(); left != nil {
				left.Backend = b.cfg.Name
				out = append(out, *left)
			}
		}
	}
	return out, nil
}

// leftover returns the pod that stands for what is left of a deployment whose object
// is gone, or going: a removal was cut off, or the object could never be made. Nil:
// nothing is, but for volumes that are to be kept.
func (v *view) leftover() *backends.Pod {
	if v.Deployment != nil && v.Deployment.DeletionTimestamp == nil {
		return nil
	}
	for _, o := range v.around() {
		if o.GetDeletionTimestamp() == nil {
			return &backends.Pod{
				ID: string(o.GetUID()), Name: o.GetName(), Deployment: o.GetLabels()[labelDeployment], Source: v.source(),
				CreatedAt: o.GetCreationTimestamp().Time, State: backends.PodAbsent,
			}
		}
	}
	return nil
}

// around returns what goes with a Deployment that is removed.
func (v *view) around() []object {
	var out []object
	for _, s := range v.Services {
		out = append(out, s)
	}
	for _, c := range v.claims {
		if !keeps(c) {
			out = append(out, c)
		}
	}
	return out
}

// keeps tells whether a claim outlives its deployment.
func keeps(c metav1.Object) bool { return c.GetAnnotations()[annotationKeep] != "false" }

// source returns the file that declared a deployment, as what is going remembers;
// empty: nothing does.
func (v *view) source() string {
	if v.Deployment != nil {
		return v.Deployment.Annotations[annotationSource]
	}
	for _, r := range v.ReplicaSets {
		if file := r.Annotations[annotationSource]; file != "" {
			return file
		}
	}
	return ""
}

// observed returns the pods of a deployment in one namespace. Of one that is being
// removed, all are.
func (b *Backend) observed(o observation) []backends.Pod {
	if o.Deployment != nil && o.Deployment.DeletionTimestamp == nil {
		return b.pods(o)
	}
	o.Deployment = nil
	pods := b.pods(o)
	for i := range pods {
		pods[i].State = backends.PodGoing
	}
	return pods
}
