package memory_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/schema"
)

// follow follows the log of a pod; what each line says comes from texts, and why
// it ended from ended.
func follow(t *testing.T, b backends.Backend, pod string) (texts chan string, ended chan error) {
	t.Helper()
	texts, ended = make(chan string, 100), make(chan error, 1)
	go func() {
		ended <- b.Logs(t.Context(), pod, backends.LogOptions{Follow: true, Tail: -1}, func(l backends.LogLine) error {
			texts <- l.Text
			return nil
		})
	}()
	return texts, ended
}

func expect[T comparable](t *testing.T, from <-chan T, want T) {
	t.Helper()
	select {
	case got := <-from:
		if got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	case <-time.After(time.Minute):
		t.Fatalf("nothing came, want %v", want)
	}
}

// A log follows the clock: a pod that crashes writes again when it is started again.
func TestLogFollowsTheClock(t *testing.T) {
	c := newClock()
	e := memory.NewEngine(memory.Options{Now: c.Now, Images: map[string]memory.Image{"app": {Output: "hello\n"}}})
	b := e.Open("lab", "memory")
	apply(t, b, workload("web", "app"))
	pod := e.Containers()[0]
	begun := c.Now()
	c.advance(time.Second)
	if !e.Write(pod.ID, "one\ntwo") || !e.WriteError(pod.ID, "three") {
		t.Fatal("it does not write")
	}
	var lines []backends.LogLine
	err := b.Logs(t.Context(), pod.Name, backends.LogOptions{Tail: -1}, func(l backends.LogLine) error {
		lines = append(lines, l)
		return nil
	})
	at := c.Now()
	want := []backends.LogLine{{Time: begun, Text: "hello"}, {Time: at, Text: "one"}, {Time: at, Text: "two"}, {Time: at, Stderr: true, Text: "three"}}
	if err != nil || !slices.Equal(lines, want) {
		t.Fatalf("lines %v, %v, want %v", lines, err, want)
	}

	texts, ended := follow(t, b, pod.Name)
	for _, text := range []string{"hello", "one", "two", "three"} {
		expect(t, texts, text)
	}
	if !e.Crash(pod.ID, 1) || e.Write(pod.ID, "a ghost") {
		t.Fatal("it did not crash")
	}
	c.advance(time.Second)
	e.Tick()
	expect(t, texts, "hello")
	e.Write(pod.ID, "last")
	e.Kill(pod.ID)
	expect(t, texts, "last")
	expect(t, ended, nil)
	if e.Write("unknown", "nothing") {
		t.Error("a container that does not exist writes")
	}
}

// What breaks the connection breaks the reading of a log.
func TestLogBreaks(t *testing.T) {
	for name, breaks := range map[string]func(*memory.Engine, *memory.Backend){
		"cut":    func(e *memory.Engine, _ *memory.Backend) { e.Cut(); e.Restore() },
		"closed": func(_ *memory.Engine, b *memory.Backend) { _ = b.Close() }, // it never fails
	} {
		e := memory.NewEngine(memory.Options{Images: map[string]memory.Image{"app": {Output: "hello"}}})
		b := e.Open("lab", "memory")
		apply(t, b, workload("web", "app"))
		texts, ended := follow(t, b, e.Containers()[0].Name)
		expect(t, texts, "hello")
		breaks(e, b)
		var failed *schema.Error
		select {
		case err := <-ended:
			if !errors.As(err, &failed) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s: it did not end", name)
		}
	}
}

func TestUsage(t *testing.T) {
	e := memory.NewEngine(memory.Options{Images: map[string]memory.Image{"app": {UsedCPU: 250, UsedMemory: 64 << 20}}})
	b, other := e.Open("lab", "memory"), e.Open("other", "memory")
	apply(t, b, workload("web", "app"))
	apply(t, b, workload("gone", "app"))
	apply(t, other, workload("web", "app"))
	pods := e.Containers()
	e.Kill(pods[1].ID)
	usage, err := b.Usage(t.Context())
	want := []backends.Usage{{Pod: pods[0].Name, Deployment: "web", CPU: 250, Memory: 64 << 20}}
	if err != nil || !slices.Equal(usage, want) {
		t.Errorf("usage %+v, %v, want %+v", usage, err, want)
	}
}
