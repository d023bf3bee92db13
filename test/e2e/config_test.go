package e2e

import (
	"fmt"
	"testing"
)

// TestConfigurationChanges edits the configuration file while Berth serves: a
// change takes effect at once, a mistake changes nothing, and no pod notices.
func TestConfigurationChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	configure := func(backend, level string) {
		w.config = w.write("berth.yaml", fmt.Sprintf("desired: {url: %s}\nlog:\n  level: %s\nbackends:\n  - {type: docker, name: %s}\n", w.desired, level, backend))
	}
	configure("docker", "info")
	w.commit(w.desired, "Run hello", map[string]string{"hello.yaml": deployment("hello", "*")})
	w.serve()
	w.awaitLog(`commit success: 1 of 1 running`)
	before := w.identity()

	w.news()
	configure("lab", "info")
	w.awaitLog(`the configuration changed`)
	w.awaitLog(`lab: backend answers`)
	w.awaitLog(`hello: ready: .* on lab`)

	w.news()
	configure("lab", "loud")
	w.awaitLog(`ERROR .*the former one stays in force .*berth\.yaml:3:10`)
	configure("cluster, host: 'tcp://127.0.0.1:1', tls: {caFile: /nowhere}", "info") // valid, and of no use
	w.awaitLog(`ERROR .*the former one is taken again .*/nowhere`)
	w.commit(w.desired, "Run another", map[string]string{"another.yaml": deployment("another", "*")})
	w.awaitLog(`another: ready: .* on lab`)
	w.removeByHand(w.awaitRunning("another", "0.1.0"))
	w.awaitLog(`another: create`)

	w.news()
	configure("workshop", "info") // Berth now waits for the work in progress
	w.awaitLog(`the configuration changed`)
	configure("attic", "info")
	w.awaitLog(`another: ready: .* on attic`)

	configure("attic", "warn")
	w.awaitLog(`the configuration changed(.|\n)*the configuration changed(.|\n)*the configuration changed(.|\n)*stopped`)
	w.news()
	w.commit(w.desired, "Stop another", map[string]string{"another.yaml": ""})
	w.await("another is gone", func() bool { return w.count() == 1 })
	w.stop()
	if text := w.log.String()[w.seen:]; text != "" {
		t.Errorf("with level warn the log says\n%s", text)
	}
	w.unchanged(before)
}
