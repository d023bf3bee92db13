// Package dockertest gives tests a real Docker Engine: a client, an image to
// run, names that nobody else uses, and a cleanup that leaves nothing behind.
package dockertest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
)

// instanceLabel is the label that Berth writes on all that it makes.
const instanceLabel = "berth.dev/instance"

// Engine returns a client of the Docker Engine that DOCKER_HOST or the local
// socket names. Without one that answers, the test is skipped; in CI it fails.
func Engine(t testing.TB) *client.Client {
	t.Helper()
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		Unavailable(t, "no Docker client: "+err.Error())
	}
	t.Cleanup(func() { _ = cli.Close() }) // it only closes idle connections
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := cli.Ping(ctx); err != nil {
		Unavailable(t, "no Docker Engine answers: "+err.Error())
	}
	return cli
}

// Unavailable skips the test for want of something on this machine; in CI,
// where nothing may be skipped, it fails.
func Unavailable(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// Instance returns an instance name that nobody else uses. When the test ends,
// everything that carries it is removed from the engine.
func Instance(t testing.TB, cli *client.Client) string {
	t.Helper()
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	name := "test-" + hex.EncodeToString(b[:])
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := Cleanup(ctx, cli, name); err != nil {
			t.Errorf("cleaning up: %v", err)
		}
	})
	return name
}

// Cleanup removes the containers, networks, volumes and image tags of an instance.
func Cleanup(ctx context.Context, cli *client.Client, instance string) error {
	owned := filters.NewArgs(filters.Arg("label", instanceLabel+"="+instance))
	var errs []error
	containers, err := cli.ContainerList(ctx, container.ListOptions{All: true, Filters: owned})
	errs = append(errs, err)
	for _, c := range containers {
		err := cli.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
		errs = append(errs, ignoreMissing(err))
	}
	networks, err := cli.NetworkList(ctx, network.ListOptions{Filters: owned})
	errs = append(errs, err)
	for _, n := range networks {
		errs = append(errs, ignoreMissing(cli.NetworkRemove(ctx, n.ID)))
	}
	volumes, err := cli.VolumeList(ctx, volume.ListOptions{Filters: owned})
	errs = append(errs, err)
	for _, v := range volumes.Volumes {
		errs = append(errs, ignoreMissing(cli.VolumeRemove(ctx, v.Name, true)))
	}
	return errors.Join(errs...)
}

func ignoreMissing(err error) error {
	if cerrdefs.IsNotFound(err) {
		return nil
	}
	return err
}
