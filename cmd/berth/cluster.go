package main

import (
	"slices"

	"k8s.io/client-go/rest"

	"github.com/berthdev/berth/backends/kubernetes"
	"github.com/berthdev/berth/schema"
)

// leaseCluster returns how the cluster is reached that holds the Lease, and the
// namespace that is meant there: the one that Berth runs in, or, outside of one,
// that of the first backend which is a cluster.
func leaseCluster(cfg *schema.Config) (*rest.Config, string, error) {
	var at schema.BackendConfig
	if _, err := rest.InClusterConfig(); err != nil {
		i := slices.IndexFunc(cfg.Backends, func(b schema.BackendConfig) bool { return b.Type == schema.BackendKubernetes })
		if i >= 0 {
			at = cfg.Backends[i]
			at.Kubeconfig = expandHome(at.Kubeconfig)
		}
	}
	return kubernetes.Reach(at)
}
