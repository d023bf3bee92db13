package engine_test

import (
	"fmt"
	"testing"
	"time"

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
				r.expect("old-0", engine.StateHeld, "more than half of the 5 that ran before")
				silent(r)
				r.expect("old-0", engine.StateHeld, "does not answer")
				silence(r, "")
				r.expect("old-0", engine.StateHeld, "more than half of the 5 that ran before")
				if len(r.pods("old-0")) != 1 {
					t.Error("its pod was removed")
				}
			})
		})
	}
}

// What a backend runs that is listed for the first time was there before: it counts
// for the half of which no more may go.
func TestABackendThatIsListedLateCounts(t *testing.T) {
	bubble(t, 2, func(r *rig) {
		r.publish("0.1.0")
		var here, there []*schema.Deployment
		for i := range 4 {
			here = append(here, hello(fmt.Sprint("here-", i), func(d *schema.Deployment) { d.Backend = "b0" }))
		}
		for i := range 5 {
			there = append(there, hello(fmt.Sprint("there-", i), func(d *schema.Deployment) { d.Backend = "b1" }))
		}
		r.declare(append(here, there...)...)
		r.stop()
		r.engines[1].Cut()
		r.swap(there...)
		r.start()
		r.settle()
		r.expect("here-0", engine.StateHeld, "4 of 4 running deployments are declared no more")
		r.engines[1].Restore()
		time.Sleep(time.Minute) // until it is tried again
		if pods := r.pods("here-0"); len(pods) > 0 {
			t.Errorf("it was not removed: %+v", r.status("here-0"))
		}
	})
}
