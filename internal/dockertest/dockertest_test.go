package dockertest

import (
	"context"
	"testing"

	"github.com/docker/docker/api/types/container"
)

func TestImageRuns(t *testing.T) {
	cli := Engine(t)
	ref, instance := Image(t, cli), Instance(t, cli)
	ctx := context.Background()
	made, err := cli.ContainerCreate(ctx, &container.Config{
		Image: ref, Cmd: []string{"-exit", "7"}, Labels: map[string]string{instanceLabel: instance},
	}, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	wait, errs := cli.ContainerWait(ctx, made.ID, container.WaitConditionNextExit)
	if err := cli.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	select {
	case r := <-wait:
		if r.StatusCode != 7 {
			t.Errorf("exit code %d, want 7", r.StatusCode)
		}
	case err := <-errs:
		t.Fatal(err)
	}
}
