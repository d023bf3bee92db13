package backendtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// soon is how long a call may take after its context ended.
const soon = 30 * time.Second

// isContractError holds that an error is of the kind that crosses boundaries.
func (f *fixture) isContractError(err error) {
	f.Helper()
	var e *schema.Error
	if !errors.As(err, &e) || e.Op == "" || e.Kind == "" {
		f.Errorf("not a schema.Error with op and kind: %#v", err)
	}
}

// Instances do not see each other, even with deployments of one name.
func testOtherInstance(f *fixture) {
	other := f.Harness.open(f.T)
	w := f.workload(f.Good)
	mine, theirs := f.ready(w), other.ready(other.workload(f.Good))
	if mine[0].ID == theirs[0].ID {
		f.Fatal("two instances share a pod")
	}
	if err := f.b.Remove(f.ctx(), w.Deployment, nil); err != nil {
		f.Fatal(err)
	}
	if err := f.b.Uninstall(f.ctx(), true, nil); err != nil {
		f.Fatal(err)
	}
	other.same(theirs, other.pods(w.Deployment))
	other.untouched(other.workload(f.Good), backends.PhaseReady)
}

// Two processes that make the same pods at once make each of them once.
func testAlreadyMade(f *fixture) {
	twin := f.Open(f.T, f.instance)
	f.Cleanup(func() { _ = twin.Close() }) // its connections are not counted
	w := f.workload(f.Good)
	w.Replicas = 2
	var all sync.WaitGroup
	for _, b := range []backends.Backend{f.b, twin} {
		all.Go(func() {
			if _, err := b.Apply(f.ctx(), w, nil); err != nil && schema.KindOf(err) != schema.Transient {
				f.Error(err)
			}
		})
	}
	all.Wait()
	f.ready(w)
}

// Deployments are applied side by side.
func testConcurrent(f *fixture) {
	var all sync.WaitGroup
	var workloads []backends.Workload
	for i := range 4 {
		w := f.workload(f.Good)
		w.Deployment = fmt.Sprintf("web-%d", i)
		workloads = append(workloads, w)
	}
	ctx := f.ctx()
	for _, w := range workloads {
		all.Go(func() {
			if _, err := f.b.Apply(ctx, w, nil); err != nil {
				f.Errorf("%s: %v", w.Deployment, err)
			}
		})
	}
	all.Wait()
	for _, w := range workloads {
		f.ready(w)
	}
}

// With a context that has ended, every method returns soon, with an error, and
// does nothing.
func testCancelled(f *fixture) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := f.workload(f.Good)
	calls := map[string]func() error{
		"capacity": func() error { _, err := f.b.Capacity(ctx); return err },
		"pods":     func() error { _, err := f.b.Pods(ctx); return err },
		"watch":    func() error { return f.b.Watch(ctx, func(backends.Event) {}) },
		"apply":    func() error { _, err := f.b.Apply(ctx, w, nil); return err },
		"remove":   func() error { return f.b.Remove(ctx, w.Deployment, nil) },
		"forget":   func() error { return f.b.Forget(ctx, w.Deployment, nil) },
		"usage":    func() error { _, err := f.b.Usage(ctx); return err },
		"logs": func() error {
			return f.b.Logs(ctx, "web-0", all, func(backends.LogLine) error { return nil })
		},
		"owned":     func() error { _, err := f.b.Owned(ctx); return err },
		"uninstall": func() error { return f.b.Uninstall(ctx, true, nil) },
	}
	for name, call := range calls {
		begun := time.Now()
		err := call()
		if took := time.Since(begun); took > soon {
			f.Errorf("%s took %s", name, took)
		}
		if err == nil {
			f.Errorf("%s went on without a context", name)
			continue
		}
		f.isContractError(err)
		if kind := schema.KindOf(err); kind != schema.Transient {
			f.Errorf("%s: %s error, want transient: %v", name, kind, err)
		}
	}
	if pods := f.pods(w.Deployment); len(pods) > 0 {
		f.Errorf("made: %+v", pods)
	}
}

// What an Apply that was cancelled has begun, the next one goes on with.
func testInterrupted(f *fixture) {
	w := f.workload(f.Good)
	w.Replicas = 2
	for steps := 1; steps <= 3; steps++ {
		ctx, cancel := context.WithCancel(f.ctx())
		told := 0
		_, err := f.b.Apply(ctx, w, func(backends.Step) {
			if told++; told == steps {
				cancel()
			}
		})
		cancel()
		if err != nil {
			f.isContractError(err)
		}
	}
	f.ready(w)
}

// The stream tells when it stands, what happens then, and why it ended.
func testWatch(f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx())
	defer cancel()
	events := make(chan backends.Event, 1000)
	ended := make(chan error, 1)
	go func() { ended <- f.b.Watch(ctx, func(e backends.Event) { events <- e }) }()
	if e := f.event(events); e.Deployment != "" || e.Pod != "" {
		f.Errorf("the first event is %+v, not a zero one", e)
	}
	w := f.workload(f.Good)
	if _, err := f.b.Apply(f.ctx(), w, nil); err != nil {
		f.Fatal(err)
	}
	for e := f.event(events); e.Deployment != w.Deployment; e = f.event(events) {
	}
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			f.Error("the stream ended without telling why")
		} else {
			f.isContractError(err)
		}
	case <-time.After(soon):
		f.Error("the stream did not end with its context")
	}
}

func (f *fixture) event(events <-chan backends.Event) backends.Event {
	f.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(f.Patience):
		f.Fatal("no event came")
		return backends.Event{}
	}
}
