package backendtest

import (
	"slices"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// A rollout that was given up is tried again once its failed pods are forgotten;
// what serves is not touched.
func testForget(f *fixture) {
	w := f.workload(f.Good)
	good := f.ready(w)
	bad := f.failing(next(w, "2.0.0", f.BadCommand))
	Converge(f, f.b, bad, backends.PhaseFailed, f.Patience)
	before := f.failedPod(bad)

	f.forgetNothing("another")
	told := 0
	if err := f.b.Forget(f.ctx(), bad.Deployment, func(backends.Step) { told++ }); err != nil {
		f.Fatal(err)
	}
	if told == 0 {
		f.Error("no step was told")
	}
	f.same(good, f.pods(w.Deployment))
	f.forgetNothing(w.Deployment)

	Converge(f, f.b, bad, backends.PhaseFailed, f.Patience)
	if again := f.failedPod(bad); again.ID == before.ID {
		f.Errorf("it was not tried again: %+v", again)
	}
}

// Forgetting is for one deployment of one instance.
func testForgetOther(f *fixture) {
	other := f.Harness.open(f.T)
	w := f.failing(f.workload(f.BadCommand))
	Converge(other, other.b, w, backends.PhaseFailed, f.Patience)
	neighbour := w
	neighbour.Deployment = "neighbour"
	Converge(f, f.b, neighbour, backends.PhaseFailed, f.Patience)

	theirs, neighbours := other.pods(w.Deployment), f.pods(neighbour.Deployment)
	f.forgetNothing(w.Deployment)
	other.same(theirs, other.pods(w.Deployment))
	f.same(neighbours, f.pods(neighbour.Deployment))
	other.untouched(w, backends.PhaseFailed)
}

// forgetNothing holds that forgetting makes no write where nothing failed.
func (f *fixture) forgetNothing(deployment string) {
	f.Helper()
	before, writes := f.pods(deployment), f.writes()
	err := f.b.Forget(f.ctx(), deployment, func(s backends.Step) { f.Errorf("a step where nothing failed: %+v", s) })
	if err != nil {
		f.Fatal(err)
	}
	if n := f.writes() - writes; n > 0 {
		f.Errorf("%d writes where nothing failed", n)
	}
	f.same(before, f.pods(deployment))
}

// Forget works after Berth was started again, with any strategy.
func testForgetRecreate(f *fixture) {
	w := f.workload(f.Good)
	w.Rollout.Strategy = schema.Recreate
	f.ready(w)
	bad := f.failing(next(w, "2.0.0", f.Exits))
	Converge(f, f.b, bad, backends.PhaseFailed, f.Patience)
	f.restart()
	if err := f.b.Forget(f.ctx(), w.Deployment, nil); err != nil {
		f.Fatal(err)
	}
	if pods := f.pods(w.Deployment); slices.ContainsFunc(pods, func(p backends.Pod) bool { return p.State == backends.PodFailed }) {
		f.Errorf("not forgotten: %+v", pods)
	}
	f.ready(next(w, "3.0.0", f.Good))
}
