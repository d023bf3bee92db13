package engine_test

import (
	"maps"
	"slices"
	"strings"

	"github.com/berthdev/berth/reconciler/engine"
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

// checkViewEnd checks that the view shows what there is, when nothing happens any more.
func (c *chaos) checkViewEnd() {
	shown, there := map[string]string{}, map[string]string{}
	for _, pods := range c.engine.View().Pods() {
		for _, p := range pods {
			shown[p.Backend+"/"+p.ID] = strings.Join([]string{p.Deployment, p.Name, string(p.State), string(p.Health), p.StartedAt.String()}, " ")
		}
	}
	for _, p := range c.containers() {
		there[p.Backend+"/"+p.ID] = strings.Join([]string{p.Deployment, p.Name, string(p.State), string(p.Health), p.StartedAt.String()}, " ")
	}
	if !maps.Equal(shown, there) {
		c.errorf("the view shows the pods %v, there are %v", shown, there)
	}
}
