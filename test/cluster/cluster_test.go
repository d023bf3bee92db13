package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
)

const (
	demoImage = "berth.invalid/demo:0.1.0"
	patience  = time.Minute
)

// world is a namespace of one test on the running cluster.
type world struct {
	*testing.T
	config    *rest.Config
	client    *kubernetes.Clientset
	namespace string
}

// TestClusterRunsPods is what others rely on: a deployment from an imported
// image becomes ready by its probe, can be looked into, answers through its
// service, keeps its volume, and goes when it is deleted.
func TestClusterRunsPods(t *testing.T) {
	w := newWorld(t)
	w.createVolume("data")
	w.createDeployment("hello")
	w.createService("hello")
	w.await("two pods are ready", func(ctx context.Context) error {
		d, err := w.client.AppsV1().Deployments(w.namespace).Get(ctx, "hello", meta.GetOptions{})
		if err == nil && d.Status.ReadyReplicas != 2 {
			err = fmt.Errorf("status %+v", d.Status)
		}
		return err
	})
	pod := w.pods()[0]

	w.await("the service answers", func(ctx context.Context) error { return w.askService(ctx, "hello") })
	w.await("the log can be read", func(ctx context.Context) error {
		log, err := w.client.CoreV1().Pods(w.namespace).GetLogs(pod.Name, &core.PodLogOptions{}).DoRaw(ctx)
		if err == nil && !bytes.Contains(log, []byte("release 0.1.0")) {
			err = fmt.Errorf("log %q", log)
		}
		return err
	})
	if out, err := w.exec(pod.Name, "/berth", "version"); err != nil || !strings.Contains(out, "berth") {
		t.Errorf("exec: %q, %v", out, err)
	}
	w.await("the kubelet tells what the pod uses", func(ctx context.Context) error { return w.podUses(ctx, pod) })

	if err := w.client.AppsV1().Deployments(w.namespace).Delete(t.Context(), "hello", meta.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.await("the pods are gone", func(context.Context) error {
		if left := w.pods(); len(left) > 0 {
			return fmt.Errorf("%d are left", len(left))
		}
		return nil
	})
}

// TestClusterObeysRoles is why tests may trust a role that they run under.
func TestClusterObeysRoles(t *testing.T) {
	w := newWorld(t)
	config := rest.CopyConfig(w.config)
	config.Impersonate.UserName = "system:serviceaccount:" + w.namespace + ":default"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Pods(w.namespace).List(t.Context(), meta.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a service account without a role lists pods: %v", err)
	}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	file := os.Getenv("BERTH_TEST_KUBECONFIG")
	if file == "" {
		file = filepath.Join("..", "..", ".cache", "cluster", "kubeconfig")
	}
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		t.Fatalf("there is no cluster, run make cluster: %v", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := client.CoreV1().Namespaces().Create(t.Context(),
		&core.Namespace{ObjectMeta: meta.ObjectMeta{GenerateName: "berth-test-"}}, meta.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, config: config, client: client, namespace: namespace.Name}
	t.Cleanup(func() {
		if err := client.CoreV1().Namespaces().Delete(context.Background(), w.namespace, meta.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	w.await("the namespace has its service account", func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(w.namespace).Get(ctx, "default", meta.GetOptions{})
		return err
	})
	return w
}

// await asks until what should be is so, and fails the test if it does not become so.
func (w *world) await(what string, holds func(context.Context) error) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := holds(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			w.Fatalf("%s: not within %s: %v", what, patience, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (w *world) createVolume(name string) {
	w.Helper()
	_, err := w.client.CoreV1().PersistentVolumeClaims(w.namespace).Create(w.Context(), &core.PersistentVolumeClaim{
		ObjectMeta: meta.ObjectMeta{Name: name},
		Spec: core.PersistentVolumeClaimSpec{
			AccessModes: []core.PersistentVolumeAccessMode{core.ReadWriteOnce},
			Resources:   core.VolumeResourceRequirements{Requests: core.ResourceList{core.ResourceStorage: resource.MustParse("1Mi")}},
		},
	}, meta.CreateOptions{})
	if err != nil {
		w.Fatal(err)
	}
}

// createDeployment makes a deployment of two pods of the demo's app, with a
// probe that runs in them and with the volume "data".
func (w *world) createDeployment(name string) {
	w.Helper()
	labels := map[string]string{"app": name}
	replicas := int32(2)
	_, err := w.client.AppsV1().Deployments(w.namespace).Create(w.Context(), &apps.Deployment{
		ObjectMeta: meta.ObjectMeta{Name: name},
		Spec: apps.DeploymentSpec{
			Replicas: &replicas,
			Selector: &meta.LabelSelector{MatchLabels: labels},
			Template: core.PodTemplateSpec{
				ObjectMeta: meta.ObjectMeta{Labels: labels},
				Spec: core.PodSpec{
					Volumes: []core.Volume{{Name: "data", VolumeSource: core.VolumeSource{
						PersistentVolumeClaim: &core.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
					}}},
					Containers: []core.Container{{
						Name: "app", Image: demoImage, Args: []string{"demo-app"},
						Env:          []core.EnvVar{{Name: "BERTH_RELEASE", Value: "0.1.0"}},
						VolumeMounts: []core.VolumeMount{{Name: "data", MountPath: "/data"}},
						ReadinessProbe: &core.Probe{
							ProbeHandler:  core.ProbeHandler{Exec: &core.ExecAction{Command: []string{"/berth", "demo-app", "--check"}}},
							PeriodSeconds: 1, TimeoutSeconds: 5,
						},
					}},
				},
			},
		},
	}, meta.CreateOptions{})
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) createService(name string) {
	w.Helper()
	_, err := w.client.CoreV1().Services(w.namespace).Create(w.Context(), &core.Service{
		ObjectMeta: meta.ObjectMeta{Name: name},
		Spec: core.ServiceSpec{
			Selector: map[string]string{"app": name},
			Ports:    []core.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
		},
	}, meta.CreateOptions{})
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) pods() []core.Pod {
	w.Helper()
	list, err := w.client.CoreV1().Pods(w.namespace).List(w.Context(), meta.ListOptions{})
	if err != nil {
		w.Fatal(err)
	}
	return list.Items
}

// askService asks the app behind the service as its clients do, by the service's
// own address. Of another cluster only the API server may be within reach.
func (w *world) askService(ctx context.Context, name string) error {
	services := w.client.CoreV1().Services(w.namespace)
	if os.Getenv("BERTH_TEST_KUBECONFIG") != "" {
		_, err := services.ProxyGet("http", name, "80", "/", nil).DoRaw(ctx)
		return err
	}
	service, err := services.Get(ctx, name, meta.GetOptions{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+service.Spec.ClusterIP, nil)
	if err != nil {
		return err
	}
	request.Close = true
	response, err := (&http.Client{Transport: &http.Transport{}}).Do(request) // through no proxy
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && !bytes.Contains(body, []byte("release 0.1.0")) {
		err = fmt.Errorf("answer %q", body)
	}
	return err
}

// exec runs a command in a pod and returns what it prints.
func (w *world) exec(pod string, command ...string) (string, error) {
	request := w.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(w.namespace).Name(pod).SubResource("exec").
		VersionedParams(&core.PodExecOptions{Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(w.config, http.MethodGet, request.URL().String())
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = executor.StreamWithContext(w.Context(), remotecommand.StreamOptions{Stdout: &out, Stderr: &out})
	return out.String(), err
}

// podUses looks for the pod in the kubelet's summary of what each uses.
func (w *world) podUses(ctx context.Context, pod core.Pod) error {
	data, err := w.client.CoreV1().RESTClient().Get().Resource("nodes").Name(pod.Spec.NodeName).
		SubResource("proxy").Suffix("stats", "summary").DoRaw(ctx)
	if err != nil {
		return err
	}
	var summary struct {
		Pods []struct {
			PodRef     struct{ Name, Namespace string }
			Containers []struct {
				Name   string
				CPU    struct{ UsageNanoCores *uint64 }
				Memory struct{ WorkingSetBytes *uint64 }
			}
		}
	}
	if err := json.Unmarshal(data, &summary); err != nil {
		return err
	}
	for _, p := range summary.Pods {
		if p.PodRef.Name != pod.Name || p.PodRef.Namespace != pod.Namespace {
			continue
		}
		for _, c := range p.Containers {
			if c.CPU.UsageNanoCores != nil && c.Memory.WorkingSetBytes != nil && *c.Memory.WorkingSetBytes > 0 {
				return nil
			}
		}
	}
	return fmt.Errorf("nothing of pod %s in %s", pod.Name, data)
}
