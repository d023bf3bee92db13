package backendtest

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

func hostPort(at backends.Endpoint) string {
	return net.JoinHostPort(at.Host, strconv.Itoa(int(at.Port)))
}

// While it rolls, as many pods are ready as were before.
func testRolling(f *fixture) {
	w := f.workload(f.Good)
	w.Replicas = 2
	f.ready(w)
	w = next(w, "2.0.0", f.Good)
	convergeObserved(f, f.b, w, backends.PhaseReady, f.Patience, func(pods []backends.Pod) {
		if n := count(pods, isReady); n < 2 {
			f.Errorf("%d pods are ready, want 2: %+v", n, pods)
		}
	})
	for _, p := range f.ready(w) {
		if p.Release != "2.0.0" {
			f.Errorf("left of the release before: %+v", p)
		}
	}
}

// While it is recreated, pods of two releases never run together.
func testRecreate(f *fixture) {
	w := f.workload(f.Good)
	w.Rollout.Strategy = schema.Recreate
	f.ready(w)
	f.recreate(next(w, "2.0.0", f.Good))
}

func (f *fixture) recreate(w backends.Workload) backends.Pod {
	f.Helper()
	convergeObserved(f, f.b, w, backends.PhaseReady, f.Patience, func(pods []backends.Pod) {
		if n := count(pods, func(p backends.Pod) bool { return p.State == backends.PodRunning }); n > 1 {
			f.Errorf("%d pods run together: %+v", n, pods)
		}
	})
	return f.ready(w)[0]
}

// A port of the host goes from one release to the next.
func testHostPort(f *fixture) {
	w := f.workload(f.Good)
	w.Rollout.Strategy = schema.Recreate
	port := schema.Port{HostIP: "127.0.0.1", Host: f.HostPort(f.T), Container: f.Port, Protocol: schema.TCP}
	w.Pod.Ports = []schema.Port{port}
	f.ready(w)
	spec := f.Good
	spec.Ports = w.Pod.Ports
	p := f.recreate(next(w, "2.0.0", spec))
	if len(p.Endpoints) != 1 || p.Endpoints[0].Port != port.Host {
		f.Fatalf("endpoints %+v, want port %d", p.Endpoints, port.Host)
	}
	if f.HTTP {
		if body := f.get(p.Endpoints[0]); !strings.Contains(body, "2.0.0") {
			f.Errorf("the release before answers: %s", body)
		}
	}
}

// A release that fails: what ran before runs, the last lines that the failed pod
// wrote can be read, the failure is remembered through a restart, and nothing is
// tried again until the input changes.
func testFails(f *fixture, spec backends.PodSpec, strategy schema.Strategy, says string) {
	w := f.workload(f.Good)
	w.Rollout.Strategy = strategy
	good := f.ready(w)

	bad := f.failing(next(w, "2.0.0", spec))
	progress := convergeObserved(f, f.b, bad, backends.PhaseFailed, f.Patience, func(pods []backends.Pod) {
		if strategy == schema.Rolling && count(pods, isReady) == 0 {
			f.Errorf("nothing serves: %+v", pods)
		}
	})
	if progress.Reason == "" {
		f.Error("failed without a reason")
	}
	failed := f.failedPod(bad)
	if got := texts(f.log(failed.Name, backends.LogOptions{Tail: 10})); says != "" && !slices.Contains(got, says) {
		f.Errorf("log of the failed pod %q, want %q", got, says)
	}
	serving := slices.DeleteFunc(f.pods(w.Deployment), func(p backends.Pod) bool { return p.State == backends.PodFailed })
	if len(serving) != 1 || serving[0].SpecHash != w.SpecHash() || serving[0].State != backends.PodRunning {
		f.Errorf("serving: %+v, want what ran before: %+v", serving, good)
	}

	f.untouched(bad, backends.PhaseFailed)
	f.restart()
	f.untouched(bad, backends.PhaseFailed)

	fixed := next(w, "3.0.0", f.Good)
	f.ready(fixed) // nothing else is left
}

// failedPod returns the pod that remembers the failure.
func (f *fixture) failedPod(w backends.Workload) backends.Pod {
	f.Helper()
	pods := f.pods(w.Deployment)
	i := slices.IndexFunc(pods, func(p backends.Pod) bool { return p.State == backends.PodFailed })
	if i < 0 {
		f.Fatalf("no failed pod is kept: %+v", pods)
	}
	p := pods[i]
	if p.SpecHash != w.SpecHash() || p.InputHash != w.InputHash() || p.Release != w.Release {
		f.Errorf("the failed pod does not remember %s: %+v", w.Release, p)
	}
	return p
}

func testFailsAtFirst(f *fixture) {
	w := f.failing(f.workload(f.Exits))
	progress := Converge(f, f.b, w, backends.PhaseFailed, f.Patience)
	if progress.Reason == "" {
		f.Error("failed without a reason")
	}
	p := f.failedPod(w)
	if p.ExitCode != f.ExitCode {
		f.Errorf("exit code %d, want %d", p.ExitCode, f.ExitCode)
	}
	f.untouched(w, backends.PhaseFailed)
	f.ready(next(w, "2.0.0", f.Good))
}

// What had no pods and crashes once it has is given up too.
func testFailsScaledUp(f *fixture) {
	w := f.failing(f.workload(f.Exits))
	w.Replicas = 0
	f.ready(w)
	w.Replicas = 1
	Converge(f, f.b, w, backends.PhaseFailed, f.Patience)
	f.failedPod(w)
	f.untouched(w, backends.PhaseFailed)
	w.Replicas = 0
	f.ready(w)
}

// An image that is not there is told, stops nothing, and leaves nothing behind
// when the input changes.
func testNoImage(f *fixture) {
	for _, strategy := range []schema.Strategy{schema.Rolling, schema.Recreate} {
		w := f.workload(f.Good)
		w.Deployment = "web-" + string(strategy)
		w.Rollout.Strategy = strategy
		good := f.ready(w)
		bad := f.failing(next(w, "2.0.0", f.NoImage))
		for range 2 {
			progress, err := f.b.Apply(f.ctx(), bad, nil)
			told := progress.Reason
			if err != nil {
				told = err.Error()
				f.isContractError(err)
			}
			if progress.Phase == backends.PhaseReady || !strings.Contains(told, f.NoImage.Image) && err != nil || told == "" {
				f.Errorf("phase %s, told %q", progress.Phase, told)
			}
		}
		for _, p := range f.pods(w.Deployment) {
			if p.SpecHash == w.SpecHash() {
				f.same(good, []backends.Pod{p})
			}
		}
		f.ready(next(w, "3.0.0", f.Good))
	}
}

// What is done to a pod behind Berth's back is told and put right.
func testTamper(f *fixture, tamper func(testing.TB, backends.Pod)) {
	w := f.workload(f.Good)
	w.Replicas = 2
	p := f.ready(w)[0]
	ctx := f.ctx()
	events := watch(ctx, f, f.b)
	tamper(f, p)
	for told := false; !told || f.stands(p); { // what is told may be of what was before
		select {
		case e := <-events:
			told = told || e.Deployment == w.Deployment && !e.Ours
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			f.Fatal("no event told of it")
		}
	}
	f.ready(w)
	f.untouched(w, backends.PhaseReady)
}

// stands tells whether a pod is there as it was.
func (f *fixture) stands(was backends.Pod) bool {
	f.Helper()
	return slices.ContainsFunc(f.pods(was.Deployment), func(p backends.Pod) bool {
		return p.ID == was.ID && p.State == was.State && p.StartedAt.Equal(was.StartedAt) && p.Restarts == was.Restarts
	})
}

func isReady(p backends.Pod) bool {
	ready, _ := p.Ready(time.Now())
	return ready
}

func count(pods []backends.Pod, which func(backends.Pod) bool) int {
	n := 0
	for _, p := range pods {
		if which(p) {
			n++
		}
	}
	return n
}
