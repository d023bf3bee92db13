package kubernetes

import (
	"context"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/berthdev/berth/backends"
)

// mostRounds bounds how often one Apply looks at what its own write brought about:
// it writes, gives up at once, and remembers.
const mostRounds = 3

// Apply implements [backends.Backend].
func (b *Backend) Apply(ctx context.Context, w backends.Workload, report func(backends.Step)) (backends.Progress, error) {
	wanted, err := b.objects(w)
	if err != nil {
		return backends.Progress{}, err
	}
	a, views, err := b.writer(ctx, w.Deployment, report)
	if err != nil {
		return backends.Progress{}, err
	}
	namespace := wanted.Deployment.Namespace
	v := views[namespace]
	if v == nil {
		v = &view{}
	}
	if what := going(v, wanted); what != "" {
		return backends.Progress{Phase: backends.PhaseProgressing, Reason: what + " is being removed", Pods: b.observed(v.observation)}, nil
	}
	delete(views, namespace)
	if err := a.move(ctx, views, v, wanted); err != nil {
		return backends.Progress{}, err
	}
	if err := a.allFree(ctx, wanted, v); err != nil {
		return backends.Progress{}, err
	}
	if err := a.around(ctx, v, wanted); err != nil {
		return backends.Progress{}, err
	}
	p, err := a.roll(ctx, w, wanted.Deployment, v.observation)
	if err != nil || p.Phase != backends.PhaseReady {
		return p, err
	}
	return p, a.unneeded(ctx, v, wanted)
}

// move removes what there is of the deployment in other namespaces, once it can be
// made in the one where it is wanted.
func (a *writer) move(ctx context.Context, others map[string]*view, v *view, wanted objects) error {
	for _, other := range slices.Sorted(maps.Keys(others)) {
		if d := others[other].Deployment; d != nil && d.DeletionTimestamp == nil {
			if err := a.room(ctx, v, wanted); err != nil {
				return err
			}
			break
		}
	}
	for _, other := range slices.Sorted(maps.Keys(others)) {
		if err := a.clear(ctx, others[other], "it moves to namespace "+wanted.Deployment.Namespace); err != nil {
			return err
		}
	}
	return nil
}

// room makes sure that what is wanted can be made in its namespace, which is made if
// it must be, and may.
func (a *writer) room(ctx context.Context, v *view, wanted objects) error {
	if v.Deployment == nil {
		err := a.try(ctx, deployments, wanted.Deployment)
		if noNamespace(err) {
			if err = a.makeNamespace(ctx, wanted.Deployment.Namespace); err == nil {
				err = a.try(ctx, deployments, wanted.Deployment)
			}
		}
		if err != nil && !apierrors.IsConflict(err) { // somebody has the name: said below
			return classify("create", nameOf(deployments, wanted.Deployment), err)
		}
	}
	for _, m := range lacking(wanted, v) {
		if err := a.free(ctx, m.kind, m.object); err != nil {
			return err
		}
	}
	return nil
}

// going names what is being removed and must be made again; empty: nothing.
func going(v *view, wanted objects) string {
	if v.Deployment != nil && v.Deployment.DeletionTimestamp != nil {
		return "what was there before"
	}
	for _, c := range v.claims {
		if c.DeletionTimestamp != nil && slices.ContainsFunc(wanted.Claims, named[*corev1.PersistentVolumeClaim](c.Name)) {
			return "the volume " + c.Annotations[annotationVolume]
		}
	}
	return ""
}

// around brings about what must be there before the Deployment: volumes, then the
// Service, which is there before pods are. One whose ports change keeps those that
// it has until the deployment is ready.
func (a *writer) around(ctx context.Context, v *view, wanted objects) error {
	for _, claim := range wanted.Claims {
		var live object
		if at := slices.IndexFunc(v.claims, named[*corev1.PersistentVolumeClaim](claim.Name)); at >= 0 {
			live, claim = v.claims[at], adoptClaim(claim, v.claims[at])
		}
		if err := a.ensure(ctx, claimKind, claim, live); err != nil {
			return err
		}
	}
	if wanted.Service == nil {
		return nil
	}
	at := slices.IndexFunc(v.Services, named[*corev1.Service](wanted.Service.Name))
	if at < 0 {
		return a.ensure(ctx, services, wanted.Service, nil)
	}
	return a.ensure(ctx, services, widened(wanted.Service, v.Services[at]), v.Services[at])
}

// unneeded removes what the deployment, which is ready, has no use for any more:
// its Service if it has no ports, ports that only its former release had, and
// volumes that are not to be kept.
func (a *writer) unneeded(ctx context.Context, v *view, wanted objects) error {
	for _, s := range v.Services {
		var err error
		if wanted.Service == nil || s.Name != wanted.Service.Name {
			err = a.remove(ctx, services, s, "it has no use any more")
		} else {
			err = a.ensure(ctx, services, wanted.Service, s)
		}
		if err != nil {
			return err
		}
	}
	for _, c := range v.claims {
		used := slices.ContainsFunc(wanted.Claims, named[*corev1.PersistentVolumeClaim](c.Name))
		if !used && c.Annotations[annotationKeep] == "false" {
			if err := a.remove(ctx, claimKind, c, "it has no use any more, and is not kept"); err != nil {
				return err
			}
		}
	}
	return nil
}

// roll applies the Deployment as is decided, and tells where it stands.
func (a *writer) roll(ctx context.Context, w backends.Workload, wanted *appsv1.Deployment, o observation) (backends.Progress, error) {
	for round := 1; ; round++ {
		d, err := a.decide(w, wanted, o, a.now())
		if err != nil || d.Apply == nil || round > mostRounds {
			return d.Progress, err
		}
		if d.GiveUp {
			a.log.Warn("a rollout is given up", "deployment", w.Deployment, "release", w.Release, "reason", d.Why)
			a.keepLog(ctx, o, d.Apply.Annotations[annotationFailedPod])
		}
		var live object
		if o.Deployment != nil {
			live = o.Deployment
		}
		now, err := a.write(ctx, deployments, d.Apply, live, d.Why)
		if err != nil {
			return d.Progress, err
		}
		o.Deployment = now.(*appsv1.Deployment) //nolint:forcetypeassert // it is what the kind makes
	}
}
