package kubernetes

import (
	"context"
	"net/http"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// callTimeout is how long a call may take that is no stream.
const callTimeout = time.Minute

// An object is one of the typed objects of the API.
type object interface {
	runtime.Object
	metav1.Object
}

// A kind is one of the kinds of objects that Berth reads or makes.
type kind struct {
	name     string // Deployment
	resource string // deployments
	group    schema.GroupVersion
	empty    func() object
}

// The kinds, each with how an empty one is made.
var (
	deployments = &kind{"Deployment", "deployments", appsv1.SchemeGroupVersion, func() object { return &appsv1.Deployment{} }}
	replicaSets = &kind{"ReplicaSet", "replicasets", appsv1.SchemeGroupVersion, func() object { return &appsv1.ReplicaSet{} }}
	podKind     = &kind{"Pod", "pods", corev1.SchemeGroupVersion, func() object { return &corev1.Pod{} }}
	services    = &kind{"Service", "services", corev1.SchemeGroupVersion, func() object { return &corev1.Service{} }}
	claimKind   = &kind{"PersistentVolumeClaim", "persistentvolumeclaims", corev1.SchemeGroupVersion, func() object { return &corev1.PersistentVolumeClaim{} }}
	namespaces  = &kind{"Namespace", "namespaces", corev1.SchemeGroupVersion, func() object { return &corev1.Namespace{} }}
)

// An api speaks with the API server, of no more groups than those of the kinds.
type api struct {
	http       *http.Client
	apps, core *rest.RESTClient
	params     runtime.ParameterCodec
}

// newAPI returns an api whose requests go through what wrap makes of their transport.
func newAPI(config *rest.Config, wrap func(http.RoundTripper) http.RoundTripper) (*api, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	a := &api{params: runtime.NewParameterCodec(scheme)}
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	config.ContentType = runtime.ContentTypeProtobuf
	shared, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	own := *shared
	own.Transport, a.http = wrap(own.Transport), &own
	if a.apps, err = restClient(config, a.http, "/apis", appsv1.SchemeGroupVersion); err != nil {
		return nil, err
	}
	a.core, err = restClient(config, a.http, "/api", corev1.SchemeGroupVersion)
	return a, err
}

func restClient(config *rest.Config, client *http.Client, path string, group schema.GroupVersion) (*rest.RESTClient, error) {
	c := rest.CopyConfig(config)
	c.APIPath, c.GroupVersion = path, &group
	return rest.RESTClientForConfigAndClient(c, client)
}

func (a *api) of(k *kind) *rest.RESTClient {
	if k.group == appsv1.SchemeGroupVersion {
		return a.apps
	}
	return a.core
}

// get reads an object; one that the API server's own cache holds is new enough.
func (a *api) get(ctx context.Context, k *kind, namespace, name string) (object, error) {
	out := k.empty()
	err := a.of(k).Get().Namespace(namespace).Resource(k.resource).Name(name).
		VersionedParams(&metav1.GetOptions{ResourceVersion: "0"}, a.params).Timeout(callTimeout).Do(ctx).Into(out)
	return out, err
}

// apply sets the fields of an object that stand in data, by server-side apply.
func (a *api) apply(ctx context.Context, k *kind, namespace, name string, data []byte, how metav1.PatchOptions) (object, error) {
	out := k.empty()
	how.FieldManager = FieldManager
	err := a.of(k).Patch(types.ApplyPatchType).Namespace(namespace).Resource(k.resource).Name(name).
		VersionedParams(&how, a.params).
		Body(data).Timeout(callTimeout).Do(ctx).Into(out)
	return out, err
}

// createNamespace makes a namespace: unlike apply, that takes no right to change
// those that are there.
func (a *api) createNamespace(ctx context.Context, n *corev1.Namespace) error {
	return a.core.Post().Resource(namespaces.resource).VersionedParams(&metav1.CreateOptions{FieldManager: FieldManager}, a.params).
		Body(n).Timeout(callTimeout).Do(ctx).Error()
}

// merge changes fields of an object by a JSON merge patch.
func (a *api) merge(ctx context.Context, k *kind, namespace, name string, data []byte) (object, error) {
	return a.patch(ctx, types.MergePatchType, k, namespace, name, data)
}

// edit changes an object by a JSON patch.
func (a *api) edit(ctx context.Context, k *kind, namespace, name string, data []byte) (object, error) {
	return a.patch(ctx, types.JSONPatchType, k, namespace, name, data)
}

func (a *api) patch(ctx context.Context, how types.PatchType, k *kind, namespace, name string, data []byte) (object, error) {
	out := k.empty()
	err := a.of(k).Patch(how).Namespace(namespace).Resource(k.resource).Name(name).
		VersionedParams(&metav1.PatchOptions{FieldManager: FieldManager}, a.params).
		Body(data).Timeout(callTimeout).Do(ctx).Into(out)
	return out, err
}

// remove deletes an object: a Deployment goes after its pods. One of another uid,
// which somebody else made in its place, is not touched.
func (a *api) remove(ctx context.Context, k *kind, namespace, name string, uid types.UID) error {
	how := metav1.DeletePropagationBackground
	if k == deployments {
		how = metav1.DeletePropagationForeground
	}
	return a.of(k).Delete().Namespace(namespace).Resource(k.resource).Name(name).
		Body(&metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}, PropagationPolicy: &how}).
		Timeout(callTimeout).Do(ctx).Error()
}
