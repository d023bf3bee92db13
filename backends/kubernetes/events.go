package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/berthdev/berth/backends"
)

// Watch implements [backends.Backend].
func (b *Backend) Watch(ctx context.Context, notify func(backends.Event)) error {
	s, err := b.session(ctx)
	if err != nil {
		return err
	}
	defer s.listen(notify)()
	select {
	case <-ctx.Done():
		return b.classify("watch", ctx.Err())
	case <-s.ctx.Done():
		return s.broken()
	}
}

// listen has notify told of events, a zero one first, until stop is called. It is
// told by one at a time.
func (s *session) listen(notify func(backends.Event)) (stop func()) {
	l := &listener{notify}
	s.telling.Lock()
	defer s.telling.Unlock()
	s.tell[l] = struct{}{}
	notify(backends.Event{})
	return func() {
		s.telling.Lock()
		defer s.telling.Unlock()
		delete(s.tell, l)
	}
}

// handler takes in what happens to the objects of a kind.
func (s *session) handler(k *kind) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(o any, first bool) {
			if o, ok := o.(object); ok {
				s.happened(k, nil, o, first)
			}
		},
		UpdateFunc: func(before, now any) {
			was, ok := before.(object)
			if o, also := now.(object); ok && also {
				s.happened(k, was, o, was.GetResourceVersion() == o.GetResourceVersion())
			}
		},
		DeleteFunc: func(o any) {
			if last, missed := o.(cache.DeletedFinalStateUnknown); missed {
				o = last.Obj
			}
			if o, ok := o.(object); ok {
				s.happened(k, o, nil, false)
			}
		},
	}
}

// happened tells listeners that an object changed: before is nil for one that was
// made, now for one that is gone. What was there already is known.
func (s *session) happened(k *kind, before, now object, known bool) {
	o := now
	if o == nil {
		o = before
	}
	ours, writing := s.note(k, o, now == nil)
	deployment := o.GetLabels()[labelDeployment]
	if known || deployment == "" {
		return
	}
	e := backends.Event{Deployment: deployment, Ours: ours && now != nil}
	if k == podKind {
		e.Pod = o.GetName()
	}
	if !s.ours(o) {
		if k == podKind || k == replicaSets {
			return
		}
	} else if !e.Ours && !writing {
		e.What, e.Worse = s.what(k, before, now, o)
	}
	s.telling.Lock()
	defer s.telling.Unlock()
	for l := range s.tell {
		l.notify(e)
	}
}

// what says in words what happened to an object if that is worth a word, and whether
// the deployment is worse off: it is not what Kubernetes does about what Berth wrote.
func (s *session) what(k *kind, before, now, o object) (words string, worse bool) {
	if k == podKind {
		was, _ := before.(*corev1.Pod)
		is, _ := now.(*corev1.Pod)
		return podChange(was, is, s.unsettled(o))
	}
	switch {
	case k == replicaSets, before == nil:
		return "", false
	case now == nil && before.GetDeletionTimestamp() == nil:
		return k.name + " was removed", true
	case now == nil:
		return "", false
	case before.GetDeletionTimestamp() == nil && now.GetDeletionTimestamp() != nil:
		return k.name + " is being removed", true
	case edited(k, before, now):
		return k.name + " was changed by " + somebody(now), false
	}
	return "", false
}

// somebody says who else changed an object last, as far as it is told: who only
// removed a field owns nothing.
func somebody(o object) string {
	for _, m := range o.GetManagedFields() {
		if m.Manager != FieldManager {
			return "somebody else (" + message(m.Manager, "unknown") + ")"
		}
	}
	return "somebody else"
}

// edited tells whether somebody changed what Berth had set, rather than Kubernetes
// what follows from it.
func edited(k *kind, before, now object) bool {
	ours := func(key, _ string) bool {
		return !strings.HasPrefix(key, "berth.dev/") && !strings.HasPrefix(key, "app.kubernetes.io/")
	}
	was, is := maps.Clone(before.GetAnnotations()), maps.Clone(now.GetAnnotations())
	maps.DeleteFunc(was, ours)
	maps.DeleteFunc(is, ours)
	return k == deployments && before.GetGeneration() != now.GetGeneration() || k == services ||
		!maps.Equal(was, is) || !maps.Equal(before.GetLabels(), now.GetLabels())
}

// unsettled tells whether pods of an object's deployment come and go because of a
// rollout, or because it is removed.
func (s *session) unsettled(o object) bool {
	found, _ := s.cached(deployments, o.GetNamespace(), o.GetLabels()[labelDeployment])
	d, ok := found.(*appsv1.Deployment)
	return !ok || d.DeletionTimestamp != nil || !settled(d)
}

// podChange says what happened to a pod, and whether it is worse off. That pods of a
// rollout come and go is not worth a word.
func podChange(was, is *corev1.Pod, rollout bool) (words string, worse bool) {
	switch {
	case is == nil:
		if rollout || was.DeletionTimestamp != nil {
			return "", false
		}
		return "pod was removed", true
	case was == nil:
		return unless(rollout, "pod was made"), false
	case is.DeletionTimestamp != nil:
		quiet := rollout || was.DeletionTimestamp != nil
		return unless(quiet, "pod is being removed"), !quiet
	case is.Status.Phase == corev1.PodFailed && was.Status.Phase != corev1.PodFailed:
		return "pod failed: " + message(is.Status.Message, message(is.Status.Reason, "no reason is told")), true
	}
	before, now := appStatus(was), appStatus(is)
	if now == nil {
		return "", false
	}
	if end := lastEnd(now); end != nil && (before == nil || lastEnd(before) == nil || lastEnd(before).ContainerID != end.ContainerID) {
		if end.Reason == whyOOM {
			return "container was killed for using more memory than it may", true
		}
		return fmt.Sprintf("container ended with exit code %d", end.ExitCode), true
	}
	switch {
	case now.State.Running != nil && (before == nil || before.State.Running == nil):
		return unless(rollout, "container was started"), false
	case before != nil && before.Ready && !now.Ready && now.State.Running != nil:
		return "container is not ready any more", true
	}
	return "", false
}

func unless(quiet bool, words string) string {
	if quiet {
		return ""
	}
	return words
}
