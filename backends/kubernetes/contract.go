package kubernetes

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// settings are what, besides a workload, decides what its objects look like.
type settings struct {
	instance  string
	cfg       schema.BackendConfig
	namespace string // of deployments for which cfg.Namespaces names none: cfg.Namespace, or the context's
}

// namespaceOf returns the namespace of a deployment that runs on behalf of user.
func (s settings) namespaceOf(user string) string { return "" }

// namespaceObject returns the namespace that may be made if cfg.Namespaces.Create says so.
func (s settings) namespaceObject(name string) *corev1.Namespace { return nil }

// objects are what stands for a workload, each with its kind, all in one namespace.
type objects struct {
	Claims     []*corev1.PersistentVolumeClaim // of its named volumes; applied first
	Service    *corev1.Service                 // nil: it has no ports; one that is there is removed
	Deployment *appsv1.Deployment              // applied last, by way of decide
}

// objects translates a workload. Errors are invalid: the workload can never run
// as it is declared.
func (s settings) objects(w backends.Workload) (objects, error) { return objects{}, nil }

// patch returns what is sent by server-side apply for an object: what is set,
// without status, nulls and zeros.
func patch(object runtime.Object) (*unstructured.Unstructured, error) { return nil, nil }

// lacks says in words by what a live object first falls short of what is wanted,
// as "spec.replicas: 3, want 2"; empty: it has all that is wanted. Fields that
// are not wanted are not looked at. Both may be typed or unstructured.
func lacks(wanted, live runtime.Object) (string, error) { return "", nil }

// observation is what there is of one deployment, as the caches hold it. Other
// objects than its own must not be among it.
type observation struct {
	Deployment  *appsv1.Deployment // nil: there is none
	ReplicaSets []*appsv1.ReplicaSet
	Pods        []*corev1.Pod
}

// pods returns the pods of a deployment, by ordinal, with Backend and Endpoints
// set; one PodAbsent if none is there but the Deployment is, and the PodFailed
// that remembers a rollout that was given up.
func (s settings) pods(o observation) []backends.Pod { return nil }

// decision is what must be done about a Deployment object now, and where it stands.
type decision struct {
	Apply    *appsv1.Deployment // to be applied, by patch; nil: what is there is right
	Why      string             // why, in words: the first difference, or why it goes back
	Drift    bool               // somebody else changed what Berth had applied
	GiveUp   bool               // Apply gives up the rollout
	Progress backends.Progress  // Pods included
}

// decide compares what is there with what is wanted, which is the Deployment of
// objects. It says what to apply: the Deployment as wanted, or as it was before
// if the rollout failed.
func (s settings) decide(w backends.Workload, wanted *appsv1.Deployment, o observation, now time.Time) decision {
	return decision{}
}

// forget returns the Deployment without the memory of a rollout that was given
// up, to be applied, and the names of failed pods to delete so that they are made
// anew; nil: nothing failed.
func (s settings) forget(o observation) (apply *appsv1.Deployment, pods []string) { return nil, nil }

// capacity returns what the nodes offer together, with the configuration over it.
func (s settings) capacity(nodes []*corev1.Node, version string) backends.Capacity {
	return backends.Capacity{}
}
