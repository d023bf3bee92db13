package memory_test

import (
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/backendtest"
	"github.com/berthdev/berth/backends/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	engine := memory.NewEngine(memory.Options{Images: map[string]memory.Image{
		"good:1":       {UsedMemory: 1 << 20},
		"exits:1":      {Exits: true, ExitCode: 3, Output: "exiting"},
		"sick:1":       {HealthCheck: true, Unhealthy: true, After: 100 * time.Millisecond},
		"badcommand:1": {StartError: "exec: no such file: nothing"},
	}})
	tamper := func(change func(id string) bool) func(testing.TB, backends.Pod) {
		return func(t testing.TB, p backends.Pod) {
			if !change(p.ID) {
				t.Errorf("pod %s cannot be changed so", p.Name)
			}
		}
	}
	var port atomic.Uint32
	backendtest.Run(t, backendtest.Harness{
		Open:       func(_ testing.TB, instance string) backends.Backend { return engine.Open(instance, "lab") },
		Writes:     func(b backends.Backend) int { return b.(*memory.Backend).Writes() },
		Good:       backends.PodSpec{Image: "good:1"},
		Port:       8080,
		Exits:      backends.PodSpec{Image: "exits:1"},
		Says:       "exiting",
		ExitCode:   3,
		Sick:       backends.PodSpec{Image: "sick:1"},
		BadCommand: backends.PodSpec{Image: "badcommand:1"},
		NoImage:    backends.PodSpec{Image: "missing:1"},
		HostPort:   func(testing.TB) uint16 { return uint16(port.Add(1)) + 20000 },
		Tamper: map[string]func(testing.TB, backends.Pod){
			"kill": tamper(engine.Kill), "stop": tamper(engine.Stop),
			"remove": tamper(engine.Delete), "pause": tamper(engine.Pause),
		},
		Write: func(t testing.TB, p backends.Pod, stderr bool, text string) {
			write := engine.Write
			if stderr {
				write = engine.WriteError
			}
			if !write(p.ID, text) {
				t.Errorf("pod %s does not write", p.Name)
			}
		},
		Crash:    tamper(func(id string) bool { return engine.Crash(id, 1) }),
		Memory:   true,
		Timeout:  time.Second,
		Patience: time.Minute,
	})
}
