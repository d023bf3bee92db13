package kubernetes

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/berthdev/berth/backends"
)

// What a node offers is told when it changes, and nothing else.
func TestNodeHandler(t *testing.T) {
	s := stored(t)
	told := 0
	s.tell = map[*listener]struct{}{{func(e backends.Event) {
		if e != (backends.Event{}) {
			t.Errorf("told of %+v", e)
		}
		told++
	}}: {}}
	h := s.nodeHandler()
	beats := func(n *corev1.Node) {
		n.ResourceVersion = "2"
		n.Annotations = map[string]string{"volumes": "attached"}
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, LastHeartbeatTime: metav1.NewTime(noon)}}
		n.Status.Capacity = corev1.ResourceList{"pods": n.Status.Allocatable["cpu"]}
	}
	for _, test := range []struct {
		name    string
		was, is *corev1.Node
		want    bool
	}{
		{"it is alive", node("n"), node("n", beats), false},
		{"it is unwell", node("n"), node("n", tainted("node.kubernetes.io/not-ready", corev1.TaintEffectNoExecute)), false},
		{"it grew", node("n"), node("n", offers("cpu", "8")), true},
		{"a device plugin came", node("n"), node("n", offers(resourceNVIDIA, "1")), true},
		{"it was cordoned", node("n"), node("n", func(n *corev1.Node) { n.Spec.Unschedulable = true }), true},
		{"it was tainted", node("n"), node("n", tainted("example.org/other", corev1.TaintEffectNoSchedule)), true},
		{"it was labelled", node("n"), node("n", labelled(map[string]string{"zone": "b"})), true},
	} {
		told = 0
		was, _ := lightenNode(test.was)
		is, _ := lightenNode(test.is)
		h.OnUpdate(was, is)
		if (told > 0) != test.want {
			t.Errorf("%s: told %d times", test.name, told)
		}
	}
	told = 0
	h.OnAdd(node("n"), true)
	if told > 0 {
		t.Error("a node that was there is told as new")
	}
	h.OnAdd(node("n"), false)
	h.OnDelete(node("n"))
	if told != 2 {
		t.Errorf("told %d times of a node that came and went", told)
	}
	light, _ := lightenNode(node("n", beats, offers(resourceNVIDIA, "2"), tainted("nvidia.com/gpu", corev1.TaintEffectNoSchedule)))
	whole := node("n", beats, offers(resourceNVIDIA, "2"), tainted("nvidia.com/gpu", corev1.TaintEffectNoSchedule))
	if n, ok := light.(*corev1.Node); !ok || !s.sameOffer(n, whole) || n.Status.Conditions != nil {
		t.Errorf("lightened to %+v", light)
	}
}
