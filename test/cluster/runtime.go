package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// withRuntime calls containerd as the kubelet does.
func (c *cluster) withRuntime(do func(cri.RuntimeServiceClient) error) error {
	conn, err := grpc.NewClient("unix://"+c.containerdSocket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	return do(cri.NewRuntimeServiceClient(conn))
}

func (c *cluster) runtimeAnswers(ctx context.Context) error {
	return c.withRuntime(func(client cri.RuntimeServiceClient) error {
		_, err := client.Version(ctx, &cri.VersionRequest{})
		return err
	})
}

// removePods ends every pod of the node, and takes away its network and its
// mounts. It is for when no kubelet is left that would start them again.
func (c *cluster) removePods(ctx context.Context) error {
	return c.withRuntime(func(client cri.RuntimeServiceClient) error {
		pods, err := client.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
		if err != nil {
			return err
		}
		var failed error
		for _, pod := range pods.Items {
			_, err := client.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: pod.Id})
			if err == nil {
				_, err = client.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: pod.Id})
			}
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("remove pod %s/%s: %w", pod.Metadata.GetNamespace(), pod.Metadata.GetName(), err))
			}
		}
		return failed
	})
}

// importImages gives the node the images of the archives, as "docker save" writes them.
func (c *cluster) importImages(ctx context.Context, archives []string) error {
	for _, archive := range archives {
		out, err := exec.CommandContext(ctx, "ctr", "--address", c.containerdSocket(), "--namespace", containerdSpace,
			"images", "import", "--all-platforms", archive).CombinedOutput()
		if err != nil {
			return fmt.Errorf("import %s: %w: %s", archive, err, out)
		}
	}
	return nil
}
