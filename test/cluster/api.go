package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	core "k8s.io/api/core/v1"
	storage "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// client is the administrator's.
func (c *cluster) client() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig("admin"))
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}

// apiAnswers tells whether the API server is ready.
func (c *cluster) apiAnswers(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
}

// ready tells whether pods can be made: the node is Ready and the default
// namespace has its service account.
func (c *cluster) ready(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	node, err := client.CoreV1().Nodes().Get(ctx, nodeName, meta.GetOptions{})
	if err != nil {
		return err
	}
	if err := nodeReady(node); err != nil {
		return err
	}
	_, err = client.CoreV1().ServiceAccounts("default").Get(ctx, "default", meta.GetOptions{})
	return err
}

func nodeReady(node *core.Node) error {
	for _, condition := range node.Status.Conditions {
		if condition.Type == core.NodeReady && condition.Status != core.ConditionTrue {
			return fmt.Errorf("the node is not ready: %s", condition.Message)
		}
	}
	for _, taint := range node.Spec.Taints {
		if taint.Key == core.TaintNodeNotReady {
			return errors.New("the node takes no pods yet")
		}
	}
	if len(node.Status.Conditions) == 0 {
		return errors.New("the node has told nothing of itself yet")
	}
	return nil
}

// addStorage makes claims for volumes work: each becomes a folder of this machine.
func (c *cluster) addStorage(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	_, err = client.StorageV1().StorageClasses().Create(ctx, &storage.StorageClass{
		ObjectMeta:  meta.ObjectMeta{Name: "standard", Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}},
		Provisioner: "kubernetes.io/host-path",
	}, meta.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// printKubeconfig prints the administrator's kubeconfig.
func (c *cluster) printKubeconfig(w io.Writer) error {
	data, err := os.ReadFile(c.kubeconfig("admin"))
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("no cluster was started on this machine")
	}
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}
