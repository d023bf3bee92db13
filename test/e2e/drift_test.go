package e2e

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/go-connections/nat"

	"github.com/berthdev/berth/internal/dockertest"
)

// TestDrift changes a container behind Berth's back in every way that "docker"
// knows: each time it is put right, without a commit. A name alone is nobody's loss.
func TestDrift(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve()
	w.commit(w.desired, "Run hello", map[string]string{"hello.yaml": deployment("hello", "*", "resources: {memory: 64MiB}")})
	ctx, memory := context.Background(), int64(64<<20)
	right := func() bool {
		p, ok := w.running("hello")
		if !ok || w.count() != 1 {
			return false
		}
		c, err := w.docker.ContainerInspect(ctx, p.id)
		return err == nil && c.State.Running && !c.State.Paused && c.HostConfig.Memory == memory &&
			c.NetworkSettings.Networks["berth-"+w.instance] != nil
	}
	for _, by := range []struct {
		hand string
		do   func(id string) error
	}{
		{"stop", func(id string) error { return w.docker.ContainerStop(ctx, id, container.StopOptions{}) }},
		{"pause", func(id string) error { return w.docker.ContainerPause(ctx, id) }},
		{"kill", func(id string) error { return w.docker.ContainerKill(ctx, id, "KILL") }},
		{"rm -f", func(id string) error { return w.docker.ContainerRemove(ctx, id, container.RemoveOptions{Force: true}) }},
		{"rename", func(id string) error { return w.docker.ContainerRename(ctx, id, w.instance+"-renamed") }},
		{"network disconnect", func(id string) error { return w.docker.NetworkDisconnect(ctx, "berth-"+w.instance, id, true) }},
		{"update --memory", func(id string) error {
			_, err := w.docker.ContainerUpdate(ctx, id, container.UpdateConfig{Resources: container.Resources{Memory: 2 * memory, MemorySwap: 4 * memory}})
			return err
		}},
	} {
		t.Run(by.hand, func(t *testing.T) {
			w.t = t
			w.await("hello is as declared before", right)
			if err := by.do(w.containers()[0].id); err != nil {
				t.Fatal(err)
			}
			w.await("hello is as declared again", right)
		})
	}
	w.t = t
}

// TestScaleAndEnv scales a deployment up and down and changes its environment.
func TestScaleAndEnv(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve()
	declare := func(extra ...string) {
		w.commit(w.desired, "Run hello "+strings.Join(extra, ", "), map[string]string{"hello.yaml": deployment("hello", "*", extra...)})
	}
	declare()
	first := w.awaitRunning("hello", "0.1.0")
	declare("replicas: 3")
	w.awaitLog(`hello: ready: 3 of 3 running`)
	if !slices.ContainsFunc(w.containers(), func(p pod) bool { return p.id == first.id }) || w.count() != 3 {
		t.Errorf("scaling up did not leave %s alone: %v", first.id, w.containers())
	}
	w.news()
	declare("replicas: 1")
	w.await("one is left", func() bool { return w.count() == 1 })
	if p, ok := w.running("hello"); !ok || p.id != first.id {
		t.Errorf("scaling down did not leave %s alone: %v", first.id, w.containers())
	}
	declare("env: {GREETING: hello}")
	w.await("the environment is another", func() bool {
		p, ok := w.running("hello")
		return ok && w.count() == 1 && slices.Contains(w.inspect(p.id).Config.Env, "GREETING=hello")
	})
}

// TestPortTaken declares a port that a container of others has: the log says so,
// and once the port is free the deployment runs.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, port, _ := net.SplitHostPort(freePort(t))
	foreign := w.foreign(
		&container.Config{ExposedPorts: nat.PortSet{"8080/tcp": {}}},
		&container.HostConfig{PortBindings: nat.PortMap{"8080/tcp": {{HostPort: port}}}})
	w.serve()
	w.commit(w.desired, "Run", map[string]string{
		"hello.yaml": deployment("hello", "*", fmt.Sprintf("ports: [%q]", port+":8080")), "other.yaml": deployment("other", "*"),
	})
	w.awaitRunning("other", "0.1.0")
	w.awaitLog(`hello: (waiting|progressing): .*port.*already`)
	if now := w.inspect(foreign); !now.State.Running {
		t.Error("the foreign container does not run on")
	}
	w.removeByHand(pod{id: foreign})
	p := w.awaitRunning("hello", "0.1.0")
	w.await("hello answers at its port", func() bool {
		body, err := answer(p)
		return err == nil && strings.Contains(body, "hello") && fmt.Sprint(p.port) == port
	})
}

// steps counts the log's lines that tell of a step for a deployment.
func (w *world) steps(deployment string) int {
	return len(regexp.MustCompile(`(?m) `+deployment+`: (create|start|stop|remove|pull):`).FindAllString(w.log.String(), -1))
}

// TestMissingImage declares an image that no registry has: the log says so, and
// once the engine has it the deployment runs.
func TestMissingImage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	missing := "berth.invalid/" + w.instance + ":1"
	w.commit(w.apps, "Publish", map[string]string{"hello/manifest.yaml": strings.Replace(w.manifest("0.1.0"), w.image, missing, 1)})
	w.serve()
	w.commit(w.desired, "Run hello", map[string]string{"hello.yaml": deployment("hello", "*")})
	w.awaitLog(`hello: waiting: .*` + regexp.QuoteMeta(missing))
	time.Sleep(time.Second) // a loop would spin
	if n := w.steps("hello"); n > 5 || w.count() != 0 {
		t.Errorf("%d steps and %d containers without an image", n, w.count())
	}
	if err := w.docker.ImageTag(context.Background(), w.image, missing); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := w.docker.ImageRemove(context.Background(), missing, image.RemoveOptions{}); err != nil {
			t.Error(err)
		}
	})
	w.awaitRunning("hello", "0.1.0")
}

// TestMissingCommand declares a command that the image does not have: the log
// says so, it is not tried again, and a correction runs.
func TestMissingCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve()
	w.commit(w.desired, "Run hello", map[string]string{"hello.yaml": deployment("hello", "*", "command: [/nowhere]")})
	w.awaitLog(`hello: failed: .*/nowhere`)
	w.awaitLog(`commit failure: 0 of 1 running; hello: .*/nowhere`)
	steps := w.steps("hello")
	time.Sleep(time.Second) // a loop would spin
	if n := w.steps("hello"); n > steps || steps > 6 {
		t.Errorf("%d steps for what cannot start, then %d", steps, n)
	}
	w.commit(w.desired, "Correct hello", map[string]string{"hello.yaml": deployment("hello", "*")})
	w.awaitRunning("hello", "0.1.0")
	w.await("the failed one is gone", func() bool { return w.count() == 1 })
}

// TestVolumes removes two deployments: a named volume stays, unless it is
// declared that it goes.
func TestVolumes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve()
	w.commit(w.desired, "Run", map[string]string{
		"kept.yaml": deployment("kept", "*", "volumes: [data:/data]"),
		"gone.yaml": deployment("gone", "*", "volumes: [{name: data, path: /data, keep: false}]"),
	})
	w.awaitLog(`commit success: 2 of 2 running`)
	w.commit(w.desired, "Stop", map[string]string{"kept.yaml": "", "gone.yaml": ""})
	has := func(name string) bool {
		list, err := w.docker.VolumeList(context.Background(), volume.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(list.Volumes, func(v *volume.Volume) bool { return v.Name == "berth-"+w.instance+"."+name })
	}
	w.await("all are gone, and one volume", func() bool { return w.count() == 0 && !has("gone.data") }) // which goes last
	if !has("kept.data") {
		t.Error("the volume is gone that was to be kept")
	}
}

// TestDependsOn starts a deployment when the one it depends on is ready.
func TestDependsOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	slow := strings.Replace(deployment("db", "*"), "100ms", "1500ms", 1)
	w.commit(w.desired, "Run", map[string]string{"db.yaml": slow, "web.yaml": deployment("web", "*", "dependsOn: [db]")})
	w.serve()
	w.awaitLog(`web: waiting: it depends on db \(0 of 1 ready\)`)
	web, db := w.awaitRunning("web", "0.1.0"), w.awaitRunning("db", "0.1.0")
	if ready := w.startedAt(db).Add(1500 * time.Millisecond); w.startedAt(web).Before(ready) {
		t.Errorf("web was started at %s, before db was ready at %s", w.startedAt(web), ready)
	}
}

func (w *world) startedAt(p pod) time.Time {
	w.t.Helper()
	at, err := time.Parse(time.RFC3339Nano, w.inspect(p.id).State.StartedAt)
	if err != nil {
		w.t.Fatal(err)
	}
	return at
}

// TestSuspend leaves a suspended deployment as it is.
func TestSuspend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve()
	w.commit(w.desired, "Run", map[string]string{"hello.yaml": deployment("hello", "*"), "other.yaml": deployment("other", "*")})
	w.awaitLog(`commit success: 2 of 2 running`)
	hello, _ := w.running("hello")
	w.commit(w.desired, "Suspend hello", map[string]string{"hello.yaml": deployment("hello", "*", "suspend: true")})
	w.awaitLog(`hello: held: it is suspended`)
	w.commit(w.apps, "Publish 0.1.1", map[string]string{"hello/manifest.yaml": w.manifest("0.1.1")})
	w.awaitRunning("other", "0.1.1")
	if p, ok := w.running("hello"); !ok || p.id != hello.id {
		t.Errorf("the suspended deployment was touched: %+v", p)
	}
	w.commit(w.desired, "Resume hello", map[string]string{"hello.yaml": deployment("hello", "*")})
	w.awaitRunning("hello", "0.1.1")
}

// foreign starts a container that is not Berth's, removed with the test.
func (w *world) foreign(config *container.Config, host *container.HostConfig) string {
	w.t.Helper()
	ctx := context.Background()
	instance := dockertest.Instance(w.t, w.docker)
	labels := map[string]string{"berth.dev/instance": instance}
	n, err := w.docker.NetworkCreate(ctx, "foreign-"+instance, network.CreateOptions{Labels: labels})
	if err != nil {
		w.t.Fatal(err)
	}
	config.Image, config.Labels, config.Cmd = w.image, labels, []string{"demo-app"}
	host.NetworkMode = container.NetworkMode(n.ID)
	made, err := w.docker.ContainerCreate(ctx, config, host, nil, nil, "")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.docker.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		w.t.Fatal(err)
	}
	return made.ID
}
