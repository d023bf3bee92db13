package kubernetes

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/berthdev/berth/backends"
)

// Remove implements [backends.Backend]. It does not wait until the pods have ended:
// until then they are told as going.
func (b *Backend) Remove(ctx context.Context, deployment string, report func(backends.Step)) error {
	a, views, err := b.writer(ctx, deployment, report)
	if err != nil {
		return err
	}
	for _, v := range views {
		if err := a.clear(ctx, v, "its deployment is removed"); err != nil {
			return err
		}
	}
	return nil
}

// clear removes what there is of the deployment in one namespace, in the reverse
// order of how it was made. Volumes stay that are to be kept.
func (a *writer) clear(ctx context.Context, v *view, why string) error {
	if v.Deployment != nil {
		if err := a.remove(ctx, deployments, v.Deployment, why); err != nil {
			return err
		}
	}
	for _, s := range v.Services {
		if err := a.remove(ctx, services, s, why); err != nil {
			return err
		}
	}
	for _, c := range v.claims {
		if !keeps(c) {
			if err := a.remove(ctx, claimKind, c, why); err != nil {
				return err
			}
		}
	}
	return nil
}

// Forget implements [backends.Backend].
func (b *Backend) Forget(ctx context.Context, deployment string, report func(backends.Step)) error {
	a, views, err := b.writer(ctx, deployment, report)
	if err != nil {
		return err
	}
	for _, v := range views {
		data, failed := b.forget(v.observation)
		if data == nil {
			continue
		}
		step := backends.Step{Deployment: deployment, Verb: "update", Detail: nameOf(deployments, v.Deployment) + ": its failed rollout is forgotten"}
		a.report(step)
		end := a.s.begin(ref{deployments, v.Deployment.Namespace, v.Deployment.Name, deployment})
		now, err := b.api.merge(ctx, deployments, v.Deployment.Namespace, v.Deployment.Name, data)
		if err != nil {
			end(nil)
			return classify("update", nameOf(deployments, v.Deployment), err)
		}
		end(now)
		step.Done = true
		a.report(step)
		for _, pod := range v.Pods {
			if !slices.Contains(failed, pod.Name) {
				continue
			}
			if err := a.remove(ctx, podKind, pod, "its failed rollout is forgotten"); err != nil {
				return err
			}
		}
	}
	return nil
}

// owned are the kinds that Berth makes, in the order in which they are removed.
// The others that carry its label are made, and removed, by Kubernetes.
var owned = []*kind{deployments, services, claimKind}

// mine lists the objects that the instance has made.
func (s *session) mine() map[*kind][]object {
	out := map[*kind][]object{}
	for _, k := range owned {
		for _, found := range s.caches[k].GetStore().List() {
			if o := found.(object); made(o) { //nolint:forcetypeassert // the cache holds nothing else
				out[k] = append(out[k], o)
			}
		}
		slices.SortFunc(out[k], func(x, y object) int {
			return cmp.Or(cmp.Compare(x.GetNamespace(), y.GetNamespace()), cmp.Compare(x.GetName(), y.GetName()))
		})
	}
	return out
}

// Owned implements [backends.Backend].
func (b *Backend) Owned(ctx context.Context) ([]backends.Object, error) {
	s, err := b.session(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.caughtUp(ctx, ""); err != nil {
		return nil, err
	}
	var out []backends.Object
	mine := s.mine()
	for _, k := range owned {
		for _, o := range mine[k] {
			out = append(out, backends.Object{Kind: ownedAs[k], Name: o.GetNamespace() + "/" + o.GetName(), Deployment: o.GetLabels()[labelDeployment]})
		}
	}
	return out, nil
}

// ownedAs are the names of kinds for people, as kubectl takes them; a claim is what
// other backends call a volume.
var ownedAs = map[*kind]string{deployments: "deployment", services: "service", claimKind: "volume"}

// removals is how many objects are removed at once.
const removals = 8

// Uninstall implements [backends.Backend]. It removes objects of one kind together,
// and returns once all is gone.
func (b *Backend) Uninstall(ctx context.Context, volumes bool, report func(backends.Step)) error {
	a, _, err := b.writer(ctx, "", report)
	if err != nil {
		return err
	}
	mine := a.s.mine()
	kinds := owned
	if !volumes {
		kinds = owned[:len(owned)-1]
	}
	var told sync.Mutex
	for _, k := range kinds {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(removals)
		for _, o := range mine[k] {
			w := &writer{b, a.s, o.GetLabels()[labelDeployment], func(step backends.Step) {
				told.Lock()
				defer told.Unlock()
				a.report(step)
			}}
			group.Go(func() error { return w.remove(ctx, k, o, "Berth is uninstalled") })
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return a.s.until(ctx, uninstallTimeout, func() bool {
		return !slices.ContainsFunc(kinds, func(k *kind) bool { return len(a.s.caches[k].GetIndexer().ListIndexFuncValues(byDeployment)) > 0 })
	})
}
