package statuses

import (
	"fmt"
	"time"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

// placed is what a deployment was asked to be: while it is the same, not to be
// ready any more is no rollout but a failure.
type placed struct {
	commit, release, flavour, backend string
	input                             string // empty: not known, as while it waits
	replicas                          int
}

func (p placed) same(q placed) bool {
	if p.input == "" || q.input == "" {
		p.input, q.input, p.replicas, q.replicas = "", "", 0, 0
	}
	return p == q
}

// note takes in where a deployment stands.
func (d *desiredReport) note(v *engine.View, name string) {
	s, there := v.Status(name)
	verdict := s.Verdict()
	if !there {
		delete(d.ready, name)
	}
	if !there || verdict == engine.Failure || s.State == engine.StateRemoving {
		d.fall(name, "")
		return
	}
	now := placed{commit: s.Commit, release: s.Release, flavour: s.Flavour, backend: s.Backend}
	if decision, ok := v.Plan.Decision(name); ok && decision.Workload != nil {
		now.input, now.replicas = decision.Workload.InputHash(), decision.Workload.Replicas
	}
	switch was, known := d.ready[name]; {
	case verdict == engine.Success:
		d.ready[name] = now
		d.fall(name, "")
	case !known || !was.same(now):
		d.fall(name, "")
	case silent(v, s.Backend):
		d.fall(name, forge.Error) // nobody knows
	case runs(v, &s):
		d.fall(name, "") // it waits for something else than its pods
	default:
		d.fall(name, forge.Failure)
	}
}

// fall notes that a deployment has fallen; with an empty state, that it has not.
func (d *desiredReport) fall(name string, state forge.State) {
	if d.fallen[name] == forge.Failure {
		d.dead--
	}
	switch state {
	case "":
		delete(d.fallen, name)
		return
	case forge.Failure:
		d.dead++
	}
	d.fallen[name] = state
}

// runs tells whether as many pods of a deployment are ready, or complete, as it declares.
func runs(v *engine.View, s *engine.Status) bool {
	doc, declared := v.State.Deployment(s.Deployment)
	good := s.Ready(time.Now())
	for _, p := range s.Pods {
		if p.Complete() {
			good++
		}
	}
	return declared && good >= doc.ReplicaCount()
}

// silent tells whether a backend does not answer.
func silent(v *engine.View, backend string) bool {
	for _, b := range v.Backends {
		if b.Name == backend {
			return b.Problem != ""
		}
	}
	return false
}

// overall is the state of the commit.
func (d *desiredReport) overall(verdict engine.Verdict) forge.State {
	switch verdict {
	case engine.Success:
		return forge.Success
	case engine.Failure:
		return forge.Failure
	}
	switch {
	case d.dead > 0:
		return forge.Failure
	case len(d.fallen) > 0:
		return forge.Error
	}
	return forge.Pending
}

// ofDeployment is the state of one deployment.
func (d *desiredReport) ofDeployment(v *engine.View, name string) forge.State {
	s, there := v.Status(name)
	_, declared := v.State.Deployment(name)
	switch {
	case !there && !declared:
		if _, broken := v.State.Broken(schema.Ref{Kind: schema.KindDeployment, Name: name}); broken {
			return forge.Failure
		}
		return forge.Success
	case !there:
		return forge.Pending
	case s.Verdict() == engine.Success:
		return forge.Success
	case s.Verdict() == engine.Failure:
		return forge.Failure
	}
	if fallen := d.fallen[name]; fallen != "" {
		return fallen
	}
	return forge.Pending
}

// describe says in words where a deployment stands.
func describe(v *engine.View, name string) string {
	s, there := v.Status(name)
	doc, declared := v.State.Deployment(name)
	switch {
	case !there && !declared:
		if p, broken := v.State.Broken(schema.Ref{Kind: schema.KindDeployment, Name: name}); broken {
			return p.Error()
		}
		return "removed"
	case !there:
		return "it was not planned yet"
	case s.State == engine.StateReady && declared && doc.ReplicaCount() > 0: // what was replaced may still be ending
		return fmt.Sprintf("%s %s runs on %s, pods: %d", s.Release, s.Flavour, s.Backend, doc.ReplicaCount())
	}
	return s.Reason
}

// waits tells whether a deployment runs and only waits to learn what it shall be,
// as while the app repos are read.
func waits(v *engine.View, s *engine.Status) bool {
	return s.State == engine.StateWaiting && runs(v, s)
}
