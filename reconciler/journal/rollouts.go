package journal

import (
	"slices"
	"time"
)

// RolloutState is where a rollout stands.
type RolloutState string

// The states of rollouts.
const (
	Progressing RolloutState = "progressing"
	Ready       RolloutState = "ready"
	Failed      RolloutState = "failed"
	Superseded  RolloutState = "superseded" // another one began before it ended
)

// A Rollout is a deployment's way to a release.
type Rollout struct {
	Deployment string
	Version    string
	Flavour    string
	Backend    string
	Commit     string // of the desired state, that led to it
	Input      string // the hash of what it shall run: another one is another rollout
	State      RolloutState
	Reason     string // in words; what is too long is cut
	Started    time.Time
	Ended      time.Time // zero: it goes on
}

// same tells whether both are the way to the same.
func (r *Rollout) same(o *Rollout) bool { return r.Input == o.Input && r.Backend == o.Backend }

// Begin notes that a rollout begins now; one that goes on is superseded.
func (j *Journal) Begin(r Rollout) {
	if j == nil {
		return
	}
	r.State, r.Started, r.Ended = Progressing, j.now(), time.Time{}
	r.Reason = cut(r.Reason, MaxMessage)
	j.mu.Lock()
	defer j.mu.Unlock()
	before := j.rollouts.get(r.Deployment)
	all := slices.Concat(before, []*Rollout{&r})
	if last := newest(before); last != nil && last.State == Progressing {
		all[len(before)-1] = last.ended(Superseded, last.Reason, r.Started)
	}
	j.rollouts.put(r.Deployment, all)
}

func (r *Rollout) ended(to RolloutState, reason string, at time.Time) *Rollout {
	e := *r
	e.State, e.Reason, e.Ended = to, cut(reason, MaxMessage), at
	return &e
}

// Turn notes where the newest rollout of a deployment stands now. What ended
// stays as it is, but that a failed one may become ready after all.
func (j *Journal) Turn(deployment string, to RolloutState, reason string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	all := j.rollouts.get(deployment)
	last := newest(all)
	switch {
	case last == nil, last.State == to && last.Reason == cut(reason, MaxMessage):
		return
	case last.State != Progressing && (last.State != Failed || to != Ready):
		return
	}
	next := last.ended(to, reason, j.now())
	if to == Progressing {
		next.Ended = time.Time{}
	}
	j.rollouts.put(deployment, slices.Concat(all[:len(all)-1], []*Rollout{next}))
}

// Remember takes in rollouts that were before this process began, as pods tell
// of them. What is known already stands.
func (j *Journal) Remember(rollouts []Rollout) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range rollouts {
		r.Reason = cut(r.Reason, MaxMessage)
		all := j.rollouts.get(r.Deployment)
		if slices.ContainsFunc(all, r.same) {
			continue
		}
		at := len(all)
		for at > 0 && r.Started.Before(all[at-1].Started) {
			at--
		}
		j.rollouts.put(r.Deployment, slices.Concat(all[:at], []*Rollout{&r}, all[at:]))
	}
}

// Rollout returns the newest rollout of a deployment; false when none is known.
func (j *Journal) Rollout(deployment string) (Rollout, bool) {
	if j == nil {
		return Rollout{}, false
	}
	if last := newest(j.rollouts.get(deployment)); last != nil {
		return *last, true
	}
	return Rollout{}, false
}

// Rollouts returns the rollouts of one deployment, the newest first.
func (j *Journal) Rollouts(deployment string) []Rollout {
	if j == nil {
		return nil
	}
	var out []Rollout
	for _, r := range slices.Backward(j.rollouts.get(deployment)) {
		out = append(out, *r)
	}
	return out
}
