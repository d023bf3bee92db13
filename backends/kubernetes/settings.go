package kubernetes

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berthdev/berth/schema"
)

// settings are what, besides a workload, decides what its objects look like.
type settings struct {
	instance  string
	cfg       schema.BackendConfig
	namespace string // of deployments for which cfg.Namespaces names none: cfg.Namespace, or the context's
}

// namespaceOf returns the namespace of a deployment that runs on behalf of user.
func (s settings) namespaceOf(user string) string {
	n := s.cfg.Namespaces
	if n == nil || user == "" {
		return s.namespace
	}
	const place = "{user}"
	template, who := n.Template, user
	if !strings.Contains(template, place) {
		at := slices.IndexFunc(n.Groups, func(g schema.NamespaceGroup) bool { return slices.Contains(g.Users, user) })
		if at < 0 {
			return s.namespace
		}
		template, who = strings.Replace(template, "{group}", place, 1), n.Groups[at].Name
	}
	return strings.Replace(template, place, dnsName(who, maxName-(len(template)-len(place))), 1)
}

// mayCreate tells whether Berth may make the namespace if it is missing.
func (s settings) mayCreate(namespace string) bool {
	return s.cfg.Namespaces != nil && s.cfg.Namespaces.Create && namespace != ""
}

// namespaceObject returns a namespace that Berth makes.
func (s settings) namespaceObject(name string) *corev1.Namespace {
	return &corev1.Namespace{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			labelInstance: s.instance, labelManagedBy: FieldManager,
		}},
	}
}
