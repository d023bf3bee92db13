package engine_test

import (
	"fmt"
	"testing"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
)

// That the source of the desired state is away for a while does not lift the guard on
// what a commit took away: what it brought in place of that runs by then.
func TestSilenceDoesNotLiftTheGuard(t *testing.T) {
	silence := func(r *rig, why string) {
		r.sources.set(func() { r.sources.desired.Stale = why })
		r.engine.Changed(engine.Change{})
		r.settle()
	}
	for name, silent := range map[string]func(*rig){
		"for a while": func(r *rig) { silence(r, "the repository does not answer") },
		"over a restart": func(r *rig) {
			r.stop()
			r.sources.set(func() { r.sources.desired.Stale = "the repository does not answer" })
			r.start()
			r.settle()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, func(r *rig) {
				r.publish("0.1.0")
				var old, renamed []*schema.Deployment
				for i := range 5 {
					old = append(old, hello(fmt.Sprint("old-", i)))
					renamed = append(renamed, hello(fmt.Sprint("new-", i)))
				}
				r.declare(old...)
				r.declare(renamed...)
				r.expect("old-0", engine.StateHeld, "5 of 5 running deployments are declared no more")
				silent(r)
				r.expect("old-0", engine.StateHeld, "does not answer")
				silence(r, "")
				r.expect("old-0", engine.StateHeld, "5 of 5 running deployments are declared no more")
				if len(r.pods("old-0")) != 1 {
					t.Error("its pod was removed")
				}
			})
		})
	}
}
