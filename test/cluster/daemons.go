package main

import (
	"context"
	"fmt"
	"net"
)

// A daemon is one part of the cluster.
type daemon struct {
	name    string // of its log too
	command string // a name is searched for in PATH
	args    []string
	answers func(context.Context) error // nil: nothing waits for it
}

// daemons are the cluster's parts in the order of their start; those of one
// stage start together, when those before them answer.
func (c *cluster) daemons() [][]daemon {
	return [][]daemon{
		{c.containerd(), c.etcd()},
		{c.apiServer()},
		{c.controllerManager(), c.scheduler(), c.kubelet(), c.proxy()},
	}
}

func (c *cluster) containerd() daemon {
	return daemon{
		name: "containerd", command: "containerd", answers: c.runtimeAnswers,
		args: []string{"--config=" + c.path("config", "containerd.toml")},
	}
}

func (c *cluster) etcd() daemon {
	return daemon{
		name: "etcd", command: c.bin + "/server", // etcd's main package is called server
		args: []string{
			"--name=" + nodeName,
			"--data-dir=" + c.path("etcd"),
			"--unsafe-no-fsync", // what it holds lasts as long as the cluster
			// Whoever reaches it rules the cluster, and so this machine: it listens
			// in a folder of root's. What it advertises, nobody asks for.
			"--listen-client-urls=" + c.etcdURL(),
			"--listen-peer-urls=unix://" + c.path("etcd-peer.sock"),
			"--advertise-client-urls=" + etcdName,
			"--initial-advertise-peer-urls=" + etcdName,
			"--initial-cluster=" + nodeName + "=" + etcdName,
		},
		answers: func(ctx context.Context) error {
			conn, err := new(net.Dialer).DialContext(ctx, "unix", c.path("etcd.sock"))
			if err != nil {
				return err
			}
			return conn.Close()
		},
	}
}

func (c *cluster) apiServer() daemon {
	config := func(file string) string { return c.path("config", file) }
	return daemon{
		name: "kube-apiserver", command: c.bin + "/kube-apiserver", answers: c.apiAnswers,
		args: []string{
			"--etcd-servers=" + c.etcdURL(),
			"--secure-port=" + fmt.Sprint(apiPort),
			"--advertise-address=" + nodeIP,
			"--cert-dir=" + c.path("config"),
			"--tls-cert-file=" + config("apiserver.crt"),
			"--tls-private-key-file=" + config("apiserver.key"),
			"--client-ca-file=" + config("ca.crt"),
			"--token-auth-file=" + config("tokens.csv"),
			"--anonymous-auth=false", // it listens on all addresses, for pods to reach it
			"--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction",
			"--allow-privileged=true",
			"--service-cluster-ip-range=" + serviceCIDR,
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-key-file=" + config("service-accounts.key"),
			"--service-account-signing-key-file=" + config("service-accounts.key"),
			"--kubelet-preferred-address-types=InternalIP",
			"--kubelet-certificate-authority=" + config("ca.crt"),
			"--kubelet-client-certificate=" + config("kubelet-client.crt"),
			"--kubelet-client-key=" + config("kubelet-client.key"),
		},
	}
}

// The rates and the concurrency are raised so that a test with many objects
// measures what it tests, not the brakes of a production cluster.
func (c *cluster) controllerManager() daemon {
	return daemon{
		name: "kube-controller-manager", command: c.bin + "/kube-controller-manager",
		args: append(c.managerArgs("kube-controller-manager", managerPort),
			"--use-service-account-credentials",
			"--service-account-private-key-file="+c.path("config", "service-accounts.key"),
			"--root-ca-file="+c.path("config", "ca.crt"),
			"--enable-hostpath-provisioner", // volumes are folders of this machine
			"--concurrent-deployment-syncs=20",
			"--concurrent-replicaset-syncs=20",
			"--kube-api-qps=500",
			"--kube-api-burst=1000",
		),
	}
}

func (c *cluster) scheduler() daemon {
	return daemon{
		name: "kube-scheduler", command: c.bin + "/kube-scheduler",
		args: c.managerArgs("kube-scheduler", schedulerPort),
	}
}

// managerArgs are what controller manager and scheduler have in common.
func (c *cluster) managerArgs(user string, port int) []string {
	return []string{
		"--kubeconfig=" + c.kubeconfig(user),
		"--authentication-kubeconfig=" + c.kubeconfig(user),
		"--authorization-kubeconfig=" + c.kubeconfig(user),
		"--bind-address=127.0.0.1",
		"--secure-port=" + fmt.Sprint(port),
		"--cert-dir=" + c.path("config"),
		"--leader-elect=false",
	}
}

func (c *cluster) kubelet() daemon {
	return daemon{
		name: "kubelet", command: c.bin + "/kubelet",
		args: []string{
			"--config=" + c.path("config", "kubelet.yaml"),
			"--kubeconfig=" + c.kubeconfig("kubelet"),
			"--root-dir=" + c.path("kubelet"),
			"--cert-dir=" + c.path("config"),
			"--hostname-override=" + nodeName,
			"--node-ip=" + nodeIP,
			// Where it reads what containers use: its default is another containerd.
			"--containerd=" + c.containerdSocket(),
			"--containerd-namespace=" + containerdSpace,
		},
	}
}

func (c *cluster) proxy() daemon {
	return daemon{
		name: "kube-proxy", command: c.bin + "/kube-proxy",
		args: []string{"--config=" + c.path("config", "kube-proxy.yaml")},
	}
}
