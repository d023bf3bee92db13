// Package rollout says which step comes next on an engine that knows only
// containers: which pods to create, start, stop, give up and remove, so that a
// deployment's pods become those of its workload. [Next] is pure; [Apply] takes
// its steps on an [Engine] until none is left.
//
// Everything is told from the observed pods. Nothing is remembered elsewhere, so
// that whoever dies between two steps goes on with the next one.
//
// A pod is current if its specification is the workload's, old if it has
// another one, failed if a rollout gave it up. A pod is good if it is ready, or
// if it ended with success and its restart policy lets it.
//
// # Replacing
//
// Replicas without any pod, or whose old pod is not good, get a current one at
// once. A good old pod is replaced as the strategy says. Rolling: one replica
// after the other, the old pod goes when the current one is good. Recreate: all
// current pods are made, so that a missing image stops nothing; then the old ones
// are stopped and kept, the current ones started, and the old ones go when all
// current ones are good.
//
// # Giving up
//
// A current pod beside an old one is on trial until it is good. It fails if it
// could not be started, ended for good with an error, is unhealthy, or is not
// ready in time: Rollout.Timeout after its start or, once its engine had to
// start it again, after its creation (zero: no limit). A pod that is well and
// only has to stay so for MinReady is waited for.
//
// A current pod without an old one beside it cannot be told from one that was
// good before by what is seen of it now. To stop what works would be worse than
// to let its engine go on trying. So it is given up for lack of readiness only
// while it is young (twice the timeout and a minute, from its creation), and
// only if it runs without a crash and is not healthy, or crashed at least three
// times. After that, crashes are left to the engine's restart policy.
//
// A failed pod is stopped and kept: as long as it is there with the workload's
// input hash, no pod is created, and the old ones are brought back (under
// recreate only if Rollout.Rollback says so). It is removed when the input
// changes. Replicas that a rolling rollout had replaced before another one failed
// stay as they are: they are good, and their old pods are gone.
//
// # Restoring
//
// An engine starts crashed pods again by itself, as their restart policy says;
// they are [backends.PodRestarting]. So a [backends.PodExited] whose policy
// would have it running was stopped behind Berth's back, and is started again
// at once. That makes no crash loop: what crashes does not come to this state.
// Should an engine behave otherwise, a pod is still not started more often than
// once in a second.
package rollout

// Verb is a kind of step.
type Verb string

// The verbs. For Make, what old pods hold exclusively (GPUs) counts as free: they
// are stopped before the pod that is made is started. Stop, Remove and GiveUp also
// work on a paused pod: where the engine cannot stop it so, it is unpaused first.
const (
	Create  Verb = "create"  // Make, then Start
	Make    Verb = "make"    // have the image, and make the current pod of Ordinal; if its name is taken, it is made already
	Start   Verb = "start"   // start a pod that is created or exited
	Stop    Verb = "stop"    // stop the pod gracefully and keep it
	Remove  Verb = "remove"  // stop the pod gracefully and remove it; named volumes stay
	GiveUp  Verb = "give-up" // mark the pod failed, then stop it; it is kept
	Unpause Verb = "unpause" // let a paused pod run on
)

// A Step is one thing to do.
type Step struct {
	Verb    Verb
	Pod     string // the ID of an existing pod; empty for Create and Make
	Ordinal int
	Reason  string // why, in words
}
