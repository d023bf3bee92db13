package kubernetes

import (
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/berthdev/berth/backends"
)

// decision is what must be done about a Deployment object now, and where it stands.
type decision struct {
	Apply    *appsv1.Deployment // to be applied, by patch; nil: what is there is right
	Why      string             // why, in words: the first difference, or why it is given up
	Drift    bool               // somebody else changed what Berth had applied
	GiveUp   bool               // Apply gives up the rollout
	Progress backends.Progress  // Pods included, as they are before Apply
}

// decide compares what is there with what is wanted, which is the Deployment of
// objects. It says what to apply: the Deployment as wanted, or as it was when it
// was good last if the rollout fails.
func (s settings) decide(w backends.Workload, wanted *appsv1.Deployment, o observation, now time.Time) (decision, error) {
	d := decision{Progress: backends.Progress{Phase: backends.PhaseProgressing, Pods: s.pods(o)}}
	live := o.Deployment
	if live == nil {
		d.Apply, d.Why, d.Progress.Reason = wanted, "it is not there", "it is being made"
		return d, nil
	}
	if f := o.failure(); f != nil && f.input == w.InputHash() && w.Replicas > 0 && slices.ContainsFunc(d.Progress.Pods, failed) {
		back := s.backTo(w, o)
		if back == nil || o.complete(d.Progress.Pods, w.Replicas) {
			d.Progress.Phase, d.Progress.Reason = backends.PhaseFailed, notAgain(f.reason)
		} else {
			d.Progress.Reason = goingBack(back, f.reason)
		}
		return s.compare(d, s.givenUp(o.adopt(wanted), back, f), live)
	}
	d, err := s.compare(d, o.adopt(wanted), live)
	if err != nil || d.Apply != nil {
		d.Progress.Reason = "it is being changed"
		return d, err
	}
	if o.complete(d.Progress.Pods, w.Replicas) {
		if at := proven(d.Progress.Pods, now); !at.IsZero() {
			d.Progress.Reason, d.Progress.Again = "a pod was just started again", at
			return d, nil
		}
		d.Progress.Phase = backends.PhaseReady
		return d, nil
	}
	t := o.trial(s.pullTimeout(), w, d.Progress.Pods, now)
	o.refused(&t, w, d.Progress.Pods, now)
	d.Progress.Reason, d.Progress.Again = t.pending, t.again
	if t.failed == nil {
		return d, nil
	}
	back := s.backTo(w, o)
	d.Apply, d.Why, d.GiveUp, d.Progress.Again = s.givenUp(o.adopt(wanted), back, t.failed), t.failed.reason, true, time.Time{}
	d.Progress.Reason = goingBack(back, t.failed.reason)
	return d, nil
}

// goingBack says what becomes of a rollout that failed.
func goingBack(back *appsv1.ReplicaSet, why string) string {
	if back == nil {
		return why
	}
	return fmt.Sprintf("it goes back to %s: %s", back.Annotations[annotationRelease], why)
}

func failed(p backends.Pod) bool { return p.State == backends.PodFailed }

func notAgain(reason string) string { return reason + "; not tried again until the input changes" }

// backTo returns what a rollout that fails goes back to; nil: nothing. What has come
// up once stays, whatever becomes of its pods since.
func (s settings) backTo(w backends.Workload, o observation) *appsv1.ReplicaSet {
	back := o.good()
	_, up := rolledOut(o.Deployment)
	up = up && o.Deployment.Annotations[annotationSpecHash] == w.SpecHash()
	if !w.Rollout.Rollback || back == nil || up || back.Annotations[annotationSpecHash] == w.SpecHash() {
		return nil
	}
	return back
}

// compare finds out whether the Deployment must be applied.
func (s settings) compare(d decision, wanted, live *appsv1.Deployment) (decision, error) {
	why, err := lacks(wanted, live)
	if err != nil {
		return d, err
	}
	d.Drift = why != "" && remembers(live, wanted.Annotations)
	if why == "" && slices.ContainsFunc(failedAnnotations, func(key string) bool {
		return live.Annotations[key] != "" && wanted.Annotations[key] == ""
	}) {
		why = "it remembers a rollout that failed, and is to be forgotten"
	}
	if why != "" {
		d.Apply, d.Why = wanted, why
	}
	return d, nil
}

// remembers tells whether the Deployment carries the annotations: then it was
// applied as it is wanted, and differs because somebody else changed it.
func remembers(live *appsv1.Deployment, annotations map[string]string) bool {
	for key, value := range annotations {
		if live.Annotations[key] != value {
			return false
		}
	}
	return true
}

// adopt returns the wanted Deployment with what only the live one knows:
//
//   - which release was good last: the one that is replaced, if it is good;
//   - who declared it where, if nothing else differs: a file that is moved changes
//     no pod;
//   - its template as it was applied, if it was made by another Berth, or with
//     another configuration, from the same specification: an upgrade restarts nothing.
func (o observation) adopt(wanted *appsv1.Deployment) *appsv1.Deployment {
	d, live := wanted.DeepCopy(), o.Deployment
	had, has := live.Annotations, d.Annotations
	same := had[annotationSpecHash] == has[annotationSpecHash]
	good := had[annotationGood]
	_, up := rolledOut(live)
	if !same && replicasOf(live) > 0 && (settled(live) || up && live.Status.AvailableReplicas > 0) {
		good = had[annotationSpecHash]
	}
	if good != "" {
		has[annotationGood] = good
	}
	if same && had[annotationApplied] != has[annotationApplied] {
		if t := o.original(had, wanted.Spec.Template.Spec.Containers[0]); t != nil {
			has[annotationApplied], d.Spec.Template = had[annotationApplied], *t
		}
	}
	if same && had[annotationInputHash] == has[annotationInputHash] && had[annotationReplicas] == has[annotationReplicas] {
		for _, key := range []string{annotationSource, annotationCommit} {
			if had[key] != "" {
				has[key] = had[key]
			}
		}
	}
	return d
}

func replicasOf(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

// settled tells whether all pods of the Deployment's template are available, and
// no others are there, as its controller says.
func settled(d *appsv1.Deployment) bool {
	n := replicasOf(d)
	s := &d.Status
	return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == n && s.Replicas == n && s.AvailableReplicas == n
}

// complete tells whether the deployment is as it is wanted: the controller says
// so, and the pods that are seen are no others.
func (o observation) complete(pods []backends.Pod, replicas int) bool {
	if !settled(o.Deployment) {
		return false
	}
	spec, there := o.Deployment.Annotations[annotationSpecHash], 0
	for i := range pods {
		switch p := &pods[i]; {
		case p.State == backends.PodGoing, p.State == backends.PodAbsent:
		case p.State == backends.PodFailed && p.SpecHash != spec:
		case p.SpecHash != spec || !serves(p):
			return false
		default:
			there++
		}
	}
	return there == replicas
}

// proven returns when the last of the pods that were started again will have served
// for as long as they must; zero: all have. The controller sees to that for new
// ones, but not for one that is back before the kubelet told that it had ended.
func proven(pods []backends.Pod, now time.Time) time.Time {
	var last time.Time
	for i := range pods {
		if _, at := pods[i].Ready(now); pods[i].Restarts > 0 && at.After(last) {
			last = at
		}
	}
	return last
}

// pullTimeout is how long an image may take to be pulled.
func (s settings) pullTimeout() time.Duration {
	const otherwise = 30 * time.Minute
	if s.cfg.PullTimeout == nil {
		return otherwise
	}
	return time.Duration(*s.cfg.PullTimeout)
}

// rolledOut tells whether, and when, the controller has seen the template come up,
// with as many pods as there were to be, be it none. From then on, crashes of what
// served are left to Kubernetes.
func rolledOut(d *appsv1.Deployment) (at time.Time, ok bool) {
	c := condition(d, appsv1.DeploymentProgressing)
	if c == nil || c.Status != corev1.ConditionTrue || c.Reason != "NewReplicaSetAvailable" || d.Status.ObservedGeneration < d.Generation {
		return time.Time{}, false
	}
	return c.LastUpdateTime.Time, true
}

// overdue tells whether the controller says that the rollout makes no progress.
func overdue(d *appsv1.Deployment) bool {
	c := condition(d, appsv1.DeploymentProgressing)
	return c != nil && c.Status == corev1.ConditionFalse && c.Reason == "ProgressDeadlineExceeded" && d.Status.ObservedGeneration >= d.Generation
}

func condition(d *appsv1.Deployment, kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range d.Status.Conditions {
		if d.Status.Conditions[i].Type == kind {
			return &d.Status.Conditions[i]
		}
	}
	return nil
}

// unmade says why pods cannot be made; empty: they can.
func unmade(d *appsv1.Deployment) string {
	if c := condition(d, appsv1.DeploymentReplicaFailure); c != nil && c.Status == corev1.ConditionTrue {
		return "pods cannot be made: " + message(c.Message, c.Reason)
	}
	return ""
}

// refused fails a trial where pods cannot be made, for as long as a rollout may take,
// and those that are there serve. The controller itself tells of no lateness where it
// finds a ReplicaSet of before again, as when a release is taken back in git, or
// scales what has come up.
func (o observation) refused(t *trial, w backends.Workload, pods []backends.Pod, now time.Time) {
	why, since := unmade(o.Deployment), o.refusedSince(w.SpecHash())
	if t.failed != nil || why == "" || since.IsZero() || w.Replicas == 0 || w.Rollout.Timeout <= 0 {
		return
	}
	for i := range pods {
		p := &pods[i]
		if p.SpecHash == w.SpecHash() && p.State != backends.PodGoing && p.State != backends.PodAbsent && !serves(p) {
			return
		}
	}
	if until := since.Add(w.Rollout.Timeout); now.Before(until) {
		t.wake(until)
	} else {
		t.failed = failureOf(w, &backends.Pod{}, why, now)
	}
}

// refusedSince returns since when pods of a specification cannot be made; zero:
// nobody says so. What the Deployment says may be of another one.
func (o observation) refusedSince(spec string) time.Time {
	for _, r := range o.ReplicaSets {
		if !o.owns(r) || r.Annotations[annotationSpecHash] != spec || o.edited(r) {
			continue
		}
		for _, c := range r.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
				return c.LastTransitionTime.Time
			}
		}
	}
	return time.Time{}
}

// pendingWords says in words what is waited for.
func pendingWords(o observation, w backends.Workload, pods []backends.Pod) string {
	spec, ready, first := w.SpecHash(), 0, ""
	old := 0
	for i := range pods {
		switch p := &pods[i]; {
		case p.State == backends.PodGoing, p.State == backends.PodAbsent, p.State == backends.PodFailed:
		case p.SpecHash != spec:
			old++
		case serves(p):
			ready++
		case first == "":
			first = fmt.Sprintf("; pod %s: %s", p.Name, describe(p))
		}
	}
	if first == "" {
		switch why := unmade(o.Deployment); {
		case o.Deployment.Spec.Paused:
			first = "; somebody has paused it: kubectl rollout resume lets it go on"
		case why != "":
			first = "; " + why
		case old > 0 && ready >= w.Replicas:
			first = fmt.Sprintf("; %d old ones are still there", old)
		}
	}
	return fmt.Sprintf("%d of %d replicas ready%s", ready, w.Replicas, first)
}
