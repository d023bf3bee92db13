package engine_test

import (
	"maps"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
)

// checkView checks that the parts of the view agree, at any time.
func (c *chaos) checkView() {
	v := c.engine.View()
	var names []string
	states := map[engine.State]int{}
	for s := range v.Statuses() {
		names = append(names, s.Deployment)
		states[s.State]++
		if pods := v.Pods()[s.Deployment]; len(pods) != len(s.Pods) || len(pods) != len(v.PodsOf(s.Deployment)) {
			c.errorf("the view shows %d pods of %s, and %d", len(s.Pods), s.Deployment, len(pods))
		}
		if s.State == engine.StateFailed && v.Outcome.Verdict != engine.Failure {
			c.errorf("%s failed, and the view's outcome is %+v", s.Deployment, v.Outcome)
		}
	}
	if !slices.IsSorted(names) || len(names) != v.Len() || !maps.Equal(states, v.States()) {
		c.errorf("the view shows %v, %d deployments, states %v", names, v.Len(), v.States())
	}
	if v.Plan == nil {
		return
	}
	var planned []string
	for _, d := range v.Plan.Decisions() {
		planned = append(planned, d.Deployment)
	}
	if !slices.Equal(planned, names) {
		c.errorf("the view shows %v, planned are %v", names, planned)
	}
}

// checkJournal checks that the journal agrees with what is declared and there, when
// nothing happens any more.
func (c *chaos) checkJournal() {
	for s := range c.engine.View().Statuses() {
		last, known := c.journal.Rollout(s.Deployment)
		d, declared := c.state().Deployment(s.Deployment)
		if !declared || d.ReplicaCount() == 0 || last.State == journal.Superseded { // it was taken back before it made a pod
			continue
		}
		switch {
		case s.State == engine.StateReady && (!known || last.State != journal.Ready || last.Version != s.Release || last.Backend != s.Backend),
			s.State == engine.StateFailed && (!known || last.State != journal.Failed):
			c.errorf("%s is %s %s on %s, its last rollout %+v", s.Deployment, s.State, s.Release, s.Backend, last)
		}
	}
	o, commits := c.engine.View().Outcome, c.journal.Commits()
	if o.Commit != "" && (len(commits) == 0 || commits[0].Hash != o.Commit || o.Verdict != engine.Pending && commits[0].Verdict != string(o.Verdict)) {
		c.errorf("the outcome is %+v, the journal knows %+v", o, commits)
	}
}

// checkViewEnd checks that the view shows what there is, when nothing happens any
// more but that engines start again what crashes: then it shows that in a moment, or
// some seconds later where work on the deployment has failed and is paused.
func (c *chaos) checkViewEnd() {
	for end := time.Now().Add(10 * time.Second); ; {
		shown, there := c.compareView()
		if maps.Equal(shown, there) {
			return
		}
		if time.Now().After(end) {
			c.errorf("the view shows the pods %v, there are %v", shown, there)
			return
		}
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
	}
}

// compareView returns the pods that the view shows, and those that there are.
func (c *chaos) compareView() (shown, there map[string]string) {
	shown, there = map[string]string{}, map[string]string{}
	asked := func(name string) bool { return c.ask(name, 0)+c.ask("", 0) > 0 }
	for name, pods := range c.engine.View().Pods() {
		if asked(name) {
			continue
		}
		for _, p := range pods {
			shown[p.Backend+"/"+p.ID] = strings.Join([]string{p.Deployment, p.Name, string(p.State), string(p.Health), p.StartedAt.String()}, " ")
		}
	}
	for _, p := range c.containers() {
		if asked(p.Deployment) {
			continue
		}
		there[p.Backend+"/"+p.ID] = strings.Join([]string{p.Deployment, p.Name, string(p.State), string(p.Health), p.StartedAt.String()}, " ")
	}
	return shown, there
}
