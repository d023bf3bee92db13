package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// nodesAtOnce is how many kubelets are asked at the same time.
const nodesAtOnce = 8

// Usage implements [backends.Backend]. The cluster's metrics API is asked if there
// is one, else the kubelet of each node on which pods of the instance run. What
// neither has measured yet is told as using nothing.
func (b *Backend) Usage(ctx context.Context) ([]backends.Usage, error) {
	s, err := b.session(ctx)
	if err != nil {
		return nil, err
	}
	running := map[types.NamespacedName]*corev1.Pod{}
	for _, o := range s.caches[podKind].GetStore().List() {
		if pod, ok := o.(*corev1.Pod); ok && s.ours(pod) {
			if state, _ := stateOf(pod); state == backends.PodRunning {
				running[types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}] = pod
			}
		}
	}
	if len(running) == 0 {
		return nil, nil
	}
	used, err := b.metrics(ctx, running)
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsServiceUnavailable(err) {
		used, err = b.kubelets(ctx, running)
	}
	if apierrors.IsForbidden(err) {
		return nil, &schema.Error{
			Op: "measure", Resource: "pods on cluster " + b.host, Kind: schema.Terminal, Err: errors.New("Berth's user may ask neither the metrics API nor the kubelets"),
			Hint: "let it list pods.metrics.k8s.io if the cluster has a metrics server, else get nodes/proxy",
		}
	}
	if err != nil {
		return nil, b.classify("measure", err)
	}
	var out []backends.Usage
	for _, name := range slices.SortedFunc(maps.Keys(running), func(x, y types.NamespacedName) int { return strings.Compare(x.String(), y.String()) }) {
		u := used[name]
		u.Pod, u.Deployment = name.Name, running[name].Labels[labelDeployment]
		out = append(out, u)
	}
	return out, nil
}

// metrics asks the cluster's metrics API.
func (b *Backend) metrics(ctx context.Context, running map[types.NamespacedName]*corev1.Pod) (map[types.NamespacedName]backends.Usage, error) {
	var list struct {
		Items []struct {
			Metadata   struct{ Namespace, Name string }
			Containers []struct {
				Name  string
				Usage struct{ CPU, Memory resource.Quantity }
			}
		}
	}
	out := map[types.NamespacedName]backends.Usage{}
	spaces := map[string]bool{}
	for name := range running {
		spaces[name.Namespace] = true
	}
	for _, namespace := range slices.Sorted(maps.Keys(spaces)) {
		raw, err := b.api.core.Get().AbsPath("/apis/metrics.k8s.io/v1beta1/namespaces", namespace, "pods").
			Param("labelSelector", labelInstance+"="+b.instance).Timeout(callTimeout).Do(ctx).Raw()
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
		for _, item := range list.Items {
			var u backends.Usage
			for _, c := range item.Containers {
				u.CPU += schema.CPU(c.Usage.CPU.MilliValue())
				u.Memory += schema.Bytes(c.Usage.Memory.Value())
			}
			out[types.NamespacedName{Namespace: item.Metadata.Namespace, Name: item.Metadata.Name}] = u
		}
	}
	return out, nil
}

// kubelets asks the kubelets of the nodes on which the pods run. One that does not
// answer keeps no other from being heard: only if none does, why is the error.
func (b *Backend) kubelets(ctx context.Context, running map[types.NamespacedName]*corev1.Pod) (map[types.NamespacedName]backends.Usage, error) {
	nodes := map[string]bool{}
	for _, pod := range running {
		nodes[pod.Spec.NodeName] = true
	}
	names := slices.Sorted(maps.Keys(nodes))
	answers, errs := make([]map[types.NamespacedName]backends.Usage, len(names)), make([]error, len(names))
	var group errgroup.Group
	group.SetLimit(nodesAtOnce)
	for i, name := range names {
		group.Go(func() error {
			answers[i], errs[i] = b.kubelet(ctx, name)
			return nil
		})
	}
	_ = group.Wait() // errs has the errors
	out := map[types.NamespacedName]backends.Usage{}
	var first error
	for i := range names {
		if errs[i] != nil && first == nil {
			first = errs[i]
		}
		maps.Copy(out, answers[i])
	}
	if slices.Contains(errs, nil) {
		first = nil
	}
	return out, first
}

// kubelet asks one kubelet, which measures at once.
func (b *Backend) kubelet(ctx context.Context, node string) (map[types.NamespacedName]backends.Usage, error) {
	raw, err := b.api.core.Get().Resource("nodes").Name(node).SubResource("proxy").Suffix("stats", "summary").
		Param("only_cpu_and_memory", "true").Timeout(callTimeout).Do(ctx).Raw()
	if err != nil {
		return nil, err
	}
	return parseSummary(raw)
}

// parseSummary reads a kubelet's summary: the working set of each pod's containers,
// which leaves out what the system may take back.
func parseSummary(raw []byte) (map[types.NamespacedName]backends.Usage, error) {
	var summary struct {
		Pods []struct {
			PodRef     struct{ Name, Namespace string }
			Containers []struct {
				CPU    struct{ UsageNanoCores uint64 }
				Memory struct{ WorkingSetBytes uint64 }
			}
		}
	}
	if err := json.Unmarshal(raw, &summary); err != nil {
		return nil, err
	}
	out := map[types.NamespacedName]backends.Usage{}
	for _, pod := range summary.Pods {
		var u backends.Usage
		for _, c := range pod.Containers {
			const nanoPerMilli = 1_000_000
			u.CPU += schema.CPU(min(c.CPU.UsageNanoCores/nanoPerMilli, 1<<30))
			u.Memory += schema.Bytes(min(c.Memory.WorkingSetBytes, 1<<50))
		}
		out[types.NamespacedName{Namespace: pod.PodRef.Namespace, Name: pod.PodRef.Name}] = u
	}
	return out, nil
}
