package kubernetes

import (
	"context"
	"reflect"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/berthdev/berth/backends"
)

// watchNodes has listeners told when what the nodes offer changes, where Berth may
// watch them; else that is found out whenever all is listed. settled is closed once
// it is known which nodes there are, or that they cannot be watched now.
func (s *session) watchNodes(ctx context.Context) (settled <-chan struct{}, err error) {
	source := cache.NewFilteredListWatchFromClient(s.b.api.core, "nodes", metav1.NamespaceNone, func(*metav1.ListOptions) {})
	informer := cache.NewSharedIndexInformer(source, &corev1.Node{}, 0, cache.Indexers{})
	if err := informer.SetTransform(lightenNode); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	known, failed := make(chan struct{}), make(chan struct{}, 1)
	err = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		if apierrors.IsForbidden(err) {
			stop()
		}
		select {
		case failed <- struct{}{}:
		default:
		}
	})
	if err != nil {
		stop()
		return nil, err
	}
	handle, err := informer.AddEventHandler(s.nodeHandler())
	if err != nil {
		stop()
		return nil, err
	}
	s.running.Go(func() {
		defer stop()
		informer.RunWithContext(ctx)
	})
	s.running.Go(func() {
		defer close(known)
		select {
		case <-handle.HasSyncedChecker().Done():
		case <-failed:
		case <-ctx.Done():
		}
	})
	return known, nil
}

// nodeHandler tells of nodes that come, go, or offer something else. What a node
// says of itself now and then, to show that it lives, changes nothing.
func (s *session) nodeHandler() cache.ResourceEventHandler {
	return cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(_ any, first bool) {
			if !first {
				s.nodesChanged()
			}
		},
		UpdateFunc: func(before, now any) {
			was, ok := before.(*corev1.Node)
			if is, also := now.(*corev1.Node); ok && also && !s.sameOffer(was, is) {
				s.nodesChanged()
			}
		},
		DeleteFunc: func(any) { s.nodesChanged() },
	}
}

// sameOffer tells whether a node counts for the capacity as it did.
func (s *session) sameOffer(was, is *corev1.Node) bool {
	return reflect.DeepEqual(s.b.capacity([]*corev1.Node{was}, ""), s.b.capacity([]*corev1.Node{is}, ""))
}

// nodesChanged tells listeners that anything may have changed: the capacity has.
func (s *session) nodesChanged() {
	s.telling.Lock()
	defer s.telling.Unlock()
	for l := range s.tell {
		l.notify(backends.Event{})
	}
}

// lightenNode drops from a node what does not count for the capacity.
func lightenNode(o any) (any, error) {
	n, ok := o.(*corev1.Node)
	if !ok {
		return o, nil
	}
	return &corev1.Node{
		TypeMeta:   n.TypeMeta,
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, UID: n.UID, ResourceVersion: n.ResourceVersion, Labels: n.Labels},
		Spec:       corev1.NodeSpec{Unschedulable: n.Spec.Unschedulable, Taints: n.Spec.Taints},
		Status:     corev1.NodeStatus{Allocatable: n.Status.Allocatable},
	}, nil
}
