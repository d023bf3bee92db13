package docker_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/docker"
	"github.com/berthdev/berth/schema"
)

// A watcher is a stream of events in a test.
type watcher struct {
	b      *bench
	cancel context.CancelFunc
	events chan backends.Event
	ended  chan error
}

// watch watches until the test ends, and returns when the stream stands.
func (b *bench) watch(backend *docker.Backend) *watcher {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{b, cancel, make(chan backends.Event, 1000), make(chan error, 1)}
	go func() {
		w.ended <- backend.Watch(ctx, func(e backends.Event) { w.events <- e })
		close(w.ended)
	}()
	b.Cleanup(func() {
		cancel()
		for range w.ended {
		}
	})
	w.wait("")
	return w
}

// wait waits for an event in these words.
func (w *watcher) wait(what string) backends.Event {
	w.b.Helper()
	for late := time.After(patience); ; {
		if e := w.next(late, what); e.What == what {
			return e
		}
	}
}

// next waits for the next event, on the way to one in these words.
func (w *watcher) next(late <-chan time.Time, what string) backends.Event {
	w.b.Helper()
	select {
	case e := <-w.events:
		return e
	case err := <-w.ended:
		w.b.Fatalf("the stream ended: %v", err)
	case <-late:
		w.b.Fatalf("no event told %q", what)
	}
	return backends.Event{}
}

func TestEventsSayWhatHappenedAndByWhom(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{})
	w := b.workload(b.good())
	stream := b.watch(backend)
	if _, err := backend.Apply(b.context(), w, nil); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"container was made", "container was started"} {
		if e := stream.wait(what); !e.Ours || e.Worse || e.Deployment != "web" || e.Pod == "" {
			t.Errorf("event %+v", e)
		}
	}
	p := b.ready(backend, w)
	if err := b.engine.ContainerKill(b.context(), p.ID, "KILL"); err != nil {
		t.Fatal(err)
	}
	if e := stream.wait("container died with exit code 137"); e.Ours || !e.Worse || e.Pod != p.Name {
		t.Errorf("event %+v", e)
	}
	b.ready(backend, w)
	if _, err := b.engine.ContainerUpdate(b.context(), p.ID, container.UpdateConfig{Resources: container.Resources{CPUShares: 100}}); err != nil {
		t.Fatal(err)
	}
	if e := stream.wait("container's settings were changed"); e.Ours || e.Worse {
		t.Errorf("event %+v", e)
	}
	if _, err := backend.Pods(b.context()); err != nil {
		t.Fatal(err)
	}
	if err := b.engine.NetworkDisconnect(b.context(), "berth-"+b.instance, p.ID, true); err != nil {
		t.Fatal(err)
	}
	if e := stream.wait("container was disconnected from its network"); e.Ours || !e.Worse || e.Deployment != "web" {
		t.Errorf("event %+v", e)
	}
	if err := backend.Remove(b.context(), "web", nil); err != nil {
		t.Fatal(err)
	}
	if e := stream.wait("container was removed"); !e.Ours {
		t.Errorf("event %+v", e)
	}
}

// A listing inspects each container once, and then only what changed.
func TestListingIsCheap(t *testing.T) {
	b := newBench(t)
	proxy := newProxy(t)
	backend := b.open(schema.BackendConfig{Host: proxy.host})
	w := b.workload(b.good())
	w.Replicas = 3
	stream := b.watch(backend)
	b.ready(backend, w)
	for range w.Replicas {
		stream.wait("container was started")
	}
	cost := func() int64 {
		before := proxy.reads.Load()
		if pods, err := backend.Pods(b.context()); err != nil || len(pods) != 3 {
			t.Fatalf("%d pods, %v", len(pods), err)
		}
		return proxy.reads.Load() - before
	}
	n := cost()
	for late := time.Now().Add(patience); n != 1 && time.Now().Before(late); n = cost() { // events may still come
		time.Sleep(20 * time.Millisecond)
	}
	if n != 1 {
		t.Errorf("%d calls where nothing changed, want 1", n)
	}
	pods, err := backend.Pods(b.context())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.engine.ContainerRestart(b.context(), pods[0].ID, container.StopOptions{}); err != nil {
		t.Fatal(err)
	}
	for stream.wait("container was started").Pod != pods[0].Name {
	}
	after, err := backend.Pods(b.context())
	if err != nil || after[0].ID != pods[0].ID || !after[0].StartedAt.After(pods[0].StartedAt) {
		t.Errorf("the listing is stale: %+v, before %+v: %v", after[0], pods[0], err)
	}
	other := b.open(schema.BackendConfig{Host: proxy.host}) // nobody watches: nothing may be assumed
	for range 2 {
		before := proxy.reads.Load()
		if _, err := other.Pods(b.context()); err != nil {
			t.Fatal(err)
		}
		if n := proxy.reads.Load() - before; n < 4 {
			t.Errorf("%d calls without events, want all to be inspected", n)
		}
	}
}

// An engine that is away is an error that goes away by itself, at once.
func TestEngineAway(t *testing.T) {
	b := newBench(t)
	backend := b.open(schema.BackendConfig{Host: "unix://" + filepath.Join(t.TempDir(), "nothing")})
	away := func(what string, err error) {
		var e *schema.Error
		if !errors.As(err, &e) || e.Kind != schema.Transient || e.Hint == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := backend.Capacity(b.context())
	away("capacity", err)
	_, err = backend.Pods(b.context())
	away("pods", err)
	away("watch", backend.Watch(b.context(), func(backends.Event) { t.Error("an event") }))
	_, err = backend.Apply(b.context(), b.workload(b.good()), nil)
	away("apply", err)
}

// A stream that breaks is told, and the next one stands again.
func TestWatchReconnects(t *testing.T) {
	b := newBench(t)
	proxy := newProxy(t)
	backend := b.open(schema.BackendConfig{Host: proxy.host})
	end := make(chan struct{})
	proxy.set(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/events") {
			return false
		}
		rw.WriteHeader(http.StatusOK)
		rw.(http.Flusher).Flush()
		<-end
		return true
	})
	stream := b.watch(backend)
	close(end)
	err := <-stream.ended
	if schema.KindOf(err) != schema.Transient || !strings.Contains(err.Error(), "closed the connection") {
		t.Errorf("the stream broke: %v", err)
	}
	proxy.set(nil)
	stream = b.watch(backend)
	if _, err := backend.Apply(b.context(), b.workload(b.good()), nil); err != nil {
		t.Fatal(err)
	}
	stream.wait("container was started")
}

// An engine that takes calls and never answers holds nobody longer than its context.
func TestEngineHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	backend := open(t, "lab", schema.BackendConfig{Host: "unix://" + path}, docker.Options{})
	defer backend.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := backend.Capacity(ctx); schema.KindOf(err) != schema.Transient || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("capacity: %v", err)
	}
}
