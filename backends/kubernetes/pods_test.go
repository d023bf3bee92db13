package kubernetes

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berthdev/berth/backends"
)

// What is left of a deployment whose object is gone is told, so that it is removed.
func TestLeftover(t *testing.T) {
	now := metav1.NewTime(noon)
	note := func(o object, key, value string) object {
		o.SetAnnotations(map[string]string{key: value})
		return o
	}
	claim := func(name, keep string) object {
		return note(applied(&corev1.PersistentVolumeClaim{}, name), annotationKeep, keep)
	}
	going := func(o object) object {
		o.SetDeletionTimestamp(&now)
		return o
	}
	service := func() object { return applied(&corev1.Service{}, "web") }
	deployment := func() object { return note(applied(&appsv1.Deployment{}, "web"), annotationSource, "web.yaml") }
	for name, test := range map[string]struct {
		objects      []object
		want, source string // the name of what tells
		known        bool   // the deployment is told of at all
	}{
		"all is there":                      {[]object{deployment(), service(), claim("web.data", "false")}, "", "", true},
		"only what is kept":                 {[]object{claim("web.data", "true")}, "", "", false},
		"what is kept, for nothing says":    {[]object{applied(&corev1.PersistentVolumeClaim{}, "web.data")}, "", "", false},
		"a Service":                         {[]object{service(), claim("web.data", "true")}, "web", "", true},
		"a volume":                          {[]object{claim("web.data", "false")}, "web.data", "", true},
		"all that is left is going":         {[]object{going(service()), going(claim("web.data", "false"))}, "", "", true},
		"the Service is going":              {[]object{going(service()), claim("web.data", "false")}, "web.data", "", true},
		"the Deployment is going":           {[]object{going(deployment()), service()}, "web", "web.yaml", true},
		"the Deployment is somebody's":      {[]object{copied(&appsv1.Deployment{}, "web"), service()}, "web", "", true},
		"the Service is somebody's":         {[]object{copied(&corev1.Service{}, "web")}, "", "", false},
		"the Deployment's pods remain":      {[]object{under(note(ofWeb(&appsv1.ReplicaSet{}, "web-1"), annotationSource, "web.yaml"), ownerOf("Deployment", "web")), service()}, "web", "web.yaml", true},
		"the volume was copied by somebody": {[]object{note(copied(&corev1.PersistentVolumeClaim{}, "web.backup"), annotationKeep, "false")}, "", "", false},
	} {
		s := stored(t, test.objects...)
		if known := len(s.names()) > 0; known != test.known {
			t.Errorf("%s: names %v", name, s.names())
		}
		v := s.views("web")["berth"]
		if v == nil {
			v = &view{}
		}
		left := v.leftover()
		if left == nil {
			left = &backends.Pod{}
		}
		if left.Name != test.want || left.Source != test.source || test.want != "" && (!left.Leftover() || left.Deployment != "web" || left.ID == "") {
			t.Errorf("%s: left is %+v", name, left)
		}
	}
}
