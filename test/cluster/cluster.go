package main

import "path/filepath"

// Where the cluster is. The ports are its own, the addresses are on a bridge of
// its own, and the names say whose they are.
const (
	stateDir = "/var/lib/berth-cluster" // whole: down removes it
	lockFile = "/run/lock/berth-cluster"
	nodeName = "berth"

	bridge      = "berth0"
	nodeIP      = "10.117.0.1" // the bridge's address: what pods reach this machine by
	podCIDR     = "10.117.0.0/20"
	nodeCIDR    = nodeIP + "/20"
	serviceCIDR = "10.117.16.0/20"
	apiService  = "10.117.16.1" // the service "kubernetes"

	etcdName      = "http://etcd.invalid:2380" // a URL that etcd wants to have
	apiPort       = 16443
	apiServer     = "https://127.0.0.1:16443"
	kubeletPort   = 16450
	kubeletHealth = 16448
	managerPort   = 16457
	schedulerPort = 16459
	proxyHealth   = 16456
	proxyMetrics  = 16449

	pauseImage      = "berth.invalid/pause:1"
	containerdSpace = "k8s.io"       // containerd's namespace of what the kubelet runs
	pluginDir       = "/usr/lib/cni" // Debian's containernetworking-plugins

	// Where others write without asking.
	volumesDir    = "/tmp/hostpath_pv"
	containerLogs = "/var/log/containers"
	deviceSockets = "/var/lib/kubelet/device-plugins"
	pluginResults = "/var/lib/cni/results"
	namespacesDir = "/run/netns"
	runtimeDir    = "/run/containerd/runc/" + containerdSpace
)

// cluster is the cluster of this machine.
type cluster struct {
	state string // folder of all that it writes
	bin   string // folder of its binaries
}

// path names a file or folder of the cluster's own.
func (c *cluster) path(elem ...string) string {
	return filepath.Join(append([]string{c.state}, elem...)...)
}

func (c *cluster) containerdSocket() string { return c.path("containerd.sock") }
func (c *cluster) etcdURL() string          { return "unix://" + c.path("etcd.sock") }
func (c *cluster) kubeconfig(user string) string {
	return c.path("config", user+".kubeconfig")
}
