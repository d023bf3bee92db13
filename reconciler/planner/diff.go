package planner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// A change is what keeps the pods from being as they should be.
type change struct {
	action Action // Create, Replace, or Keep: nothing does
	reason string
}

// compare compares the deployment's pods with the workload of the candidate that
// was chosen, and books what it takes.
func (g *planning) compare(s *subject, c *candidate, d Decision) Decision {
	want := g.want(s, c)
	d.Workload = want.workload
	if p := s.failedBefore(want, d.Backend); p != nil {
		d.Action, d.Kind, d.Reason = Hold, schema.Invalid, g.failedReason(s, p, d)
		return d
	}
	d.Leave = s.leave(d.Backend)
	here := s.here(d.Backend)
	changed := s.changed(want, here, d, g.in.Backends[c.backend].Capacity.Orchestrates)
	if changed.action == Keep {
		d.Action, d.Reason = Keep, changed.reason
		g.book(s, c, c.ask.replicas)
		return d
	}
	if v := g.prevented(s, c, want, here, changed); v.action != "" {
		d.Workload, d.Leave = nil, nil
		v.tell(&d)
		return d
	}
	d.Action, d.Reason = changed.action, changed.reason
	if because := neverTwo(s.doc, c.ask, &g.in.Backends[c.backend]); because != "" && s.doc.Rollout.Strategy == schema.Rolling {
		d.Reason += "; the old pods stop first, for " + because
	}
	g.book(s, c, c.ask.replicas+g.surge(want, here, changed))
	return d
}

// book notes what the deployment takes of the candidate's backend, with so many
// pods having a GPU.
func (g *planning) book(s *subject, c *candidate, pods int) {
	at := s.claim(c.backend)
	at.planned = c.usage(c.ask.replicas)
	at.planned.gpus = c.usage(pods).gpus
	if !g.in.Backends[c.backend].Capacity.OneHost || c.ask.replicas == 0 {
		return
	}
	for _, p := range c.ask.fixed {
		at.ports = slices.DeleteFunc(slices.Clone(at.ports), func(o hostPort) bool { return o.port == p.port && o.protocol == p.protocol && anyAddress(o.ip) })
		at.addPort(p)
	}
}

// here returns the pods that live on a backend.
func (s *subject) here(backend string) []*backends.Pod {
	var out []*backends.Pod
	for i := range s.pods {
		if p := &s.pods[i]; p.Backend == backend && live(p) {
			out = append(out, p)
		}
	}
	return out
}

// failedBefore returns the pod that remembers that a rollout of just this input
// was given up.
func (s *subject) failedBefore(want *wanted, backend string) *backends.Pod {
	input := ""
	for i := range s.pods {
		p := &s.pods[i]
		if p.State != backends.PodFailed || p.Backend != backend || p.Ordinal < 0 || p.Ordinal >= want.workload.Replicas {
			continue
		}
		if input == "" {
			input = want.workload.InputHash()
		}
		if p.InputHash == input {
			return p
		}
	}
	return nil
}

// failedReason says it as the backend does, so that a restart brings no news.
func (g *planning) failedReason(s *subject, p *backends.Pod, d Decision) string {
	text := fmt.Sprintf("%s %s was given up: replica %d: %s", d.Release, d.Flavour, p.Ordinal, p.GivenUp())
	for i := range s.pods {
		if o := &s.pods[i]; o.SpecHash != p.SpecHash {
			if ready, _ := o.Ready(g.in.Now); ready {
				text += fmt.Sprintf("; %s %s runs on", o.Release, o.Flavour)
				break
			}
		}
	}
	return text + "; not tried again until the input changes"
}

// changed says what keeps the pods from being as they should be. The gravest is
// told; all of it is put right at once. On an engine that orchestrates, an object
// stands for a deployment also without replicas.
func (s *subject) changed(want *wanted, here []*backends.Pod, d Decision, orchestrated bool) change {
	if len(d.Leave) > 0 {
		return change{Replace, fmt.Sprintf("it moves to %s, from %s", d.Backend, strings.Join(d.Leave, ", "))}
	}
	hash := ""
	if len(here) > 0 {
		hash = want.specHash()
	}
	for i, p := range here {
		switch {
		case p.SpecHash != hash:
			return change{Replace, difference(p, d)}
		case slices.ContainsFunc(here[:i], func(o *backends.Pod) bool { return o.Ordinal == p.Ordinal }):
			return change{Replace, fmt.Sprintf("replica %d is there twice", p.Ordinal)}
		}
	}
	object := slices.ContainsFunc(here, absent)
	here = there(here)
	replicas := want.workload.Replicas
	for _, p := range here {
		if p.Ordinal < 0 || p.Ordinal >= replicas {
			return change{Replace, fmt.Sprintf("scale from %d to %d", len(here), replicas)}
		}
	}
	for i := range s.pods {
		if p := &s.pods[i]; p.State == backends.PodFailed && p.Backend == d.Backend {
			return change{Replace, "pod " + p.Name + " failed with an input that has changed, and is removed"}
		}
	}
	if replicas == 0 && orchestrated && !object && len(here) == 0 {
		return change{Create, "the object that stands for it is missing"}
	}
	return missing(here, want)
}

// absent tells whether a pod is none, but the object that stands for a deployment.
func absent(p *backends.Pod) bool { return p.State == backends.PodAbsent }

// there returns the pods that are there.
func there(pods []*backends.Pod) []*backends.Pod {
	if !slices.ContainsFunc(pods, absent) {
		return pods
	}
	return slices.DeleteFunc(slices.Clone(pods), absent)
}

// difference says in words by what a pod differs from what is wanted now.
func difference(p *backends.Pod, d Decision) string {
	switch {
	case p.Release != d.Release:
		return fmt.Sprintf("release %s to %s", p.Release, d.Release)
	case p.Flavour != d.Flavour:
		return fmt.Sprintf("flavour %s to %s", p.Flavour, d.Flavour)
	case p.Image != d.Workload.Pod.Image:
		return fmt.Sprintf("image %s to %s", p.Image, d.Workload.Pod.Image)
	default:
		return "its specification changed"
	}
}

// missing says which replicas are not there, or not running. All pods that are
// here are as they are wanted.
func missing(here []*backends.Pod, want *wanted) change {
	down := ""
	for _, p := range here {
		if why := stopped(p, want.workload.Pod.Restart); down == "" {
			down = why
		}
	}
	replicas := want.workload.Replicas
	switch {
	case replicas == 0:
		return change{Keep, "it is declared with no replicas"}
	case len(here) == 0:
		return change{Create, "no pod is there"}
	case len(here) < replicas:
		return change{Create, fmt.Sprintf("%d of %d pods are there", len(here), replicas)}
	case down != "":
		return change{Create, down}
	default:
		return change{Keep, "it runs as it is declared"}
	}
}

// stopped says why a pod does not run that should; empty: it does, or need not.
// Whether it is ready is not asked: that is a matter of time.
func stopped(p *backends.Pod, restart schema.RestartPolicy) string {
	switch p.State {
	case backends.PodRunning, backends.PodRestarting:
		return ""
	case backends.PodExited:
		if p.ExitCode == 0 && (restart == schema.RestartNo || restart == schema.RestartOnFailure) {
			return "" // it is complete
		}
		return fmt.Sprintf("pod %s exited with code %d", p.Name, p.ExitCode)
	case backends.PodPaused:
		return "pod " + p.Name + " is paused"
	default:
		return "pod " + p.Name + " was made, and not started"
	}
}

// surge counts the new pods that a change may let run beside old ones: a rolling
// replacement takes good ones one by one, the others all at once.
func (g *planning) surge(want *wanted, here []*backends.Pod, ch change) int {
	if ch.action != Replace || want.workload.Rollout.Strategy != schema.Rolling {
		return 0
	}
	old, bad := 0, 0
	for _, p := range there(here) {
		if p.SpecHash == want.specHash() {
			continue
		}
		old++
		if ready, _ := p.Ready(g.in.Now); !ready {
			bad++
		}
	}
	return min(old, max(1, bad))
}

// prevented says what a change must wait for.
func (g *planning) prevented(s *subject, c *candidate, want *wanted, here []*backends.Pod, ch change) verdict {
	wait := func(format string, args ...any) verdict {
		return verdict{Wait, schema.Waiting, fmt.Sprintf(format, args...)}
	}
	b := &g.in.Backends[c.backend]
	switch {
	case b.unavailable() != "":
		return wait("%s; once it does: %s", b.unavailable(), ch.reason)
	case len(here) == 0 && len(s.away) > 0:
		return wait("its pods may still run there: %s; once it answers: %s", g.why(s.away), ch.reason)
	case len(s.unread) > 0 && s.runsOtherwise(want):
		return wait("repos that may own %s were not read yet: %s; until then its pods stay", s.doc.App, bounded(s.unread, ", "))
	}
	if n := g.surge(want, here, ch); n > 0 && c.ask.gpus > 0 {
		if lacks := c.ask.gpus*(c.ask.replicas+n) - g.freeGPUs(c); lacks > 0 {
			s.blocked = true
			return wait("a rolling replacement needs %d more GPUs of %s than are free; write rollout: {strategy: recreate} to do without", lacks, b.Name)
		}
	}
	if ch.action == Replace && allThere(want, here) {
		return verdict{} // it only takes away
	}
	return g.dependencies(s)
}

// allThere tells whether every replica has a pod as it is wanted.
func allThere(want *wanted, here []*backends.Pod) bool {
	good := map[int]bool{}
	for _, p := range there(here) {
		if p.SpecHash == want.specHash() && p.Ordinal >= 0 && p.Ordinal < want.workload.Replicas {
			good[p.Ordinal] = true
		}
	}
	return len(good) == want.workload.Replicas
}

// runsOtherwise tells whether pods live, and none as it is wanted.
func (s *subject) runsOtherwise(want *wanted) bool {
	any := false
	for i := range s.pods {
		if p := &s.pods[i]; live(p) {
			any = true
			if p.SpecHash == want.specHash() {
				return false
			}
		}
	}
	return any
}

// dependencies says which deployments must be ready first and are not.
func (g *planning) dependencies(s *subject) verdict {
	var open []string
	for _, name := range s.doc.DependsOn {
		d, ok := g.in.Desired.Deployment(name)
		if !ok {
			open = append(open, name+" (not declared)")
			continue
		}
		ready := 0
		for i := range g.in.Pods[name] {
			if is, _ := g.in.Pods[name][i].Ready(g.in.Now); is || g.in.Pods[name][i].Complete() {
				ready++
			}
		}
		if ready < d.ReplicaCount() {
			open = append(open, fmt.Sprintf("%s (%d of %d ready)", name, ready, d.ReplicaCount()))
		}
	}
	if len(open) == 0 {
		return verdict{}
	}
	s.blocked = true // where it would go depends on what others take meanwhile
	return verdict{Wait, schema.Waiting, "it depends on " + bounded(open, ", ")}
}
