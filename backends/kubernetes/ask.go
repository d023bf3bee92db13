package kubernetes

import (
	"context"
	"encoding/json"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// Capacity implements [backends.Backend]. Where Berth may not list nodes, the
// configuration must say what the cluster offers.
func (b *Backend) Capacity(ctx context.Context) (backends.Capacity, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	raw, err := b.api.core.Get().AbsPath("/version").Do(ctx).Raw()
	if err != nil {
		return backends.Capacity{}, b.classify("ask", err)
	}
	var about version.Info
	if err := json.Unmarshal(raw, &about); err != nil {
		return backends.Capacity{}, b.classify("ask", err)
	}
	nodes, err := b.nodes(ctx)
	if apierrors.IsForbidden(err) {
		if offer := b.cfg.Capacity; offer.CPU != nil && offer.Memory != nil {
			return b.capacity(nil, about.GitVersion), nil
		}
		return backends.Capacity{}, &schema.Error{
			Op: "list nodes", Resource: "cluster " + b.host, Kind: schema.Terminal, Err: errors.New("Berth's user may not see what the cluster offers"),
			Hint: "let it list nodes, or write the backend's capacity (cpu and memory) into the configuration",
		}
	}
	if err != nil {
		return backends.Capacity{}, b.classify("list nodes", err)
	}
	return b.capacity(nodes, about.GitVersion), nil
}

func (b *Backend) nodes(ctx context.Context) ([]*corev1.Node, error) {
	var list corev1.NodeList
	err := b.api.core.Get().Resource("nodes").VersionedParams(&metav1.ListOptions{ResourceVersion: "0"}, b.api.params).Do(ctx).Into(&list)
	out := make([]*corev1.Node, len(list.Items))
	for i := range list.Items {
		out[i] = &list.Items[i]
	}
	return out, err
}
