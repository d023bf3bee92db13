package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
)

// BenchmarkPushToRunning measures from the return of a git commit that publishes
// a release to the start of its container, and, in the same run, the engine's own
// create and start of the same container. It reports both medians and their ratio.
func BenchmarkPushToRunning(b *testing.B) {
	w := newWorld(b)
	w.serve()
	w.commit(w.desired, "Run", map[string]string{"hello.yaml": deployment("hello", "*")})
	last := w.awaitRunning("hello", "0.1.0")
	started := w.starts(b)
	const rounds = 9
	var push, engine []time.Duration
	for b.Loop() {
		for round := range rounds {
			version := fmt.Sprintf("0.2.%d", round+rounds*len(push))
			w.commit(w.apps, "Publish "+version, map[string]string{"hello/manifest.yaml": w.manifest(version)})
			began := time.Now()
			at := awaitStart(b, started, func(s start) bool { return s.release == version })
			push = append(push, at.Sub(began))
			w.await("the old one is gone", func() bool { return len(w.containers()) == 1 })
			last = w.awaitRunning("hello", version)
			engine = append(engine, w.createAndStart(b, started, last.id))
		}
	}
	p, e := median(push), median(engine)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(p.Milliseconds()), "push-ms")
	b.ReportMetric(float64(e.Milliseconds()), "engine-ms")
	b.ReportMetric(float64(p)/float64(e), "ratio")
	b.ReportMetric(w.memory(), "rss-MB")
}

// memory returns the memory that Berth holds now, in MB.
func (w *world) memory() float64 {
	w.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.proc.Process.Pid))
	if err != nil {
		w.t.Fatal(err)
	}
	var kB float64
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			if _, err := fmt.Sscanf(text, "%f kB", &kB); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	return kB * 1024 / 1e6
}

// start is that the engine has started a container.
type start struct {
	id      string
	release string // of a pod
	at      time.Time
}

// starts delivers the start of each container.
func (w *world) starts(b *testing.B) <-chan start {
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	messages, _ := w.docker.Events(ctx, events.ListOptions{Filters: filters.NewArgs(
		filters.Arg("type", "container"), filters.Arg("event", "start"),
	)})
	out := make(chan start, 64)
	go func() {
		for {
			select {
			case m := <-messages:
				out <- start{m.Actor.ID, m.Actor.Attributes["berth.dev/release"], time.Unix(0, m.TimeNano)}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func awaitStart(b *testing.B, from <-chan start, wanted func(start) bool) time.Time {
	b.Helper()
	timeout := time.After(patience)
	for {
		select {
		case s := <-from:
			if wanted(s) {
				return s.at
			}
		case <-timeout:
			b.Fatalf("the container was not started within %s", patience)
		}
	}
}

// createAndStart times the engine's own creation and start of a container like
// the one given, to the same event of the engine, and removes it again.
func (w *world) createAndStart(b *testing.B, started <-chan start, like string) time.Duration {
	b.Helper()
	ctx := context.Background()
	c, err := w.docker.ContainerInspect(ctx, like)
	if err != nil {
		b.Fatal(err)
	}
	config := *c.Config
	config.Hostname = ""
	config.Labels = nil
	nets := map[string]*network.EndpointSettings{string(c.HostConfig.NetworkMode): {}}
	began := time.Now()
	made, err := w.docker.ContainerCreate(ctx, &config, c.HostConfig, &network.NetworkingConfig{EndpointsConfig: nets}, nil, "")
	if err != nil {
		b.Fatal(err)
	}
	if err := w.docker.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		b.Fatal(err)
	}
	took := awaitStart(b, started, func(s start) bool { return s.id == made.ID }).Sub(began)
	if err := w.docker.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true}); err != nil {
		b.Fatal(err)
	}
	return took
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}
