package engine_test

import (
	"fmt"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
)

// containers lists those of the instance.
func (c *chaos) containers() []memory.Container {
	var out []memory.Container
	for i, e := range c.engines {
		for _, p := range e.Containers() {
			if p.Instance == "test" {
				p.Backend = fmt.Sprintf("b%d", i)
				out = append(out, p)
			}
		}
	}
	return out
}

// podsOf returns what lives of a deployment, and what is kept of failed rollouts.
func (c *chaos) podsOf(name string) (live, failed []memory.Container) {
	for _, p := range c.containers() {
		switch {
		case p.Deployment != name:
		case p.State == backends.PodFailed:
			failed = append(failed, p)
		default:
			live = append(live, p)
		}
	}
	return live, failed
}

func names() []string {
	var out []string
	for i := range chaosDeployments {
		out = append(out, fmt.Sprintf("d%d", i))
	}
	return out
}

// checkDoubles checks that no pod runs twice.
func (c *chaos) checkDoubles() {
	running := map[string]string{}
	for _, p := range c.containers() {
		if p.State != backends.PodRunning {
			continue
		}
		key := fmt.Sprintf("%s %d %s", p.Deployment, p.Ordinal, p.SpecHash)
		c.mu.Lock()
		moves := c.pinned[p.Deployment] // then the new one is ready before the old one goes
		c.mu.Unlock()
		if moves {
			key += p.Backend
		}
		if other := running[key]; other != "" {
			c.errorf("doubled: %s and %s", other, p.Backend+" "+p.ID+" "+p.Name)
		}
		running[key] = p.Backend + " " + p.ID + " " + p.Name
	}
}

// check checks what must be so at any time.
func (c *chaos) check() {
	c.checkDoubles()
	c.checkFrozen()
	for i, e := range c.engines {
		if p := e.Containers()[0]; p.Instance != "other" || p.State != backends.PodRunning || p.ID != c.stranger {
			c.errorf("engine %d: another instance's container was touched: %+v", i, p)
		}
	}
	if c.engine == nil {
		return
	}
	c.checkView()
	o := c.engine.Outcome()
	if c.state().Commit != o.Commit {
		c.errorf("the outcome is that of commit %q, in force is %q", o.Commit, c.state().Commit)
	}
	if o.Verdict != engine.Success {
		return
	}
	if p := c.state().Problems().Errors(); len(p) > 0 {
		c.errorf("success in spite of %v", p)
	}
	for name, d := range c.state().Deployments() {
		live, _ := c.podsOf(name)
		n := 0
		for _, p := range live {
			if ok, _ := p.Ready(time.Now()); ok && (d.Suspend || p.Spec.Env["GENERATION"] == d.Env["GENERATION"]) {
				n++
			}
		}
		asked := c.ask(name, 0) > 0 || d.Suspend && c.ask("", 0) > 0 // it will know in a moment
		if n < d.ReplicaCount() && !asked {
			c.errorf("success (%s), but %s has %d of %d pods ready", o.Summary, name, n, d.ReplicaCount())
		}
	}
}

// checkFrozen checks that nothing was written about what is suspended, or cannot
// be read.
func (c *chaos) checkFrozen() {
	for _, name := range names() {
		d, declared := c.state().Deployment(name)
		_, held := c.state().Holds(name, name+".yaml")
		now := held || declared && d.Suspend || !declared && c.stale() != ""
		c.mu.Lock()
		writes := c.writes[name]
		before, was := c.frozen[name]
		delete(c.frozen, name)
		if now {
			c.frozen[name] = writes
		}
		c.mu.Unlock()
		if was && now && writes > before {
			c.errorf("%s was touched, but must not be: declared %v, held %v, stale %q", name, declared, held, c.stale())
		}
	}
}

// checkEnd checks that everything is as it is declared.
func (c *chaos) checkEnd() {
	c.checkViewEnd()
	c.checkJournal()
	all := true
	for _, name := range names() {
		live, failed := c.podsOf(name)
		d, declared := c.state().Deployment(name)
		if !declared {
			_, broken := c.state().Broken(schema.Ref{Kind: schema.KindDeployment, Name: name})
			if len(live)+len(failed) > 0 && !broken {
				c.errorf("%s is declared no more, and has pods: %v", name, live)
			}
			all = all && !broken
			continue
		}
		all = c.checkDeclared(d, live, failed) && all
	}
	o := c.engine.Outcome()
	if all != (o.Verdict == engine.Success) {
		c.errorf("at the end all is well: %v, but the outcome is %+v", all, o)
	}
}

// checkDeclared checks a deployment at the end, and tells whether it must run.
func (c *chaos) checkDeclared(d *schema.Deployment, live, failed []memory.Container) (well bool) {
	ordinals := map[int]bool{}
	asked := 0
	for _, p := range live {
		if p.State == backends.PodRunning && p.Spec.Env["GENERATION"] == d.Env["GENERATION"] && (d.Backend == "" || p.Backend == d.Backend) {
			ordinals[p.Ordinal] = true
			asked++
		}
	}
	well = asked == d.ReplicaCount() && len(ordinals) == asked && len(live) == asked && len(failed) == 0
	release, _, err := c.sources.catalog.Resolve(d.App, d.Version)
	if err != nil {
		// What runs of it runs on. It is well only if nothing is asked of it.
		return false
	}
	for _, p := range live {
		well = well && p.Release == release.Version
	}
	must := runs(release.Version) && c.dependable(d) && len(failed) == 0
	if must && !well {
		c.errorf("%s should run %d of %s: %+v, failed %+v", d.Name, d.ReplicaCount(), release.Version, live, failed)
	}
	for _, p := range live {
		if ok, _ := p.Ready(time.Now()); !ok {
			well = false
		}
	}
	return well
}

// dependable tells whether all that a deployment depends on is ready.
func (c *chaos) dependable(d *schema.Deployment) bool {
	for _, name := range d.DependsOn {
		on, ok := c.state().Deployment(name)
		if !ok {
			return false // it cannot be used itself
		}
		live, _ := c.podsOf(name)
		n := 0
		for _, p := range live {
			if ok, _ := p.Ready(time.Now()); ok {
				n++
			}
		}
		if n < on.ReplicaCount() {
			return false
		}
	}
	return true
}
