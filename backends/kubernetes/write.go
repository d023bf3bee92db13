package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// A writer changes the objects of one deployment.
type writer struct {
	*Backend

	s          *session
	deployment string
	report     func(backends.Step)
}

// writer returns a writer, and what there is after all that was written before.
func (b *Backend) writer(ctx context.Context, deployment string, report func(backends.Step)) (*writer, map[string]*view, error) {
	s, err := b.session(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := s.caughtUp(ctx, deployment); err != nil {
		return nil, nil, err
	}
	if report == nil {
		report = func(backends.Step) {}
	}
	return &writer{b, s, deployment, report}, s.views(deployment), nil
}

// ensure applies an object if the live one, which may be nil, lacks something.
func (a *writer) ensure(ctx context.Context, k *kind, wanted, live object) error {
	why := "it is not there"
	if live != nil {
		var err error
		if why, err = lacks(wanted, live); err != nil || why == "" {
			return err
		}
	}
	_, err := a.write(ctx, k, wanted, live, why)
	return err
}

// absent is the resource version of an object that must not be there: server-side
// apply makes it, but changes none of another version. etcd's first object has
// version 2.
const absent = "1"

// write applies an object over the live one, or makes it where the name is free.
// What somebody else made under its name is not touched: only the object of the live
// uid is changed, and where there should be none, none is.
func (a *writer) write(ctx context.Context, k *kind, wanted, live object, why string) (object, error) {
	verb := "create"
	if live != nil {
		verb = "update"
	}
	fields, data, err := body(wanted, live)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", nameOf(k, wanted), err)
	}
	step := backends.Step{Deployment: a.deployment, Verb: verb, Detail: nameOf(k, wanted) + ": " + why}
	a.report(step)
	if live != nil {
		defer a.s.begin(ref{k, wanted.GetNamespace(), wanted.GetName(), a.deployment})(nil) // the steps between are our own
		if err := a.separate(ctx, k, fields, live); err != nil {
			return nil, classify(verb, nameOf(k, wanted), err)
		}
	}
	now, err := a.apply(ctx, k, wanted, data, live != nil)
	if noNamespace(err) {
		if err = a.makeNamespace(ctx, wanted.GetNamespace()); err == nil {
			now, err = a.apply(ctx, k, wanted, data, false)
		}
	}
	if live == nil && apierrors.IsConflict(err) {
		if taken := a.free(ctx, k, wanted); taken != nil {
			return nil, taken
		}
	}
	if err != nil {
		return nil, classify(verb, nameOf(k, wanted), err)
	}
	step.Done = true
	a.report(step)
	if why, err := lacks(wanted, now); err != nil || why != "" {
		return nil, cmp.Or(err, changedOnItsWay(verb, nameOf(k, wanted), why))
	}
	return now, nil
}

// changedOnItsWay returns the error of an object that is not as it was applied: what
// the cluster does once, it does whenever that is tried.
func changedOnItsWay(verb, name, why string) error {
	return &schema.Error{
		Op: verb, Resource: name, Kind: schema.Terminal, Err: errors.New("the cluster changed what was applied: " + why),
		Hint: "a mutating webhook or policy of the cluster does that: exempt what carries Berth's labels, or declare it so that nothing is left to change",
	}
}

// body returns what is sent to apply an object over the live one, or to make it.
func body(wanted, live object) (fields map[string]any, data []byte, err error) {
	o, err := patch(wanted)
	if err != nil {
		return nil, nil, err
	}
	if live != nil {
		o.SetUID(live.GetUID())
	} else {
		o.SetResourceVersion(absent)
	}
	data, err = json.Marshal(o)
	return o.Object, data, err
}

// try asks the server whether it would make an object, and makes none.
func (a *writer) try(ctx context.Context, k *kind, wanted object) error {
	_, data, err := body(wanted, nil)
	if err != nil {
		return err
	}
	_, err = a.api.apply(ctx, k, wanted.GetNamespace(), wanted.GetName(), data, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// apply sends an object, and has its event known as our own.
func (a *writer) apply(ctx context.Context, k *kind, o object, data []byte, force bool) (object, error) {
	end := a.s.begin(ref{k, o.GetNamespace(), o.GetName(), a.deployment})
	now, err := a.api.apply(ctx, k, o.GetNamespace(), o.GetName(), data, metav1.PatchOptions{Force: &force})
	if err != nil {
		end(nil)
		return nil, err
	}
	end(now)
	return now, nil
}

// A missingObject is wanted and not there.
type missingObject struct {
	kind   *kind
	object object
}

// lacking returns the wanted objects that are not there, in the order in which they
// are made.
func lacking(wanted objects, v *view) []missingObject {
	var all []missingObject
	for _, c := range wanted.Claims {
		if !slices.ContainsFunc(v.claims, named[*corev1.PersistentVolumeClaim](c.Name)) {
			all = append(all, missingObject{claimKind, c})
		}
	}
	if wanted.Service != nil && !slices.ContainsFunc(v.Services, named[*corev1.Service](wanted.Service.Name)) {
		all = append(all, missingObject{services, wanted.Service})
	}
	if v.Deployment == nil {
		all = append(all, missingObject{deployments, wanted.Deployment})
	}
	return all
}

// allFree makes sure that each wanted object that is not there can be made, before
// any is. The first one needs no question: making it tells.
func (a *writer) allFree(ctx context.Context, wanted objects, v *view) error {
	all := lacking(wanted, v)
	for _, m := range all[min(1, len(all)):] {
		if err := a.free(ctx, m.kind, m.object); err != nil {
			return err
		}
	}
	return nil
}

func named[O object](name string) func(O) bool {
	return func(o O) bool { return o.GetName() == name }
}

// free makes sure that nobody else has made an object of the name. One of this
// deployment is as good as none: another process of the instance just made it.
func (a *writer) free(ctx context.Context, k *kind, wanted object) error {
	there, err := a.api.get(ctx, k, wanted.GetNamespace(), wanted.GetName())
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return classify("create", nameOf(k, wanted), err)
	}
	whose := there.GetLabels()
	mine := whose[labelInstance] == a.instance && whose[labelDeployment] == a.deployment
	if mine && made(there) {
		return nil
	}
	maker := "this Berth did not make it"
	if mine {
		maker += ", although it carries its labels"
	}
	if other := whose[labelInstance]; other != "" && other != a.instance {
		maker = "the instance " + message(other, "") + " of Berth made it"
	}
	return &schema.Error{
		Op: "create", Resource: nameOf(k, wanted), Kind: schema.Terminal, Err: errors.New("there is one already: " + maker),
		Hint: "remove it, or give the deployment another name or namespace: Berth takes over nothing",
	}
}

// makeNamespace makes a namespace that is missing, if that is allowed.
func (a *writer) makeNamespace(ctx context.Context, name string) error {
	if !a.mayCreate(name) {
		return &schema.Error{
			Op: "create", Resource: "deployment " + a.deployment, Kind: schema.Waiting, Err: fmt.Errorf("there is no namespace %s", name),
			Hint: "make it, or set namespaces.create in the backend's configuration",
		}
	}
	step := backends.Step{Deployment: a.deployment, Verb: "create", Detail: "Namespace " + name}
	a.report(step)
	if err := a.api.createNamespace(ctx, a.namespaceObject(name)); err != nil && !apierrors.IsAlreadyExists(err) {
		return classify("create", "Namespace "+name, err)
	}
	step.Done = true
	a.report(step)
	return nil
}

// remove removes an object, unless it is being removed. It returns once the caches
// know of it.
func (a *writer) remove(ctx context.Context, k *kind, o object, why string) error {
	if o.GetDeletionTimestamp() != nil {
		return nil
	}
	step := backends.Step{Deployment: a.deployment, Verb: "remove", Detail: nameOf(k, o) + ": " + why}
	if k == podKind {
		step.Pod = o.GetName()
	}
	a.report(step)
	defer a.s.begin(ref{k, o.GetNamespace(), o.GetName(), a.deployment})(nil)
	if err := unlessGone(a.api.remove(ctx, k, o.GetNamespace(), o.GetName(), o.GetUID())); err != nil {
		return classify("remove", nameOf(k, o), err)
	}
	if err := a.s.until(ctx, patience, func() bool { return a.s.leaves(k, o.GetNamespace(), o.GetName(), o.GetUID()) }); err != nil {
		return err
	}
	step.Done = true
	a.report(step)
	return nil
}

// leaves tells whether an object is gone, or going.
func (s *session) leaves(k *kind, namespace, name string, uid types.UID) bool {
	o, there := s.cached(k, namespace, name)
	return !there || o.GetUID() != uid || o.GetDeletionTimestamp() != nil
}
