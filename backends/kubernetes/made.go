package kubernetes

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// made tells whether Berth made an object of a kind that it owns: it is one of
// those that set its fields, by server-side apply. Labels do not tell, for they go
// with whatever is made of the object's text: a copy, or what kubectl expose makes.
func made(o metav1.Object) bool {
	return slices.ContainsFunc(o.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
		return m.Manager == FieldManager && m.Operation == metav1.ManagedFieldsOperationApply && m.Subresource == ""
	})
}

// ours tells whether an object that carries the instance's label is its own: that
// Berth made it, or Kubernetes because of what Berth made.
func (s *session) ours(o object) bool {
	switch o := o.(type) {
	case *corev1.Pod:
		return s.ourPod(o)
	case *appsv1.ReplicaSet:
		return s.ourSet(o)
	default:
		return made(o)
	}
}

// ourSet tells whether a ReplicaSet is of a Deployment of Berth's. One that has no
// owner is taken over by the Deployment that selects it; of one whose owner is gone
// already, its owner's name tells.
func (s *session) ourSet(r *appsv1.ReplicaSet) bool {
	owner := metav1.GetControllerOf(r)
	if owner == nil {
		return true
	}
	if owner.Kind != deployments.name || owner.Name != r.Labels[labelDeployment] {
		return false
	}
	d, there := s.cached(deployments, r.Namespace, owner.Name)
	return !there || d.GetUID() != owner.UID || made(d)
}

// ourPod tells whether a pod is of such a ReplicaSet. One that has no owner, and was
// never of any, is somebody else's.
func (s *session) ourPod(p *corev1.Pod) bool {
	owner := metav1.GetControllerOf(p)
	if owner == nil {
		return p.Labels[appsv1.DefaultDeploymentUniqueLabelKey] != ""
	}
	if owner.Kind != replicaSets.name {
		return false
	}
	set, there := s.cached(replicaSets, p.Namespace, owner.Name)
	return !there || set.GetUID() != owner.UID || s.ours(set)
}

// cached returns what the caches hold of a name.
func (s *session) cached(k *kind, namespace, name string) (object, bool) {
	found, _, err := s.caches[k].GetIndexer().GetByKey(namespace + "/" + name)
	o, ok := found.(object)
	return o, ok && err == nil
}
