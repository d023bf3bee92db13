package kubernetes

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/berthdev/berth/schema"
)

// A reach is how a cluster is reached, and the namespace that is meant where none
// is named.
type reach struct {
	config    *rest.Config
	namespace string
}

// serviceAccountNamespace is where a pod finds the namespace that it runs in.
const serviceAccountNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// reachOf finds out how the cluster is reached: as the options say; by the
// kubeconfig that is configured; by the service account of the pod that Berth runs
// in; by the user's kubeconfig.
func reachOf(cfg schema.BackendConfig, o Options) (reach, error) {
	r := reach{config: o.REST, namespace: corev1.NamespaceDefault}
	if o.REST == nil {
		var err error
		if r, err = configured(cfg); err != nil {
			return reach{}, &schema.Error{
				Op: "open backend", Resource: cfg.Name, Kind: schema.Terminal, Err: err,
				Hint: "set KUBECONFIG and its current context, or kubeconfig and context in the server's configuration",
			}
		}
	}
	r.config = rest.CopyConfig(r.config)
	r.config.QPS = -1 // the API server itself says when it has enough
	r.config.UserAgent = fmt.Sprintf("berth/%s (%s/%s)", cmp.Or(o.Version, "devel"), runtime.GOOS, runtime.GOARCH)
	r.config.WarningHandler = rest.NoWarnings{}
	r.namespace = cmp.Or(cfg.Namespace, r.namespace)
	return r, nil
}

// Reach returns how the cluster of a backend is reached, for what else is done
// there, and the namespace that is meant where none is named.
func Reach(cfg schema.BackendConfig) (config *rest.Config, namespace string, err error) {
	r, err := reachOf(cfg, Options{})
	return r.config, r.namespace, err
}

func configured(cfg schema.BackendConfig) (reach, error) {
	if cfg.Kubeconfig == "" && cfg.Context == "" {
		config, err := rest.InClusterConfig()
		if err == nil {
			own, err := os.ReadFile(serviceAccountNamespace)
			return reach{config, cmp.Or(strings.TrimSpace(string(own)), corev1.NamespaceDefault)}, err
		}
		if !errors.Is(err, rest.ErrNotInCluster) {
			return reach{}, err
		}
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = cfg.Kubeconfig
	rules.WarnIfAllMissing = false
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: cfg.Context})
	raw, err := loader.RawConfig()
	if err != nil {
		return reach{}, err
	}
	if err := permitted(raw, cmp.Or(cfg.Context, raw.CurrentContext), cfg.AllowExec); err != nil {
		return reach{}, err
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return reach{}, err
	}
	namespace, _, err := loader.Namespace()
	return reach{config, namespace}, err
}

// noContext says what there is in place of the context that is asked for.
func noContext(raw clientcmdapi.Config, context string) error {
	known := strings.Join(slices.Sorted(maps.Keys(raw.Contexts)), ", ")
	switch {
	case known == "":
		return errors.New("there is no kubeconfig that names a cluster")
	case context == "":
		return fmt.Errorf("the kubeconfig has no current context; it has %s", known)
	}
	return fmt.Errorf("the kubeconfig has no context %q; it has %s", context, known)
}

// permitted refuses a kubeconfig that has a program run to log in, unless that is
// allowed: whoever can write the file would run programs as Berth.
func permitted(raw clientcmdapi.Config, context string, allowExec bool) error {
	c := raw.Contexts[context]
	if c == nil {
		return noContext(raw, context)
	}
	who := raw.AuthInfos[c.AuthInfo]
	if who == nil || allowExec || who.Exec == nil && who.AuthProvider == nil {
		return nil
	}
	return fmt.Errorf("user %q of the kubeconfig logs in by a program, which is not allowed (set allowExec: true if you trust the file)", c.AuthInfo)
}
