package e2e

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/berthdev/berth/internal/githubtest"
	"github.com/berthdev/berth/sources/forge"
)

// BenchmarkForge measures what a team waits for after a push: from the moment when
// the webhook is sent to the start of the container, and from the moment when that
// is ready to the arrival of the commit's status at the forge. In the same run it
// measures the engine's own create and start. The forge is the small GitHub, so
// that its own work on a push does not count.
func BenchmarkForge(b *testing.B) {
	b.Run("release", func(b *testing.B) {
		benchmarkForge(b, func(w *forgeWorld, round int) string {
			version := fmt.Sprintf("0.2.%d", round)
			w.release(version)
			return w.git(w.desired, "rev-parse", "HEAD")
		})
	})
	b.Run("deployment", func(b *testing.B) {
		benchmarkForge(b, func(w *forgeWorld, round int) string {
			return w.publish(w.desired, fmt.Sprint("Round ", round), map[string]string{
				"hello.yaml": deployment("hello", "*", fmt.Sprintf("env: {ROUND: %q}\n", fmt.Sprint(round))),
			})
		})
	})
}

// minReady is that of [deployment].
const minReady = 100 * time.Millisecond

// benchmarkForge measures pushes that replace the one container. push returns the
// commit of the desired state whose status tells of it.
func benchmarkForge(b *testing.B, push func(w *forgeWorld, round int) string) {
	hub := githubtest.Start(b)
	w := newForgeWorld(b, onGitHub(hub, hub.App("berth-lab")))
	w.publish(w.desired, "Run", map[string]string{"hello.yaml": deployment("hello", "*")})
	w.awaitRunning("hello", "0.1.0")
	started := w.starts(b)
	const (
		rounds = 20
		pace   = 3500 * time.Millisecond // so few writes that none has to wait for GitHub's limits
	)
	var running, engine, status, all []time.Duration
	for b.Loop() {
		for range rounds {
			next := time.Now().Add(pace)
			commit := push(w, len(running))
			at := awaitStart(b, started, func(s start) bool { return s.release != "" })
			said := w.awaitSuccess(commit, at)
			sent := lastPush(b, hub)
			running, all = append(running, at.Sub(sent)), append(all, said.Sub(sent))
			status = append(status, said.Sub(at)-minReady)
			w.await("the old one is gone", func() bool { return w.count() == 1 })
			engine = append(engine, w.createAndStart(b, started, w.containers()[0].id))
			time.Sleep(time.Until(next))
		}
	}
	b.ReportMetric(0, "ns/op")
	report := func(name string, d []time.Duration) {
		b.ReportMetric(milliseconds(median(d)), name+"-ms")
		b.ReportMetric(milliseconds(quantile(d, 0.95)), name+"-p95-ms")
	}
	report("running", running)
	report("engine", engine)
	report("status", status)
	report("all", all)
	b.ReportMetric(milliseconds(median(running)-median(engine)), "over-ms")
	b.ReportMetric(float64(median(running))/float64(median(engine)), "ratio")
}

// awaitSuccess returns when the request came that says of a commit that it runs,
// the first one after a time.
func (w *forgeWorld) awaitSuccess(commit string, after time.Time) (came time.Time) {
	w.t.Helper()
	repo := w.desiredRepo.(githubRepo)
	w.await("the commit is called a success", func() bool {
		for _, s := range repo.Repo.Statuses(commit) {
			if s.Context == "berth" && s.State == string(forge.Success) && s.Time.After(after) {
				came = s.Time
				return true
			}
		}
		return false
	})
	return came
}

// lastPush returns when the newest webhook of a push was sent.
func lastPush(b *testing.B, hub *githubtest.Server) time.Time {
	b.Helper()
	for _, d := range slices.Backward(hub.Deliveries()) {
		if d.Event == "push" {
			return d.At
		}
	}
	b.Fatal("no webhook was sent")
	return time.Time{}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// quantile returns the value that this share of all do not exceed.
func quantile(d []time.Duration, share float64) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[int(math.Ceil(share*float64(len(d))))-1]
}
