package backendtest

import (
	"context"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// Converge applies the workload as Berth's engine does: once, whenever one of its
// pods changes, and when Progress.Again says so, until it comes to the phase.
// The test fails if it comes to another final phase, if an error says that
// trying again is useless, or after patience.
func Converge(t testing.TB, b backends.Backend, w backends.Workload, want backends.Phase, patience time.Duration) backends.Progress {
	t.Helper()
	return convergeObserved(t, b, w, want, patience, func([]backends.Pod) {})
}

// convergeObserved shows the instance's pods to observe after every Apply.
func convergeObserved(t testing.TB, b backends.Backend, w backends.Workload, want backends.Phase, patience time.Duration, observe func([]backends.Pod)) backends.Progress {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	events := watch(ctx, t, b)
	for {
		progress, err := b.Apply(ctx, w, nil)
		if kind := schema.KindOf(err); err != nil && (kind == schema.Invalid || kind == schema.Terminal || ctx.Err() != nil) {
			t.Fatalf("apply %s: %v", w.Deployment, err)
		}
		pods, listed := b.Pods(ctx)
		if listed != nil {
			t.Fatal(listed)
		}
		observe(pods)
		switch {
		case err == nil && progress.Phase == want:
			return progress
		case err == nil && progress.Phase != backends.PhaseProgressing:
			t.Fatalf("%s came to be %s (%s), not %s: %+v", w.Deployment, progress.Phase, progress.Reason, want, progress.Pods)
		}
		var again <-chan time.Time
		switch {
		case err != nil:
			again = time.After(100 * time.Millisecond)
		case !progress.Again.IsZero():
			again = time.After(time.Until(progress.Again))
		}
		for changed := false; !changed; {
			select {
			case e := <-events:
				changed = e.Deployment == "" || e.Deployment == w.Deployment
			case <-again:
				changed = true
			case <-ctx.Done():
				t.Fatalf("%s is still %s (%s) after %s, not %s: %+v, %v", w.Deployment, progress.Phase, progress.Reason, patience, want, progress.Pods, err)
			}
		}
	}
}

// watch watches the backend until ctx ends, and returns once the stream stands.
// The test ends after the watch has.
func watch(ctx context.Context, t testing.TB, b backends.Backend) <-chan backends.Event {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan backends.Event, 1000)
	ended := make(chan error, 1)
	go func() {
		ended <- b.Watch(ctx, func(e backends.Event) {
			select {
			case events <- e:
			default: // so many that it does not matter
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	select {
	case e := <-events:
		if e.Deployment != "" {
			t.Errorf("the first event is %+v, not a zero one", e)
		}
	case err := <-ended:
		ended <- err
		t.Fatalf("watch: %v", err)
	case <-ctx.Done():
		t.Fatal("the stream of events does not stand")
	}
	return events
}

// Ready brings the workload up, and returns its pods.
func (f *fixture) ready(w backends.Workload) []backends.Pod {
	f.Helper()
	Converge(f, f.b, w, backends.PhaseReady, f.Patience)
	pods := f.pods(w.Deployment)
	if len(pods) != w.Replicas {
		f.Fatalf("ready with %d pods, want %d: %+v", len(pods), w.Replicas, pods)
	}
	ordinals := map[int]bool{}
	for _, p := range pods {
		if ready, _ := p.Ready(time.Now()); !ready || p.SpecHash != w.SpecHash() {
			f.Fatalf("said to be ready: %+v", p)
		}
		if p.Ordinal < 0 || p.Ordinal >= w.Replicas || ordinals[p.Ordinal] {
			f.Fatalf("ordinals: %+v", pods)
		}
		ordinals[p.Ordinal] = true
	}
	return pods
}

// pods lists the pods of a deployment that are there to stay: neither those that
// are being removed, nor an object that stands for them.
func (f *fixture) pods(deployment string) []backends.Pod {
	f.Helper()
	all, err := f.b.Pods(f.ctx())
	if err != nil {
		f.Fatal(err)
	}
	var pods []backends.Pod
	for _, p := range all {
		if p.Deployment == deployment && p.State != backends.PodGoing && p.State != backends.PodAbsent {
			pods = append(pods, p)
		}
	}
	return pods
}

// ctx returns a context that ends when patience does, or the test.
func (f *fixture) ctx() context.Context {
	ctx, cancel := context.WithTimeout(f.Context(), f.Patience)
	f.Cleanup(cancel)
	return ctx
}

// untouched applies the workload and holds that it made no write and left the
// pods as they are.
func (f *fixture) untouched(w backends.Workload, want backends.Phase) {
	f.Helper()
	before, writes := f.pods(w.Deployment), f.writes()
	progress, err := f.b.Apply(f.ctx(), w, nil)
	if err != nil {
		f.Fatal(err)
	}
	if progress.Phase != want {
		f.Errorf("phase %s (%s), want %s", progress.Phase, progress.Reason, want)
	}
	if n := f.writes() - writes; n > 0 {
		f.Errorf("%d writes where nothing is to do", n)
	}
	f.same(before, f.pods(w.Deployment))
}

// same holds that no pod came, went, or was started again.
func (f *fixture) same(before, after []backends.Pod) {
	f.Helper()
	started := map[string]time.Time{}
	for _, p := range before {
		started[p.ID] = p.StartedAt
	}
	for _, p := range after {
		if at, found := started[p.ID]; !found || !at.Equal(p.StartedAt) {
			f.Errorf("touched: %+v; before: %+v", p, before)
		}
	}
	if len(before) != len(after) {
		f.Errorf("pods %+v, before %+v", after, before)
	}
}

func (f *fixture) writes() int {
	if f.Writes == nil {
		return 0
	}
	return f.Writes(f.b)
}
