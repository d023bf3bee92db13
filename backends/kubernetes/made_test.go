package kubernetes

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// stored returns a session whose caches hold just these objects.
func stored(t testing.TB, all ...object) *session {
	t.Helper()
	s := &session{b: &Backend{settings: lab(), api: &api{}}, caches: map[*kind]cache.SharedIndexInformer{}}
	for _, k := range cached {
		s.caches[k] = s.informer(k)
		for _, o := range all {
			light, err := lighten(o.DeepCopyObject())
			if err != nil {
				t.Fatal(err)
			}
			if is, ok := light.(object); ok && kindOf(o) == k {
				if err := s.caches[k].GetIndexer().Add(is); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return s
}

func kindOf(o object) *kind {
	switch o.(type) {
	case *appsv1.Deployment:
		return deployments
	case *appsv1.ReplicaSet:
		return replicaSets
	case *corev1.Pod:
		return podKind
	case *corev1.Service:
		return services
	default:
		return claimKind
	}
}

// ofWeb gives an object a name, and the labels of the deployment web.
func ofWeb[O object](o O, name string) O {
	o.SetNamespace("berth")
	o.SetName(name)
	o.SetUID(types.UID("uid-" + name))
	o.SetLabels(selector("lab", "web"))
	return o
}

// by has an object made by somebody, and then changed by somebody else.
func by[O object](o O, manager string, how metav1.ManagedFieldsOperationType) O {
	then, now := metav1.NewTime(time.Unix(100, 0)), metav1.NewTime(time.Unix(200, 0))
	o.SetManagedFields([]metav1.ManagedFieldsEntry{
		{Manager: manager, Operation: how, Time: &then},
		{Manager: "berth", Operation: metav1.ManagedFieldsOperationApply, Subresource: "scale", Time: &then},
		{Manager: "kubectl-edit", Operation: metav1.ManagedFieldsOperationUpdate, Time: &now},
	})
	return o
}

func applied[O object](o O, name string) O {
	return by(ofWeb(o, name), FieldManager, metav1.ManagedFieldsOperationApply)
}

func copied[O object](o O, name string) O {
	return by(ofWeb(o, name), "kubectl-expose", metav1.ManagedFieldsOperationUpdate)
}

// under has an object belong to a controller.
func under[O object](o O, owner *metav1.OwnerReference) O {
	o.SetOwnerReferences([]metav1.OwnerReference{*owner})
	return o
}

func ownerOf(kind, name string) *metav1.OwnerReference {
	return &metav1.OwnerReference{Kind: kind, Name: name, UID: types.UID("uid-" + name), Controller: ptr(true)}
}

// What carries the labels and was made by somebody else is none of Berth's, nor are
// the pods of it.
func TestViewsOfCopies(t *testing.T) {
	gone := ownerOf("Deployment", "web")
	gone.UID = "former"
	s := stored(t,
		applied(&appsv1.Deployment{}, "web"), copied(&appsv1.Deployment{}, "two"),
		under(ofWeb(&appsv1.ReplicaSet{}, "web-1"), ownerOf("Deployment", "web")), under(ofWeb(&appsv1.ReplicaSet{}, "web-0"), gone),
		under(ofWeb(&appsv1.ReplicaSet{}, "two-1"), ownerOf("Deployment", "two")), under(ofWeb(&appsv1.ReplicaSet{}, "two-0"), ownerOf("Deployment", "removed")),
		under(ofWeb(&corev1.Pod{}, "web-1-a"), ownerOf("ReplicaSet", "web-1")), under(ofWeb(&corev1.Pod{}, "web-0-a"), ownerOf("ReplicaSet", "web-0")),
		under(ofWeb(&corev1.Pod{}, "two-1-a"), ownerOf("ReplicaSet", "two-1")), under(ofWeb(&corev1.Pod{}, "job-a"), ownerOf("Job", "job")),
		ofWeb(&corev1.Pod{}, "debug"),
		applied(&corev1.Service{}, "web"), copied(&corev1.Service{}, "web-public"),
		applied(&corev1.PersistentVolumeClaim{}, "web.data"), copied(&corev1.PersistentVolumeClaim{}, "web.backup"),
	)
	v := s.views("web")["berth"]
	var got []string
	for _, list := range [][]string{
		namesOf([]*appsv1.Deployment{v.Deployment}), namesOf(v.ReplicaSets), namesOf(v.Pods), namesOf(v.Services), namesOf(v.claims),
	} {
		got = append(got, sortedSet(list)...)
	}
	if diff := cmp.Diff([]string{"web", "web-0", "web-1", "web-0-a", "web-1-a", "web", "web.data"}, got); diff != "" {
		t.Error(diff)
	}
	for _, k := range owned {
		if mine := s.mine()[k]; len(mine) != 1 {
			t.Errorf("%s: %v", k.name, namesOf(mine))
		}
	}
	if pod := s.pod("two-1-a"); pod != nil {
		t.Error("the log of a pod of somebody else's can be read")
	}
	if s = stored(t, copied(&appsv1.Deployment{}, "web"), copied(&corev1.Service{}, "web")); len(s.views("web"))+len(s.names()) > 0 {
		t.Errorf("copies alone are told as %v", s.names())
	}
}

func namesOf[O object](all []O) []string {
	var names []string
	for _, o := range all {
		names = append(names, o.GetName())
	}
	return names
}

// Of who changed an object, the one is kept who did it last, and of who made it, Berth.
func TestLighten(t *testing.T) {
	for _, test := range []struct {
		o    object
		who  string
		made bool
	}{
		{applied(&corev1.Service{}, "web"), "somebody else (kubectl-edit)", true},
		{copied(&corev1.Service{}, "web"), "somebody else (kubectl-edit)", false},
		{ofWeb(&corev1.Service{}, "web"), "somebody else", false},
	} {
		light, err := lighten(test.o)
		if err != nil {
			t.Fatal(err)
		}
		if o, ok := light.(object); !ok || made(o) != test.made || somebody(o) != test.who || len(o.GetManagedFields()) > 2 {
			t.Errorf("%v: made %v, by %s", o.GetManagedFields(), made(o), somebody(o))
		}
	}
}
