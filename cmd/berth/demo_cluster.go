package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/kubernetes"
	"github.com/berthdev/berth/schema"
)

// clusterDemoImage is what the demo runs on a cluster, which takes no image from
// here, unless --image names another one. "make cluster" imports it.
const clusterDemoImage = "berth.invalid/demo"

// demoCluster is the cluster of the user's kubeconfig.
type demoCluster struct {
	client    *clientset.Clientset
	namespace string
}

func openDemoCluster(ctx context.Context) (demoEngine, string, error) {
	e := &demoCluster{}
	config, namespace, err := kubernetes.Reach(e.config())
	if err != nil {
		return nil, "", err
	}
	config = rest.CopyConfig(config)
	config.Timeout = 10 * time.Second
	if e.client, err = clientset.NewForConfig(config); err != nil {
		return nil, "", err
	}
	e.namespace = namespace
	about, err := e.client.DiscoveryClient.ServerVersionWithContext(ctx)
	if err != nil {
		return nil, "", &schema.Error{
			Op: "reach the cluster at", Resource: config.Host, Kind: schema.Terminal, Err: err,
			Hint: "set KUBECONFIG, or run 'make cluster' on a Debian machine and take what its last line says",
		}
	}
	return e, fmt.Sprintf("Kubernetes %s at %s, namespace %s", about.GitVersion, config.Host, namespace), nil
}

// config has the backend log in as kubectl does: who runs the demo chose the
// kubeconfig.
func (e *demoCluster) config() schema.BackendConfig {
	return schema.BackendConfig{Name: "cluster", Type: schema.BackendKubernetes, AllowExec: true}
}

func (e *demoCluster) images(_ context.Context, _ string, releases ...string) (name, seen string, err error) {
	var all []string
	for _, r := range releases {
		all = append(all, clusterDemoImage+":"+r)
	}
	return clusterDemoImage, "taken as imported: " + strings.Join(all, " and "), nil
}

func (e *demoCluster) thing() string { return "Deployment" }

func (e *demoCluster) things(ctx context.Context, instance string) (map[string]string, error) {
	list, err := e.client.AppsV1().Deployments(e.namespace).List(ctx, metav1.ListOptions{LabelSelector: "berth.dev/instance=" + instance})
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, d := range list.Items {
		out[string(d.UID)] = d.Name
	}
	return out, nil
}

// remove removes a Deployment as "kubectl delete" does.
func (e *demoCluster) remove(ctx context.Context, id, name string) error {
	after, uid := metav1.DeletePropagationBackground, types.UID(id)
	return e.client.AppsV1().Deployments(e.namespace).Delete(ctx, name, metav1.DeleteOptions{
		PropagationPolicy: &after, Preconditions: &metav1.Preconditions{UID: &uid},
	})
}

// ask asks the deployment's Service by way of the API server, which is reached
// from wherever the cluster is administered.
func (e *demoCluster) ask(ctx context.Context, deployment string, _ backends.Pod) (at, text string, err error) {
	at = fmt.Sprintf("service/%s:%s", deployment, demoPort)
	body, err := e.client.CoreV1().Services(e.namespace).ProxyGet("http", deployment, demoPort, "/", nil).DoRaw(ctx)
	if len(body) > maxDemoText {
		body = body[:maxDemoText]
	}
	return at, strings.TrimSpace(string(body)), err
}

func (e *demoCluster) close(context.Context) error { return nil }
