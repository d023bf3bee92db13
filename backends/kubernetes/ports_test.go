package kubernetes

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// serviceOf returns the Service of ports as they are written: 80, 30080:80, 53/udp.
func serviceOf(t tester, ports ...string) *corev1.Service {
	t.Helper()
	o, err := lab().objects(workload(func(w *backends.Workload) {
		for _, text := range ports {
			p, err := schema.ParsePort(text)
			if err != nil {
				t.Fatal(err)
			}
			w.Pod.Ports = append(w.Pod.Ports, p)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	return o.Service
}

// portsOf writes the ports of a Service, sorted.
func portsOf(s *corev1.Service) string {
	var out []string
	for _, p := range s.Spec.Ports {
		text := fmt.Sprintf("%d>%s", p.Port, p.TargetPort.String())
		if p.NodePort != 0 {
			text = fmt.Sprintf("%d:%s", p.NodePort, text)
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestWidened(t *testing.T) {
	for _, test := range []struct{ live, wanted, want string }{
		{"8080", "8080", "8080>tcp-8080"},
		{"8080", "9090", "8080>tcp-8080 9090>tcp-9090"},
		{"8080 9090", "9090", "8080>tcp-8080 9090>tcp-9090"},
		{"53", "53/udp", "53>tcp-53 53>udp-53"},
		{"30080:80", "80", "30080:80>tcp-80"},
		{"80", "30080:80", "30080:80>tcp-80"},
		{"30080:80", "30081:80", "30080:80>tcp-80"},
		{"30080:80", "30080:8080", "30080:80>tcp-80 8080>tcp-8080"},
		{"30080:80 30081:81", "30081:80 30080:81", "30080:80>tcp-80 30081:81>tcp-81"},
	} {
		live, wanted := serviceOf(t, strings.Fields(test.live)...), serviceOf(t, strings.Fields(test.wanted)...)
		s := widened(wanted, live)
		if got := portsOf(s); got != test.want {
			t.Errorf("%s beside %s: %s, want %s", test.wanted, test.live, got, test.want)
		}
		if node := strings.Contains(test.want, ":"); node != (s.Spec.Type == corev1.ServiceTypeNodePort) {
			t.Errorf("%s beside %s: type %s", test.wanted, test.live, s.Spec.Type)
		}
		if again := widened(wanted, s); portsOf(again) != test.want {
			t.Errorf("%s beside what it became: %s", test.wanted, portsOf(again))
		}
	}
}

// What others add to the Service is not taken over, and what is changed by hand is
// drift while no port changes.
func TestWidenedLeavesOthers(t *testing.T) {
	live, wanted := serviceOf(t, "30080:80"), serviceOf(t, "8080")
	live.Spec.Ports = append(live.Spec.Ports, corev1.ServicePort{Name: "theirs", Port: 7070, Protocol: corev1.ProtocolTCP})
	if got := portsOf(widened(wanted, live)); got != "30080:80>tcp-80 8080>tcp-8080" {
		t.Error(got)
	}
	live.Spec.Ports[0].NodePort = 30099
	if got := portsOf(widened(serviceOf(t, "30080:80"), live)); got != "30080:80>tcp-80" {
		t.Errorf("a port of the node that was changed by hand: %s", got)
	}
}

// However ports change, both releases are served, no port is taken twice, and once it
// is ready what is wanted is written.
func TestWidenedServesBoth(t *testing.T) {
	list := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"80", "81", "82/udp", "80/udp"}), 1, 3, rapid.ID)
	node := rapid.SampledFrom([]string{"", "", "30080:", "30081:", "30082:"})
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) *corev1.Service {
			var ports []string
			for _, p := range list.Draw(t, label) {
				on := node.Draw(t, label+" on")
				if on != "" && slices.ContainsFunc(ports, func(o string) bool { return strings.HasPrefix(o, on) }) {
					on = ""
				}
				ports = append(ports, on+p)
			}
			return serviceOf(t, ports...)
		}
		live := draw("live")
		for range 3 {
			wanted := draw("wanted")
			s := widened(wanted, live)
			has, keys, nodes := portsOf(s), map[servicePort]bool{}, map[servicePort]bool{}
			for _, p := range s.Spec.Ports {
				node := servicePort{p.NodePort, p.Protocol}
				if keys[keyOfPort(p)] || p.NodePort != 0 && nodes[node] {
					t.Fatalf("a port is taken twice: %s", has)
				}
				keys[keyOfPort(p)], nodes[node] = true, true
			}
			if wanted.Annotations[annotationApplied] != live.Annotations[annotationApplied] {
				for _, p := range live.Spec.Ports {
					if !slices.ContainsFunc(s.Spec.Ports, func(o corev1.ServicePort) bool {
						return keyOfPort(o) == keyOfPort(p) && (p.NodePort == 0 || o.NodePort == p.NodePort)
					}) {
						t.Fatalf("%d leads nowhere: %s", p.Port, has)
					}
				}
			}
			for _, p := range wanted.Spec.Ports {
				if !keys[keyOfPort(p)] {
					t.Fatalf("%d is missing: %s", p.Port, has)
				}
			}
			if why, err := lacks(wanted, s); why == "" && portsOf(wanted) != has || err != nil {
				t.Fatalf("%s is taken for %s, %v", has, portsOf(wanted), err)
			}
			live = s
		}
	})
}
