package main

import (
	"crypto/x509/pkix"
	"embed"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"golang.org/x/sys/unix"
)

//go:embed config
var templates embed.FS

// configure writes the certificates, tokens and configuration files of a new
// cluster.
func (c *cluster) configure() error {
	if err := os.MkdirAll(c.path("config", "cni"), 0o700); err != nil {
		return err
	}
	ca, err := c.newAuthority()
	if err != nil {
		return err
	}
	if _, err := c.newKey("service-accounts.key"); err != nil {
		return err
	}
	if err := ca.issue("apiserver", pkix.Name{CommonName: "kube-apiserver"}, "127.0.0.1", "localhost", nodeIP,
		apiService, "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"); err != nil {
		return err
	}
	if err := ca.issue("kubelet", pkix.Name{CommonName: "system:node:" + nodeName}, nodeName, nodeIP); err != nil {
		return err
	}
	// The API server's own way to the kubelet: logs, exec, metrics.
	if err := ca.issue("kubelet-client", pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: []string{"system:masters"}}); err != nil {
		return err
	}
	if err := c.writeUsers(newUsers()); err != nil {
		return err
	}
	for source, target := range map[string]string{
		"containerd.toml": "containerd.toml", "cni.conflist": filepath.Join("cni", "10-berth.conflist"),
		"kubelet.yaml": "kubelet.yaml", "kube-proxy.yaml": "kube-proxy.yaml",
	} {
		if err := c.render(source, target, values{cluster: c}); err != nil {
			return err
		}
	}
	return nil
}

// writeUsers writes the API server's token file and a kubeconfig for each user.
func (c *cluster) writeUsers(users []user) error {
	ca, err := os.ReadFile(c.path("config", "ca.crt"))
	if err != nil {
		return err
	}
	var tokens strings.Builder
	for _, u := range users {
		tokens.WriteString(u.tokenLine())
		v := values{cluster: c, User: u.name, Token: u.token, CA: base64.StdEncoding.EncodeToString(ca)}
		if err := c.render("kubeconfig.yaml", u.name+".kubeconfig", v); err != nil {
			return err
		}
	}
	return os.WriteFile(c.path("config", "tokens.csv"), []byte(tokens.String()), 0o600)
}

// render writes a file of the embedded configuration with the cluster's values.
func (c *cluster) render(source, target string, v values) error {
	t, err := template.ParseFS(templates, "config/"+source)
	if err != nil {
		return err
	}
	var out strings.Builder
	if err := t.Execute(&out, v); err != nil {
		return err
	}
	return os.WriteFile(c.path("config", target), []byte(out.String()), 0o600)
}

// values are what the configuration files may name.
type values struct {
	cluster         *cluster
	User, Token, CA string
}

func (v values) Path(elem ...string) string    { return v.cluster.path(elem...) }
func (v values) Kubeconfig(user string) string { return v.cluster.kubeconfig(user) }
func (v values) ContainerdSocket() string      { return v.cluster.containerdSocket() }
func (v values) Server() string                { return apiServer }
func (v values) NodeName() string              { return nodeName }
func (v values) NodeIP() string                { return nodeIP }
func (v values) Bridge() string                { return bridge }
func (v values) PodCIDR() string               { return podCIDR }
func (v values) PauseImage() string            { return pauseImage }
func (v values) PluginDir() string             { return pluginDir }
func (v values) KubeletPort() int              { return kubeletPort }
func (v values) KubeletHealth() int            { return kubeletHealth }
func (v values) ProxyHealth() int              { return proxyHealth }
func (v values) ProxyMetrics() int             { return proxyMetrics }

// RestrictOOM tells whether this process lacks the right to lower the score by
// which the kernel chooses what to kill; containers within containers do.
func (v values) RestrictOOM() (bool, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false, err
	}
	return data[0].Effective&(1<<unix.CAP_SYS_RESOURCE) == 0, nil
}
