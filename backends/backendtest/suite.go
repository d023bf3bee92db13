// Package backendtest is the conformance suite of [backends.Backend]: every
// backend passes it, and what it does not hold is not part of the contract. A
// backend's own test describes its engine in a [Harness] and calls [Run].
//
// The suite knows neither containers nor their names, and does not care who
// carries out a rollout, Berth or a controller of the engine. It watches what
// pods there are, and how many writes were made.
package backendtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"testing"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// A Harness describes a backend and its engine. What an engine cannot do is left
// out, and not tested.
type Harness struct {
	// Open opens the backend of an instance. Opened again after it was closed, it
	// is Berth after a restart. The suite closes it.
	Open func(t testing.TB, instance string) backends.Backend
	// Writes returns how many changes the backend has asked its engine for; nil:
	// not known.
	Writes func(backends.Backend) int

	// Good serves HTTP on Port and runs until it is stopped. It has no health check.
	Good backends.PodSpec
	Port uint16
	// Exits writes the line Says, and exits with ExitCode soon after its start.
	Exits    backends.PodSpec
	Says     string
	ExitCode int
	// Sick runs, but is unhealthy within seconds or never healthy.
	Sick backends.PodSpec
	// BadCommand has an image without the command.
	BadCommand backends.PodSpec
	// NoImage has an image that does not exist.
	NoImage backends.PodSpec

	// HTTP tells that pods answer at their endpoints: Good at / with its environment.
	HTTP bool
	// HostPort returns a port that is free on the engine's host; nil: pods have none.
	HostPort func(t testing.TB) uint16

	// Tamper changes a pod behind the backend's back, by what is done: kill, stop,
	// remove, pause.
	Tamper map[string]func(t testing.TB, p backends.Pod)

	// Write has a running pod of Good write text to its standard output or standard
	// error; nil: logs are tested as far as Exits goes.
	Write func(t testing.TB, p backends.Pod, stderr bool, text string)
	// OneStream tells that the engine does not tell standard error from standard output.
	OneStream bool
	// Crash ends a running pod of Good as if by itself; nil: not tested.
	Crash func(t testing.TB, p backends.Pod)
	// Memory tells that the engine measures the memory that running pods use.
	Memory bool

	// MinReady is how long a pod without a health check must run to be ready: longer
	// than the engine takes to tell that Exits has ended. Default: 300 ms.
	MinReady time.Duration
	// Timeout is the rollout timeout of what is meant to fail: long enough for
	// Exits to crash three times. Default: 4 s.
	Timeout time.Duration
	// Patience is how long the suite waits for anything. Default: a minute.
	Patience time.Duration
}

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	if h.Timeout == 0 {
		h.Timeout = 4 * time.Second
	}
	if h.MinReady == 0 {
		h.MinReady = 300 * time.Millisecond
	}
	if h.Patience == 0 {
		h.Patience = time.Minute
	}
	tests := []struct {
		name string
		test func(*fixture)
	}{
		{"Capacity", testCapacity},
		{"Create", testCreate},
		{"PodsTellAll", testPodsTellAll},
		{"ApplyAgain", testApplyAgain},
		{"Restart", testRestart},
		{"Scale", testScale},
		{"Volumes", testVolumes},
		{"Remove", testRemove},
		{"OtherInstance", testOtherInstance},
		{"AlreadyMade", testAlreadyMade},
		{"Concurrent", testConcurrent},
		{"Cancelled", testCancelled},
		{"Interrupted", testInterrupted},
		{"Watch", testWatch},
		{"Rolling", testRolling},
		{"Recreate", testRecreate},
		{"FailsByCrash", func(f *fixture) { testFails(f, f.Exits, schema.Rolling, f.Says) }},
		{"FailsByHealth", func(f *fixture) { testFails(f, f.Sick, schema.Rolling, "") }},
		{"FailsByCommand", func(f *fixture) { testFails(f, f.BadCommand, schema.Rolling, "") }},
		{"FailsByCrashRecreate", func(f *fixture) { testFails(f, f.Exits, schema.Recreate, f.Says) }},
		{"FailsAtFirst", testFailsAtFirst},
		{"FailsScaledUp", testFailsScaledUp},
		{"NoImage", testNoImage},
		{"Forget", testForget},
		{"ForgetOther", testForgetOther},
		{"ForgetRecreate", testForgetRecreate},
		{"LogOfEnded", testLogOfEnded},
		{"LogUnknown", testLogUnknown},
		{"Usage", testUsage},
	}
	for _, test := range tests {
		h.run(t, test.name, test.test)
	}
	if h.HTTP {
		h.run(t, "Endpoint", testEndpoint)
	}
	if h.Write != nil {
		h.run(t, "Log", testLog)
		h.run(t, "LogText", testLogText)
		h.run(t, "LogFollow", testLogFollow)
		h.run(t, "LogEnds", testLogEnds)
	}
	if h.Write != nil && h.Crash != nil {
		h.run(t, "LogCrash", testLogCrash)
	}
	if h.HostPort != nil {
		h.run(t, "HostPort", testHostPort)
	}
	for what, tamper := range h.Tamper {
		h.run(t, "Tamper/"+what, func(f *fixture) { testTamper(f, tamper) })
	}
}

func (h Harness) run(t *testing.T, name string, test func(*fixture)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		test(h.open(t))
	})
}

// A fixture is one test's instance with its backend.
type fixture struct {
	*testing.T
	Harness
	instance string
	b        backends.Backend
}

// open opens a backend for an instance that nobody else has. When the test ends,
// the instance is uninstalled, and nothing of it may be left.
func (h Harness) open(t *testing.T) *fixture {
	t.Helper()
	var id [4]byte
	if _, err := rand.Read(id[:]); err != nil {
		t.Fatal(err)
	}
	f := &fixture{T: t, Harness: h, instance: "suite-" + hex.EncodeToString(id[:])}
	f.b = h.Open(t, f.instance)
	t.Cleanup(f.uninstall)
	return f
}

func (f *fixture) uninstall() {
	ctx, cancel := context.WithTimeout(context.Background(), f.Patience)
	defer cancel()
	if err := f.b.Uninstall(ctx, true, nil); err != nil {
		f.Errorf("uninstall: %v", err)
	}
	owned, err := f.b.Owned(ctx)
	if err != nil || len(owned) > 0 {
		f.Errorf("left after uninstalling: %v, %v", owned, err)
	}
	if err := f.b.Close(); err != nil {
		f.Errorf("close: %v", err)
	}
}

// restart closes the backend and opens it again, as a restart of Berth does.
func (f *fixture) restart() {
	f.Helper()
	if err := f.b.Close(); err != nil {
		f.Fatal(err)
	}
	f.b = f.Open(f.T, f.instance)
}

// workload returns a workload of one replica that is soon ready.
func (f *fixture) workload(spec backends.PodSpec) backends.Workload {
	rollout := backends.Rollout{
		Strategy: schema.Rolling, Timeout: f.Patience, MinReady: f.MinReady, Rollback: true,
	}
	if spec.Healthcheck != nil {
		rollout.MinReady = 0
	}
	if spec.Restart == "" {
		spec.Restart = schema.RestartUnlessStopped
	}
	return backends.Workload{
		Deployment: "web", App: "org.example.web", Release: "1.0.0", Flavour: "cpu", Backend: f.b.Name(),
		User: "john", Source: "web.yaml", Commit: "0123456789abcdef0123456789abcdef01234567",
		Replicas: 1, Rollout: rollout, Pod: spec,
	}
}

// next returns the workload with another release, whose pods have another
// specification.
func next(w backends.Workload, release string, spec backends.PodSpec) backends.Workload {
	restart := w.Pod.Restart
	w.Pod = spec
	w.Pod.Restart = restart
	w.Pod.Env = map[string]string{"BERTH_RELEASE": release}
	for key, value := range spec.Env {
		w.Pod.Env[key] = value
	}
	w.Release = release
	return w
}

// failing returns the workload with the timeout of what is meant to fail.
func (f *fixture) failing(w backends.Workload) backends.Workload {
	w.Rollout.Timeout = f.Timeout
	return w
}
