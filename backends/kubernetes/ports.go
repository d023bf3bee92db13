package kubernetes

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// A servicePort is what tells the ports of a Service apart, for the server too.
type servicePort struct {
	port     int32
	protocol corev1.Protocol
}

func keyOfPort(p corev1.ServicePort) servicePort { return servicePort{p.Port, p.Protocol} }

// widened returns the Service that leads to the pods of a rollout and to those that
// it replaces, for until it is ready requests are answered by both, and after it
// was given up by the old ones: it has the ports that are wanted and those that are
// there. Each leads to the pods that have a port of its name. A port of the node that
// is taken stays with what has it.
func widened(wanted, live *corev1.Service) *corev1.Service {
	if live.Annotations[annotationApplied] == wanted.Annotations[annotationApplied] {
		return wanted
	}
	s := wanted.DeepCopy()
	taken := map[servicePort]bool{} // by what is wanted
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		taken[keyOfPort(*p)] = true
		for _, had := range live.Spec.Ports {
			switch same := keyOfPort(had) == keyOfPort(*p); {
			case had.NodePort == 0:
			case same:
				p.NodePort = had.NodePort
			case had.NodePort == p.NodePort && had.Protocol == p.Protocol:
				p.NodePort = 0
			}
		}
	}
	for _, had := range live.Spec.Ports {
		if !taken[keyOfPort(had)] && madePort(had) {
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{
				Name: had.Name, Protocol: had.Protocol, Port: had.Port, TargetPort: had.TargetPort, NodePort: had.NodePort,
			})
		}
	}
	if slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.NodePort != 0 }) {
		s.Spec.Type = corev1.ServiceTypeNodePort
	}
	s.Annotations[annotationApplied] = hashOf(&s.Spec)
	return s
}

// madePort tells whether a port of a Service is as Berth makes them: others may
// have added their own.
func madePort(p corev1.ServicePort) bool {
	name := fmt.Sprintf("%s-%d", strings.ToLower(string(p.Protocol)), p.Port)
	return p.Name == name && p.TargetPort.StrVal == name
}
