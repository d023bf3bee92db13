package main

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func TestConfigureWritesWhatTheDaemonsRead(t *testing.T) {
	c := &cluster{state: t.TempDir(), bin: "bin"}
	if err := c.configure(); err != nil {
		t.Fatal(err)
	}
	for _, stage := range c.daemons() {
		for _, d := range stage {
			for _, arg := range d.args {
				_, file, _ := strings.Cut(arg, "=")
				if !strings.HasPrefix(file, c.path("config")+"/") {
					continue
				}
				if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s reads %s: %v, %v", d.name, file, info, err)
				}
			}
		}
	}
	err := filepath.WalkDir(c.path("config"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), "<no value>") {
			t.Errorf("%s lacks a value:\n%s", path, data)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestKubeconfigReachesTheServerThatItTrusts(t *testing.T) {
	c := &cluster{state: t.TempDir()}
	if err := c.configure(); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig("admin"))
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != apiServer || config.BearerToken == "" {
		t.Errorf("host %q, token of %d letters", config.Host, len(config.BearerToken))
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(config.CAData)
	for name, hosts := range map[string][]string{"apiserver": {"127.0.0.1", nodeIP, apiService, "kubernetes.default.svc"}, "kubelet": {nodeIP}} {
		pair, err := tls.LoadX509KeyPair(c.path("config", name+".crt"), c.path("config", name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range hosts {
			if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host}); err != nil {
				t.Errorf("%s as %s: %v", name, host, err)
			}
		}
	}
}
