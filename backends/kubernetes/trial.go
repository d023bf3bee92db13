package kubernetes

import (
	"fmt"
	"time"

	"github.com/berthdev/berth/backends"
)

const (
	// manyCrashes is how often a new pod must have crashed before it is given up for
	// it, beside old ones that are good.
	manyCrashes = 3
	// slack is added to the time in which a pod of what has come up before is young:
	// Kubernetes takes its time to start again what crashes.
	slack = 2 * time.Minute
)

// A trial is where a rollout stands.
type trial struct {
	pending string    // what is waited for, in words
	again   time.Time // when it must be looked at again without an event; zero: never
	failed  *failure  // why it must be given up; nil: it must not
}

// trial judges a rollout that is not complete. Beside a release that was good, it
// fails as soon as a new pod cannot start or crashed often. In any case it fails
// when the controller says that it makes no progress, and its pod had the time
// that it may take; pods that are made later, as by scaling up from none, have a
// time of their own. Pulling does not count, as long as it goes on; and where there
// is nothing to go back to, a pod waits for a node.
func (o observation) trial(pulling time.Duration, w backends.Workload, pods []backends.Pod, now time.Time) trial {
	t := trial{pending: pendingWords(o, w, pods)}
	if w.Replicas == 0 || o.Deployment.Status.ObservedGeneration < o.Deployment.Generation {
		return t
	}
	spec, late := w.SpecHash(), overdue(o.Deployment)
	cameUp, up := rolledOut(o.Deployment)
	beside := o.good() != nil && o.Deployment.Annotations[annotationGood] != spec && !up
	tried := 0
	for i := range pods {
		p := &pods[i]
		if p.SpecHash != spec || p.State == backends.PodGoing || p.State == backends.PodAbsent || serves(p) ||
			up && !young(p, cameUp, w.Rollout.Timeout, now) {
			continue
		}
		tried++
		why := ""
		switch c := o.judge(p, beside); {
		case c.hopeless:
			why = describe(p)
		case c.waits:
		case c.pulls:
			if until := p.CreatedAt.Add(pulling); now.Before(until) {
				t.wake(until)
			} else {
				why = fmt.Sprintf("its image was not there within %s: %s", pulling, describe(p))
			}
		case (late || up) && w.Rollout.Timeout > 0:
			if until := since(p).Add(w.Rollout.Timeout); now.Before(until) {
				t.wake(until)
			} else {
				why = fmt.Sprintf("not ready within %s: %s", w.Rollout.Timeout, describe(p))
			}
		}
		if why != "" && t.failed == nil {
			t.failed = failureOf(w, p, why, now)
		}
	}
	if why := unmade(o.Deployment); late && tried == 0 && why != "" {
		t.failed = failureOf(w, &backends.Pod{}, why, now)
	}
	return t
}

// young tells whether a pod of what came up at a time, perhaps without any pods, is
// on trial nevertheless: it was made since then, as by scaling up from none, and
// surely was not good for long. What was is left to Kubernetes.
func young(p *backends.Pod, cameUp time.Time, timeout time.Duration, now time.Time) bool {
	if p.CreatedAt.Before(cameUp) || now.After(p.CreatedAt.Add(2*timeout+slack)) || p.Health == backends.HealthUnhealthy {
		return false
	}
	return p.Restarts == 0 || p.State == backends.PodRestarting && p.Restarts+1 >= manyCrashes
}

func (t *trial) wake(at time.Time) {
	if t.again.IsZero() || at.Before(t.again) {
		t.again = at
	}
}

// since is from when a pod's time counts: from its start or, once it crashed or
// if it never started, from its creation.
func since(p *backends.Pod) time.Time {
	if p.Restarts > 0 || p.StartedAt.IsZero() {
		return p.CreatedAt
	}
	return p.StartedAt
}

// A judgement says what may be expected of a pod that does not serve.
type judgement struct {
	hopeless bool // it will never serve, and something else does
	waits    bool // for a node
	pulls    bool // its image, or is being prepared
}

// judge tells what may be expected of a pod that does not serve; beside tells
// that something good is there to go back to.
func (o observation) judge(p *backends.Pod, beside bool) judgement {
	for _, pod := range o.Pods {
		if string(pod.UID) != p.ID {
			continue
		}
		if unscheduled(pod) != "" {
			return judgement{waits: !beside}
		}
		c := appStatus(pod)
		if c == nil {
			return judgement{pulls: true}
		}
		end := lastEnd(c)
		wait := ""
		if c.State.Waiting != nil {
			wait = c.State.Waiting.Reason
		}
		return judgement{
			hopeless: beside && (unstartable[wait] || end != nil && neverStarted[end.Reason] || end != nil && c.State.Running == nil && c.RestartCount+1 >= manyCrashes),
			pulls:    end == nil && c.State.Waiting != nil && !unpullable[wait] && !unstartable[wait] && troubleOfOthers(pod) == "",
		}
	}
	return judgement{}
}

// failureOf returns the memory of a rollout that is given up because of a pod.
func failureOf(w backends.Workload, p *backends.Pod, why string, now time.Time) *failure {
	f := &failure{
		input: w.InputHash(), spec: w.SpecHash(), release: w.Release, flavour: w.Flavour, image: w.Pod.Image,
		reason: why, exitCode: p.ExitCode, at: now,
	}
	if p.Name != "" {
		f.reason = fmt.Sprintf("pod %s: %s", p.Name, why)
		f.pod = podRef(p.Name, p.ID)
	}
	return f
}
