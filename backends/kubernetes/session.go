package kubernetes

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// patience is how long the caches may lag behind a write.
const patience = 10 * time.Second

// uninstallTimeout is how long pods may take to end while all is removed.
const uninstallTimeout = 10 * time.Minute

// cached are the kinds that are watched.
var cached = []*kind{deployments, replicaSets, podKind, services, claimKind}

// byDeployment is the index of the caches by the deployment's name. Of the kinds that
// Berth makes it leaves out what somebody else made.
const byDeployment = "deployment"

// A session holds in memory what there is of the instance, for as long as the API
// server is reached: it ends when a watch breaks, and another one begins anew.
type session struct {
	b       *Backend
	ctx     context.Context //nolint:containedctx // it is the session's life; its cause is why it ended
	cancel  context.CancelCauseFunc
	running sync.WaitGroup
	caches  map[*kind]cache.SharedIndexInformer
	synced  chan struct{} // closed once the caches hold all that there was

	mu      sync.Mutex
	change  chan struct{}        // closed at the next event
	seen    map[*kind]uint64     // resource version of the newest event
	writes  map[ref]uint64       // resource versions of own writes of which no event came yet
	writing map[ref]int          // own writes that are under way
	own     map[types.UID]uint64 // resource version of the last own write of an object
	telling sync.Mutex           // held while listeners are told
	tell    map[*listener]struct{}
}

// A ref names an object of a deployment.
type ref struct {
	kind       *kind
	namespace  string
	name       string
	deployment string
}

// A listener is told of events.
type listener struct{ notify func(backends.Event) }

// open begins a session: it returns before the caches hold anything.
func (b *Backend) open() *session {
	s := &session{
		b: b, caches: map[*kind]cache.SharedIndexInformer{}, synced: make(chan struct{}), change: make(chan struct{}),
		seen: map[*kind]uint64{}, writes: map[ref]uint64{}, writing: map[ref]int{}, own: map[types.UID]uint64{}, tell: map[*listener]struct{}{},
	}
	s.ctx, s.cancel = context.WithCancelCause(b.ctx)
	ctx := klog.NewContext(s.ctx, logr.Discard()) // what matters is told as an error
	var filled []<-chan struct{}
	for _, k := range cached {
		informer := s.informer(k)
		handle, err := informer.AddEventHandler(s.handler(k))
		if err != nil {
			s.cancel(err)
			return s
		}
		s.caches[k], filled = informer, append(filled, handle.HasSyncedChecker().Done())
	}
	nodes, err := s.watchNodes(ctx)
	if err != nil {
		s.cancel(err)
		return s
	}
	filled = append(filled, nodes)
	for _, informer := range s.caches {
		s.running.Go(func() { informer.RunWithContext(ctx) })
	}
	s.running.Go(func() {
		for _, f := range filled {
			select {
			case <-f:
			case <-s.ctx.Done():
				return
			}
		}
		close(s.synced)
	})
	return s
}

// informer returns a cache of the instance's objects of a kind: of all namespaces
// if users have their own.
func (s *session) informer(k *kind) cache.SharedIndexInformer {
	namespace := s.b.namespace
	if s.b.cfg.Namespaces != nil {
		namespace = metav1.NamespaceAll
	}
	mine := labels.SelectorFromSet(labels.Set{labelInstance: s.b.instance}).String()
	source := cache.NewFilteredListWatchFromClient(s.b.api.of(k), k.resource, namespace, func(o *metav1.ListOptions) { o.LabelSelector = mine })
	informer := cache.NewSharedIndexInformer(source, k.empty(), 0, cache.Indexers{byDeployment: indexed(k)})
	_ = informer.SetTransform(lighten) // fails only once it runs
	_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		if passing := apierrors.IsResourceExpired(err) || apierrors.IsGone(err) || errors.Is(err, io.EOF); !passing {
			s.cancel(err)
		}
	})
	return informer
}

// indexed returns the index by the deployment's name of a kind.
func indexed(k *kind) cache.IndexFunc {
	return func(found any) ([]string, error) {
		o := found.(object) //nolint:forcetypeassert // the cache holds nothing else
		if slices.Contains(owned, k) && !made(o) {
			return nil, nil
		}
		return []string{o.GetLabels()[labelDeployment]}, nil
	}
}

// lighten drops what objects say of the managers of their fields, but for who
// changed them last, and whether Berth made them.
func lighten(o any) (any, error) {
	if meta, ok := o.(metav1.Object); ok {
		few := lastManager(meta.GetManagedFields())
		if made(meta) {
			few = append(few, metav1.ManagedFieldsEntry{Manager: FieldManager, Operation: metav1.ManagedFieldsOperationApply})
		}
		meta.SetManagedFields(few)
	}
	return o, nil
}

// lastManager returns who changed an object last, status apart. Times are whole
// seconds: of two at once it is not Berth, whose own changes are known.
func lastManager(all []metav1.ManagedFieldsEntry) []metav1.ManagedFieldsEntry {
	var last *metav1.ManagedFieldsEntry
	for i := range all {
		m := &all[i]
		if m.Subresource != "" || m.Time == nil {
			continue
		}
		if last == nil || m.Time.After(last.Time.Time) || m.Time.Equal(last.Time) && last.Manager == FieldManager {
			last = m
		}
	}
	if last == nil {
		return nil
	}
	return []metav1.ManagedFieldsEntry{{Manager: last.Manager}}
}

// broken says why the session ended.
func (s *session) broken() error {
	return s.b.classify("watch", context.Cause(s.ctx))
}

// until waits until the caches hold what is asked for. That they do not in time is
// a transient error.
func (s *session) until(ctx context.Context, limit time.Duration, there func() bool) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		s.mu.Lock()
		change := s.change
		s.mu.Unlock()
		if there() {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return s.b.classify("wait", ctx.Err())
		case <-s.ctx.Done():
			return s.broken()
		case <-timer.C:
			return &schema.Error{Op: "wait", Resource: "cluster " + s.b.host, Kind: schema.Transient, Err: errors.New("its events come late")}
		}
	}
}

// caughtUp waits until the caches hold the own writes to a deployment's objects;
// an empty name means all. So no write is made twice.
func (s *session) caughtUp(ctx context.Context, deployment string) error {
	err := s.until(ctx, patience, func() bool { return !s.behind(deployment, false) })
	if err != nil && ctx.Err() == nil && s.ctx.Err() == nil && !s.behind(deployment, true) {
		return nil
	}
	return err
}

// behind tells whether the caches lack own writes. An object that was removed
// while a watch was renewed has no event: then what the watch goes on from tells.
func (s *session) behind(deployment string, listed bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r, version := range s.writes {
		if deployment != "" && r.deployment != deployment {
			continue
		}
		if listed && versionNumber(s.caches[r.kind].LastSyncResourceVersion()) >= version {
			delete(s.writes, r)
			continue
		}
		return true
	}
	return false
}

// begin tells that an own write of an object begins; the caller calls end with the
// object as it was returned, or nil.
func (s *session) begin(r ref) (end func(object)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing[r]++
	return func(o object) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.writing[r]--; s.writing[r] == 0 {
			delete(s.writing, r)
		}
		if o == nil {
			return
		}
		version := versionNumber(o.GetResourceVersion())
		s.own[o.GetUID()] = version
		if s.caches[r.kind] != nil && s.seen[r.kind] < version {
			s.writes[r] = version
		}
	}
}

// note takes in that an event came, and tells how the instance itself has to do
// with it: it wrote what the event tells, or writes the object now.
func (s *session) note(k *kind, o object, removed bool) (ours, writing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	version := versionNumber(o.GetResourceVersion())
	s.seen[k] = max(s.seen[k], version)
	for r, written := range s.writes {
		if r.kind == k && written <= s.seen[k] {
			delete(s.writes, r)
		}
	}
	close(s.change)
	s.change = make(chan struct{})
	ours = s.own[o.GetUID()] == version
	if removed {
		delete(s.own, o.GetUID())
	}
	return ours, s.writing[ref{k, o.GetNamespace(), o.GetName(), o.GetLabels()[labelDeployment]}] > 0
}

// versionNumber reads a resource version: they count up. One that is no number is 0.
func versionNumber(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// A view is what there is of one deployment in one namespace.
type view struct {
	observation
	claims []*corev1.PersistentVolumeClaim
}

// views returns what there is of a deployment, by namespace: it may have moved.
func (s *session) views(deployment string) map[string]*view {
	out := map[string]*view{}
	of := func(namespace string) *view {
		if out[namespace] == nil {
			out[namespace] = &view{}
		}
		return out[namespace]
	}
	for _, k := range cached {
		found, err := s.caches[k].GetIndexer().ByIndex(byDeployment, deployment)
		if err != nil {
			panic("kubernetes: the index is there: " + err.Error())
		}
		for _, o := range found {
			if !s.ours(o.(object)) { //nolint:forcetypeassert // the cache holds nothing else
				continue
			}
			switch o := o.(type) {
			case *appsv1.Deployment:
				of(o.Namespace).Deployment = o
			case *appsv1.ReplicaSet:
				of(o.Namespace).ReplicaSets = append(of(o.Namespace).ReplicaSets, o)
			case *corev1.Pod:
				of(o.Namespace).Pods = append(of(o.Namespace).Pods, o)
			case *corev1.Service:
				of(o.Namespace).Services = append(of(o.Namespace).Services, o)
			case *corev1.PersistentVolumeClaim:
				of(o.Namespace).claims = append(of(o.Namespace).claims, o)
			}
		}
	}
	for _, v := range out {
		slices.SortFunc(v.claims, func(a, b *corev1.PersistentVolumeClaim) int { return cmp.Compare(a.Name, b.Name) })
		slices.SortFunc(v.Services, func(a, b *corev1.Service) int { return cmp.Compare(a.Name, b.Name) })
	}
	return out
}

// names returns the names of the deployments of which there is something, volumes
// apart that are to be kept.
func (s *session) names() []string {
	var out []string
	for _, k := range []*kind{deployments, podKind, services} {
		out = append(out, s.caches[k].GetIndexer().ListIndexFuncValues(byDeployment)...)
	}
	for _, found := range s.caches[claimKind].GetStore().List() {
		if c := found.(object); made(c) && !keeps(c) { //nolint:forcetypeassert // the cache holds nothing else
			out = append(out, c.GetLabels()[labelDeployment])
		}
	}
	return sortedSet(out)
}
